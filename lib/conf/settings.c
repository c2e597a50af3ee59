/* Every setting in force as text, for `config show`. */
#include "build.h"

#include <stdlib.h>
#include <string.h>

struct listing {
    const struct conf_reading *r;
    struct conf_value *values;
    size_t count;
    size_t room;
};

static void
put(struct listing *list, struct slice name, struct slice value,
    struct slice source)
{
    if (list->count == list->room) {
        list->room = list->room == 0 ? 128 : 2 * list->room;
        list->values =
            mem_realloc(list->values, list->room * sizeof(list->values[0]));
    }
    list->values[list->count++] =
        (struct conf_value){ arena_copy(list->r->arena, name),
                             arena_copy(list->r->arena, value),
                             arena_copy(list->r->arena, source) };
}

static void
print_string(struct buf *out, struct slice text)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            buf_putc(out, '\\');
        buf_putc(out, text.ptr[i]);
    }
    buf_putc(out, '"');
}

void
conf_print_names(struct buf *out, const struct slice *names, size_t count)
{
    buf_puts(out, "(");
    for (size_t i = 0; i < count; i++) {
        buf_puts(out, i == 0 ? " " : ", ");
        print_string(out, names[i]);
    }
    buf_puts(out, " )");
}

/* A value that is not written, as it would be. */
static void
print_value(struct buf *out, enum conf_type type, struct slice text)
{
    switch (type) {
    case CONF_DURATION:
    case CONF_SIZE:
    case CONF_STRING:
    case CONF_CHOICE:
    case CONF_ADDRESS:
        print_string(out, text);
        return;
    case CONF_BOOL:
    case CONF_COUNT:
    case CONF_STRINGS:
    case CONF_LIST:
    case CONF_GROUP:
        buf_append(out, text);
        return;
    }
}

void
conf_print_default(struct buf *out, const struct conf_setting *setting)
{
    const struct dkim_names *names = NULL;

    if (strcmp(setting->name, "dkim.headers") == 0)
        names = &dkim_default_headers;
    else if (strcmp(setting->name, "dkim.oversign") == 0)
        names = &dkim_default_oversign;
    if (names != NULL)
        conf_print_names(out, names->names, names->count);
    else if (setting->fallback != NULL)
        print_value(out, setting->type, slice_from(setting->fallback));
    else if (setting->type == CONF_LIST || setting->type == CONF_STRINGS)
        buf_puts(out, "( )");
    else
        print_value(out, setting->type, SLICE_OF(""));
}

static void
put_written(struct listing *list, struct slice name,
            const struct conf_node *node)
{
    struct buf source = { 0 };

    buf_append(&source, node->place.file);
    buf_printf(&source, ":%u", node->place.line);
    put(list, name, node->literal, buf_slice(&source));
    buf_free(&source);
}

static void
put_unwritten(struct listing *list, const struct conf_setting *setting,
              const struct conf *conf)
{
    struct slice name = slice_from(setting->name);
    struct conf_got got = conf_get(list->r, NULL, setting->name);
    struct buf value = { 0 };
    bool postfix = got.origin == FROM_POSTFIX;

    if (strcmp(setting->name, "hostname") == 0) {
        print_value(&value, setting->type, conf->hostname);
    } else if (strcmp(setting->name, "forward.local_domains") == 0 &&
               list->r->postfix_known) {
        struct slice *names;
        size_t count = conf_postfix_domains(list->r, list->r->arena, &names);
        conf_print_names(&value, names, count);
        postfix = true;
    } else if (postfix) {
        print_value(&value, setting->type, got.text);
    } else {
        conf_print_default(&value, setting);
    }
    put(list, name, buf_slice(&value),
        postfix ? SLICE_OF("postconf") : SLICE_OF("default"));
    buf_free(&value);
}

/* listeners[0].name and so on, with what is not written. */
static void
put_listeners(struct listing *list)
{
    const struct conf_node *listeners = conf_written(list->r, "listeners");
    const struct conf_node *node =
        listeners == NULL || listeners->kind != NODE_LIST ? NULL
                                                          : listeners->first;

    for (size_t n = 0; node != NULL; node = node->next, n++) {
        for (size_t i = 0; i < conf_setting_count; i++) {
            const struct conf_setting *s = &conf_settings[i];
            struct slice leaf = conf_setting_leaf(s);
            struct buf name = { 0 };
            if (!slice_equal(conf_setting_group(s), SLICE_OF("listeners[]")))
                continue;
            buf_printf(&name, "listeners[%zu].%.*s", n, SLICE_ARG(leaf));
            const struct conf_node *member = conf_node_member(node, leaf);
            if (member != NULL) {
                put_written(list, buf_slice(&name), member);
            } else {
                struct buf value = { 0 };
                conf_print_default(&value, s);
                put(list, buf_slice(&name), buf_slice(&value),
                    SLICE_OF("default"));
                buf_free(&value);
            }
            buf_free(&name);
        }
    }
}

void
conf_build_values(const struct conf_reading *r, struct conf *conf)
{
    struct listing list = { .r = r };

    for (size_t i = 0; i < conf_setting_count; i++) {
        const struct conf_setting *s = &conf_settings[i];
        const struct conf_node *node = conf_written(r, s->name);
        if (strcmp(s->name, "listeners") == 0)
            put_listeners(&list);
        else if (s->type == CONF_GROUP || strstr(s->name, "[]") != NULL)
            continue;
        else if (node != NULL)
            put_written(&list, slice_from(s->name), node);
        else
            put_unwritten(&list, s, conf);
    }
    conf->values =
        arena_alloc(r->arena, (list.count + 1) * sizeof(conf->values[0]));
    conf->value_count = list.count;
    if (list.count != 0)
        memcpy(conf->values, list.values, list.count * sizeof(conf->values[0]));
    free(list.values);
}
