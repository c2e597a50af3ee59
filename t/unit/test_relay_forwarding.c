/*
 * The cases of t/data/forwarding/ through a relay session and an upstream
 * that does as it is told; t/e2e/forwarding.t runs the same ones through the
 * program. README there says how to read them.
 */
#include "relay_cases.h"
#include "relay_world.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECTIONS = 8
};

struct test {
    const char *file;
    const struct case_text *text;
    struct slice head;
    bool failed;
    struct world world;
    struct buf rules;          /* what upstream says, one a line */
    struct buf content;        /* the message */
    struct buf expected, seen; /* committed transactions */
    struct buf sender;         /* of the last MAIL upstream */
    struct buf stored;         /* the last long sender */
    unsigned dots;
    struct connection {
        bool open, in_content;
        unsigned slot; /* of the world */
        struct buf verbs;
        struct buf envelope;
    } connections[CONNECTIONS];
    unsigned connection_count;
};

static void
fail(struct test *test, const char *what, struct slice text)
{
    test->failed = true;
    printf("# %s:%u: %s: %.*s\n", test->file, test->text->line, what,
           SLICE_ARG(text));
}

/* ---- upstream ---- */

/* The rule "STEP WHAT REPLY" that fits; else the usual reply. */
static struct slice
reply_to(const struct test *test, const char *step, struct slice what,
         const char *usual)
{
    struct slice rules = buf_slice(&test->rules);

    while (rules.len != 0) {
        struct slice rule = slice_cut(&rules, '\n');
        struct slice name = slice_cut(&rule, ' ');
        struct slice pattern = slice_cut(&rule, ' ');
        if (slice_equal(name, slice_from(step)) && world_matches(pattern, what))
            return rule;
    }
    return slice_from(usual);
}

static bool
has_rule(const struct test *test, const char *wanted)
{
    struct slice rules = buf_slice(&test->rules);

    while (rules.len != 0)
        if (slice_equal(slice_cut(&rules, '\n'), slice_from(wanted)))
            return true;
    return false;
}

static void
say(struct test *test, const struct connection *c, struct slice reply)
{
    struct buf octets = { 0 };

    buf_append(&octets, reply);
    buf_puts(&octets, "\r\n");
    world_upstream_says(&test->world, c->slot, buf_slice(&octets));
    buf_free(&octets);
}

static void
say_ehlo(struct test *test, const struct connection *c)
{
    say(test, c, SLICE_OF("250-up"));
    say(test, c, SLICE_OF("250-PIPELINING"));
    say(test, c, SLICE_OF("250-ENHANCEDSTATUSCODES"));
    say(test, c, SLICE_OF("250-8BITMIME"));
    if (!has_rule(test, "without SMTPUTF8"))
        say(test, c, SLICE_OF("250-SMTPUTF8"));
    if (has_rule(test, "with DSN"))
        say(test, c, SLICE_OF("250-DSN"));
    say(test, c,
        SLICE_OF("250 XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT"));
}

/* "MAIL FROM:<a@b> ..." gives a@b. */
static struct slice
path_of(struct slice line)
{
    line = slice_tail(line, slice_find(line, '<') + 1);
    return slice_head(line, slice_find_last(line, '>'));
}

static void
on_command(struct test *test, struct connection *c, struct slice line)
{
    struct slice rest = line;
    struct slice verb = slice_cut(&rest, ' ');
    struct slice reply = SLICE("250 2.0.0 Ok");

    buf_append(&c->verbs, verb);
    buf_putc(&c->verbs, ' ');
    if (slice_equal(verb, SLICE_OF("EHLO"))) {
        say_ehlo(test, c);
        return;
    }
    if (slice_equal(verb, SLICE_OF("RSET"))) {
        buf_clear(&c->envelope);
    } else if (slice_equal(verb, SLICE_OF("DATA"))) {
        reply = reply_to(test, "DATA", SLICE_OF(""), "354 go on");
        c->in_content = reply.ptr[0] == '3';
    } else if (slice_equal(verb, SLICE_OF("MAIL"))) {
        buf_clear(&c->envelope);
        buf_clear(&test->sender);
        buf_append(&test->sender, path_of(line));
        reply = reply_to(test, "MAIL", path_of(line), "250 2.1.0 Ok");
    } else if (slice_equal(verb, SLICE_OF("RCPT"))) {
        reply = reply_to(test, "RCPT", path_of(line), "250 2.1.5 Ok");
    }
    if (reply.ptr[0] == '2' && (slice_equal(verb, SLICE_OF("MAIL")) ||
                                slice_equal(verb, SLICE_OF("RCPT")))) {
        buf_append(&c->envelope, line);
        buf_putc(&c->envelope, '\n');
    }
    say(test, c, reply);
}

