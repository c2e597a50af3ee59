/*
 * The whole relay session: the input chooses events from both sides. What has
 * to hold whatever comes (the invariants of relay.h):
 *
 *  I1  a 2xx at end of data only after every upstream that was given the
 *      content has said a complete 2xx behind our final dot
 *  I2  content goes only where MAIL and a RCPT were accepted, and only after
 *      a 354
 *  I5  no bare CR, LF or NUL leaves for upstream, and every line for the
 *      client is a canonical reply of at most 512 octets
 *  and the session always ends, with nothing left behind.
 */
#include "relay.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    UPSTREAMS = 16,
    CLIENT_MAX = 70000
};

/* What a server at the other end would understand of what we sent. */
struct upstream {
    enum {
        CLOSED,
        DIALLED,
        OPEN
    } state;
    enum {
        COMMANDS,
        DATA_SENT,
        CONTENT,
        DOT_WRITTEN
    } mode;
    unsigned mails, rcpts; /* commands since connecting or RSET */
    struct dot_decoder decoder;
    struct buf line;  /* of ours */
    struct buf reply; /* line of theirs */
    bool accepted;    /* 2xx behind the dot */
    bool carried;     /* was given content in this transaction */
    char last;        /* octet written */
};

struct world {
    struct relay_session *session;
    struct relay_shared shared;
    struct relay_counters counters;
    struct relay_time now;
    struct upstream up[UPSTREAMS];
    struct relay_sign_job *job;
    struct buf from_client, line;
    bool asked, stored, finished, content, present, unread;
};

static struct conf *conf;

/* ---- the other ends ---- */

static void
on_reply_line(struct world *w, struct slice line)
{
    if (line.len > SMTP_REPLY_LINE_MAX - 2 || line.len < 4)
        abort();
    for (size_t i = 0; i < line.len; i++)
        if (ascii_is_control(line.ptr[i]))
            abort();
    if (!ascii_is_digit(line.ptr[0]) || !ascii_is_digit(line.ptr[1]) ||
        !ascii_is_digit(line.ptr[2]) || line.ptr[0] < '2' || line.ptr[0] > '5')
        abort();
    if (line.ptr[3] == '-')
        return;
    if (line.ptr[3] != ' ')
        abort();
    if (slice_starts_nocase(line, SLICE_OF("354"))) {
        w->content = true;
        return;
    }
    if (!w->content)
        return;
    w->content = false;
    /* I1. (The 354 may be written after content that came with DATA has gone
     * upstream, so it is this reply that separates the transactions.) */
    bool carried = false, all = true;
    for (unsigned i = 0; i < UPSTREAMS; i++) {
        all = all && (!w->up[i].carried || w->up[i].accepted);
        carried = carried || w->up[i].carried;
        w->up[i].carried = w->up[i].accepted = false;
    }
    if (line.ptr[0] != '2')
        return;
    if (!all)
        abort();
    if (!carried && !slice_equal(line, SLICE_OF("250 2.0.0 Ok: discarded")))
        abort();
}

static void
to_client(void *ctx, struct slice octets)
{
    struct world *w = ctx;

    for (size_t i = 0; i < octets.len; i++) {
        buf_putc(&w->line, octets.ptr[i]);
        if (octets.ptr[i] != '\n')
            continue;
        if (w->line.len < 2 || w->line.ptr[w->line.len - 2] != '\r')
            abort();
        on_reply_line(w, slice_head(buf_slice(&w->line), w->line.len - 2));
        buf_clear(&w->line);
    }
}

static void
dial(void *ctx, unsigned i, enum relay_dial how)
{
    struct world *w = ctx;
    struct upstream *up = &w->up[i];

    (void)how;
    assert(i < UPSTREAMS && up->state == CLOSED);
    buf_clear(&up->line);
    buf_clear(&up->reply);
    up->mode = COMMANDS;
    up->mails = up->rcpts = 0;
    up->state = DIALLED;
}

static void
on_command_line(struct upstream *up, struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if (ascii_is_control(line.ptr[i]))
            abort();
    if (slice_starts_nocase(line, SLICE_OF("RSET")))
        up->mails = up->rcpts = 0;
    if (slice_starts_nocase(line, SLICE_OF("MAIL FROM:<")))
        up->mails++;
    if (slice_starts_nocase(line, SLICE_OF("RCPT TO:<")))
        up->rcpts++;
    if (slice_equal(line, SLICE_OF("DATA"))) {
        if (up->mails == 0 || up->rcpts == 0)
            abort(); /* I2 */
        up->mode = DATA_SENT;
        up->carried = true;
        up->accepted = false;
    }
}

