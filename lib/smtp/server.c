#include "server.h"

#include <assert.h>
#include <string.h>

enum {
    LINE_END_MAX = 64 * 1024,
    /* RCPTs per transaction beyond the accepted ones, as many as Postfix
     * tolerates (smtpd_recipient_overshoot_limit). What upstream refuses is
     * no error of the client, but the arena keeps it to the end. */
    OVERSHOOT = 1000,
};

#define BIT(state) (1u << (state))
#define ANY                                                                    \
    (BIT(SMTP_SERVER_START) | BIT(SMTP_SERVER_READY) |                         \
     BIT(SMTP_SERVER_ENVELOPE))

/* What one call of smtp_server_take works with. */
struct turn {
    struct smtp_server *server;
    struct slice argument;
    struct arena *arena;
    struct smtp_request *request;
    struct buf *out;
};

static enum smtp_server_event on_hello(struct turn *turn);
static enum smtp_server_event on_mail(struct turn *turn);
static enum smtp_server_event on_rcpt(struct turn *turn);
static enum smtp_server_event on_data(struct turn *turn);
static enum smtp_server_event on_rset(struct turn *turn);
static enum smtp_server_event on_noop(struct turn *turn);
static enum smtp_server_event on_vrfy(struct turn *turn);
static enum smtp_server_event on_help(struct turn *turn);
static enum smtp_server_event on_quit(struct turn *turn);
static enum smtp_server_event on_xforward(struct turn *turn);
static enum smtp_server_event on_bdat(struct turn *turn);
static enum smtp_server_event on_foreign(struct turn *turn);
static enum smtp_server_event on_unknown(struct turn *turn);

/* Verb x state. Where a verb is not allowed, out_of_order has the reply. */
static const struct {
    unsigned allowed;
    enum smtp_server_event (*handle)(struct turn *turn);
} verbs[SMTP_VERBS] = {
    [SMTP_EHLO] = { ANY, on_hello },
    [SMTP_HELO] = { ANY, on_hello },
    [SMTP_MAIL] = { BIT(SMTP_SERVER_READY), on_mail },
    [SMTP_RCPT] = { BIT(SMTP_SERVER_ENVELOPE), on_rcpt },
    [SMTP_DATA] = { BIT(SMTP_SERVER_ENVELOPE), on_data },
    [SMTP_RSET] = { ANY, on_rset },
    [SMTP_NOOP] = { ANY, on_noop },
    [SMTP_VRFY] = { ANY, on_vrfy },
    [SMTP_HELP] = { ANY, on_help },
    [SMTP_QUIT] = { ANY, on_quit },
    [SMTP_XFORWARD] = { BIT(SMTP_SERVER_START) | BIT(SMTP_SERVER_READY),
                        on_xforward },
    [SMTP_BDAT] = { ANY, on_bdat },
    [SMTP_FOREIGN] = { ANY, on_foreign },
    [SMTP_UNKNOWN] = { ANY, on_unknown },
};

void
smtp_server_open(struct smtp_server *server, struct slice hostname,
                 const struct smtp_server_limits *limits,
                 const struct smtp_ehlo *upstream, struct buf *out)
{
    *server = (struct smtp_server){ .hostname = hostname, .limits = *limits };
    if (upstream != NULL)
        server->upstream = *upstream;
    else
        server->upstream.keywords = SMTP_HAS_ALL;
    buf_printf(out, "220 %.*s ESMTP\r\n", SLICE_ARG(hostname));
}

void
smtp_server_free(struct smtp_server *server)
{
    buf_free(&server->helo);
    xforward_free(&server->xforward);
    *server = (struct smtp_server){ .state = SMTP_SERVER_CLOSED };
}

/* ---- saying ------------------------------------------------------------ */

static void
say(struct buf *out, unsigned code, struct slice text)
{
    struct smtp_reply reply = { code, text };

    smtp_reply_print(&reply, out);
}