/* The value of d= in a field that begins here. */
static struct slice
signing_domain(struct slice field)
{
    while (field.len > 3 &&
           (field.ptr[0] > ' ' || field.ptr[1] != 'd' || field.ptr[2] != '='))
        field = slice_tail(field, 1);
    field = slice_tail(field, 3);
    return slice_head(field, slice_find(field, ';'));
}

/* "dkim=D loop" for what stands above the message as the client sent it. */
static void
name_fields(struct test *test, struct slice fields)
{
    const char *before = "+ ";

    while (fields.len != 0) {
        struct slice here = fields;
        struct slice line = slice_cut(&fields, '\n');
        struct slice name = slice_head(line, slice_find(line, ':'));
        if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
            continue;
        buf_puts(&test->seen, before);
        before = " ";
        if (slice_equal(name, SLICE_OF("X-Onward-Loop")))
            buf_puts(&test->seen, "loop");
        else if (slice_equal(name, SLICE_OF("DKIM-Signature")))
            buf_printf(&test->seen, "dkim=%.*s",
                       SLICE_ARG(signing_domain(here)));
        else
            buf_append(&test->seen, name);
    }
    if (before[0] == ' ')
        buf_putc(&test->seen, '\n');
}

static void
on_message(struct test *test, struct connection *c, struct slice content)
{
    struct slice sent = buf_slice(&test->content);
    char number[16];

    snprintf(number, sizeof(number), "%u", ++test->dots);
    struct slice reply =
        reply_to(test, "DOT", slice_from(number), "250 2.0.0 Ok: queued as UP");
    if (reply.ptr[0] == '2') {
        buf_append(&test->seen, buf_slice(&c->envelope));
        /* Invariant I3, in each case of each file. */
        if (!slice_ends_nocase(content, sent) ||
            !slice_equal(slice_tail(content, content.len - sent.len), sent))
            fail(test, "the content is not what the client sent", content);
        else
            name_fields(test, slice_head(content, content.len - sent.len));
    }
    say(test, c, reply);
}

/* One command or one message; false: none is complete. */
static bool
serve_one(struct test *test, struct connection *c)
{
    struct buf *sent = &test->world.up[c->slot].sent;
    struct slice all = buf_slice(sent);
    struct buf copy = { 0 };

    if (c->in_content) {
        size_t at = 0;
        while (at + 5 <= all.len && memcmp(all.ptr + at, "\r\n.\r\n", 5) != 0)
            at++;
        if (at + 5 > all.len)
            return false;
        buf_append(&copy, slice_head(all, at + 2));
        buf_drop(sent, at + 5);
        c->in_content = false;
        on_message(test, c, buf_slice(&copy));
    } else {
        size_t at = slice_find(all, '\r');
        if (at == all.len)
            return false;
        buf_append(&copy, slice_head(all, at));
        buf_drop(sent, at + 2);
        on_command(test, c, buf_slice(&copy));
    }
    buf_free(&copy);
    return true;
}

static void
accept_connections(struct test *test)
{
    for (unsigned i = 0; i < WORLD_UPSTREAMS; i++) {
        if (test->world.up[i].state != WORLD_DIALLED ||
            test->connection_count == CONNECTIONS)
            continue;
        for (unsigned k = 0; k < test->connection_count; k++)
            if (test->connections[k].slot == i)
                test->connections[k].open = false;
        buf_clear(&test->world.up[i].sent);
        struct connection *c = &test->connections[test->connection_count++];
        c->slot = i;
        c->open = true;
        say(test, c, SLICE_OF("220 up ESMTP"));
    }
}

