#include "scalar.h"

#include <stdlib.h>
#include <string.h>

/* ---- names, types and ranges ------------------------------------------- */

static void
report_unknown(struct conf_reading *r, const struct conf_node *node,
               struct slice group)
{
    const struct conf_setting *near = conf_setting_nearest(group, node->name);

    if (near == NULL)
        conf_error(r, node, NULL, "unknown setting");
    else if (slice_equal(conf_setting_group(near), group))
        conf_error(r, node, NULL, "unknown setting; did you mean \"%.*s\"?",
                   SLICE_ARG(conf_setting_leaf(near)));
    else
        conf_error(r, node, NULL, "unknown setting; did you mean \"%s\"?",
                   near->name);
}

static void
check_strings(struct conf_reading *r, const struct conf_node *list)
{
    for (const struct conf_node *n = list->first; n != NULL; n = n->next) {
        const char *problem = NULL;
        if (n->kind != NODE_STRING) {
            conf_error(r, n, NULL, "%.*s is %s, a string is wanted%s",
                       SLICE_ARG(slice_head(n->literal, 100)),
                       conf_node_kind_text(n->kind),
                       n->kind == NODE_NUMBER ? " in quotes" : "");
            continue;
        }
        if (n->literals > 1)
            problem = "strings side by side in a list; put a comma between "
                      "them";
        else
            problem = conf_string_problem(r, n);
        if (problem != NULL)
            conf_error(r, n, NULL, "%s", problem);
    }
}

static void check_members(struct conf_reading *r, const struct conf_node *group,
                          struct slice name);

/* A list of groups; where the table has no members for it or a string may
 * stand beside them, strings. */
static void
check_list(struct conf_reading *r, const struct conf_node *list,
           const struct conf_setting *setting)
{
    struct buf name = { 0 };
    bool strings =
        !slice_equal(slice_from(setting->name), SLICE_OF("listeners"));

    buf_puts(&name, setting->name);
    buf_puts(&name, "[]");
    for (const struct conf_node *n = list->first; n != NULL; n = n->next) {
        const char *problem = NULL;
        if (n->kind == NODE_GROUP) {
            check_members(r, n, buf_slice(&name));
            continue;
        }
        if (n->kind != NODE_STRING || !strings) {
            conf_error(r, n, NULL, "%.*s is %s, a group { }%s is wanted",
                       SLICE_ARG(slice_head(n->literal, 100)),
                       conf_node_kind_text(n->kind),
                       strings ? " or the string of a table" : "");
            continue;
        }
        if (n->literals > 1)
            problem = "strings side by side in a list; put a comma between "
                      "them";
        else
            problem = conf_string_problem(r, n);
        if (problem != NULL)
            conf_error(r, n, NULL, "%s", problem);
    }
    buf_free(&name);
}

static void
check_setting(struct conf_reading *r, const struct conf_node *node,
              const struct conf_setting *setting)
{
    struct conf_got got;
    struct buf why = { 0 };

    if (!conf_scalar_read(r, setting, node, &got, &why))
        conf_error(r, node, NULL, "%s", buf_cstr(&why));
    else if (setting->type == CONF_GROUP)
        check_members(r, node, slice_from(setting->name));
    else if (setting->type == CONF_STRINGS)
        check_strings(r, node);
    else if (setting->type == CONF_LIST)
        check_list(r, node, setting);
    buf_free(&why);
}

static void
check_members(struct conf_reading *r, const struct conf_node *group,
              struct slice name)
{
    struct buf full = { 0 };

    for (const struct conf_node *n = group->first; n != NULL; n = n->next) {
        buf_clear(&full);
        buf_append(&full, name);
        if (name.len != 0)
            buf_putc(&full, '.');
        buf_append(&full, n->name);
        const struct conf_setting *s = conf_setting_find(buf_slice(&full));
        if (s == NULL)
            report_unknown(r, n, name);
        else
            check_setting(r, n, s);
    }
    buf_free(&full);
}

void
conf_reading_check(struct conf_reading *r)
{
    check_members(r, r->root, SLICE_OF(""));
}

/* ---- values ------------------------------------------------------------ */

void
conf_reading_postfix(struct conf_reading *r, struct slice output)
{
    r->postfix_known = output.ptr != NULL;
    for (size_t i = 0; r->postfix_known && i < CONF_POSTFIX_NAMES; i++)
        r->postfix[i] = slice_trim(slice_cut(&output, '\n'));
}