static enum smtp_server_event
close_with(struct smtp_server *server, struct buf *out, unsigned code,
           struct slice text)
{
    say(out, code, text);
    server->busy = false;
    server->state = SMTP_SERVER_CLOSED;
    return SMTP_SERVER_QUIT;
}

static void
count_error(struct smtp_server *server, struct buf *out)
{
    server->errors++;
    if (server->limits.errors != 0 && server->errors >= server->limits.errors)
        close_with(server, out, 421, SLICE_OF("4.7.0 Error: too many errors"));
}

/* A refusal of ours: 5xx is the client's error, 4xx our own trouble. */
static enum smtp_server_event
refuse(struct turn *turn, unsigned code, const char *text)
{
    say(turn->out, code, slice_from(text));
    if (code >= 500)
        count_error(turn->server, turn->out);
    return turn->server->state == SMTP_SERVER_CLOSED ? SMTP_SERVER_QUIT
                                                     : SMTP_SERVER_MORE;
}

static enum smtp_server_event
out_of_memory(struct turn *turn)
{
    return refuse(turn, 451, "4.3.0 Temporary internal failure");
}

static enum smtp_server_event
out_of_order(struct turn *turn, enum smtp_verb verb)
{
    if (verb == SMTP_XFORWARD)
        return refuse(turn, 503, "5.5.1 Error: MAIL transaction in progress");
    if (verb != SMTP_MAIL)
        return refuse(turn, 503, "5.5.1 Error: need MAIL command");
    if (turn->server->state == SMTP_SERVER_ENVELOPE)
        return refuse(turn, 503, "5.5.1 Error: nested MAIL command");
    return refuse(turn, 503, "5.5.1 Error: send HELO/EHLO first");
}

/* The caller owes an answer from here on. */
static enum smtp_server_event
hand_out(struct turn *turn, enum smtp_server_event event)
{
    turn->server->busy = true;
    return event;
}

/* ---- commands ---------------------------------------------------------- */

/* Ends the transaction, if there is one. */
static enum smtp_server_event
reset(struct smtp_server *server)
{
    bool had = server->state == SMTP_SERVER_ENVELOPE;

    if (had)
        server->state = SMTP_SERVER_READY;
    server->recipients = 0;
    server->forget = true;
    return had ? SMTP_SERVER_RESET : SMTP_SERVER_MORE;
}

static bool
is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (ascii_is_control(s.ptr[i]))
            return false;
    return utf8_is_valid(s);
}

static enum smtp_server_event
on_hello(struct turn *turn)
{
    struct smtp_server *server = turn->server;
    bool esmtp = server->verb == SMTP_EHLO;
    struct buf helo = { 0 };

    if (turn->argument.len == 0 || !is_printable(turn->argument))
        return refuse(turn, 501,
                      esmtp ? "5.5.4 Syntax: EHLO hostname"
                            : "5.5.4 Syntax: HELO hostname");
    if (!buf_try_append(&helo, turn->argument))
        return out_of_memory(turn);
    buf_free(&server->helo);
    server->helo = helo;
    server->esmtp = esmtp;
    if (esmtp)
        smtp_ehlo_print(server->hostname, &server->upstream,
                        server->limits.size, turn->out);
    else
        say(turn->out, 250, server->hostname);
    enum smtp_server_event event = reset(server);
    server->state = SMTP_SERVER_READY;
    return event;
}

static enum smtp_server_event
refuse_argument(struct turn *turn, enum smtp_argument_error error)
{
    bool mail = turn->server->verb == SMTP_MAIL;

    switch (error) {
    case SMTP_ARGUMENT_SYNTAX:
        return refuse(turn, 501,
                      mail ? "5.5.4 Syntax: MAIL FROM:<address>"
                           : "5.5.4 Syntax: RCPT TO:<address>");
    case SMTP_ARGUMENT_BAD_PATH:
        return refuse(turn, 501,
                      mail ? "5.1.7 Bad sender address syntax"
                           : "5.1.3 Bad recipient address syntax");
    case SMTP_ARGUMENT_BAD_PARAM:
        return refuse(turn, 501, "5.5.4 Bad parameter");
    case SMTP_ARGUMENT_UNSUPPORTED:
        return refuse(turn, 555, "5.5.4 Unsupported option");
    case SMTP_ARGUMENT_NO_MEMORY:
    case SMTP_ARGUMENT_OK:
        break;
    }
    return out_of_memory(turn);
}

