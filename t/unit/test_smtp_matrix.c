/*
 * Every verb in every state, generated: what is said, and which state follows.
 * There is no cell without an answer, and one reply to each command.
 */
#include "test_smtp.h"

#include "test_smtp_server.h"

static const char *const state_names[SMTP_SERVER_STATES] = {
    [SMTP_SERVER_START] = "start",       [SMTP_SERVER_READY] = "ready",
    [SMTP_SERVER_ENVELOPE] = "envelope", [SMTP_SERVER_CONTENT] = "content",
    [SMTP_SERVER_CLOSED] = "closed",
};

/* How to come to a state. */
static const char *const ways[SMTP_SERVER_STATES] = {
    [SMTP_SERVER_START] = "",
    [SMTP_SERVER_READY] = "EHLO c\r\n",
    [SMTP_SERVER_ENVELOPE] = "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\n",
    [SMTP_SERVER_CONTENT] =
        "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n",
    [SMTP_SERVER_CLOSED] = "QUIT\r\n",
};

static const char *const commands[SMTP_VERBS] = {
    [SMTP_EHLO] = "EHLO c",
    [SMTP_HELO] = "HELO c",
    [SMTP_MAIL] = "MAIL FROM:<>",
    [SMTP_RCPT] = "RCPT TO:<a@b>",
    [SMTP_DATA] = "DATA",
    [SMTP_RSET] = "RSET",
    [SMTP_NOOP] = "NOOP",
    [SMTP_VRFY] = "VRFY a",
    [SMTP_HELP] = "HELP",
    [SMTP_QUIT] = "QUIT",
    [SMTP_XFORWARD] = "XFORWARD NAME=a",
    [SMTP_BDAT] = "BDAT 0 LAST",
    [SMTP_FOREIGN] = "GET / HTTP/1.1",
    [SMTP_UNKNOWN] = "STARTTLS",
};

struct cell {
    unsigned code;
    enum smtp_server_state next;
    const char *event; /* letters of the driver */
};

#define S SMTP_SERVER_START
#define R SMTP_SERVER_READY
#define E SMTP_SERVER_ENVELOPE
#define D SMTP_SERVER_CONTENT
#define X SMTP_SERVER_CLOSED

/* Columns: start, ready, envelope. In content every line is content, in
 * closed nothing is read: checked apart. */
static const struct cell cells[SMTP_VERBS][3] = {
    [SMTP_EHLO] = { { 250, R, "" }, { 250, R, "" }, { 250, R, "r" } },
    [SMTP_HELO] = { { 250, R, "" }, { 250, R, "" }, { 250, R, "r" } },
    [SMTP_MAIL] = { { 503, S, "" }, { 250, E, "M" }, { 503, E, "" } },
    [SMTP_RCPT] = { { 503, S, "" }, { 503, R, "" }, { 250, E, "R" } },
    [SMTP_DATA] = { { 503, S, "" }, { 503, R, "" }, { 354, D, "D" } },
    [SMTP_RSET] = { { 250, S, "" }, { 250, R, "" }, { 250, R, "r" } },
    [SMTP_NOOP] = { { 250, S, "" }, { 250, R, "" }, { 250, E, "" } },
    [SMTP_VRFY] = { { 252, S, "" }, { 252, R, "" }, { 252, E, "" } },
    [SMTP_HELP] = { { 214, S, "" }, { 214, R, "" }, { 214, E, "" } },
    [SMTP_QUIT] = { { 221, X, "q" }, { 221, X, "q" }, { 221, X, "q" } },
    [SMTP_XFORWARD] = { { 250, S, "" }, { 250, R, "" }, { 503, E, "" } },
    [SMTP_BDAT] = { { 502, X, "q" }, { 502, X, "q" }, { 502, X, "q" } },
    [SMTP_FOREIGN] = { { 500, X, "q" }, { 500, X, "q" }, { 500, X, "q" } },
    [SMTP_UNKNOWN] = { { 502, S, "" }, { 502, R, "" }, { 502, E, "" } },
};