const struct conf_node *
conf_written(const struct conf_reading *r, const char *name)
{
    struct slice rest = slice_from(name);
    const struct conf_node *node = r->root;

    while (node != NULL && rest.len != 0) {
        if (node->kind != NODE_GROUP)
            return NULL;
        node = conf_node_member(node, slice_cut(&rest, '.'));
    }
    return node;
}

bool
conf_is_missing(const struct conf_node *group, const char *name)
{
    const struct conf_setting *setting = conf_setting_find(slice_from(name));
    struct slice prefix = conf_setting_group(setting);

    for (const struct conf_node *n = group->first; n != NULL; n = n->next) {
        const struct conf_setting *near = conf_setting_nearest(prefix, n->name);
        if (near == setting)
            return false;
    }
    return true;
}

bool
conf_element(const struct conf_node *element, struct slice *text)
{
    *text = element->string;
    return element->kind == NODE_STRING && element->literals <= 1;
}

/* What Postfix says for a setting that is not written. */
static bool
postfix_value(const struct conf_reading *r, const struct conf_setting *setting,
              struct conf_got *got)
{
    static const struct {
        const char *setting;
        size_t index; /* in conf_postfix_names */
    } known[] = {
        { "hostname", 0 },
        { "forward.recipient_delimiter", 1 },
        { "limits.message_size", 2 },
        { "limits.recipients", 3 },
    };

    if (!r->postfix_known)
        return false;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].setting, setting->name) == 0)
            return conf_scalar_from_text(setting, r->postfix[known[i].index],
                                         got);
    return false;
}

struct conf_got
conf_get(const struct conf_reading *r, const struct conf_node *group,
         const char *name)
{
    const struct conf_setting *setting = conf_setting_find(slice_from(name));
    struct conf_got got = { 0 };
    struct buf why = { 0 };

    if (setting == NULL)
        abort(); /* a name that is not in the table */
    const struct conf_node *node =
        group == NULL ? conf_written(r, name)
                      : conf_node_member(group, conf_setting_leaf(setting));
    bool ok = node != NULL && conf_scalar_read(r, setting, node, &got, &why);
    buf_free(&why);
    if (ok)
        return got;
    got = (struct conf_got){ .origin = FROM_POSTFIX };
    if (node == NULL && postfix_value(r, setting, &got))
        return got;
    got = (struct conf_got){ .origin = FROM_DEFAULT };
    if (setting->fallback != NULL)
        conf_scalar_from_text(setting, slice_from(setting->fallback), &got);
    return got;
}

/* ---- messages ---------------------------------------------------------- */

const char *
conf_quote(const struct conf_reading *r, struct slice text)
{
    return problem_quote(r->arena, text);
}

void
conf_error(const struct conf_reading *r, const struct conf_node *node,
           const char *member, const char *format, ...)
{
    struct slice path = conf_node_path(node, r->arena);
    struct buf name = { 0 };
    va_list args;

    buf_append(&name, path);
    if (member != NULL)
        buf_printf(&name, "%s%s", path.len == 0 ? "" : ".", member);
    va_start(args, format);
    problem_vadd(r->errors, node->place, buf_slice(&name), format, args);
    va_end(args);
    buf_free(&name);
}

static struct conf_place
place_of(const struct conf_reading *r, const char *name)
{
    struct buf path = { 0 };
    const struct conf_node *node = conf_written(r, name);

    buf_puts(&path, name);
    while (node == NULL) {
        size_t dot = slice_find_last(buf_slice(&path), '.');
        if (dot == path.len)
            break;
        path.len = dot;
        node = conf_written(r, buf_cstr(&path));
    }
    buf_free(&path);
    /* Not even the group: the file as a whole. */
    struct conf_place place = node != NULL ? node->place : r->root->place;
    if (node == NULL)
        place.line = 1;
    return place;
}

void
conf_error_setting(const struct conf_reading *r, const char *name,
                   const char *format, ...)
{
    va_list args;

    va_start(args, format);
    problem_vadd(r->errors, place_of(r, name), slice_from(name), format, args);
    va_end(args);
}

void
conf_warn_setting(const struct conf_reading *r, const char *name,
                  const char *format, ...)
{
    va_list args;

    va_start(args, format);
    problem_vadd(r->warnings, place_of(r, name), slice_from(name), format,
                 args);
    va_end(args);
}
