/*
 * Runs the conversations of t/dialogue/ against a relay session, with no
 * socket anywhere. A file is its own description:
 *
 *   # what it shows                 first line
 *   conf: TEXT                      configuration; a group replaces the usual
 *   listener: NAME                  mx unless told otherwise
 *   welcome: overloaded|stressed|draining
 *   clock: SECONDS                  1767225600 (2026-01-01) otherwise
 *   C: LINE       the client sends LINE CRLF; \r \n \0 \xHH are octets
 *   C- OCTETS     the same without CRLF
 *   S: LINE       we answer LINE; a * stands for anything
 *   U> LINE       upstream gets LINE (U1> for the second connection)
 *   U< LINE       upstream says LINE CRLF; U<- without CRLF
 *   ! EVENT       see events[] below
 *   ? EFFECT      dialled, dialled fresh, released, quit, dropped (with the
 *                 number of the connection, 0 if none), closed, looked up KEY,
 *                 stored, fetched KEY
 *   L: TEXT       a log line holds TEXT (a * stands for anything)
 *
 * Whatever we do must be in the file, and in its order.
 */
#include "relay.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UPSTREAMS = 4, LINES_MAX = 4000 };

struct upstream {
    struct buf sent; /* to upstream, not yet looked at */
    enum { CLOSED, DIALLED, OPEN } state;
};

struct run {
    const char *file;
    unsigned line;
    bool failed;
    struct conf *conf;
    struct relay_shared shared;
    struct relay_counters counters[2];
    struct relay_session *session;
    struct relay_time now;
    struct buf from_client; /* not taken yet */
    struct buf to_client;
    struct buf log;
    struct upstream up[UPSTREAMS];
    struct buf effects; /* one a line */
    struct relay_sign_job *job;
    bool hold_sign, client_gone, asked, finished, wrote[UPSTREAMS];
    unsigned deadline;
    char directory[64];
};

/* ---- the recorder ---- */

static void
to_client(void *ctx, struct slice octets)
{
    struct run *run = ctx;
    buf_append(&run->to_client, octets);
}

static void
dial(void *ctx, unsigned outbound, enum relay_dial how)
{
    struct run *run = ctx;
    assert(outbound < UPSTREAMS);
    run->up[outbound].state = DIALLED;
    buf_printf(&run->effects, "dialled%s %u\n",
               how == RELAY_DIAL_FRESH ? " fresh" : "", outbound);
}

static void
to_upstream(void *ctx, unsigned outbound, struct slice octets)
{
    struct run *run = ctx;
    assert(run->up[outbound].state == OPEN);
    buf_append(&run->up[outbound].sent, octets);
    run->wrote[outbound] = true;
}

static void
drop(void *ctx, unsigned outbound)
{
    struct run *run = ctx;
    run->up[outbound].state = CLOSED;
    buf_printf(&run->effects, "dropped %u\n", outbound);
}

static void
release(void *ctx, unsigned outbound, const struct smtp_ehlo *ehlo)
{
    struct run *run = ctx;
    run->up[outbound].state = CLOSED;
    buf_printf(&run->effects, "%s %u\n", ehlo != NULL ? "released" : "quit",
               outbound);
}

static void
look_up(void *ctx, const struct table_query *query)
{
    struct run *run = ctx;
    run->asked = true;
    buf_printf(&run->effects, "looked up %.*s\n", SLICE_ARG(query->key));
}

static void
store(void *ctx, const struct relay_store_query *query)
{
    struct run *run = ctx;
    run->asked = true;
    if (query->put)
        buf_printf(&run->effects, "stored %.*s\n", SLICE_ARG(query->sender));
    else
        buf_printf(&run->effects, "fetched\n");
}

static void
sign(void *ctx, struct relay_sign_job *job)
{
    struct run *run = ctx;
    run->job = job;
}

static bool
client_present(void *ctx)
{
    struct run *run = ctx;
    return !run->client_gone;
}

static void
deadline(void *ctx, unsigned milliseconds)
{
    struct run *run = ctx;
    run->deadline = milliseconds;
}

static void
finish(void *ctx)
{
    struct run *run = ctx;
    run->finished = true;
    buf_puts(&run->effects, "closed\n");
}

static const struct relay_ops ops = {
    to_client, dial,  to_upstream, drop,           release,  look_up,
    store,     sign,  client_present, deadline, finish,
};

