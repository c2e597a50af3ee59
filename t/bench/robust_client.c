#include "robust.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LINE = 1024,
    OPENING = 64, /* idle sessions on their way at once */
};
#define AGAIN 0.02 /* seconds, before a message is sent again */

enum step {
    GREETING,
    EHLO,
    XFORWARD,
    MAIL,
    RCPT_LEAVES,
    RCPT_STAYS,
    DATA,
    CONTENT,
    QUIT,
};

struct client {
    struct peer peer;
    enum step step; /* whose reply is to come */
    bool has_message;
    bool idle, held; /* one that does nothing; it has got that far */
    size_t id;
    unsigned attempt;
    unsigned long line; /* next one of the content */
    bool dot_due, writing;
    double connected, begin_at;
    struct stretch out; /* unsent */
    char command[LINE];
    char in[LINE];
    size_t in_len;
};

static struct client *clients; /* those that send, then the idle ones */
static double next_due;

static void on_event(struct peer *peer, unsigned events);
static void on_reply(struct client *client, unsigned code);

/* ---- ends ---- */

static void
leave(struct client *client)
{
    if (client->peer.fd < 0)
        return;
    unwatch(&client->peer);
    close(client->peer.fd);
    client->peer.fd = -1;
    client->out = (struct stretch){ 0 };
    client->begin_at = seconds_now();
}

/* The attempt has failed; the message has not. */
static void
give_up(struct client *client)
{
    bool ended = client->step == QUIT;

    if (client->has_message && !ended)
        book_given_up(client->id, client->attempt);
    leave(client);
    if (client->held) {
        run.book.idle_lost++;
        run.book.idle--;
        client->held = false;
    }
    if (!ended)
        client->begin_at = seconds_now() + AGAIN;
}

/* ---- writing ---- */

static void
write_on(struct client *client)
{
    while (client->out.len != 0) {
        ssize_t n = send(client->peer.fd, client->out.ptr, client->out.len,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            if (!client->writing)
                watch(&client->peer, EPOLLIN | EPOLLOUT);
            client->writing = true;
            return;
        }
        if (n < 0) {
            run.book.lost++;
            give_up(client);
            return;
        }
        client->out.ptr += n;
        client->out.len -= (size_t)n;
        if (client->out.len != 0 || client->step != CONTENT)
            continue;
        unsigned long left = content_lines(client->id) - client->line, taken;
        if (left != 0) {
            client->out =
                content_stuffed(client->id, client->line, left, &taken);
            client->line += taken;
        } else if (client->dot_due) {
            client->dot_due = false;
            /* From here on it may be committed. */
            run.book.messages[client->id].dot_sent = true;
            client->out = (struct stretch){ ".\r\n", 3 };
        }
    }
    if (client->writing)
        watch(&client->peer, EPOLLIN);
    client->writing = false;
}

static void
say(struct client *client, enum step step, const char *command)
{
    size_t length = strlen(command);

    memcpy(client->command, command, length);
    client->out = (struct stretch){ client->command, length };
    client->step = step;
    write_on(client);
}

static void
send_content(struct client *client)
{
    char head[LINE];

    snprintf(head, sizeof(head),
             "From: Alice <alice@sender.example>\r\nSubject: robust\r\n"
             "X-Robust: %zu %u\r\n\r\n",
             client->id, client->attempt);
    client->line = 0;
    client->dot_due = true;
    say(client, CONTENT, head);
}

/* ---- replies ---- */

static void
accepted(struct client *client)
{
    book_accepted(client->id, client->attempt);
    book_time(false, seconds_now() - client->connected);
    client->has_message = false;
    say(client, QUIT, "QUIT\r\n");
    leave(client); /* as smtpd: it does not wait for 221 */
}

static void
on_held(struct client *client)
{
    client->held = true;
    run.book.idle++;
}