static void
to_upstream(void *ctx, unsigned i, struct slice octets)
{
    struct world *w = ctx;
    struct upstream *up = &w->up[i];

    assert(up->state == OPEN);
    for (size_t k = 0; k < octets.len; k++) {
        char c = octets.ptr[k];
        /* I5 */
        if (c == '\0' || (c == '\n' && up->last != '\r') ||
            (up->last == '\r' && c != '\n'))
            abort();
        up->last = c;
    }
    while (octets.len != 0) {
        if (up->mode == DATA_SENT)
            abort(); /* before 354 */
        if (up->mode == CONTENT) {
            struct buf content = { 0 };
            enum dot_status status;
            if (!dot_decode(&up->decoder, &octets, &content, &status))
                abort();
            buf_free(&content);
            if (status == DOT_END) {
                up->mode = DOT_WRITTEN;
                if (octets.len != 0)
                    abort();
            }
            continue;
        }
        size_t end = slice_find(octets, '\n');
        buf_append(&up->line, slice_head(octets, end + 1));
        octets = slice_tail(octets, end + 1);
        if (up->line.ptr[up->line.len - 1] == '\n') {
            on_command_line(up,
                            slice_head(buf_slice(&up->line), up->line.len - 2));
            buf_clear(&up->line);
        }
    }
}

static size_t
file_to_upstream(void *ctx, unsigned i, int fd, uint64_t offset, size_t length)
{
    char octets[512];
    size_t size = length < sizeof(octets) ? length : sizeof(octets);

    if (offset % 3 == 0) /* the socket is full */
        return 0;
    if (pread(fd, octets, size, (off_t)offset) != (ssize_t)size)
        abort();
    to_upstream(ctx, i, (struct slice){ octets, size });
    return size;
}

static void
close_up(struct upstream *up)
{
    up->state = CLOSED;
    up->last = 0;
}

static void
drop(void *ctx, unsigned i)
{
    close_up(&((struct world *)ctx)->up[i]);
}

static void
release(void *ctx, unsigned i, const struct smtp_ehlo *ehlo)
{
    struct upstream *up = &((struct world *)ctx)->up[i];

    /* Never in the middle of content: QUIT would become content. */
    if (up->mode == CONTENT || up->mode == DATA_SENT || up->state != OPEN)
        abort();
    (void)ehlo;
    close_up(up);
}

static void
look_up(void *ctx, const struct table_query *query)
{
    (void)query;
    ((struct world *)ctx)->asked = true;
}

static void
store(void *ctx, const struct relay_store_query *query)
{
    (void)query;
    ((struct world *)ctx)->stored = true;
}

static void
sign(void *ctx, struct relay_sign_job *job)
{
    ((struct world *)ctx)->job = job;
}

static bool
client_present(void *ctx)
{
    return ((struct world *)ctx)->present;
}

static bool
upstream_quiet(void *ctx, unsigned i)
{
    (void)i;
    return !((struct world *)ctx)->unread;
}

static void
deadline(void *ctx, unsigned milliseconds)
{
    (void)ctx;
    (void)milliseconds;
}

static void
finish(void *ctx)
{
    struct world *w = ctx;

    if (w->finished)
        abort();
    w->finished = true;
}

static const struct relay_ops ops = {
    to_client, dial,  to_upstream, file_to_upstream, drop,           release,
    look_up,   store, sign,        client_present,   upstream_quiet, deadline,
    finish,
};

/* ---- configuration ---- */

static void
write_file(const char *directory, const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0 ||
        chmod(path, 0640) != 0)
        abort();
}

static void
load(void)
{
    char directory[] = "/tmp/fuzz-relay.XXXXXX", path[128], text[2048];
    struct buf errors = { 0 }, warnings = { 0 }, pem = { 0 };

    if (mkdtemp(directory) == NULL)
        abort();
    snprintf(path, sizeof(path), "%s/dkim", directory);
    mkdir(path, 0750);
    snprintf(path, sizeof(path), "%s/dkim/srs.example", directory);
    mkdir(path, 0750);
    if (!dkim_key_generate(DKIM_ED25519_SHA256, 0, &pem))
        abort();
    write_file(path, "s.pem", buf_cstr(&pem));
    write_file(directory, "secret", "0123456789abcdef\n");
    snprintf(text, sizeof(text),
             "hostname = \"proxy.example\";\n"
             "listeners = ( { name = \"mx\"; address = \"127.0.0.1:10025\"; "
             "role = \"inbound\"; } );\n"
             "upstream = { address = \"127.0.0.1:10026\"; };\n"
             "forward = { local_domains = ( \"local.example\" ); aliases = (\n"
             " { match = \"a@x.example\"; to = ( \"p@q.example\", "
             "\"r@local.example\" ); },\n"
             " { match = \"no@x.example\"; action = \"reject\"; },\n"
             " { match = \"void@x.example\"; action = \"discard\"; },\n"
             " \"socketmap:inet:127.0.0.1:1:alias\",\n"
             " { match = \"*@x.example\"; to = ( \"$1@q.example\" ); } ); };\n"
             "srs = { domain = \"srs.example\"; secret_file = \"%s/secret\"; "
             "long_sender = \"store\"; };\n"
             "dkim = { key_directory = \"%s/dkim\"; };\n"
             "limits = { recipients = 5; hops = 3; message_memory = \"1K\"; "
             "message_size = \"20K\"; header_size = \"4K\"; };\n"
             "state_directory = \"%s\";\n"
             "postfix = { config_directory = \"\"; };\n",
             directory, directory, directory);
    write_file(directory, "onward.conf", text);
    snprintf(path, sizeof(path), "%s/onward.conf", directory);
    struct conf_inputs inputs = { .path = path,
                                  .fqdn = SLICE("proxy.example"),
                                  .now = 1767225600,
                                  .threads = 1 };
    conf = conf_load(&inputs, &errors, &warnings);
    if (conf == NULL) {
        fprintf(stderr, "%s", buf_cstr(&errors));
        abort();
    }
    buf_free(&pem);
    buf_free(&errors);
    buf_free(&warnings);
}