static void
log_write(void *ctx, enum log_level level, struct slice line)
{
    struct run *run = ctx;
    (void)level;
    buf_append(&run->log, line);
    buf_putc(&run->log, '\n');
}

/* ---- driving ---- */

static void
fail(struct run *run, const char *what, struct slice text)
{
    if (run->failed)
        return;
    run->failed = true;
    printf("# %s:%u: %s: %.*s\n", run->file, run->line, what, SLICE_ARG(text));
}

/* What a process would deliver from its loop. */
static void
settle(struct run *run)
{
    for (bool moved = true; moved;) {
        moved = false;
        if (run->job != NULL && !run->hold_sign) {
            struct relay_sign_job *job = run->job;
            run->job = NULL;
            relay_sign(job);
            relay_on_signed(run->session, run->now);
            moved = true;
        }
        for (unsigned i = 0; i < UPSTREAMS; i++)
            if (run->wrote[i] && run->up[i].state == OPEN) {
                run->wrote[i] = false;
                relay_on_writable(run->session, i, run->now);
                moved = true;
            }
        while (run->from_client.len != 0 &&
               relay_wants_client(run->session)) {
            size_t used = relay_on_client_octets(
                run->session, buf_slice(&run->from_client), run->now);
            buf_drop(&run->from_client, used);
            if (used == 0)
                break;
            moved = true;
        }
    }
}

static void
unescape(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c != '\\' || i + 1 == text.len) {
            buf_putc(out, c);
            continue;
        }
        c = text.ptr[++i];
        if (c == 'x' && i + 2 < text.len) {
            char hex[3] = { text.ptr[i + 1], text.ptr[i + 2], 0 };
            buf_putc(out, (char)strtol(hex, NULL, 16));
            i += 2;
        } else {
            buf_putc(out, c == 'r'   ? '\r'
                          : c == 'n' ? '\n'
                          : c == 't' ? '\t'
                          : c == '0' ? '\0'
                                     : c);
        }
    }
}

static bool
matches(struct slice pattern, struct slice text)
{
    while (pattern.len != 0 && pattern.ptr[0] != '*') {
        if (text.len == 0 || text.ptr[0] != pattern.ptr[0])
            return false;
        pattern = slice_tail(pattern, 1);
        text = slice_tail(text, 1);
    }
    if (pattern.len == 0)
        return text.len == 0;
    pattern = slice_tail(pattern, 1);
    for (size_t i = 0; i <= text.len; i++)
        if (matches(pattern, slice_tail(text, i)))
            return true;
    return false;
}

