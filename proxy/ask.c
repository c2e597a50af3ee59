/* One question to a socketmap server, for commands that may wait for it. The
 * daemon has a pool of its own (daemon/lookup.c). */
#include "cli.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    ASK_MS = 2000
};

static int64_t
milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool
wait_for(int fd, short events, int64_t deadline)
{
    struct pollfd wait = { .fd = fd, .events = events };

    for (;;) {
        int64_t left = deadline - milliseconds();
        int ready = left <= 0 ? 0 : poll(&wait, 1, (int)left);
        if (ready < 0 && errno == EINTR)
            continue;
        return ready > 0;
    }
}

static bool
connect_to(int fd, const struct sockaddr *address, socklen_t length,
           int64_t deadline)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (connect(fd, address, length) == 0)
        return true;
    return errno == EINPROGRESS && wait_for(fd, POLLOUT, deadline) &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
           error == 0;
}

static int
dial_unix(struct slice path, int64_t deadline)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    if (path.len >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, path.ptr, path.len);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 &&
        connect_to(fd, (struct sockaddr *)&address, sizeof(address), deadline))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int
dial_inet(struct slice where, int64_t deadline)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    struct buf host = { 0 };
    struct buf port = { 0 };
    size_t colon = slice_find_last(where, ':');
    struct slice name = slice_head(where, colon);
    int fd = -1;

    if (name.len > 2 && name.ptr[0] == '[')
        name = slice_head(slice_tail(name, 1), name.len - 2);
    buf_append(&host, name);
    buf_append(&port, slice_tail(where, colon + 1));
    if (getaddrinfo(buf_cstr(&host), buf_cstr(&port), &hints, &list) != 0)
        list = NULL;
    for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd =
            socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && !connect_to(fd, a->ai_addr, a->ai_addrlen, deadline)) {
            close(fd);
            fd = -1;
        }
    }
    if (list != NULL)
        freeaddrinfo(list);
    buf_free(&host);
    buf_free(&port);
    return fd;
}

static bool
send_all(int fd, struct slice octets, int64_t deadline)
{
    while (octets.len != 0) {
        ssize_t n = send(fd, octets.ptr, octets.len, MSG_NOSIGNAL);
        if (n > 0)
            octets = slice_tail(octets, (size_t)n);
        else if (n < 0 && errno == EAGAIN) {
            if (!wait_for(fd, POLLOUT, deadline))
                return false;
        } else if (n == 0 || errno != EINTR)
            return false;
    }
    return true;
}

static bool
receive(int fd, int64_t deadline, struct buf *in, struct slice *payload)
{
    for (;;) {
        struct slice rest = buf_slice(in);
        switch (netstring_take(&rest, SOCKETMAP_REPLY_MAX, payload)) {
        case NETSTRING_DONE:
            return true;
        case NETSTRING_BAD:
            return false;
        case NETSTRING_MORE:
            break;
        }
        if (!wait_for(fd, POLLIN, deadline))
            return false;
        buf_reserve(in, 4096);
        ssize_t n = recv(fd, in->ptr + in->len, 4096, 0);
        if (n > 0)
            in->len += (size_t)n;
        else if (n == 0 || (errno != EINTR && errno != EAGAIN))
            return false;
    }
}

struct table_answer
cli_ask(void *ctx, const struct table_query *query, struct arena *arena)
{
    static const struct slice local = SLICE("unix:");
    struct table_answer answer = { .status = TABLE_ERROR };
    struct slice path = query->table->path;
    struct slice where = slice_tail(path, 5); /* "inet:" and "unix:" alike */
    int64_t deadline = milliseconds() + ASK_MS;
    struct buf request = { 0 };
    struct buf reply = { 0 };
    struct slice payload;

    (void)ctx;
    if (query->table->kind != TABLE_SOCKETMAP)
        return answer;
    int fd = slice_starts_nocase(path, local) ? dial_unix(where, deadline)
                                              : dial_inet(where, deadline);
    if (fd < 0)
        return answer;
    socketmap_request(query->table->name, query->key, &request);
    if (send_all(fd, buf_slice(&request), deadline) &&
        receive(fd, deadline, &reply, &payload)) {
        answer = socketmap_answer(payload);
        answer.value = arena_copy(arena, answer.value);
    }
    close(fd);
    buf_free(&request);
    buf_free(&reply);
    return answer;
}
