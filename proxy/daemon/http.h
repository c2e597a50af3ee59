/*
 * The HTTP listener: loopback or a unix socket, GET only, one answer a
 * connection. It never stands in mail's way: an address that cannot be bound
 * is a warning, connections are few and short-lived.
 */
#ifndef ONWARD_HTTP_H
#define ONWARD_HTTP_H

#include "descriptors.h"
#include "local.h"
#include "stats.h"

struct http;

/* NULL: off, or it could not be bound (which was logged). NULL is fine for all
 * of these. */
struct http *http_open(struct loop *loop, const struct conf *conf,
                       struct descriptors *descriptors, struct stats *stats,
                       struct inherited *inherited);
void http_listen(struct http *http);
/* Accept what waits: descriptors may have been what was short. */
void http_wake(struct http *http);
void http_close(struct http *http);
void http_free(struct http *http); /* after the loop has ended */

#endif