/* A store of one sender is enough for these cases. */
static void
answer_store(struct test *test)
{
    struct world *world = &test->world;
    struct slice effects = buf_slice(&world->effects);
    bool put = false;

    if (!world->asked)
        return;
    while (effects.len != 0) {
        struct slice line = slice_cut(&effects, '\n');
        put = slice_starts_nocase(line, SLICE_OF("stored "));
        if (put) {
            buf_clear(&test->stored);
            buf_append(&test->stored, slice_tail(line, 7));
        }
    }
    struct table_answer answer = { test->stored.len != 0 ? TABLE_FOUND
                                                         : TABLE_MISS,
                                   buf_slice(&test->stored) };
    world->asked = false;
    relay_on_stored(world->session, &answer, world->now);
    world_settle(world);
}

static void
serve(struct test *test)
{
    for (bool moved = true; moved;) {
        moved = false;
        answer_store(test);
        accept_connections(test);
        buf_clear(&test->world.effects);
        for (unsigned i = 0; i < test->connection_count; i++) {
            struct connection *c = &test->connections[i];
            if (c->open && test->world.up[c->slot].state == WORLD_CLOSED)
                c->open = false;
            while (c->open && serve_one(test, c))
                moved = true;
        }
    }
}

/* ---- the client ---- */

/* The last line of the reply to what was sent. */
static void
exchange(struct test *test, struct slice octets, struct buf *reply)
{
    buf_clear(&test->world.to_client);
    world_client_says(&test->world, octets);
    serve(test);
    struct slice all = buf_slice(&test->world.to_client);
    while (all.len != 0) {
        struct slice line = slice_cut(&all, '\n');
        buf_clear(reply);
        buf_append(reply, slice_head(line, slice_find(line, '\r')));
    }
}

static void
send_line(struct test *test, struct slice line, struct buf *reply)
{
    struct buf octets = { 0 };

    case_expand(line, test->world.now.wall, buf_slice(&test->sender), &octets);
    buf_puts(&octets, "\r\n");
    exchange(test, buf_slice(&octets), reply);
    buf_free(&octets);
}

static void
send_message(struct test *test, struct buf *reply)
{
    struct buf octets = { 0 };

    send_line(test, SLICE_OF("DATA"), reply);
    if (reply->len == 0 || reply->ptr[0] != '3')
        return;
    buf_append(&octets, buf_slice(&test->content));
    buf_puts(&octets, ".\r\n");
    exchange(test, buf_slice(&octets), reply);
    buf_free(&octets);
}

static void
check_reply(struct test *test, struct slice line, struct slice wanted,
            const struct buf *reply)
{
    if (world_matches(wanted, buf_slice(reply)))
        return;
    fail(test, "after", line);
    fail(test, "wanted", wanted);
    fail(test, "got", buf_slice(reply));
}

static void
converse(struct test *test)
{
    struct slice lines = test->text->lines;
    struct buf reply = { 0 };
    struct slice last = { 0 };
    bool checked = true;

    while (lines.len != 0) {
        struct slice line = slice_cut(&lines, '\n');
        struct slice rest = slice_tail(line, 3);
        if (slice_starts_nocase(line, SLICE_OF("S: "))) {
            check_reply(test, last, rest, &reply);
            checked = true;
        }
        if (!slice_starts_nocase(line, SLICE_OF("C: ")))
            continue;
        if (!checked)
            check_reply(test, last, SLICE_OF("250 *"), &reply);
        last = rest;
        checked = false;
        buf_clear(&reply);
        if (slice_equal(rest, SLICE_OF("message")))
            send_message(test, &reply);
        else
            send_line(test, rest, &reply);
    }
    if (!checked)
        check_reply(test, last, SLICE_OF("250 *"), &reply);
    buf_free(&reply);
}

/* ---- one case ---- */

static void
put_message(struct test *test)
{
    struct buf fields = { 0 };

    case_values(test->text->lines, "field", &fields);
    struct slice rest = buf_slice(&fields);
    while (rest.len != 0) {
        if (!case_expand(slice_cut(&rest, '\n'), test->world.now.wall,
                         SLICE_OF(""), &test->content))
            fail(test, "what is in braces", rest);
        buf_puts(&test->content, "\r\n");
    }
    buf_puts(&test->content, "From: alice@sender.example\r\n"
                             "Subject: a case\r\n\r\n.. body\r\n");
    buf_free(&fields);
}