/* ---- events ---- */

static void
settle(struct world *w)
{
    while (w->from_client.len != 0 && relay_wants_client(w->session)) {
        size_t used = relay_on_client_octets(
            w->session, buf_slice(&w->from_client), w->now);
        buf_drop(&w->from_client, used);
        if (used == 0) {
            /* An incomplete line: more is needed than we would hold. */
            if (w->from_client.len > CLIENT_MAX)
                abort();
            break;
        }
    }
}

static void
upstream_says(struct world *w, unsigned i, struct slice octets)
{
    struct upstream *up = &w->up[i];

    if (up->state == DIALLED) {
        up->state = OPEN;
        relay_on_upstream_open(w->session, i, NULL, w->now);
        if (up->state != OPEN)
            return;
    }
    if (up->state != OPEN)
        return;
    /* Line by line, so that this side knows what the session has seen. */
    while (octets.len != 0 && up->state == OPEN) {
        size_t end = slice_find(octets, '\n');
        struct slice part = slice_head(octets, end + 1);
        octets = slice_tail(octets, part.len);
        buf_append(&up->reply, part);
        if (part.ptr[part.len - 1] == '\n') {
            struct slice line = buf_slice(&up->reply);
            bool last = line.len < 4 || line.ptr[3] != '-';
            if (last && line.ptr[0] == '3' && up->mode == DATA_SENT) {
                up->mode = CONTENT;
                up->decoder = (struct dot_decoder){ 0 };
            } else if (last && up->mode == DATA_SENT) {
                up->mode = COMMANDS;
            } else if (last && up->mode == DOT_WRITTEN) {
                up->accepted = line.ptr[0] == '2';
                up->mode = COMMANDS;
            }
            buf_clear(&up->reply);
        }
        relay_on_upstream_octets(w->session, i, part, w->now);
    }
}

static const char *const client_lines[] = {
    "EHLO c.example\r\n",
    "MAIL FROM:<s@sender.example>\r\n",
    "MAIL FROM:<>\r\n",
    "MAIL FROM:<u@local.example> SIZE=10 BODY=8BITMIME\r\n",
    "RCPT TO:<b@local.example>\r\n",
    "RCPT TO:<a@x.example>\r\n",
    "RCPT TO:<z@x.example> NOTIFY=NEVER\r\n",
    "RCPT TO:<no@x.example>\r\n",
    "RCPT TO:<void@x.example>\r\n",
    "RCPT TO:<SRS0=abcdef=7G=h.example=u@srs.example>\r\n",
    "DATA\r\n",
    "RSET\r\n",
    "QUIT\r\n",
    "NOOP\r\n",
    "XFORWARD NAME=n ADDR=192.0.2.1 SOURCE=LOCAL\r\n",
    ("MAIL FROM:<long-long-long-long-long-long-long-long-long-long-sender"
     "@sender.example>\r\n"),
};
static const char *const content[] = {
    "From: a@b.example\r\n",
    "\r\n",
    "text\r\n",
    ".\r\n",
    "\r\n.\r\n",
    "..\r\n",
    ".\r\r\n",
    "a\nb\r\n",
    "x\ry\r\n",
    "Received: r\r\n",
    ("012345678901234567890123456789012345678901234567890123456789"
     "012345678901234567890123456789012345678901234567890123456789\r\n"),
};
static const char *const replies[] = {
    "220 up\r\n",
    "250 ok\r\n",
    "250-up\r\n250-PIPELINING\r\n250-DSN\r\n250 XFORWARD NAME SOURCE\r\n",
    "354 go\r\n",
    "550 5.1.1 no\r\n",
    "451 4.3.0 later\r\n",
    "421 bye\r\n",
    "250 Ok: queued as ABC\r\n",
    "25",
    "garbage\r\n",
    "250-more\r\n",
    "250 ok\r\n250 ok\r\n",
    "250 ok\r\n250 ok\r\n250 ok\r\n",
    "999 what\r\n",
};
#define PICK(list, n) (list)[(n) % (sizeof(list) / sizeof((list)[0]))]

