/*
 * relay: a byte relay, the floor of what any further process costs in our
 * place. One thread, epoll, TCP_NODELAY on both sides.
 *
 *   relay LISTEN-PORT TARGET-PORT             both on 127.0.0.1
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK = 64 * 1024
};

struct end {
    int fd;
    struct end *other;
    char *unsent; /* for this end; NULL: none */
    size_t len;
    bool eof;     /* nothing more comes from it */
    bool blocked; /* waits until it is writable */
};

static int epoll_fd;
static struct sockaddr_in target;
static char chunk[CHUNK];

static void
watch(struct end *e, int how)
{
    struct epoll_event event = { .data.ptr = e };

    if (!e->eof && e->other->unsent == NULL)
        event.events |= EPOLLIN;
    if (e->blocked)
        event.events |= EPOLLOUT;
    /* A hang-up is reported for ever, asked for or not: an end that has
     * nothing more to say is not watched until there is something for it. */
    if (e->eof && !e->blocked)
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, e->fd, NULL);
    else if (epoll_ctl(epoll_fd, how, e->fd, &event) != 0)
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, e->fd, &event);
}

static void
close_both(struct end *e)
{
    close(e->fd);
    close(e->other->fd);
    free(e->unsent);
    free(e->other->unsent);
    /* One allocation for both, the lower address first. */
    free(e < e->other ? e : e->other);
}

/* False: the pair is gone. */
static bool
pass_on(struct end *from)
{
    struct end *to = from->other;
    ssize_t n = read(from->fd, chunk, sizeof(chunk));

    if (n < 0 && errno == EAGAIN)
        return true;
    if (n <= 0) {
        from->eof = true;
        if (n < 0 || to->eof) {
            close_both(from);
            return false;
        }
        shutdown(to->fd, SHUT_WR);
        watch(from, EPOLL_CTL_MOD);
        return true;
    }
    ssize_t sent = write(to->fd, chunk, (size_t)n);
    if (sent < 0)
        sent = 0;
    if (sent < n) {
        to->len = (size_t)(n - sent);
        to->unsent = malloc(to->len);
        memcpy(to->unsent, chunk + sent, to->len);
        to->blocked = true;
        watch(from, EPOLL_CTL_MOD);
        watch(to, EPOLL_CTL_MOD);
    }
    return true;
}

static void
send_rest(struct end *e)
{
    ssize_t n = write(e->fd, e->unsent, e->len);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n < 0) {
        close_both(e);
        return;
    }
    memmove(e->unsent, e->unsent + n, e->len - (size_t)n);
    e->len -= (size_t)n;
    if (e->len != 0)
        return;
    free(e->unsent);
    e->unsent = NULL;
    e->blocked = false;
    watch(e, EPOLL_CTL_MOD);
    watch(e->other, EPOLL_CTL_MOD);
}

static void
accept_one(int listener)
{
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

    if (fd < 0)
        return;
    struct end *pair = calloc(2, sizeof(*pair));
    pair[0].other = &pair[1];
    pair[1].other = &pair[0];
    pair[0].fd = fd;
    pair[1].fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(pair[1].fd, (struct sockaddr *)&target, sizeof(target)) != 0) {
        close_both(pair);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(pair[1].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    watch(&pair[0], EPOLL_CTL_ADD);
    watch(&pair[1], EPOLL_CTL_ADD);
}

int
main(int argc, char **argv)
{
    struct sockaddr_in here = { .sin_family = AF_INET };
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (argc != 3) {
        fprintf(stderr, "usage: relay LISTEN-PORT TARGET-PORT\n");
        return 64;
    }
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    target = here;
    here.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    target.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&here, sizeof(here)) != 0 ||
        listen(listener, 1024) != 0) {
        perror("relay");
        return 1;
    }
    epoll_fd = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        struct epoll_event events[64];
        /* One event at a time where a pair can vanish under the next one. */
        int n = epoll_wait(epoll_fd, events, 1, -1);
        for (int i = 0; i < n; i++) {
            struct end *e = events[i].data.ptr;
            if (e == NULL)
                accept_one(listener);
            else if (events[i].events & EPOLLOUT && e->blocked)
                send_rest(e);
            else
                pass_on(e);
        }
    }
}
