/* local_domains, aliases and domain_map: names, rules and tables in order. */
#include "build.h"

#include <string.h>

const char *
conf_domain(const struct conf_reading *r, struct slice text,
            struct slice *ascii)
{
    if (slice_find(text, '$') < text.len)
        return "holds a $, and nothing is put in its place; write the name "
               "itself";
    if (slice_find(text, '@') < text.len)
        return "is an address; write the domain only";
    if (text.len != 0 && (text.ptr[0] == '.' || text.ptr[0] == '*'))
        return "is a pattern; write each domain out, or use a table";
    if (!smtp_domain_is_valid(text) ||
        !smtp_domain_to_ascii(text, r->arena, ascii))
        return "is not a domain name";
    return NULL;
}

/* "NAME:LINE: ..." */
static bool
has_line_number(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        size_t digits = i + 1;
        if (line.ptr[i] != ':')
            continue;
        while (digits < line.len && ascii_is_digit(line.ptr[digits]))
            digits++;
        if (digits > i + 1 && digits + 1 < line.len &&
            line.ptr[digits] == ':' && line.ptr[digits + 1] == ' ')
            return true;
        if (digits < line.len && line.ptr[digits] == ' ')
            return false;
    }
    return false;
}

/* A table's complaints: those about its lines stand for themselves, those
 * about the file as a whole name the line that mentions it. */
static void
report_table(const struct conf_reading *r, const struct conf_node *node,
             struct slice lines)
{
    while (lines.len != 0) {
        struct slice line = slice_cut(&lines, '\n');
        if (line.len == 0)
            continue;
        if (has_line_number(line))
            problem_add_lines(r->errors, line);
        else
            conf_error(r, node, NULL, "%s", arena_cstr(r->arena, line));
    }
}

static struct table *
open_table(const struct conf_reading *r, const struct conf_node *node,
           struct slice spec, enum table_use use, struct table *before)
{
    struct buf errors = { 0 };
    struct table *table =
        table_open(spec, use, before, r->inputs->now, &errors);

    report_table(r, node, buf_slice(&errors));
    buf_free(&errors);
    return table;
}

static struct table *
domains_before(const struct domain_list *before, struct slice spec)
{
    for (size_t i = 0; before != NULL && i < before->count; i++)
        if (before->entries[i].table != NULL &&
            slice_equal(before->entries[i].table->spec, spec))
            return before->entries[i].table;
    return NULL;
}

static bool
build_pair(const struct conf_reading *r, const struct conf_node *group,
           struct domain_entry *entry)
{
    struct conf_got from = conf_get(r, group, "srs.domain_map[].from");
    struct conf_got to = conf_get(r, group, "srs.domain_map[].to");
    const char *why;

    if (conf_is_missing(group, "srs.domain_map[].from"))
        conf_error(r, group, "from", "is missing: an alias domain");
    if (conf_is_missing(group, "srs.domain_map[].to"))
        conf_error(r, group, "to", "is missing: its SRS domain");
    if (from.node == NULL || to.node == NULL)
        return false;
    why = conf_domain(r, from.text, &entry->name);
    if (why != NULL)
        conf_error(r, from.node, NULL, "%s %s", conf_quote(r, from.text), why);
    why = conf_domain(r, to.text, &entry->to);
    if (why == NULL && slice_find(to.text, '.') == to.text.len)
        why = "has no dot, so bounces could not find their way to it; write a "
              "domain whose MX is this Postfix, such as \"srs.example.org\"";
    if (why != NULL)
        conf_error(r, to.node, NULL, "%s %s", conf_quote(r, to.text), why);
    return why == NULL;
}

static bool
build_entry(const struct conf_reading *r, const struct conf_node *node,
            enum table_use use, const struct domain_list *before,
            struct domain_entry *entry)
{
    struct slice text;

    if (node->kind == NODE_GROUP)
        return build_pair(r, node, entry);
    if (!conf_element(node, &text))
        return false;
    if (table_spec_is(text)) {
        entry->table =
            open_table(r, node, text, use, domains_before(before, text));
        return entry->table != NULL;
    }
    const char *why =
        use == TABLE_PAIRS
            ? "is not a table; write { from = \"DOMAIN\"; to = \"DOMAIN\"; }"
        : text.len != 0 && text.ptr[0] == '/'
            ? "is a file; write \"texthash:/path\" or \"cdb:/path\""
            : conf_domain(r, text, &entry->name);
    if (why != NULL)
        conf_error(r, node, NULL, "%s %s", conf_quote(r, text), why);
    return why == NULL;
}

void
conf_build_domains(const struct conf_reading *r, const char *name,
                   enum table_use use, const struct domain_list *before,
                   struct domain_list *list)
{
    struct conf_got got = conf_get(r, NULL, name);

    if (got.node == NULL)
        return;
    list->entries =
        arena_alloc(r->arena, (got.node->count + 1) * sizeof(list->entries[0]));
    for (const struct conf_node *n = got.node->first; n != NULL; n = n->next)
        if (build_entry(r, n, use, before, &list->entries[list->count]))
            list->count++;
}

size_t
conf_postfix_domains(const struct conf_reading *r, struct arena *arena,
                     struct slice **names)
{
    enum {
        MYDESTINATION = 4,
        VIRTUAL_MAILBOX_DOMAINS = 5
    };
    size_t count = 0;
    size_t room = 0;

