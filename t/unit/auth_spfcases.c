#include "auth_spfcases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

static void
give_up(const char *what, struct slice line)
{
    printf("Bail out! %s: %.*s\n", what, SLICE_ARG(line));
    exit(1);
}

/* \DDD becomes the octet. */
static struct slice
unescaped(struct arena *arena, struct slice text)
{
    char *to = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    while (text.len != 0) {
        size_t used = 1;
        char c = text.ptr[0];

        if (c == '\\' && text.len >= 4) {
            c = (char)((text.ptr[1] - '0') * 100 + (text.ptr[2] - '0') * 10 +
                       (text.ptr[3] - '0'));
            used = 4;
        }
        to[len++] = c;
        text = slice_tail(text, used);
    }
    return (struct slice){ to, len };
}

static void
set_address(struct slice text, unsigned char address[16])
{
    char copy[64];

    if (text.len >= sizeof(copy))
        give_up("no address", text);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    memset(address, 0, 16);
    if (inet_pton(AF_INET6, copy, address) == 1)
        return;
    address[10] = address[11] = 0xff;
    if (inet_pton(AF_INET, copy, address + 12) != 1)
        give_up("no address", text);
}

static void
set_from(struct arena *arena, struct slice value, struct spf_client *client)
{
    if (slice_equal(value, SLICE_OF("<>")))
        return;
    value = unescaped(arena, value);
    const size_t at = slice_find_last(value, '@');
    client->local = slice_head(value, at);
    client->domain = slice_tail(value, at + 1);
}

static bool
is_mark(struct slice line, const char *mark)
{
    return slice_starts_nocase(line, slice_from(mark));
}

/* The lines up to the next mark; *rest is left at it. */
static struct slice
take_block(struct slice *rest)
{
    const struct slice all = *rest;
    size_t len = 0;

    while (rest->len != 0 && !is_mark(*rest, "== ") && !is_mark(*rest, "-- ")) {
        const size_t line = slice_find(*rest, '\n') + 1;

        len += line < rest->len ? line : rest->len;
        *rest = slice_tail(*rest, line);
    }
    return slice_head(all, len);
}

static const struct dns_zone *
add_zone(struct spf_cases *cases, struct slice text, struct slice title)
{
    struct buf errors = { 0 };
    struct dns_zone *zone = dns_zone_read(text, title, &errors);

    if (zone == NULL)
        give_up("zone", buf_slice(&errors));
    buf_free(&errors);
    cases->zones = mem_realloc(cases->zones, (cases->zone_count + 1) *
                                                 sizeof(cases->zones[0]));
    cases->zones[cases->zone_count++] = zone;
    return zone;
}

static void
add_case(struct spf_cases *cases, const struct dns_zone *zone,
         struct slice name, struct slice block)
{
    struct spf_case row = { .name = arena_cstr(&cases->arena, name),
                            .zone = zone,
                            .lines = block };

    for (struct slice rest = block; rest.len != 0;) {
        struct slice value = slice_cut(&rest, '\n');
        const struct slice key = slice_cut(&value, ' ');

        if (slice_equal(key, SLICE_OF("client")))
            set_address(value, row.client.address);
        else if (slice_equal(key, SLICE_OF("helo")))
            row.client.helo = unescaped(&cases->arena, value);
        else if (slice_equal(key, SLICE_OF("from")))
            set_from(&cases->arena, value, &row.client);
    }
    cases->rows =
        mem_realloc(cases->rows, (cases->count + 1) * sizeof(cases->rows[0]));
    cases->rows[cases->count++] = row;
}

void
spf_cases_read(struct slice text, struct spf_cases *cases)
{
    const struct dns_zone *zone = NULL;
    struct slice rest = arena_copy(&cases->arena, text);

    take_block(&rest); /* a comment at the head of the file */
    while (rest.len != 0) {
        struct slice name = slice_cut(&rest, '\n');
        const bool is_zone = is_mark(name, "== ");
        const struct slice block = take_block(&rest);

        name = slice_tail(name, 3);
        if (is_zone)
            zone = add_zone(cases, block, name);
        else
            add_case(cases, zone, name, block);
    }
    if (cases->count == 0)
        give_up("no cases", text);
}

void
spf_cases_free(struct spf_cases *cases)
{
    for (size_t i = 0; i < cases->zone_count; i++)
        dns_zone_free(cases->zones[i]);
    free(cases->zones);
    free(cases->rows);
    arena_free(&cases->arena);
}

struct spf *
spf_case_run(const struct dns_zone *zone, const struct spf_client *client)
{
    struct spf *spf = spf_new(client);
    const struct dns_question *question = spf_step(spf, NULL);
    struct dns_answer answer;

    while (question != NULL) {
        dns_zone_answer(zone, question, &answer);
        question = spf_step(spf, &answer);
    }
    return spf;
}

/* ---- comparing ------------------------------------------------------------
 */