static void
put_list(const struct test *test, const char *name, struct buf *out)
{
    struct buf values = { 0 };

    case_setting(test->text, test->head, name, &values);
    buf_printf(out, "%.*s", SLICE_ARG(buf_slice(&values)));
    buf_free(&values);
}

static void
put_conf(struct test *test, struct buf *conf)
{
    buf_puts(conf, "forward = {\nlocal_domains = ( ");
    put_list(test, "local", conf);
    buf_puts(conf, " );\naliases = (\n");
    put_list(test, "aliases", conf);
    buf_puts(conf, ");\n");
    put_list(test, "forward", conf);
    buf_puts(conf, "};\nsrs = {\ndomain = \"srs.example\";\n"
                   "secret_file = \"@DIR@/secret\";\n");
    put_list(test, "srs", conf);
    buf_puts(conf, "};\n");
    put_list(test, "conf", conf);
}

/* "file NAME: LINE" */
static void
put_files(struct test *test)
{
    struct slice both[] = { test->head, test->text->lines };

    for (size_t i = 0; i < 2; i++) {
        struct buf text = { 0 };
        struct slice lines = both[i];
        char name[64] = "";
        while (lines.len != 0) {
            struct slice line = slice_cut(&lines, '\n');
            if (!slice_starts_nocase(line, SLICE_OF("file ")))
                continue;
            line = slice_tail(line, 5);
            struct slice to = slice_cut(&line, ':');
            snprintf(name, sizeof(name), "%.*s", SLICE_ARG(to));
            buf_append(&text, slice_tail(line, 1));
            buf_putc(&text, '\n');
        }
        if (name[0] != '\0')
            world_write(&test->world, name, buf_slice(&text));
        buf_free(&text);
    }
}

static void
put_secrets(struct test *test)
{
    struct buf secrets = { 0 };

    case_setting(test->text, test->head, "secret", &secrets);
    if (secrets.len == 0)
        buf_puts(&secrets, "0123456789abcdef\n");
    world_write(&test->world, "secret", buf_slice(&secrets));
    buf_free(&secrets);
}

/* "U: ..." and "U+ ...", as serve writes them down. */
static void
read_expected(struct test *test)
{
    struct slice lines = test->text->lines;

    while (lines.len != 0) {
        struct slice line = slice_cut(&lines, '\n');
        if (slice_starts_nocase(line, SLICE_OF("U+ ")))
            buf_puts(&test->expected, "+ ");
        else if (!slice_starts_nocase(line, SLICE_OF("U: ")))
            continue;
        if (!case_expand(slice_tail(line, 3), test->world.now.wall,
                         SLICE_OF("{sender}"), &test->expected))
            fail(test, "what is in braces", line);
        buf_putc(&test->expected, '\n');
    }
}

static void
compare(struct test *test)
{
    struct slice expected = buf_slice(&test->expected);
    struct slice seen = buf_slice(&test->seen);

    while (expected.len != 0 || seen.len != 0) {
        struct slice wanted = slice_cut(&expected, '\n');
        struct slice got = slice_cut(&seen, '\n');
        if (world_matches(wanted, got))
            continue;
        fail(test, "upstream should have got", wanted);
        fail(test, "upstream got", got);
    }
}

/* "V1: XFORWARD MAIL ...": the verbs of the first connection. */
static void
compare_verbs(struct test *test)
{
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct buf wanted = { 0 };
        char key[4] = { 'V', (char)('1' + i), '\0' };
        struct slice verbs = slice_trim(buf_slice(&test->connections[i].verbs));
        if (case_values(test->text->lines, key, &wanted) &&
            !world_matches(slice_trim(buf_slice(&wanted)), verbs)) {
            fail(test, key, buf_slice(&wanted));
            fail(test, "got", verbs);
        }
        buf_free(&wanted);
    }
}

