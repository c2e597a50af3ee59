#include "robust.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LINE = 2048,
    READ = 256 * 1024,
};

/* Where a connection is cut; chosen when it is accepted, and again behind each
 * message, as it may be kept for the next. */
enum cut {
    CUT_NOWHERE,
    CUT_AT_OCTET, /* received, at `cut_at` */
    CUT_AT_354,
    CUT_BEFORE_REPLY, /* to the dot: committed, and nobody knows */
    CUT_IN_REPLY,
    CUT_AFTER_REPLY,
};

struct connection {
    struct peer peer;
    bool content, headed, broken;
    unsigned groups; /* of the recipients in this transaction */
    size_t id;       /* of the content */
    unsigned attempt;
    unsigned long line;
    unsigned head; /* lines of our own header that were seen */
    enum cut cut;
    unsigned long cut_at, received;
    double arrived; /* the last octets: by the kernel's clock, not ours */
    char in[LINE];
    size_t in_len;
};

static struct peer listener;

static void
cut_off(struct connection *c, bool reset)
{
    struct linger linger = { .l_onoff = 1 };

    if (reset)
        setsockopt(c->peer.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    unwatch(&c->peer);
    close(c->peer.fd);
    c->peer.fd = -1;
}

static void
make_cut(struct connection *c)
{
    if (run.book.cuts >= run.cuts)
        return;
    book_cut();
    cut_off(c, random() % 2 == 0);
}

static void
choose_cut(struct connection *c)
{
    c->cut = CUT_NOWHERE;
    c->received = 0;
    if (run.book.cuts >= run.cuts || random() % 4 != 0)
        return;
    c->cut = (enum cut)(random() % (CUT_AFTER_REPLY + 1));
    /* As often in the envelope as anywhere in the content. */
    c->cut_at = 1 + (unsigned long)random() % (1UL << (4 + random() % 14));
}

static void
answer(struct connection *c, const char *text)
{
    if (send(c->peer.fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        cut_off(c, false);
}

/* ---- content ---- */

static void
commit(struct connection *c)
{
    char text[80];

    c->content = false;
    if (!c->headed || c->line != content_lines(c->id))
        c->broken = true;
    if (c->broken) {
        run.book.broken++;
    } else {
        for (unsigned group = 1; group <= STAYS; group <<= 1)
            if ((c->groups & group) != 0)
                book_committed(c->id, c->attempt, group, c->arrived);
    }
    c->groups = 0;
    snprintf(text, sizeof(text), "250 2.0.0 Ok: queued as R%zuA%u\r\n", c->id,
             c->attempt);
    if (c->cut == CUT_BEFORE_REPLY) {
        make_cut(c);
        if (c->peer.fd < 0)
            return;
    }
    if (c->cut == CUT_IN_REPLY && run.book.cuts < run.cuts) {
        text[1 + random() % 12] = '\0';
        answer(c, text);
        if (c->peer.fd >= 0)
            make_cut(c);
        return;
    }
    answer(c, text);
    if (c->cut == CUT_AFTER_REPLY && c->peer.fd >= 0)
        make_cut(c);
    if (c->peer.fd >= 0)
        choose_cut(c);
}

/* What stands above the message's own header is Onward's. */
static void
take_head(struct connection *c, const char *line, size_t length)
{
    static const char *const fields[] = {
        "From: Alice <alice@sender.example>\r\n", "Subject: robust\r\n"
    };
    unsigned long id;
    unsigned attempt;

    if (c->head == 0 &&
        (length != strlen(fields[0]) || memcmp(line, fields[0], length) != 0))
        return;
    switch (c->head++) {
    case 0:
        break;
    case 1:
        c->broken |=
            length != strlen(fields[1]) || memcmp(line, fields[1], length) != 0;
        break;
    case 2:
        if (sscanf(line, "X-Robust: %lu %u", &id, &attempt) != 2 ||
            id >= run.book.count) {
            c->broken = true;
            break;
        }
        c->id = id;
        c->attempt = attempt;
        break;
    default:
        c->broken |= length != 2;
        c->headed = true;
        break;
    }
}

static void
take_content(struct connection *c, const char *line, size_t length)
{
    if (length == 3 && memcmp(line, ".\r\n", 3) == 0) {
        commit(c);
        return;
    }
    if (length < 2 || line[length - 2] != '\r') {
        c->broken = true;
        return;
    }
    if (line[0] == '.') {
        line++;
        length--;
    }
    if (!c->headed) {
        take_head(c, line, length);
        return;
    }
    if (c->broken)
        return;
    if (c->line >= content_lines(c->id) || length != TEXT_LINE ||
        memcmp(line, content_line(c->id, c->line), TEXT_LINE) != 0)
        c->broken = true;
    c->line++;
}

/* ---- commands ---- */

static void
take_command(struct connection *c, const char *line)
{
    if (strncasecmp(line, "EHLO", 4) == 0) {
        answer(c, "250-sink.example\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n"
                  "250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"
                  "250-ENHANCEDSTATUSCODES\r\n"
                  "250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n");
    } else if (strncasecmp(line, "DATA", 4) == 0) {
        if (c->cut == CUT_AT_354) {
            make_cut(c);
            if (c->peer.fd < 0)
                return;
        }
        c->content = true;
        c->headed = c->broken = false;
        c->head = 0;
        c->line = 0;
        answer(c, "354 go on\r\n");
    } else if (strncasecmp(line, "QUIT", 4) == 0) {
        answer(c, "221 2.0.0 Bye\r\n");
        if (c->peer.fd >= 0)
            cut_off(c, false);
    } else {
        if (strncasecmp(line, "MAIL", 4) == 0 ||
            strncasecmp(line, "RSET", 4) == 0)
            c->groups = 0;
        if (strncasecmp(line, "RCPT TO:<me@", 12) == 0)
            c->groups |= LEAVES;
        if (strncasecmp(line, "RCPT TO:<bob@", 13) == 0)
            c->groups |= STAYS;
        answer(c, "250 2.0.0 Ok\r\n");
    }
}

/* Octets to lines; a line may begin in one read and end in the next. */
static void
take(struct connection *c, const char *octets, size_t length)
{
    while (length != 0 && c->peer.fd >= 0) {
        const char *end = memchr(octets, '\n', length);
        size_t part = end != NULL ? (size_t)(end - octets) + 1 : length;
        const char *line = octets;
        size_t line_length = part;

        if (c->in_len != 0 || end == NULL) {
            if (part >= LINE - c->in_len) {
                run.book.broken++;
                cut_off(c, true);
                return;
            }
            memcpy(c->in + c->in_len, octets, part);
            c->in_len += part;
            line = c->in;
            line_length = c->in_len;
        }
        octets += part;
        length -= part;
        if (end == NULL)
            return;
        c->in_len = 0;
        if (c->content)
            take_content(c, line, line_length);
        else
            take_command(c, line);
    }
}

/* Octets, and when the last of them came: that may be long before we, who are
 * one thread of many, see them. */
static ssize_t
receive(struct connection *c, char *octets)
{
    char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec part = { octets, READ };
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    struct timespec stamp;
    ssize_t n = recvmsg(c->peer.fd, &message, MSG_DONTWAIT);

    if (n <= 0)
        return n;
    c->arrived = wall_now();
    for (struct cmsghdr *m = CMSG_FIRSTHDR(&message); m != NULL;
         m = CMSG_NXTHDR(&message, m))
        if (m->cmsg_level == SOL_SOCKET && m->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(&stamp, CMSG_DATA(m), sizeof(stamp));
            c->arrived = (double)stamp.tv_sec + (double)stamp.tv_nsec / 1e9;
        }
    return n;
}

static void
on_octets(struct peer *peer, unsigned events)
{
    static char octets[READ + 1];
    struct connection *c = (struct connection *)peer;
    ssize_t n = receive(c, octets);

    (void)events;
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        cut_off(c, false);
        free(c);
        return;
    }
    octets[n] = '\0';
    c->received += (unsigned long)n;
    if (c->cut == CUT_AT_OCTET && c->received >= c->cut_at)
        make_cut(c);
    take(c, octets, (size_t)n);
    if (c->peer.fd < 0)
        free(c);
}

static void
on_connection(struct peer *peer, unsigned events)
{
    int fd, on = 1;

    (void)events;
    while ((fd = accept4(peer->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *c = must(calloc(1, sizeof(*c)));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
        c->peer = (struct peer){ fd, on_octets };
        choose_cut(c);
        watch(&c->peer, EPOLLIN);
        answer(c, "220 sink.example ESMTP\r\n");
        if (c->peer.fd < 0)
            free(c);
    }
}

void
sink_open(void)
{
    int on = 1;

    listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    listener.on_event = on_connection;
    setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener.fd, (struct sockaddr *)&run.listen, sizeof(run.listen)) <
            0 ||
        listen(listener.fd, 4096) < 0)
        fail("listen");
    watch(&listener, EPOLLIN);
}
