/*
 * Runs the conversations of t/dialogue/ against a relay session, with no
 * socket anywhere. t/README, section 3, is the language of these files. With an
 * argument only those run whose path holds it.
 */
#include "relay_world.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
    const char *file;
    unsigned line;
    bool failed;
    struct world world;
};

/* ---- driving ---- */

static void
fail(struct run *run, const char *what, struct slice text)
{
    if (run->failed)
        return;
    run->failed = true;
    printf("# %s:%u: %s: %.*s\n", run->file, run->line, what, SLICE_ARG(text));
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
    if (!world_matches(buf_slice(&wanted), line))
        fail(run, what, line);
    buf_free(&wanted);
    buf_drop(stream, end + 1);
}

static void
client_says(struct run *run, struct slice text, const char *end)
{
    struct buf octets = { 0 };

    unescape(text, &octets);
    buf_puts(&octets, end);
    world_client_says(&run->world, buf_slice(&octets));
    buf_free(&octets);
}

static void
upstream_says(struct run *run, unsigned i, struct slice text, const char *end)
{
    struct buf octets = { 0 };

    unescape(text, &octets);
    buf_puts(&octets, end);
    world_upstream_says(&run->world, i, buf_slice(&octets));
    buf_free(&octets);
}

static const char *const keywords[] = {
    "250-up",
    "250-PIPELINING",
    "250-SIZE 10240000",
    "250-DSN",
    "250-SMTPUTF8",
    "250-ENHANCEDSTATUSCODES",
    "250-8BITMIME",
    "250 XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT",
};
enum {
    KEYWORDS = sizeof(keywords) / sizeof(keywords[0])
};

static const struct smtp_ehlo known = {
    .keywords = SMTP_HAS_ALL,
    .xforward = 127,
    .size = 10240000,
};

static void
clear_effect(struct run *run, const char *effect, unsigned i)
{
    char line[64];
    snprintf(line, sizeof(line), "%s %u", effect, i);
    expect(run, &run->world.effects, slice_from(line), "effect");
}