static enum smtp_server_event
on_mail(struct turn *turn)
{
    struct smtp_server *server = turn->server;
    struct smtp_mail *mail = &turn->request->mail;
    enum smtp_argument_error error =
        smtp_mail_parse(turn->argument, turn->arena, mail);

    if (error != SMTP_ARGUMENT_OK)
        return refuse_argument(turn, error);
    if (server->limits.size != 0 && mail->size > server->limits.size)
        return refuse(turn, 552, "5.3.4 Message size exceeds limit");
    return hand_out(turn, SMTP_SERVER_MAIL);
}

static enum smtp_server_event
on_rcpt(struct turn *turn)
{
    struct smtp_server *server = turn->server;

    /* Before anything is kept of it: the arena lives as long as the
     * transaction. 4xx and no error, so that the client sends the rest in
     * another transaction (RFC 5321, 4.5.3.1.10). */
    if (server->recipients >= server->limits.recipients ||
        server->attempts - server->recipients >= OVERSHOOT)
        return refuse(turn, 452, "4.5.3 Error: too many recipients");
    enum smtp_argument_error error =
        smtp_rcpt_parse(turn->argument, turn->arena, &turn->request->rcpt);
    if (error != SMTP_ARGUMENT_OK)
        return refuse_argument(turn, error);
    server->attempts++;
    return hand_out(turn, SMTP_SERVER_RCPT);
}

static enum smtp_server_event
on_data(struct turn *turn)
{
    if (turn->argument.len != 0)
        return refuse(turn, 501, "5.5.4 Syntax: DATA");
    if (turn->server->recipients == 0)
        return refuse(turn, 554, "5.5.1 Error: no valid recipients");
    return hand_out(turn, SMTP_SERVER_DATA);
}

static enum smtp_server_event
on_rset(struct turn *turn)
{
    if (turn->argument.len != 0)
        return refuse(turn, 501, "5.5.4 Syntax: RSET");
    say(turn->out, 250, SLICE_OF("2.0.0 Ok"));
    return reset(turn->server);
}

static enum smtp_server_event
on_noop(struct turn *turn)
{
    say(turn->out, 250, SLICE_OF("2.0.0 Ok"));
    return SMTP_SERVER_MORE;
}

static enum smtp_server_event
on_vrfy(struct turn *turn)
{
    if (turn->argument.len == 0)
        return refuse(turn, 501, "5.5.4 Syntax: VRFY address");
    /* smtp_reply_print makes it printable and cuts it; its length was the
     * client's choice. */
    struct slice shown = slice_head(turn->argument, SMTP_REPLY_LINE_MAX);
    struct buf text = { 0 };
    buf_puts(&text, "2.0.0 ");
    buf_append(&text, shown);
    say(turn->out, 252, buf_slice(&text));
    buf_free(&text);
    return SMTP_SERVER_MORE;
}

static enum smtp_server_event
on_help(struct turn *turn)
{
    say(turn->out, 214, SLICE_OF("2.0.0 See RFC 5321"));
    return SMTP_SERVER_MORE;
}

static enum smtp_server_event
on_quit(struct turn *turn)
{
    return close_with(turn->server, turn->out, 221, SLICE_OF("2.0.0 Bye"));
}