    *names = NULL;
    for (size_t i = MYDESTINATION; i <= VIRTUAL_MAILBOX_DOMAINS; i++)
        room += r->postfix[i].len / 2 + 1;
    if (!r->postfix_known)
        return 0;
    *names = arena_alloc(arena, room * sizeof(**names));
    for (size_t i = MYDESTINATION; i <= VIRTUAL_MAILBOX_DOMAINS; i++) {
        struct slice rest = r->postfix[i];
        while (rest.len != 0) {
            size_t end = 0;
            while (end < rest.len && memchr(", \t", rest.ptr[end], 3) == NULL)
                end++;
            struct slice name = slice_head(rest, end);
            rest = slice_tail(rest, end + 1);
            /* TYPE:TABLE, /FILE and !NAME are no domains. */
            if (conf_domain(r, name, &name) == NULL)
                (*names)[count++] = name;
        }
    }
    return count;
}

static void
build_local_domains(const struct conf_reading *r, struct conf *conf)
{
    const struct conf *before = r->inputs->before;
    struct domain_list *list = &conf->forward.local_domains;
    struct slice *names;

    conf_build_domains(r, "forward.local_domains", TABLE_DOMAINS,
                       before == NULL ? NULL : &before->forward.local_domains,
                       list);
    if (conf_written(r, "forward.local_domains") != NULL)
        return;
    list->count = conf_postfix_domains(r, r->arena, &names);
    list->entries =
        arena_alloc(r->arena, (list->count + 1) * sizeof(list->entries[0]));
    for (size_t i = 0; i < list->count; i++)
        list->entries[i].name = names[i];
}

static bool
build_rule(const struct conf_reading *r, const struct conf_node *group,
           struct alias_entry *entry)
{
    struct conf_got match = conf_get(r, group, "forward.aliases[].match");
    struct conf_got regex = conf_get(r, group, "forward.aliases[].regex");
    struct conf_got to = conf_get(r, group, "forward.aliases[].to");
    struct conf_got reply = conf_get(r, group, "forward.aliases[].reply");
    struct conf_got action = conf_get(r, group, "forward.aliases[].action");
    static const char *const names[] = { "match", "regex", "to", "reply",
                                         "action" };
    const struct conf_got *got[] = { &match, &regex, &to, &reply, &action };
    struct alias_rule_spec spec = {
        .match = match.text,
        .regex = regex.text,
        .action = (enum alias_action)action.number,
        .reply = reply.text,
    };
    const char *field = NULL;
    struct buf why = { 0 };

    /* A setting whose type is wrong was reported, and is not "missing". */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (got[i]->node == NULL &&
            conf_node_member(group, slice_from(names[i])) != NULL)
            return false;
    if (to.node != NULL) {
        struct slice *targets =
            arena_alloc(r->arena, (to.node->count + 1) * sizeof(*targets));
        for (const struct conf_node *n = to.node->first; n != NULL; n = n->next)
            if (!conf_element(n, &targets[spec.to_count++]))
                return false;
        spec.to = targets;
    }
    entry->rule = alias_rule_new(&spec, r->arena, &field, &why);
    if (entry->rule == NULL) {
        const struct conf_node *at = conf_node_member(group, slice_from(field));
        conf_error(r, at != NULL ? at : group, at != NULL ? NULL : field, "%s",
                   buf_cstr(&why));
    }
    buf_free(&why);
    return entry->rule != NULL;
}

static struct table *
aliases_before(const struct conf *before, struct slice spec)
{
    const struct alias_list *list =
        before == NULL ? NULL : &before->forward.aliases;

    for (size_t i = 0; list != NULL && i < list->count; i++)
        if (list->entries[i].table != NULL &&
            slice_equal(list->entries[i].table->spec, spec))
            return list->entries[i].table;
    return NULL;
}

static bool
build_alias(const struct conf_reading *r, const struct conf_node *node,
            struct alias_entry *entry)
{
    struct buf origin = { 0 };
    struct slice text;

    buf_append(&origin, node->place.file);
    buf_printf(&origin, ":%u", node->place.line);
    entry->origin = arena_copy(r->arena, buf_slice(&origin));
    buf_free(&origin);
    if (node->kind == NODE_GROUP)
        return build_rule(r, node, entry);
    if (!conf_element(node, &text))
        return false;
    if (table_spec_is(text)) {
        entry->table = open_table(r, node, text, TABLE_ALIASES,
                                  aliases_before(r->inputs->before, text));
        return entry->table != NULL;
    }
    conf_error(r, node, NULL,
               "%s is neither a rule { match = ...; to = ...; } nor a table "
               "\"texthash:/path\"",
               conf_quote(r, text));
    return false;
}

void
conf_build_forward(const struct conf_reading *r, struct conf *conf)
{
    struct conf_got got = conf_get(r, NULL, "forward.aliases");
    struct alias_list *list = &conf->forward.aliases;
    const struct conf *before = r->inputs->before;

    build_local_domains(r, conf);
    conf_build_domains(r, "forward.alias_domains", TABLE_DOMAINS,
                       before == NULL ? NULL : &before->forward.alias_domains,
                       &conf->forward.alias_domains);
    list->delimiters = arena_copy(
        r->arena, conf_get(r, NULL, "forward.recipient_delimiter").text);
    conf->forward.max_targets =
        (unsigned)conf_get(r, NULL, "forward.max_targets").number;
    conf->forward.original_to = conf_get(r, NULL, "forward.original_to").truth;
    if (got.node == NULL)
        return;
    list->entries =
        arena_alloc(r->arena, (got.node->count + 1) * sizeof(list->entries[0]));
    for (const struct conf_node *n = got.node->first; n != NULL; n = n->next)
        if (build_alias(r, n, &list->entries[list->count]))
            list->count++;
}
