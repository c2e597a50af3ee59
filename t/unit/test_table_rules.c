/* Rules: what compiles, what matches, what the targets become. */
#include "table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    TARGETS = 3
};

static struct alias_rule *
compile(const char *match, const char *regex, enum alias_action action,
        const char *reply, const char *to, struct arena *arena,
        const char **field, struct buf *why)
{
    struct slice targets[TARGETS];
    struct alias_rule_spec spec = { .match = slice_from(match),
                                    .regex = slice_from(regex),
                                    .action = action,
                                    .reply = slice_from(reply),
                                    .to = targets };

    if (match == NULL)
        spec.match.ptr = NULL;
    if (regex == NULL)
        spec.regex.ptr = NULL;
    for (struct slice rest = slice_from(to); rest.len != 0;) {
        assert_in_range(spec.to_count, 0, TARGETS - 1);
        targets[spec.to_count++] = slice_cut(&rest, ',');
    }
    return alias_rule_new(&spec, arena, field, why);
}

/* ---- what an address becomes ------------------------------------------- */

static struct match_row {
    const char *name;
    const char *match, *regex;
    const char *to; /* joined by commas */
    const char *address;
    enum alias_status status;
    const char *result; /* targets, joined by commas */
} match_rows[] = {
    { "an exact address", "info@public.example", NULL, "me@p.example",
      "info@public.example", ALIAS_HIT, "me@p.example" },
    { "case does not matter", "Info@Public.Example", NULL, "me@p.example",
      "iNFO@pUBLIC.eXAMPLE", ALIAS_HIT, "me@p.example" },
    { "an exact address is anchored at the start", "info@public.example", NULL,
      "me@p.example", "xinfo@public.example", ALIAS_NONE, NULL },
    { "an exact address is anchored at the end", "info@public.example", NULL,
      "me@p.example", "info@public.example.org", ALIAS_NONE, NULL },
    { "a dot in the local part is a dot", "a.b@public.example", NULL,
      "me@p.example", "axb@public.example", ALIAS_NONE, NULL },
    { "a dot in the domain is a dot", "fwd.*@public.example", NULL,
      "me@p.example", "fwd.a@publicxexample", ALIAS_NONE, NULL },
    { "a star matches a run", "fwd.*@public.example", NULL, "me@p.example",
      "fwd.shop@public.example", ALIAS_HIT, "me@p.example" },
    { "a star matches nothing", "fwd.*@public.example", NULL, "me@p.example",
      "\"fwd.\"@public.example", ALIAS_HIT, "me@p.example" },
    { "a star matches dots", "fwd.*@public.example", NULL, "me@p.example",
      "fwd.a.b.c@public.example", ALIAS_HIT, "me@p.example" },
    { "a glob is anchored at the start", "fwd.*@public.example", NULL,
      "me@p.example", "xfwd.a@public.example", ALIAS_NONE, NULL },
    { "a glob needs what stands before the star", "fwd.*@public.example", NULL,
      "me@p.example", "fwd@public.example", ALIAS_NONE, NULL },
    { "a glob needs what stands behind the star", "*-list@public.example", NULL,
      "me@p.example", "a-lists@public.example", ALIAS_NONE, NULL },
    { "literals do not overlap", "aba*aba@public.example", NULL, "me@p.example",
      "ababa@public.example", ALIAS_NONE, NULL },
    { "literals may touch", "aba*aba@public.example", NULL, "me@p.example",
      "abaaba@public.example", ALIAS_HIT, "me@p.example" },
    { "a star does not cross the at sign", "fwd.*@public.example", NULL,
      "me@p.example", "fwd.a@evil.example", ALIAS_NONE, NULL },
    { "nor one inside quotes", "*@public.example", NULL, "me@p.example",
      "\"x@public.example\"@evil.example", ALIAS_NONE, NULL },
    { "a catch-all", "*@public.example", NULL, "me@p.example",
      "anything@public.example", ALIAS_HIT, "me@p.example" },
    { "a catch-all is for its domain only", "*@public.example", NULL,
      "me@p.example", "anything@sub.public.example", ALIAS_NONE, NULL },
    { "the capture in the target", "fwd.*@public.example", NULL,
      "me+$1@p.example", "fwd.shop@public.example", ALIAS_HIT,
      "me+shop@p.example" },
    { "a capture keeps its case", "fwd.*@public.example", NULL,
      "me+$1@p.example", "FWD.ShOp@public.example", ALIAS_HIT,
      "me+ShOp@p.example" },
    { "an empty capture", "fwd.*@public.example", NULL, "me$1@p.example",
      "\"fwd.\"@public.example", ALIAS_HIT, "me@p.example" },
    { "two stars", "*-in-*@public.example", NULL, "$2.$1@p.example",
      "a-in-b@public.example", ALIAS_HIT, "b.a@p.example" },
    { "the first of two stars takes the most", "*-*@public.example", NULL,
      "$1_$2@p.example", "a-b-c@public.example", ALIAS_HIT, "a-b_c@p.example" },
    { "stars side by side", "**@public.example", NULL, "$1_$2@p.example",
      "abc@public.example", ALIAS_HIT, "abc_@p.example" },
    { "nine stars, and no explosion", "*a*a*a*a*a*a*a*a*b@public.example", NULL,
      "me@p.example",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "@public.example",
      ALIAS_NONE, NULL },
    { "a capture twice", "x*@public.example", NULL, "$1$1@p.example",
      "xab@public.example", ALIAS_HIT, "abab@p.example" },
    { "several targets", "info@public.example", NULL, "a@p.example,b@p.example",
      "info@public.example", ALIAS_HIT, "a@p.example,b@p.example" },
    { "a capture that needs quotes", "x*@public.example", NULL, "$1@p.example",
      "\"xa b\"@public.example", ALIAS_HIT, "\"a b\"@p.example" },
    { "quotes that are not needed do not matter", "info@public.example", NULL,
      "me@p.example", "\"info\"@public.example", ALIAS_HIT, "me@p.example" },
    { "a quoted rule", "\"a b\"@public.example", NULL, "me@p.example",
      "\"a b\"@public.example", ALIAS_HIT, "me@p.example" },
    { "a star inside quotes is a star", "\"a*\"@public.example", NULL,
      "me@p.example", "ab@public.example", ALIAS_NONE, NULL },
    { "a star inside quotes matches a star", "\"a*\"@public.example", NULL,
      "me@p.example", "a*@public.example", ALIAS_HIT, "me@p.example" },
    { "a literal as domain", "info@[192.0.2.1]", NULL, "me@p.example",
      "info@[192.0.2.1]", ALIAS_HIT, "me@p.example" },
    { "U-labels of the rule and A-labels of the address",
      "info@b\xC3\xBC"
      "cher.example",
      NULL, "me@p.example", "info@xn--bcher-kva.example", ALIAS_HIT,
      "me@p.example" },
    { "A-labels of the rule and U-labels of the address",
      "info@xn--bcher-kva.example", NULL, "me@p.example",
      "info@b\xC3\xBC"
      "cher.example",
      ALIAS_HIT, "me@p.example" },
    { "UTF-8 in the local part", "b\xC3\xBC*@public.example", NULL,
      "$1@p.example",
      "b\xC3\xBC"
      "cher@public.example",
      ALIAS_HIT, "cher@p.example" },
    /* What a stranger wrote must not route (lib/README, section 5). */
    { "a percent sign in a capture", "x*@public.example", NULL, "$1@p.example",
      "xa%evil.example@public.example", ALIAS_BAD_CAPTURE, NULL },
    { "an exclamation mark in a capture", "x*@public.example", NULL,
      "$1@p.example", "xevil!a@public.example", ALIAS_BAD_CAPTURE, NULL },
    { "an at sign in a capture", "x*@public.example", NULL, "$1@p.example",
      "\"xa@evil.example\"@public.example", ALIAS_BAD_CAPTURE, NULL },
    { "a bad capture that no target holds", "x*@public.example", NULL,
      "me@p.example", "xa%b@public.example", ALIAS_HIT, "me@p.example" },
    { "a target that gets too long", "*@public.example", NULL,
      "0123456789+$1@p.example",
      "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz01"
      "@public.example",
      ALIAS_BAD_CAPTURE, NULL },
    { "a target of 64 octets", "*@public.example", NULL,
      "0123456789+$1@p.example",
      "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0"
      "@public.example",
      ALIAS_HIT,
      "0123456789+abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0"
      "@p.example" },
    { "an empty target", "x*@public.example", NULL, "$1@p.example",
      "x@public.example", ALIAS_BAD_CAPTURE, NULL },

    { "a regex", NULL, "^list-(.+)@public\\.example$", "archive+$1@p.example",
      "list-dev@public.example", ALIAS_HIT, "archive+dev@p.example" },
    { "a regex sees lower case", NULL, "^list-(.+)@public\\.example$",
      "archive+$1@p.example", "LIST-Dev@PUBLIC.example", ALIAS_HIT,
      "archive+dev@p.example" },
    { "capitals in a regex are not lost", NULL, "^List-.+@public\\.example$",
      "me@p.example", "list-dev@public.example", ALIAS_HIT, "me@p.example" },
    { "a regex that does not match", NULL, "^list-(.+)@public\\.example$",
      "me@p.example", "list-@public.example", ALIAS_NONE, NULL },
    { "a regex is not anchored by itself", NULL, "list", "me@p.example",
      "my-listing@public.example", ALIAS_HIT, "me@p.example" },
    { "a group that took no part", NULL, "^a(b)?(c)@public\\.example$",
      "x$1$2@p.example", "ac@public.example", ALIAS_HIT, "xc@p.example" },
    { "a trailing group that took no part", NULL, "^a(b)?@public\\.example$",
      "x$1@p.example", "a@public.example", ALIAS_HIT, "x@p.example" },
    { "a regex sees A-labels", NULL, "@xn--bcher-kva\\.example$",
      "me@p.example",
      "a@b\xC3\xBC"
      "cher.example",
      ALIAS_HIT, "me@p.example" },
    { "a dot of a regex is a character of UTF-8", NULL,
      "^b(.)cher@public\\.example$", "$1@p.example",
      "b\xC3\xBC"
      "cher@public.example",
      ALIAS_HIT, "\xC3\xBC@p.example" },
    { "an at sign that a group took", NULL, "^(.+)@public\\.example$",
      "$1@p.example", "\"a@evil.example\"@public.example", ALIAS_BAD_CAPTURE,
      NULL },
    { "a regex that would run for ever", NULL, "^(a+)+$", "me@p.example",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@public.example", ALIAS_ERROR,
      NULL },
    { "a recursion that would run for ever", NULL, "^(?:(?:a|aa)*)*b@",
      "me@p.example", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@public.example",
      ALIAS_ERROR, NULL },
};
enum {
    MATCH_ROWS = sizeof(match_rows) / sizeof(match_rows[0])
};

