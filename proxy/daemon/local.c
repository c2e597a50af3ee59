#include "local.h"

#include <unistd.h>

static int
adopt(struct local *local, uv_loop_t *loop, int fd)
{
    if (local->kind == CONN_UNIX) {
        uv_pipe_init(loop, &local->uv.pipe, 0);
        return uv_pipe_open(&local->uv.pipe, fd);
    }
    uv_tcp_init(loop, &local->uv.tcp);
    return uv_tcp_open(&local->uv.tcp, fd);
}

bool
local_open(struct local *local, uv_loop_t *loop, struct inherited *inherited,
           const struct local_wish *wish, struct buf *why)
{
    const struct conf_address *address = wish->address;

    local->kind = address->kind == CONF_UNIX ? CONN_UNIX : CONN_TCP;
    local->conf.name = wish->name;
    local->conf.mode = wish->mode;
    local->conf.address = *address;
    local->conf.address.text = arena_copy(&local->arena, address->text);
    local->conf.address.host = arena_copy(&local->arena, address->host);
    local->conf.address.path = arena_copy(&local->arena, address->path);

    int fd = inherited_find(inherited, &local->conf);
    if (fd < 0) {
        fd = socket_bind(&local->conf, why);
        local->made = fd >= 0 && local->kind == CONN_UNIX;
    }
    if (fd < 0)
        return false;
    int error = adopt(local, loop, fd);
    if (error != 0) {
        close(fd);
        buf_puts(why, uv_strerror(error));
    }
    return true;
}

static bool
is_of_this_host(const struct local *local, const struct conn *conn)
{
    struct sockaddr_storage from;
    int size = sizeof(from);
    unsigned char address[16];

    return local->kind == CONN_UNIX ||
           (uv_tcp_getpeername(&conn->uv.tcp, (struct sockaddr *)&from,
                               &size) == 0 &&
            socket_address_bytes((struct sockaddr *)&from, address) &&
            socket_is_loopback(address));
}

bool
local_accept(struct local *local, struct conn *conn)
{
    return uv_accept(&local->uv.stream, &conn->uv.stream) == 0 &&
           is_of_this_host(local, conn);
}

void
local_close(struct local *local)
{
    if (local->made)
        unlink(local->conf.address.path.ptr); /* a copy: a C string */
    uv_close(&local->uv.handle, NULL);
}

void
local_free(struct local *local)
{
    arena_free(&local->arena);
}
