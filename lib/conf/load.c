/* The only place that knows libconfig. */
#include "tree.h"

#include <libconfig.h>
#include <string.h>

/* Goes along the tokens while the tree is copied: both are in the order of
 * the text. */
struct copy {
    const struct conf_source *source;
    struct arena *arena;
    size_t at;
};

static enum conf_node_kind
kind_of(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        return NODE_GROUP;
    case CONFIG_TYPE_ARRAY:
    case CONFIG_TYPE_LIST:
        return NODE_LIST;
    case CONFIG_TYPE_STRING:
        return NODE_STRING;
    case CONFIG_TYPE_FLOAT:
        return NODE_FLOAT;
    case CONFIG_TYPE_BOOL:
        return NODE_BOOL;
    default:
        return NODE_NUMBER;
    }
}

static const struct conf_token *
token(const struct copy *copy)
{
    return &copy->source->tokens[copy->at];
}

static void
take(struct copy *copy)
{
    if (token(copy)->kind != TOKEN_END)
        copy->at++;
}

/* Tokens on one line, as a person would write them. */
static struct slice
join(struct copy *copy, size_t from, size_t to)
{
    struct buf text = { 0 };

    for (size_t i = from; i < to; i++) {
        const struct conf_token *t = &copy->source->tokens[i];
        if (i != from && !conf_token_is(t, ';') && !conf_token_is(t, ','))
            buf_putc(&text, ' ');
        buf_append(&text, t->text);
    }
    struct slice joined = arena_copy(copy->arena, buf_slice(&text));
    buf_free(&text);
    return joined;
}

static struct conf_node *copy_setting(struct copy *copy,
                                      const config_setting_t *setting,
                                      const struct conf_node *parent,
                                      size_t index);

static void
copy_members(struct copy *copy, const config_setting_t *setting,
             struct conf_node *node)
{
    struct conf_node **end = &node->first;

    node->count = (size_t)config_setting_length(setting);
    for (size_t i = 0; i < node->count; i++) {
        const config_setting_t *member =
            config_setting_get_elem(setting, (unsigned)i);
        *end = copy_setting(copy, member, node, i);
        end = &(*end)->next;
    }
}

static struct conf_node *
copy_setting(struct copy *copy, const config_setting_t *setting,
             const struct conf_node *parent, size_t index)
{
    struct conf_node *node = arena_alloc(copy->arena, sizeof(*node));

    node->kind = kind_of(setting);
    node->parent = parent;
    node->index = index;
    node->place = conf_source_place(copy->source, token(copy)->line);
    if (config_setting_name(setting) != NULL) {
        node->name =
            arena_copy(copy->arena, slice_from(config_setting_name(setting)));
        take(copy); /* name */
        take(copy); /* = */
    }
    size_t from = copy->at;
    switch (node->kind) {
    case NODE_GROUP:
    case NODE_LIST:
        take(copy); /* opening mark */
        copy_members(copy, setting, node);
        take(copy); /* closing mark */
        break;
    case NODE_STRING:
        node->string = arena_copy(
            copy->arena, slice_from(config_setting_get_string(setting)));
        while (token(copy)->kind == TOKEN_STRING) {
            node->literals++;
            take(copy);
        }
        break;
    case NODE_BOOL:
        node->truth = config_setting_get_bool(setting) != 0;
        take(copy);
        break;
    case NODE_NUMBER:
    case NODE_FLOAT:
        take(copy);
        break;
    }
    node->literal = join(copy, from, copy->at);
    if (conf_token_is(token(copy), ';') || conf_token_is(token(copy), ','))
        take(copy);
    return node;
}

/*
 * The text as libconfig reads it: each integer is 0. Its value is taken from
 * the token, and libconfig refuses one of more than 64 bits with a bare
 * "syntax error" (1.7 and later) or takes another value for it (1.5).
 */
static void
put_without_integers(const struct conf_source *source, struct buf *text)
{
    buf_append(text, buf_slice(&source->text));
    for (size_t i = 0; i < source->token_count; i++) {
        const struct conf_token *t = &source->tokens[i];
        if (t->kind == TOKEN_NUMBER) {
            memset(text->ptr + t->offset, ' ', t->text.len);
            text->ptr[t->offset] = '0';
        }
    }
}

struct conf_node *
conf_tree_load(struct conf_source *source, struct arena *arena,
               struct problems *problems)
{
    struct copy copy = { .source = source, .arena = arena };
    struct conf_node *root = NULL;
    struct buf text = { 0 };
    config_t config;

    if (!conf_source_check(source, problems))
        return NULL;
    put_without_integers(source, &text);
    config_init(&config);
    if (config_read_string(&config, buf_cstr(&text)) == CONFIG_FALSE) {
        /* Something that conf_source_check lets pass. */
        unsigned line = (unsigned)config_error_line(&config);
        problem_add(problems,
                    conf_source_place(source, line == 0 ? 0 : line - 1),
                    SLICE_OF(""), "%s", config_error_text(&config));
    } else {
        const config_setting_t *top = config_root_setting(&config);
        root = arena_alloc(arena, sizeof(*root));
        root->kind = NODE_GROUP;
        root->place = conf_source_place(source, 0);
        copy_members(&copy, top, root);
    }
    config_destroy(&config);
    buf_free(&text);
    return root;
}

const struct conf_node *
conf_node_member(const struct conf_node *group, struct slice name)
{
    const struct conf_node *node = group->first;

    while (node != NULL && !slice_equal(node->name, name))
        node = node->next;
    return node;
}

static void
print_path(const struct conf_node *node, struct buf *out)
{
    if (node->parent == NULL)
        return;
    print_path(node->parent, out);
    if (node->name.len == 0) {
        buf_printf(out, "[%zu]", node->index);
        return;
    }
    if (out->len != 0)
        buf_putc(out, '.');
    buf_append(out, node->name);
}

struct slice
conf_node_path(const struct conf_node *node, struct arena *arena)
{
    struct buf path = { 0 };

    print_path(node, &path);
    struct slice copy = arena_copy(arena, buf_slice(&path));
    buf_free(&path);
    return copy;
}

const char *
conf_node_kind_text(enum conf_node_kind kind)
{
    switch (kind) {
    case NODE_GROUP:
        return "a group { }";
    case NODE_LIST:
        return "a list ( )";
    case NODE_STRING:
        return "a string";
    case NODE_NUMBER:
        return "a number";
    case NODE_FLOAT:
        return "a number with a decimal point";
    case NODE_BOOL:
        return "a bool";
    }
    return "?";
}
