#include "entries.h"

/* As a table of domains may hold it: A-labels, then as written. */
enum {
    DOMAIN_ASCII,
    DOMAIN_WRITTEN,
    DOMAIN_KEYS
};

static enum table_status
take_answer(enum table_status status, struct slice found, struct arena *arena,
            struct slice *value)
{
    if (status != TABLE_FOUND)
        return status;
    return arena_try_copy(arena, found, value) ? TABLE_FOUND : TABLE_ERROR;
}

static enum table_status
ask(const struct table_meter *meter, const struct table *table,
    struct slice key, const struct table_answer *answer, struct arena *arena,
    struct slice *value, struct table_query *query)
{
    struct buf found = { 0 };
    unsigned line = 0;

    if (answer != NULL)
        return take_answer(answer->status, answer->value, arena, value);
    enum table_status status =
        table_get_metered(meter, table, key, &found, &line);
    if (status == TABLE_ASK)
        *query = (struct table_query){ .table = table, .key = key };
    status = take_answer(status, buf_slice(&found), arena, value);
    buf_free(&found);
    return status;
}

enum table_status
domain_find(const struct domain_list *list, struct slice domain,
            struct alias_cursor *cursor, const struct table_answer *answer,
            struct arena *arena, struct slice *value, struct table_query *query)
{
    struct smtp_path address = { .domain = domain };
    struct alias_subject subject;

    if (domain.len == 0)
        return TABLE_MISS;
    if (!alias_subject_make(&address, arena, &subject))
        return TABLE_ERROR;
    for (; cursor->entry < list->count; cursor->entry++, cursor->key = 0) {
        const struct domain_entry *entry = &list->entries[cursor->entry];
        if (entry->table == NULL) {
            if (!slice_equal(entry->name, subject.domain))
                continue;
            *value = entry->to;
            return TABLE_FOUND;
        }
        for (; cursor->key < DOMAIN_KEYS; cursor->key++) {
            struct slice key =
                cursor->key == DOMAIN_ASCII ? subject.domain : subject.written;
            if (key.len == 0)
                continue;
            enum table_status status = ask(list->meter, entry->table, key,
                                           answer, arena, value, query);
            answer = NULL;
            if (status != TABLE_MISS)
                return status;
        }
    }
    return TABLE_MISS;
}