static void
event(struct run *run, struct slice text)
{
    struct slice name = slice_cut(&text, ' ');
    unsigned i = text.len != 0 && ascii_is_digit(text.ptr[0])
                     ? (unsigned)(text.ptr[0] - '0')
                     : 0;

    if (slice_equal(name, SLICE_OF("hello"))) {
        expect(run, &run->world.to_client, SLICE_OF("220 proxy.example ESMTP"),
               "reply");
        client_says(run, SLICE_OF("EHLO client.example"), "\r\n");
        buf_clear(&run->world.to_client);
    } else if (slice_equal(name, SLICE_OF("handshake"))) {
        clear_effect(run, "dialled", i);
        upstream_says(run, i, SLICE_OF("220 up ESMTP"), "\r\n");
        expect(run, &run->world.up[i].sent, SLICE_OF("EHLO proxy.example"),
               "to upstream");
        for (size_t k = 0; k < KEYWORDS; k++)
            upstream_says(run, i, slice_from(keywords[k]), "\r\n");
    } else if (slice_equal(name, SLICE_OF("reuse"))) {
        clear_effect(run, "dialled", i);
        run->world.up[i].state = WORLD_OPEN;
        relay_on_upstream_open(run->world.session, i, &known, run->world.now);
    } else if (slice_equal(name, SLICE_OF("refused"))) {
        run->world.up[i].state = WORLD_CLOSED;
        relay_on_upstream_lost(run->world.session, i, RELAY_LOST_REFUSED,
                               run->world.now);
    } else if (slice_equal(name, SLICE_OF("timeout"))) {
        run->world.up[i].state = WORLD_CLOSED;
        relay_on_upstream_lost(run->world.session, i, RELAY_LOST_TIMEOUT,
                               run->world.now);
    } else if (slice_equal(name, SLICE_OF("lost"))) {
        run->world.up[i].state = WORLD_CLOSED;
        relay_on_upstream_lost(run->world.session, i, RELAY_LOST_CLOSED,
                               run->world.now);
    } else if (slice_equal(name, SLICE_OF("eof"))) {
        relay_on_client_lost(run->world.session, run->world.now);
    } else if (slice_equal(name, SLICE_OF("gone"))) {
        run->world.client_gone = true;
    } else if (slice_equal(name, SLICE_OF("unread"))) {
        run->world.unread |= 1U << i;
    } else if (slice_equal(name, SLICE_OF("deadline"))) {
        run->world.now.ms += run->world.deadline;
        run->world.now.wall += run->world.deadline / 1000;
        relay_on_deadline(run->world.session, run->world.now);
    } else if (slice_equal(name, SLICE_OF("wait"))) {
        uint64_t seconds = 0;
        if (slice_ends_nocase(text, SLICE_OF("ms"))) {
            slice_to_u64(slice_head(text, text.len - 2), &seconds);
            run->world.now.ms += seconds;
        } else {
            slice_to_u64(text, &seconds);
            run->world.now.ms += seconds * 1000;
            run->world.now.wall += (int64_t)seconds;
        }
    } else if (slice_equal(name, SLICE_OF("drain"))) {
        relay_on_drain(run->world.session, run->world.now);
    } else if (slice_equal(name, SLICE_OF("hold-signing"))) {
        run->world.hold_sign = true;
    } else if (slice_equal(name, SLICE_OF("signed"))) {
        run->world.hold_sign = false;
    } else if (slice_equal(name, SLICE_OF("fill"))) {
        /* So many octets of content, in lines. */
        uint64_t octets = 0;
        slice_to_u64(text, &octets);
        for (uint64_t n = 0; n < octets; n += 100)
            client_says(run,
                        SLICE_OF("0123456789012345678901234567890123456789"
                                 "0123456789012345678901234567890123456789"
                                 "012345678901234567"),
                        "\r\n");
    } else if (slice_equal(name, SLICE_OF("skip"))) {
        buf_clear(&run->world.up[i].sent);
    } else if (slice_equal(name, SLICE_OF("fail-sign"))) {
        struct relay_sign_job *job = run->world.job;
        run->world.job = NULL;
        job->ok = false;
        run->world.hold_sign = false;
        relay_on_signed(run->world.session, run->world.now);
    } else if (slice_equal(name, SLICE_OF("answer")) ||
               slice_equal(name, SLICE_OF("miss")) ||
               slice_equal(name, SLICE_OF("error"))) {
        struct table_answer answer = { slice_equal(name, SLICE_OF("answer"))
                                           ? TABLE_FOUND
                                       : slice_equal(name, SLICE_OF("miss"))
                                           ? TABLE_MISS
                                           : TABLE_ERROR,
                                       text };
        if (!run->world.asked)
            fail(run, "nothing was asked", text);
        run->world.asked = false;
        relay_on_looked_up(run->world.session, &answer, run->world.now);
    } else if (slice_equal(name, SLICE_OF("stored")) ||
               slice_equal(name, SLICE_OF("full")) ||
               slice_equal(name, SLICE_OF("store-error"))) {
        struct table_answer answer = {
            slice_equal(name, SLICE_OF("store-error")) ? TABLE_ERROR
            : slice_equal(name, SLICE_OF("full"))      ? TABLE_MISS
                                                       : TABLE_FOUND,
            text
        };
        run->world.asked = false;
        relay_on_stored(run->world.session, &answer, run->world.now);
    } else {
        fail(run, "unknown event", name);
    }
    world_settle(&run->world);
}

static void
expect_log(struct run *run, struct slice text)
{
    struct buf pattern = { 0 };
    struct slice all = buf_slice(&run->world.log);
    bool found = false;

    buf_putc(&pattern, '*');
    buf_append(&pattern, text);
    buf_putc(&pattern, '*');
    while (all.len != 0 && !found)
        found = world_matches(buf_slice(&pattern), slice_cut(&all, '\n'));
    if (!found) {
        fail(run, "no such log line", text);
        printf("# log: %.*s\n", SLICE_ARG(buf_slice(&run->world.log)));
    }
    buf_free(&pattern);
}

static void
expect_counts(struct run *run, struct slice wanted)
{
    const uint64_t *n = run->world.counters[0].transactions;
    struct buf counts = { 0 };

    buf_printf(&counts, "%llu %llu %llu %llu",
               (unsigned long long)n[RELAY_ACCEPTED],
               (unsigned long long)n[RELAY_REJECTED],
               (unsigned long long)n[RELAY_DEFERRED],
               (unsigned long long)n[RELAY_ABORTED]);
    if (!slice_equal(buf_slice(&counts), wanted))
        fail(run, "counted", buf_slice(&counts));
    buf_free(&counts);
}

