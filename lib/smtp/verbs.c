#include "verbs.h"

enum {
    /* RCPTs per transaction beyond the accepted ones, as many as Postfix
     * tolerates (smtpd_recipient_overshoot_limit). What upstream refuses is
     * no error of the client, but the arena keeps it to the end. */
    OVERSHOOT = 1000,
};

#define BIT(state) (1u << (state))
#define ANY                                                                    \
    (BIT(SMTP_SERVER_START) | BIT(SMTP_SERVER_READY) |                         \
     BIT(SMTP_SERVER_ENVELOPE))

static enum smtp_server_event on_hello(struct smtp_turn *turn);
static enum smtp_server_event on_mail(struct smtp_turn *turn);
static enum smtp_server_event on_rcpt(struct smtp_turn *turn);
static enum smtp_server_event on_data(struct smtp_turn *turn);
static enum smtp_server_event on_rset(struct smtp_turn *turn);
static enum smtp_server_event on_noop(struct smtp_turn *turn);
static enum smtp_server_event on_vrfy(struct smtp_turn *turn);
static enum smtp_server_event on_help(struct smtp_turn *turn);
static enum smtp_server_event on_quit(struct smtp_turn *turn);
static enum smtp_server_event on_xforward(struct smtp_turn *turn);
static enum smtp_server_event on_bdat(struct smtp_turn *turn);
static enum smtp_server_event on_foreign(struct smtp_turn *turn);
static enum smtp_server_event on_unknown(struct smtp_turn *turn);

