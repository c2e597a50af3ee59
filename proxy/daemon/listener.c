#include "listener.h"

#include "daemon.h"
#include "sockets.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BACKLOG = 4096
};

/* ---- binding ----------------------------------------------------------- */

static void
copy_conf(struct listener *listener, const struct conf_listener *from)
{
    struct arena *arena = &listener->arena;
    struct conf_listener *to = &listener->conf;

    *to = *from;
    to->name = arena_copy(arena, from->name);
    to->group = arena_copy(arena, from->group);
    to->address.text = arena_copy(arena, from->address.text);
    to->address.host = arena_copy(arena, from->address.host);
    to->address.path = arena_copy(arena, from->address.path);
    to->allow_from = NULL;
    if (from->allow_from_count != 0) {
        size_t size = from->allow_from_count * sizeof(*from->allow_from);
        to->allow_from = arena_alloc(arena, size);
        memcpy(to->allow_from, from->allow_from, size);
    }
}

static void
complain(const struct listener *listener, struct slice why, struct buf *errors)
{
    buf_printf(errors, "listener %.*s: %.*s: %.*s\n",
               SLICE_ARG(listener->conf.name),
               SLICE_ARG(listener->conf.address.text), SLICE_ARG(why));
}

static bool
bind_one(struct listener *listener, struct inherited *inherited,
         struct buf *errors)
{
    struct conf_listener *conf = &listener->conf;
    struct daemon *daemon = listener->daemon;
    int fd = inherited_find(inherited, conf);
    bool own = fd < 0;
    int error;

    if (own) {
        struct buf why = { 0 };
        fd = socket_bind(conf, &why);
        if (fd < 0)
            complain(listener, buf_slice(&why), errors);
        buf_free(&why);
    }
    if (fd < 0)
        return false;
    if (own && conf->address.kind == CONF_UNIX)
        listener->made = arena_cstr(&listener->arena, conf->address.path);

    if (conf->address.kind == CONF_UNIX) {
        uv_pipe_init(&daemon->loop, &listener->uv.pipe, 0);
        error = uv_pipe_open(&listener->uv.pipe, fd);
    } else {
        uv_tcp_init(&daemon->loop, &listener->uv.tcp);
        error = uv_tcp_open(&listener->uv.tcp, fd);
    }
    listener->open = true;
    listener->uv.handle.data = listener;
    if (error == 0)
        return true;
    close(fd);
    complain(listener, slice_from(uv_strerror(error)), errors);
    return false;
}

bool
listeners_bind(struct daemon *daemon, struct buf *errors)
{
    const struct conf *conf = daemon->conf;
    struct inherited inherited;
    struct buf unwanted = { 0 };
    bool ok = true;

    inherited_take(&inherited);
    daemon->listener_count = conf->listener_count;
    daemon->listeners =
        mem_alloc((conf->listener_count + 1) * sizeof(*daemon->listeners));
    for (size_t i = 0; i < daemon->listener_count; i++) {
        struct listener *listener = &daemon->listeners[i];
        listener->daemon = daemon;
        listener->counters = &daemon->shared.counters[i];
        copy_conf(listener, &conf->listeners[i]);
        listener->kind =
            listener->conf.address.kind == CONF_UNIX ? CONN_UNIX : CONN_TCP;
        if (!bind_one(listener, &inherited, errors))
            ok = false;
    }
    daemon->mapserver = mapserver_open(daemon, &inherited, errors);
    ok = ok && errors->len == 0;
    inherited_free(&inherited, &unwanted);
    if (unwanted.len != 0)
        daemon_log(daemon, LOG_LEVEL_WARNING,
                   "inherited sockets that no listener wants: %.*s",
                   SLICE_ARG(buf_slice(&unwanted)));
    buf_free(&unwanted);
    return ok;
}

static bool
is_same(const struct listener *have, const struct conf_listener *want)
{
    const struct conf_listener *conf = &have->conf;

    return slice_equal(conf->name, want->name) &&
           slice_equal(conf->address.text, want->address.text) &&
           conf->role == want->role && conf->reuse_port == want->reuse_port &&
           conf->mode == want->mode && slice_equal(conf->group, want->group) &&
           conf->allow_from_count == want->allow_from_count &&
           (want->allow_from_count == 0 ||
            memcmp(conf->allow_from, want->allow_from,
                   want->allow_from_count * sizeof(*want->allow_from)) == 0);
}

