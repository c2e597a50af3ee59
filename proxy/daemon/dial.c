#include "dial.h"

#include <string.h>

enum {
    HOST_MAX = 64
};

enum conn_kind
dial_kind(const struct conf_address *address)
{
    return address->kind == CONF_UNIX ? CONN_UNIX : CONN_TCP;
}

static int
dial_tcp(struct conn *conn, uv_connect_t *request,
         const struct conf_address *address, uv_connect_cb on_connected)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } peer;
    char host[HOST_MAX];
    int port = (int)address->port;

    if (address->host.len >= sizeof(host))
        return UV_EINVAL;
    memcpy(host, address->host.ptr, address->host.len);
    host[address->host.len] = '\0';
    if (uv_ip4_addr(host, port, &peer.in) != 0 &&
        uv_ip6_addr(host, port, &peer.in6) != 0)
        return UV_EINVAL;
    return uv_tcp_connect(request, &conn->uv.tcp, &peer.any, on_connected);
}

int
dial(struct conn *conn, uv_connect_t *request,
     const struct conf_address *address, uv_connect_cb on_connected)
{
    struct buf path = { 0 };

    if (address->kind == CONF_TCP)
        return dial_tcp(conn, request, address, on_connected);
    buf_append(&path, address->path);
    uv_pipe_connect(request, &conn->uv.pipe, buf_cstr(&path), on_connected);
    buf_free(&path);
    return 0;
}