struct place {
    enum smtp_verb verb;
    enum smtp_server_state state;
};

static void
come_to(struct driver *d, enum smtp_server_state state)
{
    static const struct smtp_server_limits limits = { 20, 10, 0 };

    driver_open(d, &limits, NULL);
    driver_feed(d, slice_from(ways[state]));
    assert_int_equal(d->server.state, state);
    buf_clear(&d->out);
    buf_clear(&d->events);
    buf_clear(&d->content);
}

static void
cell(void **state)
{
    const struct place *place = *state;
    struct buf line = { 0 };
    struct driver d;

    buf_printf(&line, "%s\r\n", commands[place->verb]);
    come_to(&d, place->state);
    driver_feed(&d, buf_slice(&line));

    struct slice said = buf_slice(&d.out);
    if (place->state == SMTP_SERVER_CONTENT) {
        assert_slice(said, SLICE_OF(""));
        assert_slice(buf_slice(&d.content), buf_slice(&line));
        assert_int_equal(d.server.state, SMTP_SERVER_CONTENT);
    } else if (place->state == SMTP_SERVER_CLOSED) {
        assert_slice(said, SLICE_OF(""));
        assert_int_equal(d.server.state, SMTP_SERVER_CLOSED);
    } else {
        const struct cell *want = &cells[place->verb][place->state];
        struct smtp_reply_parser parser = { 0 };
        struct smtp_reply reply;
        assert_int_equal(smtp_reply_take(&parser, &said, &reply),
                         SMTP_REPLY_DONE);
        assert_int_equal(reply.code, want->code);
        assert_int_equal(said.len, 0); /* one reply */
        assert_int_equal(d.server.state, want->next);
        assert_slice(buf_slice(&d.events), slice_from(want->event));
        assert_int_equal(d.server.errors,
                         want->code >= 500 && want->next != X ? 1 : 0);
        smtp_reply_parser_free(&parser);
    }
    buf_free(&line);
    driver_free(&d);
}

/* The same with a request in flight: nothing is read. */
static void
busy(void **state)
{
    const struct place *place = *state;
    struct smtp_request request;
    struct arena arena = { 0 };
    struct driver d;

    come_to(&d, SMTP_SERVER_ENVELOPE);
    struct slice in = SLICE("RCPT TO:<x@y>\r\n");
    assert_int_equal(
        smtp_server_take(&d.server, &in, &arena, &request, &d.out, &d.content),
        SMTP_SERVER_RCPT);
    in = slice_from(commands[place->verb]);
    size_t had = in.len;
    assert_int_equal(
        smtp_server_take(&d.server, &in, &arena, &request, &d.out, &d.content),
        SMTP_SERVER_BUSY);
    assert_int_equal(in.len, had);
    assert_int_equal(d.out.len, 0);
    arena_free(&arena);
    driver_free(&d);
}

int
main(void)
{
    enum {
        CELLS = SMTP_VERBS * SMTP_SERVER_STATES
    };
    static struct place places[CELLS];
    static char names[CELLS + SMTP_VERBS][64];
    struct CMUnitTest tests[CELLS + SMTP_VERBS] = { 0 };
    size_t n = 0;

    for (size_t v = 0; v < SMTP_VERBS; v++) {
        for (size_t s = 0; s < SMTP_SERVER_STATES; s++) {
            places[n] =
                (struct place){ (enum smtp_verb)v, (enum smtp_server_state)s };
            snprintf(names[n], sizeof(names[n]), "%s in state %s", commands[v],
                     state_names[s]);
            tests[n] =
                (struct CMUnitTest){ names[n], cell, NULL, NULL, &places[n] };
            n++;
        }
    }
    for (size_t v = 0; v < SMTP_VERBS; v++) {
        snprintf(names[n], sizeof(names[n]), "%s while a request is out",
                 commands[v]);
        tests[n] = (struct CMUnitTest){ names[n], busy, NULL, NULL,
                                        &places[v * SMTP_SERVER_STATES] };
        n++;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("matrix", tests, n, NULL, NULL);
}