static void
print_verdict(const struct spf_verdict *v)
{
    print_message("# %s %s domain=%.*s mechanism=%.*s path=%.*s problem=%s "
                  "about=%.*s terms=%u voids=%u questions=%u anybody=%d\n",
                  spf_result_word(v->result),
                  v->identity == SPF_HELO ? "helo" : "mailfrom",
                  SLICE_ARG(v->domain), SLICE_ARG(v->mechanism),
                  SLICE_ARG(v->path), v->problem != NULL ? v->problem : "-",
                  SLICE_ARG(v->about), v->terms, v->voids, v->questions,
                  v->anybody);
}

static struct slice
word_of(const struct spf_verdict *v, struct slice key, char number[16])
{
    static const struct {
        const char *key;
        size_t offset;
    } slices[] = {
        { "domain", offsetof(struct spf_verdict, domain) },
        { "mechanism", offsetof(struct spf_verdict, mechanism) },
        { "path", offsetof(struct spf_verdict, path) },
        { "about", offsetof(struct spf_verdict, about) },
    }, numbers[] = {
        { "terms", offsetof(struct spf_verdict, terms) },
        { "voids", offsetof(struct spf_verdict, voids) },
        { "questions", offsetof(struct spf_verdict, questions) },
    };

    for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++)
        if (slice_equal(key, slice_from(slices[i].key))) {
            struct slice s;
            memcpy(&s, (const char *)v + slices[i].offset, sizeof(s));
            return s.len != 0 ? s : SLICE_OF("-");
        }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (slice_equal(key, slice_from(numbers[i].key))) {
            unsigned n;
            memcpy(&n, (const char *)v + numbers[i].offset, sizeof(n));
            snprintf(number, 16, "%u", n);
            return slice_from(number);
        }
    if (slice_equal(key, SLICE_OF("identity")))
        return slice_from(v->identity == SPF_HELO ? "helo" : "mailfrom");
    if (slice_equal(key, SLICE_OF("problem")))
        return slice_from(v->problem != NULL ? v->problem : "-");
    if (slice_equal(key, SLICE_OF("anybody")))
        return slice_from(v->anybody ? "yes" : "no");
    give_up("unknown key", key);
    return key;
}

static bool
is_one_of(struct slice words, const char *word)
{
    while (words.len != 0)
        if (slice_equal(slice_cut(&words, ' '), slice_from(word)))
            return true;
    return false;
}

static bool
is_as_said(const struct spf_verdict *v, struct slice lines)
{
    bool ok = true;
    bool has_result = false;

    while (lines.len != 0) {
        struct slice value = slice_cut(&lines, '\n');
        const struct slice key = slice_cut(&value, ' ');
        char number[16];

        if (key.len == 0 || key.ptr[0] == '#' ||
            slice_equal(key, SLICE_OF("client")) ||
            slice_equal(key, SLICE_OF("helo")) ||
            slice_equal(key, SLICE_OF("from")))
            continue;
        if (slice_equal(key, SLICE_OF("result"))) {
            has_result = true;
            ok = ok && is_one_of(value, spf_result_word(v->result));
        } else if (!slice_equal(word_of(v, key, number), value)) {
            print_message("# %.*s is not %.*s\n", SLICE_ARG(key),
                          SLICE_ARG(value));
            ok = false;
        }
    }
    return ok && has_result;
}

/* Of every verdict. */
static void
check_verdict(const struct spf_verdict *v)
{
    assert_true(v->terms <= SPF_TERMS_MAX);
    assert_true(v->voids <= SPF_VOID_MAX + 1);
    assert_true(v->questions <= SPF_QUESTIONS_MAX);
    assert_int_equal(ascii_printable_length(v->mechanism), v->mechanism.len);
    assert_int_equal(ascii_printable_length(v->path), v->path.len);
    assert_int_equal(ascii_printable_length(v->about), v->about.len);
    assert_true((v->result != SPF_NONE && v->result != SPF_TEMPERROR &&
                 v->result != SPF_PERMERROR) == (v->problem == NULL));
    if (v->result == SPF_PASS || v->result == SPF_FAIL ||
        v->result == SPF_SOFTFAIL)
        assert_true(v->mechanism.len != 0);
}

void
spf_case_test(void **state)
{
    const struct spf_case *row = *state;
    struct spf *spf = spf_case_run(row->zone, &row->client);
    const struct spf_verdict *verdict = spf_verdict(spf);

    check_verdict(verdict);
    if (!is_as_said(verdict, row->lines)) {
        print_verdict(verdict);
        fail_msg("%s is not as it should be", row->name);
    }
    spf_free(spf);
}

int
spf_cases_main(const char *group, struct spf_cases *cases)
{
    struct CMUnitTest *tests = mem_alloc(cases->count * sizeof(*tests));

    for (size_t i = 0; i < cases->count; i++)
        tests[i] = (struct CMUnitTest){ cases->rows[i].name, spf_case_test,
                                        NULL, NULL, &cases->rows[i] };
    const int failed =
        _cmocka_run_group_tests(group, tests, cases->count, NULL, NULL);
    free(tests);
    return failed;
}

void
spf_cases_slurp(void *file, struct buf *text)
{
    char octets[4096];
    size_t len;

    while ((len = fread(octets, 1, sizeof(octets), file)) != 0)
        buf_append(text, (struct slice){ octets, len });
}