/* The next CRLF (LF for effects) line of a stream must match. */
static void
expect(struct run *run, struct buf *stream, struct slice pattern,
       const char *what)
{
    struct slice all = buf_slice(stream);
    size_t end = slice_find(all, '\n');
    struct slice line = slice_head(all, end);
    struct buf wanted = { 0 };

    if (end == all.len) {
        fail(run, what, SLICE_OF("nothing there"));
        return;
    }
    if (line.len != 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    unescape(pattern, &wanted);
    if (!matches(buf_slice(&wanted), line))
        fail(run, what, line);
    buf_free(&wanted);
    buf_drop(stream, end + 1);
}

static void
client_says(struct run *run, struct slice text, bool crlf)
{
    unescape(text, &run->from_client);
    if (crlf)
        buf_puts(&run->from_client, "\r\n");
    settle(run);
}

static void
upstream_says(struct run *run, unsigned i, struct slice text, bool crlf)
{
    struct buf octets = { 0 };

    if (run->up[i].state == DIALLED) {
        run->up[i].state = OPEN;
        relay_on_upstream_open(run->session, i, NULL, run->now);
    }
    unescape(text, &octets);
    if (crlf)
        buf_puts(&octets, "\r\n");
    relay_on_upstream_octets(run->session, i, buf_slice(&octets), run->now);
    buf_free(&octets);
    settle(run);
}

static const char *const keywords[] = {
    "250-up",       "250-PIPELINING", "250-SIZE 10240000",
    "250-DSN",      "250-SMTPUTF8",   "250-ENHANCEDSTATUSCODES",
    "250-8BITMIME", "250 XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT",
};
enum { KEYWORDS = sizeof(keywords) / sizeof(keywords[0]) };

static const struct smtp_ehlo known = {
    .keywords = SMTP_HAS_ALL, .xforward = 127, .size = 10240000,
};

static void
clear_effect(struct run *run, const char *effect, unsigned i)
{
    char line[64];
    snprintf(line, sizeof(line), "%s %u", effect, i);
    expect(run, &run->effects, slice_from(line), "effect");
}

static void
event(struct run *run, struct slice text)
{
    struct slice name = slice_cut(&text, ' ');
    unsigned i = text.len != 0 && ascii_is_digit(text.ptr[0])
                     ? (unsigned)(text.ptr[0] - '0')
                     : 0;

    if (slice_equal(name, SLICE_OF("hello"))) {
        expect(run, &run->to_client, SLICE_OF("220 proxy.example ESMTP"),
               "reply");
        client_says(run, SLICE_OF("EHLO client.example"), true);
        buf_clear(&run->to_client);
    } else if (slice_equal(name, SLICE_OF("handshake"))) {
        clear_effect(run, "dialled", i);
        upstream_says(run, i, SLICE_OF("220 up ESMTP"), true);
        expect(run, &run->up[i].sent, SLICE_OF("EHLO proxy.example"),
               "to upstream");
        for (size_t k = 0; k < KEYWORDS; k++)
            upstream_says(run, i, slice_from(keywords[k]), true);
    } else if (slice_equal(name, SLICE_OF("reuse"))) {
        clear_effect(run, "dialled", i);
        run->up[i].state = OPEN;
        relay_on_upstream_open(run->session, i, &known, run->now);
    } else if (slice_equal(name, SLICE_OF("refused"))) {
        run->up[i].state = CLOSED;
        relay_on_upstream_lost(run->session, i, RELAY_LOST_REFUSED, run->now);
    } else if (slice_equal(name, SLICE_OF("timeout"))) {
        run->up[i].state = CLOSED;
        relay_on_upstream_lost(run->session, i, RELAY_LOST_TIMEOUT, run->now);
    } else if (slice_equal(name, SLICE_OF("lost"))) {
        run->up[i].state = CLOSED;
        relay_on_upstream_lost(run->session, i, RELAY_LOST_CLOSED, run->now);
    } else if (slice_equal(name, SLICE_OF("eof"))) {
        relay_on_client_lost(run->session, run->now);
    } else if (slice_equal(name, SLICE_OF("gone"))) {
        run->client_gone = true;
    } else if (slice_equal(name, SLICE_OF("deadline"))) {
        run->now.ms += run->deadline;
        run->now.wall += run->deadline / 1000;
        relay_on_deadline(run->session, run->now);
    } else if (slice_equal(name, SLICE_OF("wait"))) {
        uint64_t seconds = 0;
        slice_to_u64(text, &seconds);
        run->now.ms += seconds * 1000;
        run->now.wall += (int64_t)seconds;
    } else if (slice_equal(name, SLICE_OF("drain"))) {
        relay_on_drain(run->session, run->now);
    } else if (slice_equal(name, SLICE_OF("hold-signing"))) {
        run->hold_sign = true;
    } else if (slice_equal(name, SLICE_OF("signed"))) {
        run->hold_sign = false;
    } else if (slice_equal(name, SLICE_OF("fill"))) {
        /* So many octets of content, in lines. */
        uint64_t octets = 0;
        slice_to_u64(text, &octets);
        for (uint64_t n = 0; n < octets; n += 100)
            client_says(run,
                        SLICE_OF("0123456789012345678901234567890123456789"
                                 "0123456789012345678901234567890123456789"
                                 "012345678901234567"),
                        true);
    } else if (slice_equal(name, SLICE_OF("skip"))) {
        buf_clear(&run->up[i].sent);
    } else if (slice_equal(name, SLICE_OF("fail-sign"))) {
        struct relay_sign_job *job = run->job;
        run->job = NULL;
        job->ok = false;
        run->hold_sign = false;
        relay_on_signed(run->session, run->now);
    } else if (slice_equal(name, SLICE_OF("answer")) ||
               slice_equal(name, SLICE_OF("miss")) ||
               slice_equal(name, SLICE_OF("error"))) {
        struct table_answer answer = {
            slice_equal(name, SLICE_OF("answer")) ? TABLE_FOUND
            : slice_equal(name, SLICE_OF("miss")) ? TABLE_MISS
                                                  : TABLE_ERROR,
            text
        };
        if (!run->asked)
            fail(run, "nothing was asked", text);
        run->asked = false;
        relay_on_looked_up(run->session, &answer, run->now);
    } else if (slice_equal(name, SLICE_OF("stored"))) {
        struct table_answer answer = { TABLE_FOUND, text };
        run->asked = false;
        relay_on_stored(run->session, &answer, run->now);
    } else {
        fail(run, "unknown event", name);
    }
    settle(run);
}

static void
expect_log(struct run *run, struct slice text)
{
    struct buf pattern = { 0 };
    struct slice all = buf_slice(&run->log);
    bool found = false;

    buf_putc(&pattern, '*');
    buf_append(&pattern, text);
    buf_putc(&pattern, '*');
    while (all.len != 0 && !found)
        found = matches(buf_slice(&pattern), slice_cut(&all, '\n'));
    if (!found) {
        fail(run, "no such log line", text);
        printf("# log: %.*s\n", SLICE_ARG(buf_slice(&run->log)));
    }
    buf_free(&pattern);
}

static void
step(struct run *run, struct slice line)
{
    if (line.len == 0 || line.ptr[0] == '#')
        return;
    struct slice rest = slice_tail(line, 3);
    if (slice_starts_nocase(line, SLICE_OF("C: ")))
        client_says(run, rest, true);
    else if (slice_equal(line, SLICE_OF("C:")))
        client_says(run, SLICE_OF(""), true);
    else if (slice_starts_nocase(line, SLICE_OF("C- ")))
        client_says(run, rest, false);
    else if (slice_starts_nocase(line, SLICE_OF("S: ")))
        expect(run, &run->to_client, rest, "reply");
    else if (slice_starts_nocase(line, SLICE_OF("L: ")))
        expect_log(run, rest);
    else if (slice_starts_nocase(line, SLICE_OF("! ")))
        event(run, slice_tail(line, 2));
    else if (slice_starts_nocase(line, SLICE_OF("? ")))
        expect(run, &run->effects, slice_tail(line, 2), "effect");
    else if (line.ptr[0] == 'U') {
        unsigned i = 0;
        line = slice_tail(line, 1);
        if (ascii_is_digit(line.ptr[0])) {
            i = (unsigned)(line.ptr[0] - '0');
            line = slice_tail(line, 1);
        }
        char direction = line.ptr[0];
        bool crlf = line.len < 2 || line.ptr[1] != '-';
        line = slice_tail(line, crlf ? 1 : 2);
        if (line.len != 0 && line.ptr[0] == ' ')
            line = slice_tail(line, 1);
        if (direction == '>')
            expect(run, &run->up[i].sent, line, "to upstream");
        else if (direction == '<')
            upstream_says(run, i, line, crlf);
        else
            fail(run, "what is", line);
    } else {
        fail(run, "what is", line);
    }
}

/* ---- one file ---- */

static void
write_file(const char *directory, const char *name, struct slice text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(text.ptr, 1, text.len, file) != text.len ||
        fclose(file) != 0 || chmod(path, 0640) != 0) {
        perror(path);
        exit(1);
    }
}

