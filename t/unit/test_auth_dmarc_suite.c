/* The cases of RFC 9989, which are not in the tree: $ONWARD_SUITES, or suites
 * beside the checkout. */
#include "auth_dmarc.h"
#include "auth_jsonline.h"

#include <unistd.h>

enum {
    LINE_MAX_ = 65536
};

/* A zone of ours from the members zone, exists and servfail of a case. */
static void
put_zone(struct slice object, struct buf *out)
{
    struct buf text = { 0 };
    struct slice key, value, record, rest;

    rest = slice_tail(jsonline_member(object, "zone"), 1);
    while (jsonline_next(&rest, &key, &value)) {
        struct buf name = { 0 };
        struct slice records = slice_tail(value, 1);
        jsonline_text(key, &name);
        while (jsonline_next(&records, &key, &record)) {
            buf_append(out, buf_slice(&name));
            buf_putc(out, ' ');
            if (record.ptr[0] != '[') {
                jsonline_text(record, &text);
                buf_append(out, buf_slice(&text));
            } else { /* strings of one record */
                struct slice strings = slice_tail(record, 1);
                while (jsonline_next(&strings, &key, &record)) {
                    jsonline_text(record, &text);
                    buf_append(out, buf_slice(&text));
                }
            }
            buf_putc(out, '\n');
        }
        buf_free(&name);
    }
    for (int i = 0; i < 2; i++) {
        rest =
            slice_tail(jsonline_member(object, i ? "servfail" : "exists"), 1);
        while (jsonline_next(&rest, &key, &value)) {
            jsonline_text(value, &text);
            buf_append(out, buf_slice(&text));
            buf_puts(out, i ? " !\n" : " +\n");
        }
    }
    buf_free(&text);
}

struct identifiers {
    struct dmarc_identifier list[16];
    struct buf text[16];
    size_t count;
};

static void
add_identifier(struct identifiers *ids, struct slice value,
               enum dmarc_method method, bool passed)
{
    struct buf *text = &ids->text[ids->count];

    jsonline_text(value, text);
    if (text->len == 0)
        return;
    assert_true(ids->count < 16);
    ids->list[ids->count++] =
        (struct dmarc_identifier){ buf_slice(text), method, passed, passed };
}

static void
put_identifiers(struct slice object, struct identifiers *ids)
{
    struct slice key, value;
    struct slice rest = slice_tail(jsonline_member(object, "dkim"), 1);

    add_identifier(ids, jsonline_member(object, "spf"), DMARC_BY_SPF, true);
    while (jsonline_next(&rest, &key, &value))
        add_identifier(ids, value, DMARC_BY_DKIM, true);
    rest = slice_tail(jsonline_member(object, "temperror"), 1);
    while (jsonline_next(&rest, &key, &value))
        add_identifier(ids, value, DMARC_BY_DKIM, false);
}

/* The same texts, null being nothing. */
static void
compare(struct slice expect, const char *key, struct slice got,
        const char *line)
{
    struct buf want = { 0 };

    jsonline_text(jsonline_member(expect, key), &want);
    if (!slice_equal_nocase(buf_slice(&want), got))
        fail_msg("%s is \"%.*s\": %.*s", key, SLICE_ARG(got), 400, line);
    buf_free(&want);
}

static bool
lists(struct slice expect, const char *word)
{
    struct slice key, value;
    struct slice rest = slice_tail(jsonline_member(expect, "aligned"), 1);
    struct buf text = { 0 };
    bool found = false;

    while (jsonline_next(&rest, &key, &value)) {
        jsonline_text(value, &text);
        found |= slice_equal(buf_slice(&text), slice_from(word));
    }
    buf_free(&text);
    return found;
}

static void
check_case(const char *line)
{
    struct slice object = slice_from(line);
    struct slice expect = jsonline_member(object, "expect");
    struct identifiers ids = { 0 };
    struct buf author = { 0 };
    struct buf text = { 0 };

    put_zone(object, &text);
    put_identifiers(object, &ids);
    jsonline_text(jsonline_member(object, "from"), &author);
    struct dmarc_zone zone = { .text = buf_cstr(&text) };
    struct dmarc_case c = { buf_cstr(&author), ids.list, ids.count, DMARC_ALL };
    struct dmarc *dmarc = evaluate(&c, &zone);
    const struct dmarc_verdict *verdict = dmarc_verdict(dmarc);
    bool open = verdict->result == DMARC_TEMPERROR;
    bool none = verdict->policies == DMARC_NO_POLICY;
    compare(expect, "result", slice_from(dmarc_result_word(verdict->result)),
            line);
    compare(expect, "policy",
            open || none ? (struct slice){ 0 }
                         : slice_from(dmarc_policy_word(verdict->policies)),
            line);
    compare(expect, "record", open ? (struct slice){ 0 } : verdict->record,
            line);
    if (verdict->organization.len != 0 && !open)
        compare(expect, "org", verdict->organization, line);
    if (!open && !none) {
        assert_int_equal(verdict->spf, lists(expect, "spf"));
        assert_int_equal(verdict->dkim, lists(expect, "dkim"));
    }
    dmarc_free(dmarc);
    for (size_t i = 0; i < 16; i++)
        buf_free(&ids.text[i]);
    buf_free(&zone.asked);
    buf_free(&author);
    buf_free(&text);
}

static void
all_cases(void **state)
{
    const char *directory = getenv("ONWARD_SUITES");
    char path[4096];
    char *line = malloc(LINE_MAX_);
    size_t cases = 0;

    (void)state;
    snprintf(path, sizeof(path), "%s/dmarc-rfc9989/cases.jsonl",
             directory != NULL ? directory
                               : TEST_SOURCE "/../../shared/suites");
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        printf("# not there: %s\n", path);
        free(line);
        skip();
    }
    while (fgets(line, LINE_MAX_, file) != NULL) {
        check_case(line);
        cases++;
    }
    printf("# %zu cases\n", cases);
    assert_true(cases > 0);
    fclose(file);
    free(line);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(all_cases) };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