static enum smtp_server_event
on_xforward(struct turn *turn)
{
    switch (xforward_parse(turn->argument, &turn->server->xforward)) {
    case XFORWARD_OK:
        break;
    case XFORWARD_BAD:
        return refuse(turn, 501, "5.5.4 Bad XFORWARD attribute");
    case XFORWARD_NO_MEMORY:
        return out_of_memory(turn);
    }
    say(turn->out, 250, SLICE_OF("2.0.0 Ok"));
    return SMTP_SERVER_MORE;
}

/* Its chunk follows without waiting for us: it would be read as commands. */
static enum smtp_server_event
on_bdat(struct turn *turn)
{
    return close_with(turn->server, turn->out, 502,
                      SLICE_OF("5.5.1 Error: command not implemented"));
}

static enum smtp_server_event
on_foreign(struct turn *turn)
{
    return close_with(turn->server, turn->out, 500,
                      SLICE_OF("5.5.1 Error: this is SMTP"));
}

static enum smtp_server_event
on_unknown(struct turn *turn)
{
    return refuse(turn, 502, "5.5.1 Error: command not implemented");
}

/* ---- lines ------------------------------------------------------------- */

enum line {
    LINE_PARTIAL,
    LINE_WHOLE,
    LINE_BARE,     /* a CR, LF or NUL that ends no line */
    LINE_TOO_LONG, /* no end within the window */
};

/*
 * The line at the start of in, looked for in its first `window` octets. Only
 * CRLF ends it. *length: without the CRLF. The same whatever pieces it comes
 * in: a CR at the very end is not judged yet.
 */
static enum line
find_line(struct slice in, size_t window, size_t *length)
{
    struct slice seen = slice_head(in, window);
    size_t cr = slice_find(seen, '\r');

    *length = cr;
    if (slice_find(slice_head(seen, cr), '\n') != cr ||
        slice_find(slice_head(seen, cr), '\0') != cr)
        return LINE_BARE;
    if (cr + 1 < seen.len)
        return seen.ptr[cr + 1] == '\n' ? LINE_WHOLE : LINE_BARE;
    return in.len >= window ? LINE_TOO_LONG : LINE_PARTIAL;
}

/* What is left of a line that was too long, without keeping any of it. */
static enum smtp_server_event
skip_line(struct turn *turn, struct slice *in)
{
    struct smtp_server *server = turn->server;
    size_t length;
    enum line line = find_line(*in, LINE_END_MAX - server->skipped, &length);

    switch (line) {
    case LINE_PARTIAL:
        /* A CR at the end stays: the LF may follow. */
        server->skipped += length;
        *in = slice_tail(*in, length);
        return SMTP_SERVER_MORE;
    case LINE_WHOLE:
        *in = slice_tail(*in, length + 2);
        server->skipping = false;
        return refuse(turn, 500, "5.5.2 Error: line too long");
    case LINE_BARE:
        return close_with(
            server, turn->out, 500,
            SLICE_OF("5.5.2 Error: bare CR, LF or NUL in command"));
    case LINE_TOO_LONG:
        break;
    }
    return close_with(server, turn->out, 421,
                      SLICE_OF("4.7.0 Error: line too long"));
}

static enum smtp_server_event
obey(struct turn *turn, struct slice line)
{
    struct smtp_server *server = turn->server;
    struct smtp_command command = smtp_command_parse(line);

    if (command.name.len == 0)
        return refuse(turn, 500, "5.5.2 Error: bad syntax");
    turn->argument = command.argument;
    server->verb = command.verb;
    if ((verbs[command.verb].allowed & BIT(server->state)) == 0)
        return out_of_order(turn, command.verb);
    return verbs[command.verb].handle(turn);
}