static const struct {
    const char *name;
    const char *text;
} groups[] = {
    { "hostname", "hostname = \"proxy.example\";\n" },
    { "listeners",
      "listeners = ( { name = \"mx\"; address = \"127.0.0.1:10025\"; "
      "role = \"inbound\"; }, { name = \"submission\"; "
      "address = \"127.0.0.1:10027\"; role = \"outbound\"; } );\n" },
    { "upstream", "upstream = { address = \"127.0.0.1:10026\"; };\n" },
    { "forward",
      "forward = { local_domains = ( \"local.example\" ); aliases = ( "
      "{ match = \"fwd.*@public.example\"; "
      "to = ( \"me@private.example\" ); } ); };\n" },
    { "srs", "srs = { domain = \"srs.example\"; "
             "secret_file = \"@DIR@/secret\"; };\n" },
    { "postfix", "postfix = { config_directory = \"\"; };\n" },
    { "state_directory", "state_directory = \"@DIR@\";\n" },
};
enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

static bool
has_group(struct slice conf, const char *name)
{
    while (conf.len != 0) {
        struct slice line = slice_cut(&conf, '\n');
        if (slice_starts_nocase(line, slice_from(name)) &&
            (line.ptr[strlen(name)] == ' ' || line.ptr[strlen(name)] == '='))
            return true;
    }
    return false;
}

