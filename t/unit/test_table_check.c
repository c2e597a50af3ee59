/* Cycles, depth and size of expansions: what can be seen at load. */
#include "table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    RULES = 5,
    MAX_TARGETS = 3
};

static struct row {
    const char *name;
    /* match, to and another to; "^...": a regex; "cdb": a cdb stands here */
    const char *rules[RULES][3];
    const char *text; /* of a texthash behind the rules, or NULL */
    const char *errors;
} rows[] = {
    { "an empty list", { { NULL } }, NULL, "" },
    { "an alias", { { "a@d.example", "b@e.example" } }, NULL, "" },
    { "a chain",
      { { "a@d.example", "b@d.example" }, { "b@d.example", "c@e.example" } },
      NULL,
      "" },
    { "an alias of itself", { { "a@d.example", "a@d.example" } }, NULL, "" },
    { "a local copy",
      { { "a@d.example", "b@e.example", "a@d.example" } },
      NULL,
      "" },
    { "a catch-all to a mailbox of its own domain",
      { { "*@d.example", "box@d.example" } },
      NULL,
      "" },
    { "a cycle of two",
      { { "a@d.example", "b@d.example" }, { "b@d.example", "a@d.example" } },
      NULL,
      "c:1: a@d.example -> b@d.example -> a@d.example: a cycle; take one of "
      "these out\n" },
    { "a cycle in another case",
      { { "a@d.example", "B@D.example" }, { "b@d.example", "A@d.example" } },
      NULL,
      "c:1: a@d.example -> B@D.example -> a@d.example: a cycle; take one of "
      "these out\n" },
    { "a cycle of three, told once",
      { { "b@d.example", "c@d.example" },
        { "c@d.example", "a@d.example" },
        { "a@d.example", "b@d.example" } },
      NULL,
      "c:1: b@d.example -> c@d.example -> a@d.example -> b@d.example: a "
      "cycle; take one of these out\n" },
    { "a cycle behind a local copy",
      { { "a@d.example", "a@d.example", "b@d.example" },
        { "b@d.example", "a@d.example" } },
      NULL,
      "c:1: a@d.example -> b@d.example -> a@d.example: a cycle; take one of "
      "these out\n" },
    { "two cycles",
      { { "a@d.example", "b@d.example" },
        { "b@d.example", "a@d.example" },
        { "c@d.example", "e@d.example" },
        { "e@d.example", "c@d.example" } },
      NULL,
      "c:1: a@d.example -> b@d.example -> a@d.example: a cycle; take one of "
      "these out\n"
      "c:3: c@d.example -> e@d.example -> c@d.example: a cycle; take one of "
      "these out\n" },
    { "an entry before it breaks the cycle",
      { { "b@d.example", "x@e.example" },
        { "a@d.example", "b@d.example" },
        { "b@d.example", "a@d.example" } },
      NULL,
      "" },
    { "globs that send to each other",
      { { "a*@d.example", "b1@d.example" },
        { "b*@d.example", "a1@d.example" } },
      NULL,
      "c:1: b1@d.example -> a1@d.example -> b1@d.example: a cycle; take one of "
      "these out\n" },
    { "a glob and its captures",
      { { "a.*@d.example", "b.$1@d.example" },
        { "b.*@d.example", "a.$1@d.example" } },
      NULL,
      "c:1: a.x@d.example -> b.x@d.example -> a.x@d.example: a cycle; take one "
      "of these out\n" },
    { "a glob that grows",
      { { "*@d.example", "x$1@d.example" } },
      NULL,
      "c:1: x@d.example -> xx@d.example -> xxx@d.example -> xxxx@d.example -> "
      "xxxxx@d.example -> xxxxxx@d.example -> xxxxxxx@d.example -> "
      "xxxxxxxx@d.example -> xxxxxxxxx@d.example -> xxxxxxxxxx@d.example -> "
      "xxxxxxxxxxx@d.example: expansion is deeper than 10\n" },
    { "a glob to the same user elsewhere",
      { { "*@d.example", "$1@e.example" } },
      NULL,
      "" },
    { "a regex and a rule",
      { { "^a.*@d\\.example$", "b@d.example" },
        { "b@d.example", "a1@d.example" } },
      NULL,
      "c:1: b@d.example -> a1@d.example -> b@d.example: a cycle; take one of "
      "these out\n" },
    { "a database before it decides at run time",
      { { "cdb" },
        { "a@d.example", "b@d.example" },
        { "b@d.example", "a@d.example" } },
      NULL,
      "" },
    { "a database behind it does not",
      { { "a@d.example", "b@d.example" },
        { "b@d.example", "a@d.example" },
        { "cdb" } },
      NULL,
      "c:1: a@d.example -> b@d.example -> a@d.example: a cycle; take one of "
      "these out\n" },
    { "three targets",
      { { "a@d.example", "b@e.example", "c@e.example" } },
      NULL,
      "" },
    { "a table without trouble",
      { { NULL } },
      "info@d.example bob@e.example, info@d.example\n@d.example "
      "info@d.example\nd.example anything\n@f.example @d.example\n",
      "" },
    { "a cycle in a table",
      { { NULL } },
      "# x\na@d.example b@d.example\nb@d.example a@d.example\n",
      "t:2: a@d.example -> b@d.example -> a@d.example: a cycle; take one of "
      "these out\n" },
    { "a cycle through domains",
      { { NULL } },
      "@d.example @e.example\n@e.example @d.example\na@d.example "
      "a@e.example\n",
      "t:3: a@d.example -> a@e.example -> a@d.example: a cycle; take one of "
      "these out\n" },
    { "a cycle between a rule and a table",
      { { "a@d.example", "b@d.example" } },
      "b@d.example a@d.example\n",
      "c:1: a@d.example -> b@d.example -> a@d.example: a cycle; take one of "
      "these out\n" },
    { "a target with an extension",
      { { NULL } },
      "a@d.example b+x@d.example\nb@d.example a@d.example\n",
      "t:1: a@d.example -> b+x@d.example -> a+x@d.example -> "
      "b+x+x@d.example -> a+x+x@d.example -> b+x+x+x@d.example -> "
      "a+x+x+x@d.example -> b+x+x+x+x@d.example -> a+x+x+x+x@d.example -> "
      "b+x+x+x+x+x@d.example -> a+x+x+x+x+x@d.example: expansion is deeper "
      "than 10\n"
      "t:2: b@d.example -> a@d.example -> b+x@d.example -> a+x@d.example -> "
      "b+x+x@d.example -> a+x+x@d.example -> b+x+x+x@d.example -> "
      "a+x+x+x@d.example -> b+x+x+x+x@d.example -> a+x+x+x+x@d.example -> "
      "b+x+x+x+x+x@d.example: expansion is deeper than 10\n" },
    { "as many targets as allowed",
      { { NULL } },
      "a@d.example b@e.example,c@e.example,d@e.example,b@e.example\n",
      "" },
    { "one more",
      { { NULL } },
      "a@d.example b@e.example,c@e.example,d@e.example,e@e.example\n",
      "t:1: a@d.example: more than 3 targets (max_targets)\n" },
    { "one more with the local copy",
      { { NULL } },
      "a@d.example b@e.example,c@e.example,d@e.example,a@d.example\n",
      "t:1: a@d.example: more than 3 targets (max_targets)\n" },
    { "one more through another alias",
      { { NULL } },
      "a@d.example b@d.example,c@e.example\n"
      "b@d.example d@e.example,e@e.example,f@e.example\n",
      "t:1: a@d.example: more than 3 targets (max_targets)\n" },
    { "the same target on two ways is one",
      { { NULL } },
      "a@d.example b@d.example,c@d.example\n"
      "b@d.example x@e.example,y@e.example\n"
      "c@d.example y@e.example,z@e.example\n",
      "" },
    { "rejected targets do not count",
      { { NULL } },
      "a@d.example b@d.example,c@e.example,d@e.example,e@e.example\n"
      "b@d.example reject:\n",
      "" },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static struct alias_rule *
make_rule(const char *match, const char *to, const char *also,
          struct arena *arena)
{
    struct buf why = { 0 };
    const char *field;
    struct slice targets[] = { slice_from(to), slice_from(also) };
    struct alias_rule_spec spec = { .match = slice_from(match),
                                    .to = targets,
                                    .to_count = also != NULL ? 2 : 1 };

    if (match[0] == '^') {
        spec.regex = spec.match;
        spec.match.ptr = NULL;
    }
    struct alias_rule *rule = alias_rule_new(&spec, arena, &field, &why);
    if (rule == NULL)
        fail_msg("%s: %s", field, buf_cstr(&why));
    buf_free(&why);
    return rule;
}

static void
check(void **state)
{
    const struct row *row = *state;
    struct arena arena = { 0 };
    struct buf errors = { 0 };
    struct alias_entry entries[RULES + 1] = { 0 };
    struct alias_list list = { .entries = entries, .delimiters = SLICE("+") };
    char origin[RULES][8];

    for (size_t i = 0; i < RULES && row->rules[i][0] != NULL; i++) {
        struct alias_entry *entry = &entries[list.count++];
        snprintf(origin[i], sizeof(origin[i]), "c:%zu", i + 1);
        entry->origin = slice_from(origin[i]);
        if (strcmp(row->rules[i][0], "cdb") == 0)
            entry->table =
                table_open(slice_from("cdb:" TEST_DATA "/table/postmap"),
                           TABLE_ALIASES, NULL, 0, &errors);
        else
            entry->rule = make_rule(row->rules[i][0], row->rules[i][1],
                                    row->rules[i][2], &arena);
    }
    if (row->text != NULL)
        entries[list.count++].table = table_from_text(
            slice_from(row->text), SLICE_OF("t"), TABLE_ALIASES, &errors);
    assert_string_equal(buf_cstr(&errors), "");

    assert_int_equal(alias_list_check(&list, MAX_TARGETS, &errors),
                     row->errors[0] == '\0');
    assert_string_equal(buf_cstr(&errors), row->errors);
    for (size_t i = 0; i < list.count; i++) {
        if (entries[i].rule != NULL)
            alias_rule_free(entries[i].rule);
        table_unref(entries[i].table);
    }
    buf_free(&errors);
    arena_free(&arena);
}

/* a0 -> a1 -> ... : ten steps are allowed, eleven are not (lib/README, section
 * 4). */
static void
chain(unsigned steps, const char *want)
{
    struct buf text = { 0 }, errors = { 0 };
    struct alias_entry entry = { 0 };
    struct alias_list list = { .entries = &entry, .count = 1 };

    for (unsigned i = 0; i < steps; i++)
        buf_printf(&text, "a%u@d.example a%u@d.example\n", i, i + 1);
    entry.table = table_from_text(buf_slice(&text), SLICE_OF("t"),
                                  TABLE_ALIASES, &errors);
    assert_int_equal(alias_list_check(&list, MAX_TARGETS, &errors),
                     want[0] == '\0');
    assert_string_equal(buf_cstr(&errors), want);
    table_unref(entry.table);
    buf_free(&text);
    buf_free(&errors);
}

static void
ten_steps_are_allowed(void **state)
{
    (void)state;
    chain(10, "");
}

static void
eleven_steps_are_not(void **state)
{
    (void)state;
    chain(11,
          "t:1: a0@d.example -> a1@d.example -> a2@d.example -> a3@d.example "
          "-> a4@d.example -> a5@d.example -> a6@d.example -> a7@d.example -> "
          "a8@d.example -> a9@d.example -> a10@d.example: expansion is deeper "
          "than 10\n");
}

/* The shallow way to a chain is found first, then the deep one. */
static void
the_deepest_way_counts(void **state)
{
    struct buf text = { 0 }, errors = { 0 };
    struct alias_entry entry = { 0 };
    struct alias_list list = { .entries = &entry, .count = 1 };

    (void)state;
    buf_puts(&text, "s@d.example a3@d.example, a0@d.example\n");
    for (unsigned i = 0; i < 10; i++)
        buf_printf(&text, "a%u@d.example a%u@d.example\n", i, i + 1);
    entry.table = table_from_text(buf_slice(&text), SLICE_OF("t"),
                                  TABLE_ALIASES, &errors);
    assert_false(alias_list_check(&list, MAX_TARGETS, &errors));
    assert_string_equal(buf_cstr(&errors),
                        "t:1: s@d.example -> a0@d.example -> a1@d.example -> "
                        "a2@d.example: expansion is deeper than 10\n");
    table_unref(entry.table);
    buf_free(&text);
    buf_free(&errors);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 3] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, check, NULL, NULL, &rows[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(ten_steps_are_allowed);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(eleven_steps_are_not);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_deepest_way_counts);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