static void
match_one(void **state)
{
    const struct match_row *row = *state;
    struct arena arena = { 0 };
    struct buf why = { 0 }, joined = { 0 };
    const char *field = NULL;
    struct alias_rule *rule = compile(row->match, row->regex, ALIAS_FORWARD,
                                      NULL, row->to, &arena, &field, &why);

    if (rule == NULL)
        fail_msg("%s: %s", field, buf_cstr(&why));
    struct alias_entry entry = { .rule = rule, .origin = SLICE("x.conf:7") };
    struct alias_list list = { .entries = &entry, .count = 1 };
    struct alias_cursor cursor = { 0 };
    struct alias_hit hit = { 0 };
    struct table_query query;
    struct smtp_path address;
    assert_true(smtp_address_parse(slice_from(row->address), &arena, &address));
    assert_int_equal(
        alias_find(&list, &address, &cursor, NULL, &arena, &hit, &query),
        row->status);
    if (row->status == ALIAS_HIT) {
        for (size_t i = 0; i < hit.target_count; i++) {
            if (i != 0)
                buf_putc(&joined, ',');
            buf_append(&joined, hit.targets[i].text);
        }
        assert_string_equal(buf_cstr(&joined), row->result);
        assert_int_equal(hit.action, ALIAS_FORWARD);
        assert_true(slice_equal(hit.origin, SLICE_OF("x.conf:7")));
        const char *text = row->match != NULL ? row->match : row->regex;
        assert_true(slice_equal(hit.rule, slice_from(text)));
    }
    buf_free(&joined);
    buf_free(&why);
    alias_rule_free(rule);
    arena_free(&arena);
}