/* The deadline in force, as configurations write it: "30s", "100ms", "off". */
static void
expect_deadline(struct run *run, struct slice wanted)
{
    struct buf text = { 0 };
    unsigned ms = run->world.deadline;

    if (ms == 0)
        buf_append(&text, SLICE_OF("off"));
    else if (ms % 1000 == 0)
        buf_printf(&text, "%us", ms / 1000);
    else
        buf_printf(&text, "%ums", ms);
    if (!slice_equal(buf_slice(&text), wanted))
        fail(run, "the deadline is", buf_slice(&text));
    buf_free(&text);
}

static void
step(struct run *run, struct slice line)
{
    if (line.len == 0 || line.ptr[0] == '#')
        return;
    struct slice rest = slice_tail(line, 3);
    if (slice_starts_nocase(line, SLICE_OF("= ")))
        expect_counts(run, slice_tail(line, 2));
    else if (slice_starts_nocase(line, SLICE_OF("C: ")))
        client_says(run, rest, "\r\n");
    else if (slice_equal(line, SLICE_OF("C:")))
        client_says(run, SLICE_OF(""), "\r\n");
    else if (slice_starts_nocase(line, SLICE_OF("C- ")))
        client_says(run, rest, "");
    else if (slice_starts_nocase(line, SLICE_OF("S: ")))
        expect(run, &run->world.to_client, rest, "reply");
    else if (slice_starts_nocase(line, SLICE_OF("L: ")))
        expect_log(run, rest);
    else if (slice_starts_nocase(line, SLICE_OF("! ")))
        event(run, slice_tail(line, 2));
    else if (slice_starts_nocase(line, SLICE_OF("? deadline ")))
        expect_deadline(run, slice_tail(line, 11));
    else if (slice_starts_nocase(line, SLICE_OF("? ")))
        expect(run, &run->world.effects, slice_tail(line, 2), "effect");
    else if (line.ptr[0] == 'U') {
        unsigned i = 0;
        line = slice_tail(line, 1);
        if (ascii_is_digit(line.ptr[0])) {
            i = (unsigned)(line.ptr[0] - '0');
            line = slice_tail(line, 1);
        }
        char direction = line.ptr[0];
        const char *end = line.len < 2 || line.ptr[1] != '-' ? "\r\n" : "";
        line = slice_tail(line, end[0] != '\0' ? 1 : 2);
        if (line.len != 0 && line.ptr[0] == ' ')
            line = slice_tail(line, 1);
        if (direction == '>')
            expect(run, &run->world.up[i].sent, line, "to upstream");
        else if (direction == '<')
            upstream_says(run, i, line, end);
        else
            fail(run, "what is", line);
    } else {
        fail(run, "what is", line);
    }
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
    struct buf errors = { 0 };

    world_write(&run->world, "secret", SLICE_OF("0123456789abcdef\n"));
    world_key(&run->world, "srs.example", "s1");
    world_key(&run->world, "local.example", "s2");
    if (world_load(&run->world, conf, &errors))
        world_open(&run->world, listener, welcome);
    else
        fail(run, "configuration", buf_slice(&errors));
    buf_free(&errors);
}

static void
expect_nothing(struct run *run)
{
    run->line++;
    if (run->world.to_client.len != 0)
        fail(run, "unexpected reply", buf_slice(&run->world.to_client));
    if (run->world.effects.len != 0)
        fail(run, "unexpected effect", buf_slice(&run->world.effects));
    for (unsigned i = 0; i < WORLD_UPSTREAMS; i++)
        if (run->world.up[i].sent.len != 0)
            fail(run, "unexpected to upstream",
                 buf_slice(&run->world.up[i].sent));
}

static bool
run_file(const char *path, struct slice text, struct slice *title)
{
    struct run run = { .file = path };
    struct buf conf = { 0 };
    struct slice listener = SLICE("mx"), rest = text;
    enum relay_welcome welcome = RELAY_WELCOME;
    bool opened = false;

    *title =
        slice_trim(slice_tail(slice_head(text, slice_find(text, '\n')), 1));
    world_begin(&run.world);
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
            run.world.now.wall = (int64_t)seconds;
            continue;
        }
        if (!opened && line.len != 0 && line.ptr[0] != '#') {
            open_session(&run, buf_slice(&conf), listener, welcome);
            opened = true;
            if (run.world.session == NULL)
                break;
        }
        if (run.world.session != NULL)
            step(&run, line);
    }
    if (!run.failed && run.world.session != NULL)
        expect_nothing(&run);
    bool ok = !run.failed && run.world.session != NULL;
    if (!world_end(&run.world))
        fail(&run, "the spool's quota is not back at zero", SLICE_OF(""));
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
