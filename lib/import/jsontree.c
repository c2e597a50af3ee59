#include "jsontree.h"

#include <jansson.h>

/* The text, which jansson has found to be JSON, walked beside jansson's tree:
 * both have the same values in the same order. */
struct walk {
    struct slice rest;
    unsigned line;
    struct arena *arena;
};

static void
step(struct walk *walk)
{
    walk->line += walk->rest.ptr[0] == '\n';
    walk->rest = slice_tail(walk->rest, 1);
}

/* To the next value or member name. */
static void
skip_between(struct walk *walk)
{
    static const struct slice between = SLICE(" \t\r\n,:");

    while (walk->rest.len != 0 &&
           slice_find(between, walk->rest.ptr[0]) < between.len)
        step(walk);
}

static void
skip_string(struct walk *walk)
{
    step(walk);
    while (walk->rest.ptr[0] != '"')
        walk->rest = slice_tail(walk->rest, walk->rest.ptr[0] == '\\' ? 2 : 1);
    step(walk);
}

/* A number, true, false or null. */
static void
skip_word(struct walk *walk)
{
    static const struct slice ends = SLICE(" \t\r\n,]}");

    while (walk->rest.len != 0 &&
           slice_find(ends, walk->rest.ptr[0]) == ends.len)
        step(walk);
}

static struct json_value *tree_of(struct walk *walk, json_t *from);

static void
add_member(struct walk *walk, struct json_value ***end, struct slice name,
           json_t *from)
{
    struct json_value *value = tree_of(walk, from);

    value->name = arena_copy(walk->arena, name);
    **end = value;
    *end = &value->next;
}

static void
add_members(struct walk *walk, json_t *from, struct json_value *value)
{
    struct json_value **end = &value->first;
    const char *name;
    json_t *member;
    size_t i;

    step(walk);
    if (json_is_array(from))
        json_array_foreach(from, i, member)
            add_member(walk, &end, (struct slice){ 0 }, member);
    else
        json_object_foreach(from, name, member)
        {
            skip_between(walk);
            skip_string(walk);
            add_member(walk, &end, slice_from(name), member);
        }
    skip_between(walk);
    step(walk);
}

static struct json_value *
tree_of(struct walk *walk, json_t *from)
{
    struct json_value *value = arena_alloc(walk->arena, sizeof(*value));

    skip_between(walk);
    *value = (struct json_value){ .line = walk->line };
    switch (json_typeof(from)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        value->kind = json_is_object(from) ? JSON_IS_OBJECT : JSON_IS_ARRAY;
        add_members(walk, from, value);
        break;
    case JSON_STRING:
        value->kind = JSON_IS_STRING;
        value->text =
            arena_copy(walk->arena, (struct slice){ json_string_value(from),
                                                    json_string_length(from) });
        skip_string(walk);
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        value->kind =
            json_number_value(from) != 0 ? JSON_IS_TRUE : JSON_IS_OTHER;
        skip_word(walk);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        value->kind = json_is_true(from) ? JSON_IS_TRUE : JSON_IS_OTHER;
        skip_word(walk);
        break;
    }
    return value;
}

struct json_value *
json_read(struct slice text, struct arena *arena, unsigned *line,
          const char **why)
{
    struct walk walk = { .rest = text, .line = 1, .arena = arena };
    json_error_t error;
    json_t *root =
        json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);

    if (root == NULL) {
        *line = error.line > 0 ? (unsigned)error.line : 1;
        *why = arena_cstr(arena, slice_from(error.text));
        return NULL;
    }
    struct json_value *value = tree_of(&walk, root);
    json_decref(root);
    return value;
}

const struct json_value *
json_get(const struct json_value *object, const char *name)
{
    if (object->kind != JSON_IS_OBJECT)
        return NULL;
    for (const struct json_value *v = object->first; v != NULL; v = v->next)
        if (slice_equal(v->name, slice_from(name)))
            return v;
    return NULL;
}