static enum smtp_server_event
take_command(struct turn *turn, struct slice *in)
{
    struct smtp_server *server = turn->server;
    size_t length;

    if (server->skipping)
        return skip_line(turn, in);
    /* A TLS hello need not hold a line end for us to wait for. */
    if (in->len >= 2 && in->ptr[0] == 0x16 && in->ptr[1] == 0x03)
        return on_foreign(turn);
    switch (find_line(*in, SMTP_LINE_MAX, &length)) {
    case LINE_PARTIAL:
        return SMTP_SERVER_MORE;
    case LINE_BARE:
        return close_with(
            server, turn->out, 500,
            SLICE_OF("5.5.2 Error: bare CR, LF or NUL in command"));
    case LINE_TOO_LONG:
        server->skipping = true;
        server->skipped = 0;
        return skip_line(turn, in);
    case LINE_WHOLE:
        break;
    }
    struct slice line = slice_head(*in, length);
    *in = slice_tail(*in, length + 2);
    if (server->forget) {
        xforward_free(&server->xforward);
        server->forget = false;
    }
    return obey(turn, line);
}

static enum smtp_server_event
take_content(struct smtp_server *server, struct slice *in, struct buf *content)
{
    size_t before = content->len;
    enum dot_status status;

    if (!dot_decode(&server->decoder, in, content, &status))
        return SMTP_SERVER_NO_MEMORY;
    /* The last content first, its end with the next call. */
    if (content->len != before)
        return SMTP_SERVER_DECODED;
    if (status == DOT_MORE)
        return SMTP_SERVER_MORE;
    server->content_done = true;
    server->busy = true;
    return SMTP_SERVER_CONTENT_END;
}

enum smtp_server_event
smtp_server_take(struct smtp_server *server, struct slice *in,
                 struct arena *arena, struct smtp_request *request,
                 struct buf *out, struct buf *content)
{
    struct turn turn = {
        .server = server,
        .arena = arena,
        .request = request,
        .out = out,
    };
    enum smtp_server_event event = SMTP_SERVER_MORE;

    if (server->busy)
        return SMTP_SERVER_BUSY;
    if (server->state == SMTP_SERVER_CONTENT)
        return take_content(server, in, content);
    while (event == SMTP_SERVER_MORE && in->len != 0 &&
           server->state != SMTP_SERVER_CLOSED) {
        size_t left = in->len;
        event = take_command(&turn, in);
        if (in->len == left)
            break; /* an incomplete line */
    }
    if (server->state != SMTP_SERVER_CLOSED)
        return event;
    *in = slice_tail(*in, in->len);
    return SMTP_SERVER_QUIT;
}

/* ---- answers ----------------------------------------------------------- */

static void
end_content(struct smtp_server *server)
{
    server->content_done = false;
    server->recipients = 0;
    server->forget = true;
    server->state = SMTP_SERVER_READY;
}

static void
move_on(struct smtp_server *server, unsigned code)
{
    if (server->content_done) {
        end_content(server);
    } else if (server->verb == SMTP_MAIL && code / 100 == 2) {
        server->recipients = 0;
        server->attempts = 0;
        server->state = SMTP_SERVER_ENVELOPE;
    } else if (server->verb == SMTP_RCPT && code / 100 == 2) {
        server->recipients++;
    } else if (server->verb == SMTP_DATA && code / 100 == 3) {
        server->decoder = (struct dot_decoder){ 0 };
        server->state = SMTP_SERVER_CONTENT;
    }
}

void
smtp_server_reply(struct smtp_server *server, const struct smtp_reply *reply,
                  enum smtp_reply_origin origin, struct buf *out)
{
    bool for_data = !server->content_done && server->verb == SMTP_DATA;

    assert(server->busy);
    assert(reply->code / 100 != (for_data ? 2 : 3));
    server->busy = false;
    move_on(server, reply->code);
    smtp_reply_print(reply, out);
    if (origin == SMTP_REPLY_OURS && reply->code >= 500)
        count_error(server, out);
}

void
smtp_server_close(struct smtp_server *server, struct slice text,
                  struct buf *out)
{
    bool silent =
        server->state == SMTP_SERVER_CLOSED ||
        (server->state == SMTP_SERVER_CONTENT && !server->content_done);

    if (!silent)
        say(out, 421, text);
    server->busy = false;
    server->state = SMTP_SERVER_CLOSED;
}
