#include "postconf.h"

#include <string.h>

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The next word; what begins with "{" goes to its "}". */
static struct slice
take_word(struct slice *line)
{
    struct slice rest = slice_trim(*line);
    size_t depth = 0, end = 0;

    for (; end < rest.len; end++) {
        if (rest.ptr[end] == '{')
            depth++;
        else if (rest.ptr[end] == '}' && depth > 0)
            depth--;
        else if (is_blank(rest.ptr[end]) && (depth == 0 || rest.ptr[0] != '{'))
            break;
    }
    *line = slice_tail(rest, end);
    return slice_head(rest, end);
}

/* ---- lists ------------------------------------------------------------- */

const struct postconf_pair *
postconf_find(const struct postconf_list *list, struct slice name)
{
    for (size_t i = 0; i < list->count; i++)
        if (slice_equal(list->pairs[i].name, name))
            return &list->pairs[i];
    return NULL;
}

static void
add(struct postconf_list *list, struct arena *arena, struct slice name,
    struct slice value)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 16 : list->room * 2;
        struct postconf_pair *pairs = arena_alloc(arena, room * sizeof(*pairs));
        if (list->count != 0)
            memcpy(pairs, list->pairs, list->count * sizeof(*pairs));
        list->pairs = pairs;
        list->room = room;
    }
    list->pairs[list->count++] = (struct postconf_pair){ name, value };
}

void
postconf_put(struct postconf_list *list, struct arena *arena, struct slice name,
             struct slice value)
{
    name = arena_copy(arena, name);
    value = arena_copy(arena, value);
    for (size_t i = 0; i < list->count; i++)
        if (slice_equal(list->pairs[i].name, name)) {
            list->pairs[i].value = value;
            return;
        }
    add(list, arena, name, value);
}

void
postconf_drop(struct postconf_list *list, struct slice name)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++)
        if (!slice_equal(list->pairs[i].name, name))
            list->pairs[kept++] = list->pairs[i];
    list->count = kept;
}

static struct postconf_list
copy_list(const struct postconf_list *from, struct arena *arena)
{
    struct postconf_list to = { 0 };

    for (size_t i = 0; i < from->count; i++)
        add(&to, arena, from->pairs[i].name, from->pairs[i].value);
    return to;
}

/* "NAME = VALUE" on each line. */
static void
parse_pairs(struct slice text, struct arena *arena, struct postconf_list *list)
{
    while (text.len != 0) {
        struct slice line = slice_cut(&text, '\n');
        size_t equal = slice_find(line, '=');
        if (equal == line.len)
            continue;
        add(list, arena, slice_trim(slice_head(line, equal)),
            slice_trim(slice_tail(line, equal + 1)));
    }
}

/* ---- services ---------------------------------------------------------- */

/* "-o NAME=VALUE" or "-o {NAME = VALUE}"; false: the word is no option. */
static bool
parse_option(struct slice word, struct postconf_pair *pair)
{
    if (word.len >= 2 && word.ptr[0] == '{' && word.ptr[word.len - 1] == '}')
        word = slice_head(slice_tail(word, 1), word.len - 2);
    size_t equal = slice_find(word, '=');
    if (equal == word.len)
        return false;
    pair->name = slice_trim(slice_head(word, equal));
    pair->value = slice_trim(slice_tail(word, equal + 1));
    return pair->name.len != 0;
}

static void
parse_arguments(struct slice line, struct arena *arena,
                struct postconf_service *service)
{
    struct buf others = { 0 };

    while (slice_trim(line).len != 0) {
        struct slice word = take_word(&line);
        struct postconf_pair pair;
        struct slice rest = line;
        if (slice_equal(word, SLICE_OF("-o")) &&
            parse_option(take_word(&rest), &pair)) {
            add(&service->options, arena, pair.name, pair.value);
            line = rest;
            continue;
        }
        if (others.len != 0)
            buf_putc(&others, ' ');
        buf_append(&others, word);
    }
    service->arguments = arena_copy(arena, buf_slice(&others));
    buf_free(&others);
}