static void
put_key(struct run *run)
{
    struct buf pem = { 0 };
    char path[128];

    snprintf(path, sizeof(path), "%s/dkim", run->directory);
    mkdir(path, 0750);
    snprintf(path, sizeof(path), "%s/dkim/srs.example", run->directory);
    mkdir(path, 0750);
    if (!dkim_key_generate(DKIM_ED25519_SHA256, 0, &pem))
        abort();
    write_file(path, "s1.pem", buf_slice(&pem));
    snprintf(path, sizeof(path), "%s/dkim/local.example", run->directory);
    mkdir(path, 0750);
    write_file(path, "s2.pem", buf_slice(&pem));
    buf_free(&pem);
}

static bool
load(struct run *run, struct slice conf)
{
    struct buf text = { 0 }, full = { 0 }, errors = { 0 }, warnings = { 0 };
    char path[128];

    for (size_t i = 0; i < GROUPS; i++)
        if (!has_group(conf, groups[i].name))
            buf_puts(&text, groups[i].text);
    buf_append(&text, conf);
    struct slice rest = buf_slice(&text);
    while (rest.len != 0) {
        struct slice part = slice_cut(&rest, '@');
        buf_append(&full, part);
        if (slice_starts_nocase(rest, SLICE_OF("DIR@"))) {
            buf_puts(&full, run->directory);
            rest = slice_tail(rest, 4);
        } else if (rest.len != 0) {
            buf_putc(&full, '@');
        }
    }
    write_file(run->directory, "secret",
               SLICE_OF("0123456789abcdef\n"));
    write_file(run->directory, "onward.conf", buf_slice(&full));
    put_key(run);
    snprintf(path, sizeof(path), "%s/onward.conf", run->directory);
    struct conf_inputs inputs = { .path = path,
                                  .fqdn = SLICE("proxy.example"),
                                  .now = run->now.wall,
                                  .threads = 1 };
    run->conf = conf_load(&inputs, &errors, &warnings);
    if (run->conf == NULL)
        fail(run, "configuration", buf_slice(&errors));
    buf_free(&text);
    buf_free(&full);
    buf_free(&errors);
    buf_free(&warnings);
    return run->conf != NULL;
}

static enum relay_welcome
welcome_of(struct slice word)
{
    if (slice_equal(word, SLICE_OF("overloaded")))
        return RELAY_OVERLOADED;
    if (slice_equal(word, SLICE_OF("stressed")))
        return RELAY_STRESSED;
    if (slice_equal(word, SLICE_OF("draining")))
        return RELAY_DRAINING;
    return RELAY_WELCOME;
}

static void
open_session(struct run *run, struct slice conf, struct slice listener,
             enum relay_welcome welcome)
{
    size_t which = 0;
    uint64_t *reasons = calloc(relay_outcome_count(), sizeof(*reasons));

    if (!load(run, conf)) {
        free(reasons);
        return;
    }
    for (size_t i = 0; i < run->conf->listener_count; i++)
        if (slice_equal(run->conf->listeners[i].name, listener))
            which = i;
    run->counters[0].reasons = reasons;
    run->shared = (struct relay_shared){
        .log = { log_write, run, LOG_LEVEL_INFO, LOG_FORMAT_TEXT },
        .spool = { .limit = 100000000 },
        .counters = run->counters,
        .next_id = 1000,
        .unique = 0x1234,
    };
    run->session = relay_new(run->conf, &run->conf->listeners[which],
                             &run->shared, run->counters, &ops, run,
                             SLICE_OF("127.0.0.1"), welcome, run->now);
}

static void
expect_nothing(struct run *run)
{
    run->line++;
    if (run->to_client.len != 0)
        fail(run, "unexpected reply", buf_slice(&run->to_client));
    if (run->effects.len != 0)
        fail(run, "unexpected effect", buf_slice(&run->effects));
    for (unsigned i = 0; i < UPSTREAMS; i++)
        if (run->up[i].sent.len != 0)
            fail(run, "unexpected to upstream", buf_slice(&run->up[i].sent));
}

static void
remove_directory(const char *directory)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    if (system(command) != 0)
        perror(directory);
}