/* ---- what is refused --------------------------------------------------- */

static struct error_row {
    const char *name;
    const char *match, *regex;
    enum alias_action action;
    const char *reply;
    const char *to;          /* joined by commas */
    const char *field, *why; /* NULL: it compiles */
} error_rows[] = {
    { "neither match nor regex", NULL, NULL, ALIAS_FORWARD, NULL, "a@b.example",
      "match", "an entry wants either match or regex" },
    { "match and regex", "a@b.example", "^a", ALIAS_FORWARD, NULL,
      "a@b.example", "match", "an entry wants either match or regex" },
    { "no at sign", "fwd.*", NULL, ALIAS_FORWARD, NULL, "a@b.example", "match",
      "\"fwd.*\" is no whole address; write local*part@domain" },
    { "a star in the domain", "a@*.example", NULL, ALIAS_FORWARD, NULL,
      "a@b.example", "match",
      "\"a@*.example\" has a \"*\" in the domain; it stands only in the "
      "local part" },
    { "no local part", "@b.example", NULL, ALIAS_FORWARD, NULL, "a@b.example",
      "match", "\"@b.example\" is not an address" },
    { "a blank in the local part", "a b@c.example", NULL, ALIAS_FORWARD, NULL,
      "a@b.example", "match", "\"a b@c.example\" is not an address" },
    { "no domain", "a@", NULL, ALIAS_FORWARD, NULL, "a@b.example", "match",
      "\"a@\" is not an address" },
    { "a broken regex", NULL, "^(a", ALIAS_FORWARD, NULL, "a@b.example",
      "regex", "missing closing parenthesis, at offset 3" },
    { "a regex that is not UTF-8", NULL, "^\xFF", ALIAS_FORWARD, NULL,
      "a@b.example", "regex",
      "UTF-8 error: illegal byte (0xfe or 0xff), at offset 1" },
    { "no target", "a@b.example", NULL, ALIAS_FORWARD, NULL, NULL, "to",
      "is missing: an alias forwards to at least one address" },
    { "a placeholder in the domain", "*@b.example", NULL, ALIAS_FORWARD, NULL,
      "a@$1.example", "to",
      "\"a@$1.example\": the domain of a target must be literal; write it "
      "out" },
    { "nothing but a placeholder", "*@b.example", NULL, ALIAS_FORWARD, NULL,
      "$1", "to", "\"$1\" has no domain" },
    { "an unknown placeholder", "*@b.example", NULL, ALIAS_FORWARD, NULL,
      "a$2@c.example", "to", "$2: \"*@b.example\" has 1 group" },
    { "a placeholder of an exact address", "a@b.example", NULL, ALIAS_FORWARD,
      NULL, "a$1@c.example", "to", "$1: \"a@b.example\" has 0 groups" },
    { "an unknown group of a regex", NULL, "^(a)(?:b)@", ALIAS_FORWARD, NULL,
      "a$2@c.example", "to", "$2: \"^(a)(?:b)@\" has 1 group" },
    { "$0", "*@b.example", NULL, ALIAS_FORWARD, NULL, "a$0@c.example", "to",
      "placeholders are $1 to $9" },
    { "$10", "*@b.example", NULL, ALIAS_FORWARD, NULL, "a$10@c.example", "to",
      "placeholders are $1 to $9" },
    { "a lone dollar is a dollar", "*@b.example", NULL, ALIAS_FORWARD, NULL,
      "a$@c.example", NULL, NULL },
    { "a command", "a@b.example", NULL, ALIAS_FORWARD, NULL, "|/bin/true", "to",
      "\"|/bin/true\" is a command; only addresses are targets" },
    { "a quoted command", "a@b.example", NULL, ALIAS_FORWARD, NULL,
      "\"|/bin/true\"", "to",
      "\"\"|/bin/true\"\" is a command or a file; only addresses are "
      "targets" },
    { "a file", "a@b.example", NULL, ALIAS_FORWARD, NULL, "/var/x", "to",
      "\"/var/x\" is a file; only addresses are targets" },
    { "an include", "a@b.example", NULL, ALIAS_FORWARD, NULL, ":include:/x",
      "to", "\":include:/x\" is an include; only addresses are targets" },
    { "a target without domain", "a@b.example", NULL, ALIAS_FORWARD, NULL,
      "bob", "to", "\"bob\" has no domain" },
    { "two at signs", "a@b.example", NULL, ALIAS_FORWARD, NULL,
      "bob@@c.example", "to", "\"bob@@c.example\" is not an address" },
    { "a bad domain", "a@b.example", NULL, ALIAS_FORWARD, NULL,
      "bob@-c.example", "to", "\"bob@-c.example\" has a bad domain" },
    { "the second target is looked at", "a@b.example", NULL, ALIAS_FORWARD,
      NULL, "c@d.example,e", "to", "\"e\" has no domain" },
    { "targets of a rejection", "a@b.example", NULL, ALIAS_REJECT, NULL,
      "c@d.example", "to", "targets belong to action \"forward\"" },
    { "a reply of a forward", "a@b.example", NULL, ALIAS_FORWARD, "550 no",
      "c@d.example", "reply",
      "\"550 no\" is a reply, which belongs to reject or defer" },
    { "a reply of a discard", "a@b.example", NULL, ALIAS_DISCARD, "550 no",
      NULL, "reply",
      "\"550 no\" is a reply, which belongs to reject or defer" },
    { "a 2xx reply", "a@b.example", NULL, ALIAS_REJECT, "250 fine", NULL,
      "reply",
      "\"250 fine\" is no reply; write \"550 5.1.6 text\", 4xx or 5xx" },
    { "a reply without code", "a@b.example", NULL, ALIAS_REJECT, "gone", NULL,
      "reply", "\"gone\" is no reply; write \"550 5.1.6 text\", 4xx or 5xx" },
    { "a 5xx reply of a deferral", "a@b.example", NULL, ALIAS_DEFER,
      "550 5.1.6 gone", NULL, "reply",
      "\"550 5.1.6 gone\" is a 5xx reply; defer wants 4xx" },
    { "a rejection with its reply", "a@b.example", NULL, ALIAS_REJECT,
      "550 5.1.6 gone", NULL, NULL, NULL },
    { "a rejection for now", "a@b.example", NULL, ALIAS_REJECT,
      "450 4.2.1 later", NULL, NULL, NULL },
    { "a rejection without reply", "a@b.example", NULL, ALIAS_REJECT, NULL,
      NULL, NULL, NULL },
    { "a deferral with its reply", "a@b.example", NULL, ALIAS_DEFER,
      "450 4.2.1 later", NULL, NULL, NULL },
    { "a discard", "a@b.example", NULL, ALIAS_DISCARD, NULL, NULL, NULL, NULL },
};
enum {
    ERROR_ROWS = sizeof(error_rows) / sizeof(error_rows[0])
};

