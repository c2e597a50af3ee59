#include "listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,
    BATCH = 16,  /* accepted before it is others' turn */
    RETRY = 100, /* ms, after an error of accept */
};

union peer {
    struct sockaddr any;
    struct sockaddr_storage storage;
};

static void on_retry(uv_timer_t *timer);

/* ---- binding ----------------------------------------------------------- */

static void
copy_conf(struct listener *listener, const struct conf_listener *from)
{
    struct arena *arena = &listener->arena;
    struct conf_listener *to = &listener->entrance.conf;

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
               SLICE_ARG(listener->entrance.conf.name),
               SLICE_ARG(listener->entrance.conf.address.text), SLICE_ARG(why));
}

static void
remember_made(struct listener *listener)
{
    struct stat st;

    listener->made =
        arena_cstr(&listener->arena, listener->entrance.conf.address.path);
    if (lstat(listener->made, &st) == 0) {
        listener->made_device = st.st_dev;
        listener->made_inode = st.st_ino;
    }
}

/* Another process may have put its own there since. */
static void
unlink_made(const struct listener *listener)
{
    struct stat st;

    if (listener->made != NULL && lstat(listener->made, &st) == 0 &&
        st.st_dev == listener->made_device && st.st_ino == listener->made_inode)
        unlink(listener->made);
}

static bool
bind_one(struct listener *listener, struct inherited *inherited,
         struct buf *errors)
{
    struct conf_listener *conf = &listener->entrance.conf;
    int fd = inherited_find(inherited, conf);
    int error;

    if (fd < 0) {
        struct buf why = { 0 };
        fd = socket_bind(conf, &why);
        if (fd >= 0 && conf->address.kind == CONF_UNIX)
            remember_made(listener);
        if (fd < 0)
            complain(listener, buf_slice(&why), errors);
        buf_free(&why);
    }
    if (fd < 0)
        return false;
    error = uv_poll_init(&listener->all->links->loop->uv, &listener->poll, fd);
    if (error != 0) {
        close(fd);
        complain(listener, slice_from(uv_strerror(error)), errors);
        return false;
    }
    listener->poll.data = listener;
    listener->fd = fd;
    return true;
}

void
listeners_init(struct listeners *listeners, struct links *links,
               struct descriptors *descriptors)
{
    *listeners =
        (struct listeners){ .links = links, .descriptors = descriptors };
    uv_timer_init(&links->loop->uv, &listeners->retry);
    listeners->retry.data = listeners;
}

bool
listeners_bind(struct listeners *listeners, struct inherited *inherited,
               struct buf *errors)
{
    const struct conf *conf = *listeners->links->conf;
    bool ok = true;

    listeners->count = conf->listener_count;
    listeners->list =
        mem_alloc((conf->listener_count + 1) * sizeof(*listeners->list));
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = &listeners->list[i];
        listener->all = listeners;
        listener->fd = -1;
        listener->entrance.counters = &listeners->links->shared->counters[i];
        copy_conf(listener, &conf->listeners[i]);
        listener->entrance.kind =
            conf->listeners[i].address.kind == CONF_UNIX ? CONN_UNIX : CONN_TCP;
        if (!bind_one(listener, inherited, errors))
            ok = false;
    }
    return ok;
}