static void
compare_log(struct test *test)
{
    struct buf patterns = { 0 };

    case_values(test->text->lines, "L", &patterns);
    struct slice rest = buf_slice(&patterns);
    while (rest.len != 0) {
        struct slice pattern = slice_cut(&rest, '\n');
        struct slice log = buf_slice(&test->world.log);
        bool found = false;
        while (log.len != 0 && !found)
            found = world_matches(pattern, slice_cut(&log, '\n'));
        if (!found) {
            fail(test, "no such log line", pattern);
            fail(test, "log", buf_slice(&test->world.log));
        }
    }
    buf_free(&patterns);
}

static struct slice
listener_of(const struct test *test)
{
    struct buf name = { 0 };
    bool submission = case_values(test->text->lines, "listener", &name);

    buf_free(&name);
    return submission ? SLICE_OF("submission") : SLICE_OF("mx");
}

static void
run(struct test *test)
{
    struct buf conf = { 0 }, errors = { 0 }, keys = { 0 }, reply = { 0 };

    world_begin(&test->world);
    put_files(test);
    put_secrets(test);
    put_message(test);
    read_expected(test);
    case_setting(test->text, test->head, "upstream", &test->rules);
    if (case_values(test->text->lines, "key", &keys)) {
        buf_puts(&conf, "dkim = { key_directory = \"@DIR@/dkim\"; };\n");
        struct slice rest = buf_slice(&keys);
        while (rest.len != 0) {
            struct slice domain = slice_cut(&rest, '\n');
            char name[256];
            snprintf(name, sizeof(name), "%.*s", SLICE_ARG(domain));
            world_key(&test->world, name, "s1");
        }
    }
    put_conf(test, &conf);
    if (world_load(&test->world, buf_slice(&conf), &errors)) {
        world_open(&test->world, listener_of(test), RELAY_WELCOME);
        exchange(test, SLICE_OF("EHLO client.example\r\n"), &reply);
        converse(test);
        compare(test);
        compare_verbs(test);
        compare_log(test);
    } else {
        fail(test, "configuration", buf_slice(&errors));
    }
    if (!world_end(&test->world))
        fail(test, "the spool's quota is not back at zero", SLICE_OF(""));
    buf_free(&conf);
    buf_free(&errors);
    buf_free(&keys);
    buf_free(&reply);
}

static bool
run_case(const char *file, struct slice head, const struct case_text *text)
{
    struct test test = { .file = file, .text = text, .head = head };

    run(&test);
    buf_free(&test.rules);
    buf_free(&test.content);
    buf_free(&test.expected);
    buf_free(&test.seen);
    buf_free(&test.sender);
    buf_free(&test.stored);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        buf_free(&test.connections[i].verbs);
        buf_free(&test.connections[i].envelope);
    }
    return !test.failed;
}

/* ---- all files ---- */

static void
read_file(const char *path, struct buf *text)
{
    char chunk[4096];
    size_t n;
    FILE *file = fopen(path, "r");

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    while ((n = fread(chunk, 1, sizeof(chunk), file)) != 0)
        buf_append(text, (struct slice){ chunk, n });
    fclose(file);
}

static int
is_text(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && strcmp(entry->d_name + len - 4, ".txt") == 0;
}

int
main(int argc, char **argv)
{
    static const char directory[] = TEST_DATA "/forwarding";
    struct dirent **entries;
    int count = scandir(directory, &entries, is_text, alphasort);
    int failed = 0, number = 0;

    if (count <= 0) {
        perror(directory);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        struct buf text = { 0 };
        struct case_text found;
        char path[1024];
        unsigned line = 0;
        snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
        read_file(path, &text);
        struct slice rest = buf_slice(&text);
        struct slice head = case_head(&rest, &line);
        while (case_next(&rest, &line, &found)) {
            if (argc > 1) {
                char name[256];
                snprintf(name, sizeof(name), "%.*s", SLICE_ARG(found.name));
                if (strstr(name, argv[1]) == NULL)
                    continue;
            }
            bool ok = run_case(entries[i]->d_name, head, &found);
            printf("%s %d - %s: %.*s\n", ok ? "ok" : "not ok", ++number,
                   entries[i]->d_name, SLICE_ARG(found.name));
            failed += ok ? 0 : 1;
        }
        buf_free(&text);
        free(entries[i]);
    }
    free(entries);
    printf("1..%d\n", number);
    return failed != 0;
}
