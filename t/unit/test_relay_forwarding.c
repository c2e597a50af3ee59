/*
 * The cases of t/data/forwarding/ through a relay session and an upstream
 * that does as it is told; t/e2e/forwarding.t runs the same ones through the
 * program. README there says how to read them.
 */
#include "relay_cases.h"
#include "relay_scripted.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct test {
    const char *file;
    const struct case_text *text;
    struct slice head;
    bool failed;
    struct world world;
    struct scripted up;
    struct buf content;  /* the message */
    struct buf expected; /* what upstream should see */
};

static void
fail(struct test *test, const char *what, struct slice text)
{
    test->failed = true;
    printf("# %s:%u: %s: %.*s\n", test->file, test->text->line, what,
           SLICE_ARG(text));
}

/* ---- the client ---- */

/* The last line of the reply to what was sent. */
static void
exchange(struct test *test, struct slice octets, struct buf *reply)
{
    buf_clear(&test->world.to_client);
    world_client_says(&test->world, octets);
    scripted_serve(&test->up);
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

    case_expand(line, test->world.now.wall, buf_slice(&test->up.sender),
                &octets);
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
    buf_clear(&fields);
    case_values(test->text->lines, "fields", &fields);
    for (rest = buf_slice(&fields); rest.len != 0;) {
        struct slice field = slice_cut(&rest, '\n');
        uint64_t times = 0;
        slice_to_u64(slice_cut(&field, ' '), &times);
        while (times-- != 0) {
            buf_append(&test->content, field);
            buf_puts(&test->content, "\r\n");
        }
    }
    buf_clear(&fields);
    case_values(test->text->lines, "author", &fields);
    if (fields.len == 0)
        buf_puts(&fields, "alice@sender.example\n");
    for (rest = buf_slice(&fields); rest.len != 0;) {
        buf_puts(&test->content, "From: ");
        buf_append(&test->content, slice_cut(&rest, '\n'));
        buf_puts(&test->content, "\r\n");
    }
    buf_puts(&test->content, "Subject: a case\r\n\r\n.. body\r\n");
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
    struct buf none = { 0 };

    buf_puts(conf, "forward = {\nlocal_domains = ( ");
    put_list(test, "local", conf);
    buf_puts(conf, " );\naliases = (\n");
    put_list(test, "aliases", conf);
    buf_puts(conf, ");\n");
    put_list(test, "forward", conf);
    buf_puts(conf, "};\n");
    test->world.no_srs = case_values(test->text->lines, "srs-group", &none);
    if (!test->world.no_srs) {
        buf_puts(conf, "srs = {\ndomain = \"srs.example\";\n"
                       "secret_file = \"@DIR@/secret\";\n");
        put_list(test, "srs", conf);
        buf_puts(conf, "};\n");
    }
    put_list(test, "conf", conf);
    buf_free(&none);
}

static void
write_cdb(const struct test *test, const char *name, struct slice text)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s.cdb", test->world.directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    struct cdb_writer *writer = cdb_writer_new(fd);
    bool ok = fd >= 0;
    while (text.len != 0) {
        struct slice value = slice_cut(&text, '\n');
        struct slice key = slice_cut(&value, ' ');
        ok = ok && cdb_writer_add(writer, key, value);
    }
    if (!ok || !cdb_writer_finish(writer) || close(fd) != 0)
        perror(path);
    cdb_writer_free(writer);
}

/* "file NAME: LINE" or "cdb NAME: LINE"; the lines of a file stand together.
 */
static void
put_files(struct test *test, struct slice lines, const char *kind)
{
    struct buf text = { 0 };
    char name[64] = "", before[64] = "";
    bool more = true;

    while (more) {
        more = lines.len != 0;
        struct slice line = slice_cut(&lines, '\n');
        if (more && !slice_starts_nocase(line, slice_from(kind)))
            continue;
        line = slice_tail(line, strlen(kind));
        struct slice to = slice_cut(&line, ':');
        snprintf(name, sizeof(name), "%.*s", SLICE_ARG(to));
        if (before[0] != '\0' && strcmp(name, before) != 0) {
            if (kind[0] == 'c')
                write_cdb(test, before, buf_slice(&text));
            else
                world_write(&test->world, before, buf_slice(&text));
            buf_clear(&text);
        }
        memcpy(before, name, sizeof(before));
        buf_append(&text, slice_tail(line, 1));
        buf_putc(&text, '\n');
    }
    buf_free(&text);
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
                         SLICE_OF("*"), &test->expected))
            fail(test, "what is in braces", line);
        buf_putc(&test->expected, '\n');
    }
}

static void
compare(struct test *test)
{
    struct slice expected = buf_slice(&test->expected);
    struct slice seen = buf_slice(&test->up.seen);

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
    for (unsigned i = 0; i < SCRIPTED_CONNECTIONS; i++) {
        struct buf wanted = { 0 };
        char key[4] = { 'V', (char)('1' + i), '\0' };
        struct slice verbs =
            slice_trim(buf_slice(&test->up.connections[i].verbs));
        if (case_values(test->text->lines, key, &wanted) &&
            !slice_equal(slice_head(buf_slice(&wanted), wanted.len - 1),
                         verbs)) {
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
        struct buf made = { 0 };
        struct slice log = buf_slice(&test->world.log);
        bool found = false;
        case_expand(slice_cut(&rest, '\n'), test->world.now.wall, SLICE_OF("*"),
                    &made);
        struct slice pattern = buf_slice(&made);
        while (log.len != 0 && !found)
            found = world_matches(pattern, slice_cut(&log, '\n'));
        if (!found) {
            fail(test, "no such log line", pattern);
            fail(test, "log", buf_slice(&test->world.log));
        }
        buf_free(&made);
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
    test->up.world = &test->world;
    put_files(test, test->head, "file ");
    put_files(test, test->text->lines, "file ");
    put_files(test, test->text->lines, "cdb ");
    put_secrets(test);
    put_message(test);
    read_expected(test);
    case_setting(test->text, test->head, "upstream", &test->up.rules);
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
        test->up.content = buf_slice(&test->content);
        exchange(test, SLICE_OF("EHLO client.example\r\n"), &reply);
        converse(test);
        if (test->up.changed)
            fail(test, "the content is not what was sent", SLICE_OF(""));
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
    scripted_free(&test.up);
    buf_free(&test.content);
    buf_free(&test.expected);
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