bool
postconf_parse_service(struct slice line, struct arena *arena,
                       struct postconf_service *service)
{
    struct slice *fields[] = {
        &service->name,         &service->type,    &service->is_private,
        &service->unprivileged, &service->chroot,  &service->wakeup,
        &service->limit,        &service->command,
    };
    struct buf id = { 0 };

    *service = (struct postconf_service){ 0 };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        *fields[i] = arena_copy(arena, take_word(&line));
        if (fields[i]->len == 0)
            return false;
    }
    buf_printf(&id, "%.*s/%.*s", SLICE_ARG(service->name),
               SLICE_ARG(service->type));
    service->id = arena_copy(arena, buf_slice(&id));
    buf_free(&id);
    parse_arguments(arena_copy(arena, line), arena, service);
    return true;
}

void
postconf_print_service(const struct postconf_service *service, struct buf *out)
{
    buf_printf(out, "%.*s %.*s %.*s %.*s %.*s %.*s %.*s %.*s",
               SLICE_ARG(service->name), SLICE_ARG(service->type),
               SLICE_ARG(service->is_private), SLICE_ARG(service->unprivileged),
               SLICE_ARG(service->chroot), SLICE_ARG(service->wakeup),
               SLICE_ARG(service->limit), SLICE_ARG(service->command));
    for (size_t i = 0; i < service->options.count; i++) {
        const struct postconf_pair *option = &service->options.pairs[i];
        bool brace = slice_find(option->value, ' ') < option->value.len ||
                     slice_find(option->value, '\t') < option->value.len;
        buf_printf(out, " -o %s%.*s=%.*s%s", brace ? "{" : "",
                   SLICE_ARG(option->name), SLICE_ARG(option->value),
                   brace ? "}" : "");
    }
    if (service->arguments.len != 0)
        buf_printf(out, " %.*s", SLICE_ARG(service->arguments));
}

struct postconf_service *
postconf_service(const struct postconf *postconf, struct slice id)
{
    for (size_t i = 0; i < postconf->service_count; i++)
        if (slice_equal(postconf->services[i].id, id))
            return &postconf->services[i];
    return NULL;
}

static void
add_service(struct postconf *postconf, const struct postconf_service *service)
{
    if (postconf->service_count == postconf->service_room) {
        size_t room =
            postconf->service_room == 0 ? 32 : postconf->service_room * 2;
        struct postconf_service *services =
            arena_alloc(postconf->arena, room * sizeof(*services));
        if (postconf->service_count != 0)
            memcpy(services, postconf->services,
                   postconf->service_count * sizeof(*services));
        postconf->services = services;
        postconf->service_room = room;
    }
    postconf->services[postconf->service_count++] = *service;
}

void
postconf_put_service(struct postconf *postconf,
                     const struct postconf_service *service)
{
    struct postconf_service *old = postconf_service(postconf, service->id);

    if (old != NULL)
        *old = *service;
    else
        add_service(postconf, service);
}

void
postconf_drop_service(struct postconf *postconf, struct slice id)
{
    size_t kept = 0;

    for (size_t i = 0; i < postconf->service_count; i++)
        if (!slice_equal(postconf->services[i].id, id))
            postconf->services[kept++] = postconf->services[i];
    postconf->service_count = kept;
}

/* ---- the whole --------------------------------------------------------- */

bool
postconf_parse(const struct postconf_texts *texts, struct arena *arena,
               struct postconf *parsed, struct slice *bad)
{
    struct slice text = texts->services;

    *parsed = (struct postconf){ .arena = arena };
    while (text.len != 0) {
        struct slice line = slice_cut(&text, '\n');
        struct postconf_service service;
        if (slice_trim(line).len == 0)
            continue;
        *bad = line;
        if (!postconf_parse_service(line, arena, &service))
            return false;
        add_service(parsed, &service);
    }
    parse_pairs(texts->set, arena, &parsed->set);
    parse_pairs(texts->options, arena, &parsed->options);
    parse_pairs(texts->values, arena, &parsed->values);
    parse_pairs(texts->defaults, arena, &parsed->defaults);
    parsed->answers = texts->answers;
    return true;
}