static void
error_one(void **state)
{
    const struct error_row *row = *state;
    struct arena arena = { 0 };
    struct buf why = { 0 };
    const char *field = NULL;
    struct alias_rule *rule =
        compile(row->match, row->regex, row->action, row->reply, row->to,
                &arena, &field, &why);

    if (row->field == NULL) {
        if (rule == NULL)
            fail_msg("%s: %s", field, buf_cstr(&why));
        alias_rule_free(rule);
    } else {
        assert_null(rule);
        assert_string_equal(buf_cstr(&why), row->why);
        assert_string_equal(field, row->field);
    }
    buf_free(&why);
    arena_free(&arena);
}

/* ---- order ------------------------------------------------------------- */

static void
first_rule_wins(void **state)
{
    struct arena arena = { 0 };
    struct buf why = { 0 };
    const char *field;
    struct alias_entry entries[] = {
        { .rule = compile("old@d.example", NULL, ALIAS_REJECT, "550 5.1.6 gone",
                          NULL, &arena, &field, &why) },
        { .rule = compile("*@d.example", NULL, ALIAS_FORWARD, NULL,
                          "box@p.example", &arena, &field, &why) },
        { .rule = compile("new@d.example", NULL, ALIAS_DISCARD, NULL, NULL,
                          &arena, &field, &why) },
    };
    struct alias_list list = { .entries = entries, .count = 3 };
    static const struct {
        const char *address;
        enum alias_action action;
        const char *reply;
    } rows[] = {
        { "old@d.example", ALIAS_REJECT, "550 5.1.6 gone" },
        { "new@d.example", ALIAS_FORWARD, "" }, /* order alone decides */
        { "x@d.example", ALIAS_FORWARD, "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct alias_cursor cursor = { 0 };
        struct alias_hit hit;
        struct table_query query;
        struct smtp_path address;
        smtp_address_parse(slice_from(rows[i].address), &arena, &address);
        assert_int_equal(
            alias_find(&list, &address, &cursor, NULL, &arena, &hit, &query),
            ALIAS_HIT);
        assert_int_equal(hit.action, rows[i].action);
        assert_true(slice_equal(hit.reply, slice_from(rows[i].reply)));
    }
    for (size_t i = 0; i < 3; i++)
        alias_rule_free(entries[i].rule);
    arena_free(&arena);
    buf_free(&why);
}

/* Every allocation that may fail is made to fail once: trouble (451), never a
 * refusal (550) and never "no such alias". */
static void
memory_that_is_gone_is_trouble(void **state)
{
    static const char *const patterns[][2] = {
        { "x*@d.example", NULL },
        { NULL, "^x(.*)@d\\.example$" },
    };
    struct arena keep = { 0 };
    struct buf why = { 0 };
    struct smtp_path address;
    const char *field;

    (void)state;
    smtp_address_parse(SLICE_OF("xy@d.example"), &keep, &address);
    for (size_t i = 0; i < 2; i++) {
        struct alias_entry entry = {
            .rule =
                compile(patterns[i][0], patterns[i][1], ALIAS_FORWARD, NULL,
                        "a-$1@p.example,b-$1@p.example", &keep, &field, &why),
        };
        struct alias_list list = { .entries = &entry, .count = 1 };
        size_t calls = 1;
        assert_non_null(entry.rule);
        for (size_t n = 0; n <= calls; n++) {
            struct arena arena = { 0 };
            struct alias_cursor cursor = { 0 };
            struct alias_hit hit;
            struct table_query query;
            mem_fail_nth(n != 0 ? n : SIZE_MAX);
            enum alias_status status = alias_find(&list, &address, &cursor,
                                                  NULL, &arena, &hit, &query);
            size_t made = mem_fail_nth(0);
            if (n == 0) {
                assert_int_equal(status, ALIAS_HIT);
                calls = made;
                assert_in_range(calls, 1, 100);
            } else {
                assert_int_equal(status, ALIAS_ERROR);
            }
            arena_free(&arena);
        }
        alias_rule_free(entry.rule);
    }
    arena_free(&keep);
    buf_free(&why);
}

int
main(void)
{
    struct CMUnitTest tests[MATCH_ROWS + ERROR_ROWS + 2] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < MATCH_ROWS; i++)
        tests[n++] = (struct CMUnitTest){ match_rows[i].name, match_one, NULL,
                                          NULL, &match_rows[i] };
    for (size_t i = 0; i < ERROR_ROWS; i++)
        tests[n++] = (struct CMUnitTest){ error_rows[i].name, error_one, NULL,
                                          NULL, &error_rows[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(first_rule_wins);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(memory_that_is_gone_is_trouble);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
