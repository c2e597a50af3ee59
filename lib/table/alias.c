#include "backend.h"

#include "entries.h"

#include <string.h>

/* ---- the address ------------------------------------------------------- */

bool
alias_try_lower(struct slice s, struct arena *arena, struct slice *lower)
{
    char *to = arena_try(arena, s.len + 1);

    if (to == NULL)
        return false;
    for (size_t i = 0; i < s.len; i++)
        to[i] = ascii_lower(s.ptr[i]);
    *lower = (struct slice){ to, s.len };
    return true;
}

bool
alias_subject_make(const struct smtp_path *address, struct arena *arena,
                   struct alias_subject *subject)
{
    struct slice written;

    *subject = (struct alias_subject){ .local = address->local };
    if (!alias_try_lower(address->local, arena, &subject->local_lower) ||
        !alias_try_lower(address->domain, arena, &written))
        return false;
    /* Literals, and what is not IDNA, are looked for as they are. */
    subject->domain = written;
    if (written.ptr[0] != '[' &&
        smtp_domain_read(written, arena, &subject->domain) ==
            SMTP_DOMAIN_NO_MEMORY)
        return false;
    if (!slice_equal(subject->domain, written))
        subject->written = written;
    return true;
}

enum alias_status
alias_path_make(struct slice local, struct slice domain, struct arena *arena,
                struct smtp_path *path)
{
    struct buf text = { 0 };

    if (local.len == 0 || local.len > ALIAS_LOCAL_MAX)
        return ALIAS_BAD_CAPTURE;
    if (!buf_try_reserve(&text, 2 * local.len + domain.len + 4))
        return ALIAS_ERROR;
    smtp_local_print(local, &text);
    buf_putc(&text, '@');
    buf_append(&text, domain);
    /* Read, not made: reading tells a bad address from no memory. */
    struct slice in = buf_slice(&text);
    enum smtp_path_status status =
        smtp_path_read(&in, SMTP_FORWARD_PATH, arena, path);
    bool whole = in.len == 0;
    buf_free(&text);
    switch (status) {
    case SMTP_PATH_OK:
        return whole ? ALIAS_HIT : ALIAS_BAD_CAPTURE;
    case SMTP_PATH_BAD:
        return ALIAS_BAD_CAPTURE;
    case SMTP_PATH_NO_MEMORY:
        break;
    }
    return ALIAS_ERROR;
}

/* ---- keys of a table --------------------------------------------------- */

/*
 * virtual(5) asks for user+ext@domain, user@domain, @domain. A domain that is
 * not ASCII is asked for as A-labels, then as written: which of the two a
 * table holds is its author's choice.
 */
enum {
    KEY_FULL,
    KEY_FULL_WRITTEN,
    KEY_BARE,
    KEY_BARE_WRITTEN,
    KEY_DOMAIN,
    KEY_DOMAIN_WRITTEN,
    KEYS,
};

/* Addresses that Postfix does not split whatever the delimiter is, because it
 * might be a hyphen (split_addr, own addresses of mailing lists). */
static bool
is_never_split(struct slice local, struct slice delimiters)
{
    if (slice_equal_nocase(local, SLICE_OF("mailer-daemon")) ||
        slice_equal_nocase(local, SLICE_OF("double-bounce")))
        return true;
    return slice_find(delimiters, '-') != delimiters.len &&
           (slice_starts_nocase(local, SLICE_OF("owner-")) ||
            slice_ends_nocase(local, SLICE_OF("-request")));
}

/* Length of the local part without its extension. */
static size_t
bare_len(struct slice local, struct slice delimiters)
{
    size_t i = 0;

    while (i < local.len &&
           slice_find(delimiters, local.ptr[i]) == delimiters.len)
        i++;
    return i == 0 || is_never_split(local, delimiters) ? local.len : i;
}

/* Key number n; empty: there is none. False: memory is gone. */
static bool
make_key(const struct alias_subject *subject, size_t bare, unsigned n,
         struct arena *arena, struct slice *key)
{
    struct slice domain = n % 2 == 0 ? subject->domain : subject->written;
    struct slice local = subject->local_lower;
    struct buf text = { 0 };

    *key = (struct slice){ 0 };
    if (domain.len == 0)
        return true;
    if (n == KEY_BARE || n == KEY_BARE_WRITTEN) {
        if (bare == local.len)
            return true;
        local = slice_head(local, bare);
    }
    if (!buf_try_reserve(&text, 2 * local.len + domain.len + 4))
        return false;
    if (n < KEY_DOMAIN)
        smtp_local_print(local, &text);
    buf_putc(&text, '@');
    buf_append(&text, domain);
    bool copied = arena_try_copy(arena, buf_slice(&text), key);
    buf_free(&text);
    return copied;
}

/* ---- values ------------------------------------------------------------ */

/* The target as virtual(5) completes it: "@other" takes the local part over,
 * and an extension that the key did not hold is carried on. */
static enum alias_status
complete_target(const struct alias_subject *subject, struct slice extension,
                struct arena *arena, struct smtp_path *target)
{
    struct buf local = { 0 };