struct postconf
postconf_copy(const struct postconf *from)
{
    struct postconf to = *from;

    to.services = NULL;
    to.service_count = to.service_room = 0;
    for (size_t i = 0; i < from->service_count; i++) {
        struct postconf_service service = from->services[i];
        service.options = copy_list(&service.options, from->arena);
        add_service(&to, &service);
    }
    to.set = copy_list(&from->set, from->arena);
    to.changed = copy_list(&from->changed, from->arena);
    return to;
}

void
postconf_put_main(struct postconf *postconf, struct slice name,
                  struct slice value)
{
    postconf_put(&postconf->set, postconf->arena, name, value);
    postconf_put(&postconf->changed, postconf->arena, name, value);
}

void
postconf_drop_main(struct postconf *postconf, struct slice name,
                   struct slice in_force)
{
    postconf_drop(&postconf->set, name);
    postconf_put(&postconf->changed, postconf->arena, name, in_force);
}

/* ---- values ------------------------------------------------------------ */

struct slice
postconf_value(const struct postconf *postconf, const char *text)
{
    struct slice name = slice_from(text);
    const struct postconf_pair *pair = postconf_find(&postconf->changed, name);

    if (pair == NULL)
        pair = postconf_find(&postconf->values, name);
    return pair != NULL ? pair->value : (struct slice){ 0 };
}

struct slice
postconf_of(const struct postconf *postconf,
            const struct postconf_service *service, const char *text)
{
    struct slice name = slice_from(text);
    const struct postconf_pair *own = postconf_find(&service->options, name);
    struct buf id = { 0 };

    if (own == NULL)
        return postconf_value(postconf, text);
    /* With macros it is known only as postconf has expanded it. */
    if (slice_find(own->value, '$') < own->value.len) {
        buf_printf(&id, "%.*s/%s", SLICE_ARG(service->id), text);
        const struct postconf_pair *expanded =
            postconf_find(&postconf->options, buf_slice(&id));
        buf_free(&id);
        if (expanded != NULL)
            return expanded->value;
    }
    return own->value;
}

bool
postconf_knows(const struct postconf *postconf, const char *name)
{
    return postconf_find(&postconf->defaults, slice_from(name)) != NULL;
}

bool
postconf_is_yes(struct slice value)
{
    return slice_equal_nocase(value, SLICE_OF("yes"));
}

bool
postconf_seconds(struct slice value, char unit, uint64_t *seconds)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {
        { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 },
    };

    if (value.len != 0 && !ascii_is_digit(value.ptr[value.len - 1])) {
        unit = ascii_lower(value.ptr[value.len - 1]);
        value = slice_head(value, value.len - 1);
    }
    if (!slice_to_u64(value, seconds))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (units[i].unit == unit) {
            *seconds *= units[i].seconds;
            return true;
        }
    return false;
}

bool
postconf_next(struct slice *list, struct slice *element)
{
    size_t start = 0, depth = 0, end;

    while (start < list->len &&
           (is_blank(list->ptr[start]) || list->ptr[start] == ','))
        start++;
    for (end = start; end < list->len; end++) {
        char c = list->ptr[end];
        if (c == '{')
            depth++;
        else if (c == '}' && depth > 0)
            depth--;
        else if (depth == 0 && (is_blank(c) || c == ','))
            break;
    }
    *element = slice_head(slice_tail(*list, start), end - start);
    *list = slice_tail(*list, end);
    return element->len != 0;
}

bool
postconf_lists(struct slice list, struct slice name)
{
    struct slice element;

    while (postconf_next(&list, &element))
        if (slice_equal_nocase(element, name))
            return true;
    return false;
}