static void
event(struct world *w, uint8_t op, uint8_t arg)
{
    unsigned i = arg & 3;
    struct table_answer answer = { .status = arg & 1   ? TABLE_FOUND
                                             : arg & 2 ? TABLE_MISS
                                                       : TABLE_ERROR,
                                   .value = SLICE("t@u.example") };
    static const struct smtp_ehlo known = { .keywords = SMTP_HAS_ALL,
                                            .xforward = 127 };

    switch (op % 16) {
    case 0:
    case 1:
    case 2:
        buf_puts(&w->from_client, PICK(client_lines, arg));
        break;
    case 3:
    case 4:
        buf_puts(&w->from_client, PICK(content, arg));
        break;
    case 5:
        buf_putc(&w->from_client, (char)arg);
        break;
    case 6:
    case 7:
    case 8:
        upstream_says(w, op % 16 - 6, slice_from(PICK(replies, arg)));
        break;
    case 9: {
        char c = (char)arg;
        upstream_says(w, 0, (struct slice){ &c, 1 });
        break;
    }
    case 10:
        if (w->up[i].state != CLOSED) {
            close_up(&w->up[i]);
            relay_on_upstream_lost(w->session, i,
                                   (enum relay_lost)(arg / 4 % 3), w->now);
        }
        break;
    case 11:
        if (w->up[i].state == DIALLED) {
            w->up[i].state = OPEN;
            relay_on_upstream_open(w->session, i, &known, w->now);
        } else if (w->up[i].state == OPEN) {
            relay_on_writable(w->session, i, w->now);
        }
        break;
    case 12:
        if (w->job != NULL) {
            struct relay_sign_job *job = w->job;
            w->job = NULL;
            relay_sign(job);
            if (arg == 255)
                job->ok = false;
            relay_on_signed(w->session, w->now);
        }
        break;
    case 13:
        if (w->asked) {
            w->asked = false;
            relay_on_looked_up(w->session, &answer, w->now);
        } else if (w->stored) {
            w->stored = false;
            relay_on_stored(w->session, &answer, w->now);
        }
        break;
    case 14:
        w->now.ms += (uint64_t)arg * arg * 20;
        w->now.wall += arg;
        if (arg & 1)
            relay_on_deadline(w->session, w->now);
        break;
    case 15:
        if (arg > 250)
            relay_on_client_lost(w->session, w->now);
        else if (arg > 245)
            relay_on_drain(w->session, w->now);
        else if (arg > 240)
            w->present = false;
        else if (arg > 230)
            w->unread = arg & 1;
        break;
    }
    if (!w->finished)
        settle(w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = { .now = { 1767225600, 1000 }, .present = true };
    struct table_answer none = { .status = TABLE_ERROR };

    if (conf == NULL)
        load();
    w.shared.spool.limit = 100000;
    w.shared.counters = &w.counters;
    w.session =
        relay_new(conf, &conf->listeners[0], &w.shared, &w.counters, &ops, &w,
                  SLICE_OF("127.0.0.1"), RELAY_WELCOME, w.now);
    for (size_t i = 0; i + 1 < size && !w.finished; i += 2)
        event(&w, data[i], data[i + 1]);

    /* It always ends: the client goes, and what is out comes back. */
    relay_on_client_lost(w.session, w.now);
    for (unsigned i = 0; i < UPSTREAMS; i++)
        if (w.up[i].state != CLOSED) {
            close_up(&w.up[i]);
            relay_on_upstream_lost(w.session, i, RELAY_LOST_CLOSED, w.now);
        }
    if (w.job != NULL) {
        relay_sign(w.job);
        relay_on_signed(w.session, w.now);
    }
    if (w.asked)
        relay_on_looked_up(w.session, &none, w.now);
    if (w.stored)
        relay_on_stored(w.session, &none, w.now);
    if (!w.finished)
        abort();
    relay_free(w.session);
    if (w.shared.spool.used != 0 || w.shared.spool.in_memory != 0)
        abort();
    spool_files_drop(&w.shared.spool.files);
    for (unsigned i = 0; i < UPSTREAMS; i++) {
        buf_free(&w.up[i].line);
        buf_free(&w.up[i].reply);
    }
    buf_free(&w.from_client);
    buf_free(&w.line);
    return 0;
}