    if (target->local.len == 0 && target->text.len == 0) {
        if (!alias_text_is_plain(subject->local))
            return ALIAS_BAD_CAPTURE;
        return alias_path_make(subject->local, target->domain, arena, target);
    }
    if (extension.len == 0)
        return ALIAS_HIT;
    if (!alias_text_is_plain(extension))
        return ALIAS_BAD_CAPTURE;
    enum alias_status status = ALIAS_ERROR;
    if (buf_try_append(&local, target->local) &&
        buf_try_append(&local, extension))
        status =
            alias_path_make(buf_slice(&local), target->domain, arena, target);
    buf_free(&local);
    return status;
}

static enum alias_status
take_value(const struct alias_subject *subject, struct slice extension,
           struct slice text, struct arena *arena, struct alias_hit *hit)
{
    struct alias_value value;
    struct slice culprit;

    if (!arena_try_copy(arena, text, &text) ||
        alias_value_parse(text, arena, &value, &culprit) != NULL)
        return ALIAS_ERROR;
    hit->action = value.action;
    hit->reply = value.reply;
    hit->targets = value.targets;
    hit->target_count = value.target_count;
    for (size_t i = 0; i < value.target_count; i++) {
        enum alias_status status =
            complete_target(subject, extension, arena, &value.targets[i]);
        if (status != ALIAS_HIT)
            return status;
    }
    return ALIAS_HIT;
}

static bool
make_origin(const struct table *table, unsigned line, struct arena *arena,
            struct slice *origin)
{
    struct buf text = { 0 };

    *origin = table->spec;
    if (line == 0)
        return true;
    buf_append(&text, table->spec);
    buf_printf(&text, ":%u", line);
    bool copied = arena_try_copy(arena, buf_slice(&text), origin);
    buf_free(&text);
    return copied;
}

/* ---- one table --------------------------------------------------------- */

/* An answer that was fetched counts as what the table would have said. */
static enum table_status
ask_table(const struct table_meter *meter, const struct table *table,
          struct slice key, const struct table_answer *answer,
          struct buf *value, unsigned *line)
{
    if (answer == NULL)
        return table_get_metered(meter, table, key, value, line);
    if (answer->status != TABLE_FOUND)
        return answer->status;
    buf_clear(value);
    return buf_try_append(value, answer->value) ? TABLE_FOUND : TABLE_ERROR;
}

static enum alias_status
find_key(const struct table_meter *meter, const struct table *table,
         const struct alias_subject *subject, struct slice key,
         struct slice extension, const struct table_answer *answer,
         struct arena *arena, struct alias_hit *hit, struct table_query *query)
{
    enum alias_status status = ALIAS_ERROR;
    struct buf value = { 0 };
    unsigned line = 0;

    switch (ask_table(meter, table, key, answer, &value, &line)) {
    case TABLE_FOUND:
        *hit = (struct alias_hit){ .rule = key };
        if (make_origin(table, line, arena, &hit->origin))
            status =
                take_value(subject, extension, buf_slice(&value), arena, hit);
        break;
    case TABLE_MISS:
        status = ALIAS_NONE;
        break;
    case TABLE_ASK:
        *query = (struct table_query){ .table = table, .key = key };
        status = ALIAS_ASK;
        break;
    case TABLE_BUSY:
        status = ALIAS_BUSY;
        break;
    case TABLE_ERROR:
        break;
    }
    buf_free(&value);
    return status;
}

static enum alias_status
find_in_table(const struct alias_list *list, const struct table *table,
              const struct alias_subject *subject, struct alias_cursor *cursor,
              const struct table_answer *answer, struct arena *arena,
              struct alias_hit *hit, struct table_query *query)
{
    size_t bare = bare_len(subject->local_lower, list->delimiters);

    for (; cursor->key < KEYS; cursor->key++) {
        unsigned n = cursor->key;
        bool is_bare = n == KEY_BARE || n == KEY_BARE_WRITTEN;
        struct slice extension =
            is_bare ? slice_tail(subject->local, bare) : SLICE_OF("");
        struct slice key;
        if (!make_key(subject, bare, n, arena, &key))
            return ALIAS_ERROR;
        if (key.len == 0)
            continue;
        enum alias_status status =
            find_key(list->meter, table, subject, key, extension, answer, arena,
                     hit, query);
        answer = NULL; /* it was the answer to this key */
        if (status != ALIAS_NONE)
            return status;
    }
    return ALIAS_NONE;
}

enum alias_status
alias_find(const struct alias_list *list, const struct smtp_path *address,
           struct alias_cursor *cursor, const struct table_answer *answer,
           struct arena *arena, struct alias_hit *hit,
           struct table_query *query)
{
    struct alias_subject subject;

    if (address->domain.len == 0)
        return ALIAS_NONE;
    if (!alias_subject_make(address, arena, &subject))
        return ALIAS_ERROR;
    for (; cursor->entry < list->count; cursor->entry++, cursor->key = 0) {
        const struct alias_entry *entry = &list->entries[cursor->entry];
        enum alias_status status;
        if (entry->rule != NULL) {
            status = alias_rule_find(entry->rule, &subject, arena, hit);
            if (status != ALIAS_NONE)
                hit->origin = entry->origin;
        } else {
            status = find_in_table(list, entry->table, &subject, cursor, answer,
                                   arena, hit, query);
        }
        answer = NULL;
        if (status != ALIAS_NONE)
            return status;
    }
    return ALIAS_NONE;
}