bool
listeners_match(const struct daemon *daemon, const struct conf *conf)
{
    if (daemon->listener_count != conf->listener_count)
        return false;
    for (size_t i = 0; i < conf->listener_count; i++)
        if (!is_same(&daemon->listeners[i], &conf->listeners[i]))
            return false;
    return true;
}

/* ---- accepting --------------------------------------------------------- */

/* False: not now. */
static bool
admit(struct daemon *daemon, enum relay_welcome *welcome)
{
    size_t limit = daemon->conf->limits.sessions;
    size_t count = daemon->link_count;

    if (count >= limit + (limit + 9) / 10 || !descriptors_suffice(daemon))
        return false;
    if (daemon->stopping)
        *welcome = RELAY_DRAINING;
    else if (count >= limit)
        *welcome = RELAY_OVERLOADED;
    else if (count > limit / 5 * 4)
        *welcome = RELAY_STRESSED;
    else
        *welcome = RELAY_WELCOME;
    return true;
}

static void
accept_one(struct listener *listener)
{
    enum relay_welcome welcome;

    /* As long as the connection is not taken, libuv does not poll the
     * socket: the others wait in its backlog, and nothing spins. */
    listener->paused = !admit(listener->daemon, &welcome) ||
                       !link_accept(listener->daemon, listener, welcome);
}

static void
on_connection(uv_stream_t *stream, int status)
{
    struct listener *listener = stream->data;

    if (status != 0) {
        daemon_log(listener->daemon, LOG_LEVEL_WARNING,
                   "listener %.*s: cannot accept: %s",
                   SLICE_ARG(listener->conf.name), uv_strerror(status));
        return;
    }
    accept_one(listener);
}

bool
listeners_listen(struct daemon *daemon, struct buf *errors)
{
    bool ok = true;

    for (size_t i = 0; i < daemon->listener_count; i++) {
        struct listener *listener = &daemon->listeners[i];
        int error = uv_listen(&listener->uv.stream, BACKLOG, on_connection);
        if (error != 0) {
            complain(listener, slice_from(uv_strerror(error)), errors);
            ok = false;
        }
    }
    return mapserver_listen(daemon->mapserver, errors) && ok;
}

static bool
is_waiting(const struct listener *listener)
{
    return listener->open && listener->paused;
}

static void
on_wake(uv_idle_t *idle)
{
    struct daemon *daemon = idle->data;

    uv_idle_stop(idle);
    for (size_t i = 0; i < daemon->listener_count; i++)
        if (is_waiting(&daemon->listeners[i]))
            accept_one(&daemon->listeners[i]);
}

void
listeners_wake(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->listener_count; i++)
        if (is_waiting(&daemon->listeners[i])) {
            uv_idle_start(&daemon->wake, on_wake);
            return;
        }
}

bool
listener_admits(const struct listener *listener, const struct conn *client)
{
    struct sockaddr_storage peer;
    int size = sizeof(peer);
    unsigned char address[16];

    if (listener->kind == CONN_UNIX)
        return true;
    if (uv_tcp_getpeername(&client->uv.tcp, (struct sockaddr *)&peer, &size) !=
            0 ||
        !socket_address_bytes((struct sockaddr *)&peer, address))
        return false;
    if (socket_is_loopback(address))
        return true;
    for (size_t i = 0; i < listener->conf.allow_from_count; i++)
        if (socket_is_within(address, &listener->conf.allow_from[i]))
            return true;
    return false;
}

/* ---- the end ----------------------------------------------------------- */

void
listeners_close(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->listener_count; i++) {
        struct listener *listener = &daemon->listeners[i];
        if (!listener->open)
            continue;
        listener->open = false;
        if (listener->made != NULL)
            unlink(listener->made);
        uv_close(&listener->uv.handle, NULL);
    }
}

void
listeners_free(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->listener_count; i++)
        arena_free(&daemon->listeners[i].arena);
    free(daemon->listeners);
}
