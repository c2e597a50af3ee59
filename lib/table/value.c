#include "entries.h"

#include "smtp.h"

#include <string.h>

static const struct action {
    struct slice prefix;
    enum alias_action action;
} actions[] = {
    { SLICE("reject:"), ALIAS_REJECT },
    { SLICE("defer:"), ALIAS_DEFER },
    { SLICE("discard:"), ALIAS_DISCARD },
};

bool
alias_text_is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (ascii_is_control(text.ptr[i]) || text.ptr[i] == '%' ||
            text.ptr[i] == '!' || text.ptr[i] == '@')
            return false;
    return true;
}

static bool
is_separator(char c)
{
    return c == ',' || c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next item, quoted strings kept whole. False: there is none. */
static bool
next_item(struct slice *rest, struct slice *item)
{
    bool quoted = false;
    size_t i = 0;

    while (rest->len != 0 && is_separator(rest->ptr[0]))
        *rest = slice_tail(*rest, 1);
    for (; i < rest->len; i++) {
        if (rest->ptr[i] == '\\' && i + 1 < rest->len)
            i++;
        else if (rest->ptr[i] == '"')
            quoted = !quoted;
        else if (!quoted && is_separator(rest->ptr[i]))
            break;
    }
    *item = slice_head(*rest, i);
    *rest = slice_tail(*rest, i);
    return item->len != 0;
}

static bool
is_domain(struct slice domain)
{
    return smtp_domain_is_valid(domain) || smtp_literal_is_valid(domain);
}

const char *
alias_target_problem(struct slice text, struct arena *arena,
                     struct smtp_path *path)
{
    if (text.len != 0 && text.ptr[0] == '|')
        return "is a command; only addresses are targets";
    if (text.len != 0 && text.ptr[0] == '/')
        return "is a file; only addresses are targets";
    if (slice_starts_nocase(text, SLICE_OF(":include:")))
        return "is an include; only addresses are targets";
    if (text.len >= 2 && text.ptr[0] == '"' &&
        (text.ptr[1] == '|' || text.ptr[1] == '/'))
        return "is a command or a file; only addresses are targets";
    if (slice_find(text, '@') == text.len)
        return "has no domain";
    if (!smtp_address_parse(text, arena, path))
        return "is not an address";
    if (path->local.len > ALIAS_LOCAL_MAX)
        return "has a local part of more than 64 octets";
    /* Paths are read leniently, for strangers; what an administrator writes
     * may be held to the rules. */
    if (!is_domain(path->domain))
        return "has a bad domain";
    return NULL;
}

const char *
alias_reply_problem(enum alias_action action, struct slice reply)
{
    struct smtp_reply parsed;

    if (reply.len == 0)
        return NULL;
    if (action == ALIAS_FORWARD || action == ALIAS_DISCARD)
        return "is a reply, which belongs to reject or defer";
    if (reply.len > SMTP_REPLY_LINE_MAX - 2)
        return "is a reply of more than 510 octets";
    if (!smtp_reply_parse_setting(reply, &parsed))
        return "is no reply; write \"550 5.1.6 text\", 4xx or 5xx";
    if (action == ALIAS_DEFER && parsed.code >= 500)
        return "is a 5xx reply; defer wants 4xx";
    return NULL;
}

static const char *
parse_action(struct slice value, const struct action *action,
             struct alias_value *result, struct slice *culprit)
{
    result->action = action->action;
    result->reply = slice_trim(slice_tail(value, action->prefix.len));
    *culprit = result->reply;
    return alias_reply_problem(result->action, result->reply);
}

static size_t
count_items(struct slice value)
{
    struct slice item;
    size_t count = 0;

    while (next_item(&value, &item))
        count++;
    return count;
}

static const char *
parse_target(struct slice item, bool first, struct arena *arena,
             struct smtp_path *path)
{
    if (item.ptr[0] != '@')
        return alias_target_problem(item, arena, path);
    /* virtual(5): "works only for the first address". */
    if (!first)
        return "must be the first target";
    if (!is_domain(slice_tail(item, 1)))
        return "is not a domain";
    *path = (struct smtp_path){ .domain = slice_tail(item, 1) };
    return NULL;
}

const char *
alias_value_parse(struct slice value, struct arena *arena,
                  struct alias_value *result, struct slice *culprit)
{
    struct slice item;

    *result = (struct alias_value){ .action = ALIAS_FORWARD };
    *culprit = value;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (slice_starts_nocase(value, actions[i].prefix))
            return parse_action(value, &actions[i], result, culprit);

    size_t count = count_items(value);
    if (count == 0)
        return "names no target";
    result->targets = arena_try(arena, count * sizeof(*result->targets));
    if (result->targets == NULL)
        return "is too much for the memory";
    while (next_item(&value, &item)) {
        *culprit = item;
        const char *problem =
            parse_target(item, result->target_count == 0, arena,
                         &result->targets[result->target_count]);
        if (problem != NULL)
            return problem;
        result->target_count++;
    }
    return NULL;
}

/*
 * "example.org anything" announces a virtual alias domain to Postfix
 * (virtual(5)) and stands in many of its files. It is no alias; but a key
 * that only lost its "@" is an error, so the value may not be an address.
 */
static bool
is_domain_line(struct slice key, struct slice value)
{
    return slice_find(key, '.') != key.len && smtp_domain_is_valid(key) &&
           slice_find(value, '@') == value.len &&
           slice_find(value, ':') == value.len;
}

static const char *
key_problem(struct slice key, struct arena *arena)
{
    struct smtp_path path;

    if (slice_ends_nocase(key, SLICE_OF(":")))
        return "ends with a colon, as in aliases(5); write user@domain";
    if (key.len != 0 && key.ptr[0] == '@')
        return is_domain(slice_tail(key, 1)) ? NULL : "is not a domain";
    if (slice_find(key, '@') == key.len)
        return "is no key: write user@domain or @domain";
    if (!smtp_address_parse(key, arena, &path))
        return "is not an address";
    if (path.local.len > ALIAS_LOCAL_MAX)
        return "has a local part of more than 64 octets";
    /* A look-up is made with the canonical form only. */
    if (!slice_equal_nocase(path.text, key))
        return "is quoted where it need not be and would never be found";
    return NULL;
}

/*
 * Nearly all addresses are letters, digits and a few signs around dots; one
 * pass tells. This decides nothing: what is not as plain is read in full. It
 * halves the time in which a table of a million aliases is loaded.
 */
static bool
is_plain_address(const char **at, const char *end)
{
    const char *label = *at; /* or atom: where the part at hand began */
    const char *domain = NULL;
    const char *start = *at;
    const char *p = *at;

    for (; p < end; p++) {
        char c = *p;
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                         (c >= 'A' && c <= 'Z');
        if (is_letter || (c == '-' && p != label) ||
            (domain == NULL && (c == '_' || c == '+' || c == '=')))
            continue;
        bool ends = c == '.' || (c == '@' && domain == NULL);
        if (!ends)
            break;
        if (p == label || p[-1] == '-' || p - label > 63)
            return false;
        label = p + 1;
        if (c == '@')
            domain = label;
    }
    *at = p;
    return domain != NULL && domain - 1 - start <= ALIAS_LOCAL_MAX &&
           p != label && p[-1] != '-' && p - label <= 63 && p - domain <= 255 &&
           (p == end || is_separator(*p));
}

static bool
is_plain_entry(struct slice key, struct slice value)
{
    const char *at = key.ptr;
    const char *end = key.ptr + key.len;

    if (!is_plain_address(&at, end) || at != end)
        return false;
    at = value.ptr;
    end = value.ptr + value.len;
    while (at < end) {
        if (!is_plain_address(&at, end))
            return false;
        while (at < end && is_separator(*at))
            at++;
    }
    return true;
}

const char *
alias_entry_problem(struct slice key, struct slice value, struct arena *arena,
                    struct slice *culprit)
{
    struct alias_value parsed;

    if (is_plain_entry(key, value) || is_domain_line(key, value))
        return NULL;
    *culprit = key;
    const char *problem = key_problem(key, arena);
    if (problem != NULL)
        return problem;
    return alias_value_parse(value, arena, &parsed, culprit);
}

const char *
table_alias_problem(struct slice key, struct slice value)
{
    struct arena arena = { 0 };
    struct slice culprit;
    const char *problem = alias_entry_problem(key, value, &arena, &culprit);

    arena_free(&arena);
    return problem;
}
