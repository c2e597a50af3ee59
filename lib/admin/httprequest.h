/* The few requests that the HTTP listener answers. */
#ifndef ONWARD_ADMIN_HTTPREQUEST_H
#define ONWARD_ADMIN_HTTPREQUEST_H

#include "base.h"

enum {
    ADMIN_REQUEST_MAX = 8 * 1024
};

enum admin_request {
    ADMIN_REQUEST_MORE,    /* not complete yet */
    ADMIN_REQUEST_GET,     /* or HEAD */
    ADMIN_REQUEST_METHOD,  /* 405 */
    ADMIN_REQUEST_BAD,     /* 400 */
    ADMIN_REQUEST_BIG,     /* 431 */
    ADMIN_REQUEST_FOREIGN, /* 403: Host is no name of this machine */
};

/*
 * Octets so far; path (into them) is without its query. A Host that is neither
 * an address nor localhost is refused: a page elsewhere whose name was made to
 * lead here (DNS rebinding) must not read what we say.
 */
enum admin_request admin_request_parse(struct slice octets, struct slice *path,
                                       bool *head);

#endif
