/*
 * virtual(5) text. Whatever is accepted: keys and values are not empty and
 * have no outer blanks, lines go up, and printed as "key value" they are read
 * as the same again. What passes as an alias is read as one by a look-up.
 */
#include "backend.h"

#include "entries.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        abort();
}

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct print {
    struct buf text;
    unsigned line;
};

static bool
on_line(void *ctx, struct slice key, struct slice value, unsigned line)
{
    struct print *print = ctx;

    check(key.len != 0 && value.len != 0 && line > print->line);
    check(!is_blank(key.ptr[0]) && key.ptr[0] != '#');
    check(!is_blank(value.ptr[0]) && !is_blank(value.ptr[value.len - 1]));
    check(slice_find(key, '\n') == key.len && slice_find(key, '\0') == key.len);
    check(utf8_is_valid(key) && utf8_is_valid(value));
    for (size_t i = 0; i < key.len; i++)
        check(key.ptr[i] == ascii_lower(key.ptr[i]));
    print->line = line;
    buf_append(&print->text, key);
    buf_putc(&print->text, ' ');
    buf_append(&print->text, value);
    buf_putc(&print->text, '\n');
    return true;
}

static void
reads_what_it_prints(struct slice text)
{
    struct print first = { 0 }, second = { 0 };
    struct buf errors = { 0 };

    table_text_each(text, SLICE_OF("t"), on_line, &first, &errors);
    buf_clear(&errors);
    check(
        table_text_each(buf_slice(&first.text), SLICE_OF("t"), on_line, &second,
                        &errors) ||
        slice_starts_nocase(buf_slice(&first.text), SLICE_OF("\xEF\xBB\xBF")));
    check(errors.len != 0 ||
          slice_equal(buf_slice(&first.text), buf_slice(&second.text)));
    buf_free(&first.text);
    buf_free(&second.text);
    buf_free(&errors);
}

/* An entry that load has let pass: the long way agrees with the short one. */
static bool
on_alias(void *ctx, struct slice key, struct slice value, unsigned line)
{
    struct arena arena = { 0 };
    struct alias_value parsed;
    struct slice culprit;
    struct smtp_path path;

    (void)ctx;
    (void)line;
    if (slice_find(key, '@') == key.len) {
        check(smtp_domain_is_valid(key)); /* a virtual alias domain */
        arena_free(&arena);
        return true;
    }
    if (key.ptr[0] != '@') {
        check(smtp_address_parse(key, &arena, &path));
        check(slice_equal_nocase(path.text, key));
        check(path.local.len <= ALIAS_LOCAL_MAX);
    }
    check(alias_value_parse(value, &arena, &parsed, &culprit) == NULL);
    for (size_t i = 0; i < parsed.target_count; i++) {
        struct slice text = parsed.targets[i].text;
        check(text.len == 0
                  ? i == 0
                  : alias_target_problem(text, &arena, &path) == NULL);
    }
    arena_free(&arena);
    return true;
}

static void
aliases_are_aliases(struct slice text)
{
    struct buf errors = { 0 };
    struct table *table =
        table_from_text(text, SLICE_OF("t"), TABLE_ALIASES, &errors);

    check((table == NULL) == (errors.len != 0));
    if (table != NULL)
        table_each(table, on_alias, NULL);
    table_unref(table);
    buf_free(&errors);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };

    reads_what_it_prints(text);
    aliases_are_aliases(text);
    return 0;
}
