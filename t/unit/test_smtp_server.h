/*
 * A caller of the server engine, as simple as one can be: it keeps what was
 * not used, answers every request at once, and notes the events. The local
 * part of an address says which answer it gets: bad... 550 of upstream,
 * ours... 550 of ours, later... 451 of ours.
 */
#ifndef ONWARD_TEST_SMTP_SERVER_H
#define ONWARD_TEST_SMTP_SERVER_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "smtp.h"

struct driver {
    struct smtp_server server;
    struct arena arena;
    struct smtp_request request;
    struct buf held;    /* octets that were not used yet */
    struct buf out;     /* what the server said, the greeting first */
    struct buf content; /* decoded, of all transactions */
    struct buf events;  /* a letter each: M R D . reset=r quit=q memory=! */
    bool closed;
};

static inline void
driver_open(struct driver *d, const struct smtp_server_limits *limits,
            const struct smtp_ehlo *upstream)
{
    static const struct slice name = SLICE("proxy.example");

    *d = (struct driver){ 0 };
    smtp_server_open(&d->server, name, limits, upstream, &d->out);
}

static inline void
driver_free(struct driver *d)
{
    smtp_server_free(&d->server);
    arena_free(&d->arena);
    buf_free(&d->held);
    buf_free(&d->out);
    buf_free(&d->content);
    buf_free(&d->events);
}

static inline void
driver_answer(struct driver *d, unsigned code, const char *text,
              enum smtp_reply_origin origin)
{
    struct smtp_reply reply = { code, slice_from(text) };

    smtp_server_reply(&d->server, &reply, origin, &d->out);
}

static inline void
driver_answer_address(struct driver *d, const struct smtp_path *path,
                      const char *good)
{
    if (slice_starts_nocase(path->local, SLICE_OF("bad")))
        driver_answer(d, 550, "5.1.1 no such user", SMTP_REPLY_UPSTREAM);
    else if (slice_starts_nocase(path->local, SLICE_OF("ours")))
        driver_answer(d, 550, "5.7.1 refused", SMTP_REPLY_OURS);
    else if (slice_starts_nocase(path->local, SLICE_OF("later")))
        driver_answer(d, 451, "4.3.0 later", SMTP_REPLY_OURS);
    else
        driver_answer(d, 250, good, SMTP_REPLY_UPSTREAM);
}

/* Handles one event; false when the caller has to wait for more octets. */
static inline bool
driver_handle(struct driver *d, enum smtp_server_event event)
{
    switch (event) {
    case SMTP_SERVER_MORE:
        return false;
    case SMTP_SERVER_BUSY:
        abort(); /* everything is answered at once */
    case SMTP_SERVER_MAIL:
        buf_putc(&d->events, 'M');
        driver_answer_address(d, &d->request.mail.reverse_path, "2.1.0 Ok");
        return true;
    case SMTP_SERVER_RCPT:
        buf_putc(&d->events, 'R');
        driver_answer_address(d, &d->request.rcpt.forward_path, "2.1.5 Ok");
        return true;
    case SMTP_SERVER_DATA:
        buf_putc(&d->events, 'D');
        driver_answer(d, 354, "End data with <CR><LF>.<CR><LF>",
                      SMTP_REPLY_OURS);
        return true;
    case SMTP_SERVER_DECODED:
        return true;
    case SMTP_SERVER_CONTENT_END:
        buf_putc(&d->events, '.');
        if (d->server.decoder.bare_lf || d->server.decoder.nul)
            driver_answer(d, 550, "5.6.0 Error: bare LF or NUL in message",
                          SMTP_REPLY_OURS);
        else
            driver_answer(d, 250, "2.0.0 Ok: queued as 1", SMTP_REPLY_UPSTREAM);
        arena_reset(&d->arena);
        return true;
    case SMTP_SERVER_RESET:
        buf_putc(&d->events, 'r');
        arena_reset(&d->arena);
        return true;
    case SMTP_SERVER_QUIT:
        buf_putc(&d->events, 'q');
        d->closed = true;
        return false;
    case SMTP_SERVER_NO_MEMORY:
        buf_putc(&d->events, '!');
        smtp_server_close(&d->server, SLICE_OF("4.3.0 No memory"), &d->out);
        d->closed = true;
        return false;
    }
    abort();
}

static inline void
driver_feed(struct driver *d, struct slice octets)
{
    enum smtp_server_event event;

    if (d->closed)
        return;
    buf_append(&d->held, octets);
    do {
        /* of exactly this size, so that reading past its end is seen */
        size_t size = d->held.len;
        char *copy = malloc(size + 1);
        if (copy == NULL)
            abort();
        if (size != 0)
            memcpy(copy, d->held.ptr, size);
        char *exact = realloc(copy, size != 0 ? size : 1);
        struct slice in = { exact, size };
        size_t had = d->content.len;
        event = smtp_server_take(&d->server, &in, &d->arena, &d->request,
                                 &d->out, &d->content);
        assert(in.len <= size);
        assert(event == SMTP_SERVER_DECODED || d->content.len == had);
        buf_drop(&d->held, size - in.len);
        free(exact);
    } while (driver_handle(d, event));
    /* What the caller must be able to hold. */
    assert(d->closed || d->held.len < SMTP_LINE_MAX);
}

static inline void
driver_feed_in_pieces(struct driver *d, struct slice octets, size_t piece)
{
    while (octets.len != 0) {
        driver_feed(d, slice_head(octets, piece));
        octets = slice_tail(octets, piece);
    }
}

#endif
