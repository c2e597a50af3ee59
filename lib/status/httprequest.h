/* The few requests that the HTTP listener answers. */
#ifndef ONWARD_STATUS_HTTPREQUEST_H
#define ONWARD_STATUS_HTTPREQUEST_H

#include "base.h"

enum {
    STATUS_REQUEST_MAX = 8 * 1024
};

enum status_request {
    STATUS_REQUEST_MORE,    /* not complete yet */
    STATUS_REQUEST_GET,     /* or HEAD */
    STATUS_REQUEST_METHOD,  /* 405 */
    STATUS_REQUEST_BAD,     /* 400 */
    STATUS_REQUEST_BIG,     /* 431 */
    STATUS_REQUEST_FOREIGN, /* 403: Host is no name of this machine */
};

/*
 * Octets so far; path (into them) is without its query. A Host that is neither
 * an address nor localhost is refused: a page elsewhere whose name was made to
 * lead here (DNS rebinding) must not read what we say.
 */
enum status_request status_request_parse(struct slice octets,
                                         struct slice *path, bool *head);

#endif
