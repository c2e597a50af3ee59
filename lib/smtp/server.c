#include "server.h"

#include "line.h"
#include "verbs.h"

#include <assert.h>

enum {
    LINE_END_MAX = 64 * 1024
};
static const char bare[] = "5.5.2 Error: bare CR, LF or NUL in command";

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
    buf_puts(out, "220 ");
    buf_append(out, hostname);
    buf_puts(out, " ESMTP\r\n");
}

void
smtp_server_free(struct smtp_server *server)
{
    buf_free(&server->helo);
    xforward_free(&server->xforward);
    *server = (struct smtp_server){ .state = SMTP_SERVER_CLOSED };
}

/* What is left of a line that was too long, without keeping any of it. */
static enum smtp_server_event
skip_line(struct smtp_turn *turn, struct slice *in)
{
    struct smtp_server *server = turn->server;
    size_t length;
    enum smtp_line line =
        smtp_line_find(*in, LINE_END_MAX - server->skipped, &length);

    switch (line) {
    case SMTP_LINE_PARTIAL:
        /* A CR at the end stays: the LF may follow. */
        server->skipped += length;
        *in = slice_tail(*in, length);
        return SMTP_SERVER_MORE;
    case SMTP_LINE_WHOLE:
        *in = slice_tail(*in, length + 2);
        server->skipping = false;
        return smtp_turn_refuse(turn, 500, "5.5.2 Error: line too long");
    case SMTP_LINE_BARE:
        return smtp_turn_close(turn, 500, bare);
    case SMTP_LINE_LONG:
        break;
    }
    return smtp_turn_close(turn, 421, "4.7.0 Error: line too long");
}

static enum smtp_server_event
take_command(struct smtp_turn *turn, struct slice *in)
{
    struct smtp_server *server = turn->server;
    size_t length;

    if (server->skipping)
        return skip_line(turn, in);
    /* A TLS hello need not hold a line end for us to wait for. */
    if (in->len >= 2 && in->ptr[0] == 0x16 && in->ptr[1] == 0x03)
        return smtp_turn_obey(turn, slice_head(*in, 2));
    switch (smtp_line_find(*in, SMTP_LINE_MAX, &length)) {
    case SMTP_LINE_PARTIAL:
        return SMTP_SERVER_MORE;
    case SMTP_LINE_BARE:
        return smtp_turn_close(turn, 500, bare);
    case SMTP_LINE_LONG:
        server->skipping = true;
        server->skipped = 0;
        return skip_line(turn, in);
    case SMTP_LINE_WHOLE:
        break;
    }
    struct slice line = slice_head(*in, length);
    *in = slice_tail(*in, length + 2);
    turn->behind = in->len;
    turn->suspect = server->suspect != 0;
    server->suspect -=
        server->suspect < length + 2 ? server->suspect : length + 2;
    if (server->forget) {
        xforward_free(&server->xforward);
        server->forget = false;
    }
    return smtp_turn_obey(turn, line);
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
    struct smtp_turn turn = {
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
    if (in->len != 0)
        server->quit = false;
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
    if (for_data && reply->code / 100 != 3)
        server->suspect = server->behind_data;
    if (origin == SMTP_REPLY_OURS && reply->code >= 500)
        smtp_turn_count_error(
            &(struct smtp_turn){ .server = server, .out = out });
}

void
smtp_server_close(struct smtp_server *server, struct slice text,
                  struct buf *out)
{
    bool silent =
        server->state == SMTP_SERVER_CLOSED ||
        (server->state == SMTP_SERVER_CONTENT && !server->content_done);

    if (!silent)
        smtp_reply_print(&(struct smtp_reply){ 421, text }, out);
    server->busy = false;
    server->state = SMTP_SERVER_CLOSED;
}