static void
clean_up(struct run *run)
{
    struct table_answer none = { .status = TABLE_ERROR };

    if (run->session != NULL) {
        relay_on_client_lost(run->session, run->now);
        if (run->job != NULL)
            relay_on_signed(run->session, run->now);
        if (run->asked) {
            relay_on_looked_up(run->session, &none, run->now);
            relay_on_stored(run->session, &none, run->now);
        }
        relay_free(run->session);
    }
    if (run->shared.spool.used != 0 || run->shared.spool.in_memory != 0)
        fail(run, "the spool's quota is not back at zero", SLICE_OF(""));
    conf_unref(run->conf);
    free(run->counters[0].reasons);
    buf_free(&run->from_client);
    buf_free(&run->to_client);
    buf_free(&run->log);
    buf_free(&run->effects);
    for (unsigned i = 0; i < UPSTREAMS; i++)
        buf_free(&run->up[i].sent);
    remove_directory(run->directory);
}

static bool
run_file(const char *path, struct slice text, struct slice *title)
{
    struct run run = { .file = path, .now = { 1767225600, 1000 } };
    struct buf conf = { 0 };
    struct slice listener = SLICE("mx"), rest = text;
    enum relay_welcome welcome = RELAY_WELCOME;
    bool opened = false;

    *title = slice_trim(slice_tail(slice_head(text, slice_find(text, '\n')),
                                   1));
    snprintf(run.directory, sizeof(run.directory), "/tmp/dialogue.XXXXXX");
    if (mkdtemp(run.directory) == NULL) {
        perror(run.directory);
        exit(1);
    }
    while (rest.len != 0 && !run.failed) {
        struct slice line = slice_cut(&rest, '\n');
        run.line++;
        if (slice_starts_nocase(line, SLICE_OF("conf: "))) {
            buf_append(&conf, slice_tail(line, 6));
            buf_putc(&conf, '\n');
            continue;
        }
        if (slice_starts_nocase(line, SLICE_OF("listener: "))) {
            listener = slice_tail(line, 10);
            continue;
        }
        if (slice_starts_nocase(line, SLICE_OF("welcome: "))) {
            welcome = welcome_of(slice_tail(line, 9));
            continue;
        }
        if (slice_starts_nocase(line, SLICE_OF("clock: "))) {
            uint64_t seconds = 0;
            slice_to_u64(slice_tail(line, 7), &seconds);
            run.now.wall = (int64_t)seconds;
            continue;
        }
        if (!opened && line.len != 0 && line.ptr[0] != '#') {
            open_session(&run, buf_slice(&conf), listener, welcome);
            opened = true;
            if (run.session == NULL)
                break;
        }
        if (run.session != NULL)
            step(&run, line);
    }
    if (!run.failed && run.session != NULL)
        expect_nothing(&run);
    bool ok = !run.failed && run.session != NULL;
    clean_up(&run);
    buf_free(&conf);
    return ok && !run.failed;
}

static int
is_dialogue(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && strcmp(entry->d_name + len - 4, ".txt") == 0;
}

int
main(int argc, char **argv)
{
    static const char directory[] = TEST_SOURCE "/dialogue";
    struct dirent **entries;
    int count = scandir(directory, &entries, is_dialogue, alphasort);
    int failed = 0, number = 0;

    if (count <= 0) {
        perror(directory);
        return 1;
    }
    if (argc < 2)
        printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        char path[1024];
        struct buf text = { 0 };
        struct slice title;
        char chunk[4096];
        size_t n;

        snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
        if (argc >= 2 && strstr(path, argv[1]) == NULL) {
            free(entries[i]);
            continue;
        }
        FILE *file = fopen(path, "r");
        if (file == NULL) {
            perror(path);
            return 1;
        }
        while ((n = fread(chunk, 1, sizeof(chunk), file)) != 0)
            buf_append(&text, (struct slice){ chunk, n });
        fclose(file);
        bool ok = run_file(entries[i]->d_name, buf_slice(&text), &title);
        printf("%s %d - %s: %.*s\n", ok ? "ok" : "not ok", ++number,
               entries[i]->d_name, SLICE_ARG(title));
        failed += ok ? 0 : 1;
        buf_free(&text);
        free(entries[i]);
    }
    free(entries);
    return failed != 0;
}