static void
on_reply(struct client *client, unsigned code)
{
    const struct message *m =
        client->idle ? NULL : &run.book.messages[client->id];
    char text[LINE];

    if (code / 100 != (client->step == DATA ? 3 : 2)) {
        if (code / 100 == 4)
            run.book.again++;
        else
            run.book.errors++;
        give_up(client);
        return;
    }
    switch (client->step) {
    case GREETING:
        if (!client->idle)
            book_time(true, seconds_now() - client->connected);
        say(client, EHLO, "EHLO mx.public.example\r\n");
        break;
    case EHLO:
        if (client->idle)
            on_held(client);
        else
            say(client, XFORWARD,
                "XFORWARD NAME=mail.sender.example ADDR=192.0.2.7 PORT=1234 "
                "HELO=mail.sender.example PROTO=ESMTP SOURCE=REMOTE\r\n");
        break;
    case XFORWARD:
        snprintf(text, sizeof(text),
                 "MAIL FROM:<alice%zu@sender.example> SIZE=1000\r\n",
                 client->id);
        say(client, MAIL, text);
        break;
    case MAIL:
        if ((m->groups & LEAVES) != 0)
            say(client, RCPT_LEAVES, "RCPT TO:<fwd.x@public.example>\r\n");
        else
            say(client, RCPT_STAYS, "RCPT TO:<bob@public.example>\r\n");
        break;
    case RCPT_LEAVES:
        if ((m->groups & STAYS) != 0) {
            say(client, RCPT_STAYS, "RCPT TO:<bob@public.example>\r\n");
            break;
        }
        say(client, DATA, "DATA\r\n");
        break;
    case RCPT_STAYS:
        say(client, DATA, "DATA\r\n");
        break;
    case DATA:
        send_content(client);
        break;
    case CONTENT:
        accepted(client);
        break;
    case QUIT:
        break;
    }
}

static void
take_replies(struct client *client)
{
    char *end;

    while (client->peer.fd >= 0 &&
           (end = memchr(client->in, '\n', client->in_len)) != NULL) {
        size_t length = (size_t)(end - client->in) + 1;
        bool last = length > 3 && client->in[3] != '-';
        unsigned code = (unsigned)strtoul(client->in, NULL, 10);
        client->in_len -= length;
        memmove(client->in, end + 1, client->in_len);
        if (last)
            on_reply(client, code);
    }
}

static void
on_event(struct peer *peer, unsigned events)
{
    struct client *client = (struct client *)peer;
    ssize_t n;

    if ((events & EPOLLOUT) != 0)
        write_on(client);
    if (client->peer.fd < 0 || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
        return;
    n = recv(client->peer.fd, client->in + client->in_len,
             LINE - client->in_len, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        if (n < 0 && errno == ECONNREFUSED)
            run.book.refused++;
        else
            run.book.lost++;
        give_up(client);
        return;
    }
    client->in_len += (size_t)n;
    take_replies(client);
}

/* ---- beginning ---- */

static void
dial(struct client *client)
{
    int on = 1;

    client->peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->peer.fd < 0)
        fail("socket");
    setsockopt(client->peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    client->connected = seconds_now();
    client->step = GREETING;
    client->in_len = 0;
    client->writing = false;
    if (connect(client->peer.fd, (struct sockaddr *)&run.onward,
                sizeof(run.onward)) < 0 &&
        errno != EINPROGRESS) {
        run.book.refused++;
        close(client->peer.fd);
        client->peer.fd = -1;
        client->begin_at = seconds_now() + AGAIN;
        return;
    }
    watch(&client->peer, EPOLLIN);
}

static void
begin(struct client *client, double now)
{
    if (client->peer.fd >= 0 || now < client->begin_at)
        return;
    if (!client->has_message) {
        bool enough = run.limit != 0 && run.book.count >= run.limit;
        if (run.stopping || enough || now < next_due)
            return;
        if (run.rate != 0)
            next_due += 1.0 / run.rate;
        client->id = book_new();
        client->has_message = true;
    }
    book_begin(client->id);
    client->attempt = run.book.messages[client->id].attempt;
    dial(client);
}

void
clients_open(void)
{
    size_t all = run.sessions + run.idle;

    clients = must(calloc(all, sizeof(*clients)));
    for (size_t i = 0; i < all; i++) {
        clients[i].peer.fd = -1;
        clients[i].peer.on_event = on_event;
        clients[i].idle = i >= run.sessions;
    }
    next_due = seconds_now();
}

void
clients_turn(void)
{
    double now = seconds_now();

    for (unsigned i = 0; i < run.sessions; i++)
        begin(&clients[i], now);
}

bool
clients_are_idle(void)
{
    for (unsigned i = 0; i < run.sessions; i++)
        if (clients[i].has_message || clients[i].peer.fd >= 0)
            return false;
    return true;
}

bool
clients_hold_all(void)
{
    double now = seconds_now();
    unsigned opening = 0, held = 0;

    for (size_t i = run.sessions; i < run.sessions + run.idle; i++) {
        struct client *client = &clients[i];
        if (client->held)
            held++;
        else if (client->peer.fd >= 0)
            opening++;
        else if (opening < OPENING && now >= client->begin_at) {
            dial(client);
            opening++;
        }
    }
    return held == run.idle;
}