static bool
is_same(const struct listener *have, const struct conf_listener *want)
{
    const struct conf_listener *conf = &have->entrance.conf;

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
listeners_match(const struct listeners *listeners, const struct conf *conf)
{
    if (listeners->count != conf->listener_count)
        return false;
    for (size_t i = 0; i < conf->listener_count; i++)
        if (!is_same(&listeners->list[i], &conf->listeners[i]))
            return false;
    return true;
}

/* ---- accepting --------------------------------------------------------- */

/* False: not now. */
static bool
admit(struct listeners *listeners, enum relay_welcome *welcome)
{
    const struct links *links = listeners->links;
    size_t limit = (*links->conf)->limits.sessions;
    size_t count = links->count;

    if (count >= limit + (limit + 9) / 10) {
        loop_log(links->loop, LOG_LEVEL_WARNING,
                 "limits.sessions = %zu and 10 %% more: accepting pauses",
                 limit);
        return false;
    }
    if (!descriptors_suffice(listeners->descriptors)) {
        loop_log(links->loop, LOG_LEVEL_WARNING,
                 "descriptors are short: accepting pauses");
        return false;
    }
    if (count >= limit)
        loop_log(links->loop, LOG_LEVEL_WARNING,
                 "limits.sessions = %zu: new ones are told to come again",
                 limit);
    if (links->shared->draining)
        *welcome = RELAY_DRAINING;
    else if (count >= limit)
        *welcome = RELAY_OVERLOADED;
    else if (5 * (count + 1) > 4 * limit)
        *welcome = RELAY_STRESSED;
    else
        *welcome = RELAY_WELCOME;
    return true;
}

/* May this peer speak to us: loopback, unix, or in allow_from? */
static bool
is_allowed(const struct listener *listener, const union peer *peer)
{
    unsigned char address[16];

    if (listener->entrance.kind == CONN_UNIX)
        return true;
    if (!socket_address_bytes(&peer->any, address))
        return false;
    if (socket_is_loopback(address))
        return true;
    for (size_t i = 0; i < listener->entrance.conf.allow_from_count; i++)
        if (socket_is_within(address, &listener->entrance.conf.allow_from[i]))
            return true;
    return false;
}

/* The others wait in the backlog, and nothing spins. */
static void
hold(struct listener *listener)
{
    listener->paused = true;
    uv_poll_stop(&listener->poll);
}

/* Trouble of the system that no session's end will tell us about. */
static void
hold_and_retry(struct listener *listener, const char *why)
{
    struct listeners *listeners = listener->all;
    const struct links *links = listeners->links;

    loop_log(links->loop, LOG_LEVEL_WARNING, "listener %.*s: cannot accept: %s",
             SLICE_ARG(listener->entrance.conf.name), why);
    hold(listener);
    uv_timer_start(&listeners->retry, on_retry, RETRY, 0);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    enum relay_welcome welcome;

    (void)status;
    (void)events;
    for (int i = 0; i < BATCH; i++) {
        union peer peer;
        socklen_t size = sizeof(peer);
        int fd;

        if (!admit(listener->all, &welcome)) {
            hold(listener);
            return;
        }
        fd = accept4(listener->fd, &peer.any, &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (fd < 0 && errno == ECONNABORTED)
            continue;
        if (fd < 0) {
            hold_and_retry(listener, strerror(errno));
            return;
        }
        if (!is_allowed(listener, &peer)) {
            close(fd);
        } else if (!link_open(listener->all->links, &listener->entrance, fd,
                              &peer.any, welcome)) {
            close(fd);
            hold_and_retry(listener, "out of memory");
            return;
        }
    }
}

static int
start(struct listener *listener)
{
    listener->paused = false;
    return uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

bool
listeners_listen(struct listeners *listeners, struct buf *errors)
{
    bool ok = true;

    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = &listeners->list[i];
        if (listen(listener->fd, BACKLOG) != 0 || start(listener) != 0) {
            complain(listener, slice_from(strerror(errno)), errors);
            ok = false;
        }
    }
    return ok;
}

void
listeners_wake(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = &listeners->list[i];
        if (listener->fd >= 0 && listener->paused)
            start(listener);
    }
}

static void
on_retry(uv_timer_t *timer)
{
    listeners_wake(timer->data);
}

/* ---- the end ----------------------------------------------------------- */

void
listeners_close(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = &listeners->list[i];
        if (listener->fd < 0)
            continue;
        unlink_made(listener);
        uv_close((uv_handle_t *)&listener->poll, NULL);
        close(listener->fd);
        listener->fd = -1;
    }
}

void
listeners_end(struct listeners *listeners)
{
    listeners_close(listeners);
    uv_close((uv_handle_t *)&listeners->retry, NULL);
}

void
listeners_free(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        arena_free(&listeners->list[i].arena);
    free(listeners->list);
}