/* Verb x state. Where a verb is not allowed, out_of_order has the reply. */
static const struct {
    unsigned allowed;
    enum smtp_server_event (*handle)(struct smtp_turn *turn);
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

/* ---- saying ------------------------------------------------------------ */

static void
say(struct smtp_turn *turn, unsigned code, const char *text)
{
    struct smtp_reply reply = { code, slice_from(text) };

    smtp_reply_print(&reply, turn->out);
}

enum smtp_server_event
smtp_turn_close(struct smtp_turn *turn, unsigned code, const char *text)
{
    say(turn, code, text);
    turn->server->busy = false;
    turn->server->state = SMTP_SERVER_CLOSED;
    return SMTP_SERVER_QUIT;
}

void
smtp_turn_count_error(struct smtp_turn *turn)
{
    struct smtp_server *server = turn->server;

    server->errors++;
    if (server->limits.errors != 0 && server->errors >= server->limits.errors)
        smtp_turn_close(turn, 421, "4.7.0 Error: too many errors");
}

enum smtp_server_event
smtp_turn_refuse(struct smtp_turn *turn, unsigned code, const char *text)
{
    say(turn, code, text);
    if (code >= 500)
        smtp_turn_count_error(turn);
    return turn->server->state == SMTP_SERVER_CLOSED ? SMTP_SERVER_QUIT
                                                     : SMTP_SERVER_MORE;
}

/* What came with it and waits is suspect: see looks_like_content. */
static enum smtp_server_event
refuse_data(struct smtp_turn *turn, unsigned code, const char *text)
{
    turn->server->suspect = turn->behind;
    return smtp_turn_refuse(turn, code, text);
}

static enum smtp_server_event
out_of_memory(struct smtp_turn *turn)
{
    return smtp_turn_refuse(turn, 451, "4.3.0 Temporary internal failure");
}

static enum smtp_server_event
out_of_order(struct smtp_turn *turn, enum smtp_verb verb)
{
    if (verb == SMTP_XFORWARD)
        return smtp_turn_refuse(turn, 503,
                                "5.5.1 Error: MAIL transaction in progress");
    if (verb == SMTP_DATA)
        return refuse_data(turn, 503, "5.5.1 Error: need MAIL command");
    if (verb != SMTP_MAIL)
        return smtp_turn_refuse(turn, 503, "5.5.1 Error: need MAIL command");
    if (turn->server->state == SMTP_SERVER_ENVELOPE)
        return smtp_turn_refuse(turn, 503, "5.5.1 Error: nested MAIL command");
    return smtp_turn_refuse(turn, 503, "5.5.1 Error: send HELO/EHLO first");
}

/*
 * DATA is the last command of a group (RFC 2920, 3.1). A client that sends its
 * content without waiting has it read as commands when DATA is refused, and a
 * stranger who wrote the content could forge a transaction.
 */
static bool
looks_like_content(const struct smtp_command *command)
{
    return command->name.len == 0 || command->verb == SMTP_MAIL ||
           command->verb == SMTP_UNKNOWN || command->verb == SMTP_FOREIGN ||
           command->verb == SMTP_BDAT;
}

enum smtp_server_event
smtp_turn_obey(struct smtp_turn *turn, struct slice line)
{
    struct smtp_server *server = turn->server;
    struct smtp_command command = smtp_command_parse(line);

    if (turn->suspect && looks_like_content(&command))
        return smtp_turn_close(turn, 421, "4.7.0 Error: content without 354");
    if (command.name.len == 0)
        return smtp_turn_refuse(turn, 500, "5.5.2 Error: bad syntax");
    turn->argument = command.argument;
    server->verb = command.verb;
    if ((verbs[command.verb].allowed & BIT(server->state)) == 0)
        return out_of_order(turn, command.verb);
    return verbs[command.verb].handle(turn);
}

/* The caller owes an answer from here on. */
static enum smtp_server_event
hand_out(struct smtp_turn *turn, enum smtp_server_event event)
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
on_hello(struct smtp_turn *turn)
{
    struct smtp_server *server = turn->server;
    bool esmtp = server->verb == SMTP_EHLO;
    struct buf helo = { 0 };

    if (turn->argument.len == 0 || !is_printable(turn->argument))
        return smtp_turn_refuse(turn, 501,
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
        smtp_reply_print(&(struct smtp_reply){ 250, server->hostname },
                         turn->out);
    enum smtp_server_event event = reset(server);
    server->state = SMTP_SERVER_READY;
    return event;
}

static enum smtp_server_event
refuse_argument(struct smtp_turn *turn, enum smtp_argument_error error)
{
    bool mail = turn->server->verb == SMTP_MAIL;

    switch (error) {
    case SMTP_ARGUMENT_SYNTAX:
        return smtp_turn_refuse(turn, 501,
                                mail ? "5.5.4 Syntax: MAIL FROM:<address>"
                                     : "5.5.4 Syntax: RCPT TO:<address>");
    case SMTP_ARGUMENT_BAD_PATH:
        return smtp_turn_refuse(turn, 501,
                                mail ? "5.1.7 Bad sender address syntax"
                                     : "5.1.3 Bad recipient address syntax");
    case SMTP_ARGUMENT_BAD_PARAM:
        return smtp_turn_refuse(turn, 501, "5.5.4 Bad parameter");
    case SMTP_ARGUMENT_UNSUPPORTED:
        return smtp_turn_refuse(turn, 555, "5.5.4 Unsupported option");
    case SMTP_ARGUMENT_NO_MEMORY:
    case SMTP_ARGUMENT_OK:
        break;
    }
    return out_of_memory(turn);
}

static enum smtp_server_event
on_mail(struct smtp_turn *turn)
{
    struct smtp_server *server = turn->server;
    struct smtp_mail *mail = &turn->request->mail;
    enum smtp_argument_error error =
        smtp_mail_parse(turn->argument, turn->arena, mail);

    if (error != SMTP_ARGUMENT_OK)
        return refuse_argument(turn, error);
    if (server->limits.size != 0 && mail->size > server->limits.size)
        return smtp_turn_refuse(turn, 552, "5.3.4 Message size exceeds limit");
    return hand_out(turn, SMTP_SERVER_MAIL);
}

static enum smtp_server_event
on_rcpt(struct smtp_turn *turn)
{
    struct smtp_server *server = turn->server;

    /* Before anything is kept of it: the arena lives as long as the
     * transaction. 4xx and no error, so that the client sends the rest in
     * another transaction (RFC 5321, 4.5.3.1.10). */
    if (server->recipients >= server->limits.recipients ||
        server->attempts - server->recipients >= OVERSHOOT)
        return smtp_turn_refuse(turn, 452, "4.5.3 Error: too many recipients");
    enum smtp_argument_error error =
        smtp_rcpt_parse(turn->argument, turn->arena, &turn->request->rcpt);
    if (error != SMTP_ARGUMENT_OK)
        return refuse_argument(turn, error);
    server->attempts++;
    return hand_out(turn, SMTP_SERVER_RCPT);
}

static enum smtp_server_event
on_data(struct smtp_turn *turn)
{
    if (turn->argument.len != 0)
        return refuse_data(turn, 501, "5.5.4 Syntax: DATA");
    if (turn->server->recipients == 0)
        return refuse_data(turn, 554, "5.5.1 Error: no valid recipients");
    turn->server->behind_data = turn->behind;
    return hand_out(turn, SMTP_SERVER_DATA);
}

static enum smtp_server_event
on_rset(struct smtp_turn *turn)
{
    if (turn->argument.len != 0)
        return smtp_turn_refuse(turn, 501, "5.5.4 Syntax: RSET");
    say(turn, 250, "2.0.0 Ok");
    return reset(turn->server);
}

static enum smtp_server_event
on_noop(struct smtp_turn *turn)
{
    say(turn, 250, "2.0.0 Ok");
    return SMTP_SERVER_MORE;
}

static enum smtp_server_event
on_vrfy(struct smtp_turn *turn)
{
    if (turn->argument.len == 0)
        return smtp_turn_refuse(turn, 501, "5.5.4 Syntax: VRFY address");
    /* Made printable and cut by smtp_reply_print; the head of it, because its
     * length was the client's choice. */
    struct buf text = { 0 };
    buf_puts(&text, "2.0.0 ");
    buf_append(&text, slice_head(turn->argument, SMTP_REPLY_LINE_MAX));
    smtp_reply_print(&(struct smtp_reply){ 252, buf_slice(&text) }, turn->out);
    buf_free(&text);
    return SMTP_SERVER_MORE;
}

static enum smtp_server_event
on_help(struct smtp_turn *turn)
{
    say(turn, 214, "2.0.0 See RFC 5321");
    return SMTP_SERVER_MORE;
}

static enum smtp_server_event
on_quit(struct smtp_turn *turn)
{
    turn->server->quit = true;
    return smtp_turn_close(turn, 221, "2.0.0 Bye");
}

static enum smtp_server_event
on_xforward(struct smtp_turn *turn)
{
    switch (xforward_parse(turn->argument, &turn->server->xforward)) {
    case XFORWARD_OK:
        break;
    case XFORWARD_BAD:
        return smtp_turn_refuse(turn, 501, "5.5.4 Bad XFORWARD attribute");
    case XFORWARD_NO_MEMORY:
        return out_of_memory(turn);
    }
    say(turn, 250, "2.0.0 Ok");
    return SMTP_SERVER_MORE;
}

/* Its chunk follows without waiting for us: it would be read as commands. */
static enum smtp_server_event
on_bdat(struct smtp_turn *turn)
{
    return smtp_turn_close(turn, 502, "5.5.1 Error: command not implemented");
}

static enum smtp_server_event
on_foreign(struct smtp_turn *turn)
{
    return smtp_turn_close(turn, 500, "5.5.1 Error: this is SMTP");
}

static enum smtp_server_event
on_unknown(struct smtp_turn *turn)
{
    return smtp_turn_refuse(turn, 502, "5.5.1 Error: command not implemented");
}
