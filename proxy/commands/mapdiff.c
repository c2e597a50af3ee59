/* `map diff`: what one table has that another has not. */
#include "map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All entries of a table, sorted. Offsets, because text moves as it grows. */
struct entry {
    size_t key, value; /* where they begin */
    size_t key_len, value_len;
};

struct content {
    struct buf text;
    struct entry *entries;
    size_t count, room;
};

static bool
on_entry(void *ctx, struct slice key, struct slice value, unsigned line)
{
    struct content *content = ctx;

    (void)line;
    if (content->count == content->room) {
        content->room = 2 * content->room + 1024;
        content->entries = mem_realloc(
            content->entries, content->room * sizeof(*content->entries));
    }
    content->entries[content->count++] =
        (struct entry){ .key = content->text.len,
                        .value = content->text.len + key.len,
                        .key_len = key.len,
                        .value_len = value.len };
    buf_append(&content->text, key);
    buf_append(&content->text, value);
    return true;
}

static struct slice
key_of(const struct content *content, const struct entry *entry)
{
    return slice_head(slice_tail(buf_slice(&content->text), entry->key),
                      entry->key_len);
}

static struct slice
value_of(const struct content *content, const struct entry *entry)
{
    return slice_head(slice_tail(buf_slice(&content->text), entry->value),
                      entry->value_len);
}

static int
compare(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int
compare_entries(const struct content *a, const struct entry *x,
                const struct content *b, const struct entry *y)
{
    int order = compare(key_of(a, x), key_of(b, y));

    return order != 0 ? order : compare(value_of(a, x), value_of(b, y));
}

static int
in_order(const void *x, const void *y, void *content)
{
    return compare_entries(content, x, content, y);
}

static int
load(const char *spec, struct content *content)
{
    int status = CLI_OK;
    struct table *table = map_open(spec, &status);

    if (table == NULL)
        return status;
    if (table->kind == TABLE_SOCKETMAP) {
        cli_error("%s: a socketmap tells only what it is asked", spec);
        status = CLI_USAGE;
    } else {
        status = map_each(table, on_entry, content);
    }
    table_unref(table);
    if (content->count != 0)
        qsort_r(content->entries, content->count, sizeof(*content->entries),
                in_order, content);
    return status;
}

static void
print_entry(char sign, const struct content *content, const struct entry *entry)
{
    putchar(sign);
    cli_print_word(stdout, key_of(content, entry));
    putchar('\t');
    cli_print_word(stdout, value_of(content, entry));
    putchar('\n');
}

/* A merge of two sorted lists. A changed value is a line of each sign. */
static int
print_differences(const struct content *a, const struct content *b)
{
    int status = CLI_OK;
    size_t i = 0, j = 0;

    while (i < a->count || j < b->count) {
        int order = i == a->count ? 1
                    : j == b->count
                        ? -1
                        : compare_entries(a, &a->entries[i], b, &b->entries[j]);
        if (order == 0) {
            i++;
            j++;
            continue;
        }
        status = CLI_NO;
        if (order < 0)
            print_entry('-', a, &a->entries[i++]);
        else
            print_entry('+', b, &b->entries[j++]);
    }
    return status;
}

int
map_diff(int argc, char **argv)
{
    struct content a = { 0 }, b = { 0 };

    if (argc != 3)
        return cli_usage(argv[0]);
    int status = load(argv[1], &a);
    if (status == CLI_OK)
        status = load(argv[2], &b);
    if (status == CLI_OK)
        status = print_differences(&a, &b);
    buf_free(&a.text);
    buf_free(&b.text);
    free(a.entries);
    free(b.entries);
    return status;
}
