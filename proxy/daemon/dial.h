/* Connecting a conn to an address of the configuration. */
#ifndef ONWARD_DIAL_H
#define ONWARD_DIAL_H

#include "conf.h"
#include "conn.h"

/* The kind of conn that fits. */
enum conn_kind dial_kind(const struct conf_address *address);

/* 0: on_connected follows, from the loop. Else an error of libuv. */
int dial(struct conn *conn, uv_connect_t *request,
         const struct conf_address *address, uv_connect_cb on_connected);

#endif
