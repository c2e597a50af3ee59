/*
 * Globs against a matcher that tries everything, longest first: the same
 * verdict and the same captures. Input: pattern, newline, local part.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

enum {
    STARS = 9,
    LONGEST = 40
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        abort();
}

/* The obvious one. Exponential, hence the bounds on the input. */
static bool
matches(struct slice pattern, struct slice text, struct slice *captures)
{
    if (pattern.len == 0)
        return text.len == 0;
    if (pattern.ptr[0] != '*')
        return text.len != 0 &&
               ascii_lower(pattern.ptr[0]) == ascii_lower(text.ptr[0]) &&
               matches(slice_tail(pattern, 1), slice_tail(text, 1), captures);
    for (size_t n = text.len + 1; n-- > 0;) {
        *captures = slice_head(text, n);
        if (matches(slice_tail(pattern, 1), slice_tail(text, n), captures + 1))
            return true;
    }
    return false;
}

static size_t
count_stars(struct slice pattern)
{
    size_t stars = 0;

    for (size_t i = 0; i < pattern.len; i++)
        stars += pattern.ptr[i] == '*';
    return stars;
}

static struct slice
at_domain(struct slice local, const char *domain, struct buf *out)
{
    buf_clear(out);
    buf_append(out, local);
    buf_puts(out, domain);
    return buf_slice(out);
}

/* Each capture on its own, as "x$n@t.example"; those that are no local part
 * or that may route are refused. */
static void
check_capture(struct slice pattern, const struct smtp_path *address, size_t n,
              struct slice capture, struct arena *arena)
{
    char target[] = "x$1@t.example";
    struct slice to = { target, sizeof(target) - 1 };
    struct alias_rule_spec spec = { .match = pattern,
                                    .to = &to,
                                    .to_count = 1 };
    struct alias_cursor cursor = { 0 };
    struct alias_hit hit;
    struct table_query query;
    struct buf why = { 0 };
    const char *field;

    target[2] = (char)('1' + n);
    struct alias_entry entry = {
        .rule = alias_rule_new(&spec, arena, &field, &why),
    };
    struct alias_list list = { .entries = &entry, .count = 1 };
    check(entry.rule != NULL);
    enum alias_status status =
        alias_find(&list, address, &cursor, NULL, arena, &hit, &query);
    bool routes = false;
    for (size_t i = 0; i < capture.len; i++)
        routes |= strchr("%!@", capture.ptr[i]) != NULL;
    check(status == (routes ? ALIAS_BAD_CAPTURE : ALIAS_HIT));
    if (status == ALIAS_HIT) {
        check(hit.target_count == 1);
        check(hit.targets[0].local.ptr[0] == 'x');
        check(slice_equal(slice_tail(hit.targets[0].local, 1), capture));
        check(slice_equal(hit.targets[0].domain, SLICE_OF("t.example")));
    }
    alias_rule_free(entry.rule);
    buf_free(&why);
}

static void
check_pattern(struct slice local, const struct smtp_path *address,
              struct arena *arena)
{
    struct slice captures[STARS + 1] = { 0 };
    struct slice to = SLICE("m@t.example");
    struct buf pattern = { 0 }, why = { 0 };
    struct alias_rule_spec spec = {
        .match = at_domain(local, "@b.example", &pattern),
        .to = &to,
        .to_count = 1,
    };
    struct alias_cursor cursor = { 0 };
    struct alias_hit hit;
    struct table_query query;
    const char *field;
    struct alias_entry entry = {
        .rule = alias_rule_new(&spec, arena, &field, &why),
    };
    struct alias_list list = { .entries = &entry, .count = 1 };

    if (entry.rule != NULL) {
        bool match = matches(local, address->local, captures);
        check(alias_find(&list, address, &cursor, NULL, arena, &hit, &query) ==
              (match ? ALIAS_HIT : ALIAS_NONE));
        for (size_t n = 0; match && n < count_stars(local); n++)
            check_capture(buf_slice(&pattern), address, n, captures[n], arena);
        alias_rule_free(entry.rule);
    }
    buf_free(&pattern);
    buf_free(&why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice local = { (const char *)data, size };
    struct slice pattern = slice_cut(&local, '\n');
    struct arena arena = { 0 };
    struct smtp_path address;

    if (size > LONGEST || count_stars(pattern) > STARS ||
        slice_find(pattern, '"') != pattern.len ||
        !smtp_path_make(local, SLICE_OF("B.example"), &arena, &address)) {
        arena_free(&arena);
        return 0;
    }
    check_pattern(pattern, &address, &arena);
    arena_free(&arena);
    return 0;
}
