#include "postconf.h"

#include <string.h>

static struct postconf_command *
add(struct postconf_commands *list, struct arena *arena,
    enum postconf_verb verb, struct slice target, struct slice value)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 16 : list->room * 2;
        struct postconf_command *commands =
            arena_alloc(arena, room * sizeof(*commands));
        if (list->count != 0)
            memcpy(commands, list->commands, list->count * sizeof(*commands));
        list->commands = commands;
        list->room = room;
    }
    list->commands[list->count] = (struct postconf_command){ .verb = verb,
                                                             .target = target,
                                                             .value = value };
    return &list->commands[list->count++];
}

static struct slice
join(struct arena *arena, struct slice id, struct slice name)
{
    struct buf text = { 0 };

    buf_printf(&text, "%.*s/%.*s", SLICE_ARG(id), SLICE_ARG(name));
    struct slice copy = arena_copy(arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

static struct slice
line_of(struct arena *arena, const struct postconf_service *service)
{
    struct buf line = { 0 };

    postconf_print_service(service, &line);
    struct slice copy = arena_copy(arena, buf_slice(&line));
    buf_free(&line);
    return copy;
}

/* ---- main.cf ----------------------------------------------------------- */

static void
compare_main(const struct postconf *from, const struct postconf *to,
             struct arena *arena, struct postconf_commands *list)
{
    for (size_t i = 0; i < to->set.count; i++) {
        const struct postconf_pair *want = &to->set.pairs[i];
        const struct postconf_pair *have =
            postconf_find(&from->set, want->name);
        if (have != NULL && slice_equal(have->value, want->value))
            continue;
        struct postconf_command *c =
            add(list, arena, POSTCONF_MAIN, want->name, want->value);
        c->had = have != NULL;
        if (have != NULL)
            c->earlier = have->value;
    }
    for (size_t i = 0; i < from->set.count; i++) {
        const struct postconf_pair *have = &from->set.pairs[i];
        if (postconf_find(&to->set, have->name) == NULL) {
            struct postconf_command *c = add(list, arena, POSTCONF_MAIN_DROP,
                                             have->name, (struct slice){ 0 });
            c->had = true;
            c->earlier = have->value;
        }
    }
}

/* ---- master.cf --------------------------------------------------------- */

static bool
has_blank(struct slice value)
{
    return slice_find(value, ' ') < value.len ||
           slice_find(value, '\t') < value.len;
}

/* postconf -P takes no value with blanks: then the whole line is given. */
static bool
needs_line(const struct postconf_service *from,
           const struct postconf_service *to)
{
    for (size_t i = 0; i < to->options.count; i++) {
        const struct postconf_pair *want = &to->options.pairs[i];
        const struct postconf_pair *have =
            postconf_find(&from->options, want->name);
        if (has_blank(want->value) &&
            (have == NULL || !slice_equal(have->value, want->value)))
            return true;
    }
    return false;
}

static void
compare_service(const struct postconf_service *from,
                const struct postconf_service *to, struct arena *arena,
                struct postconf_commands *list)
{
    if (needs_line(from, to)) {
        struct postconf_command *c =
            add(list, arena, POSTCONF_SERVICE, to->id, line_of(arena, to));
        c->had = true;
        c->earlier = line_of(arena, from);
        return;
    }
    for (size_t i = 0; i < to->options.count; i++) {
        const struct postconf_pair *want = &to->options.pairs[i];
        const struct postconf_pair *have =
            postconf_find(&from->options, want->name);
        if (have != NULL && slice_equal(have->value, want->value))
            continue;
        struct postconf_command *c =
            add(list, arena, POSTCONF_OPTION, join(arena, to->id, want->name),
                want->value);
        c->had = have != NULL;
        if (have != NULL)
            c->earlier = have->value;
    }
    for (size_t i = 0; i < from->options.count; i++) {
        const struct postconf_pair *have = &from->options.pairs[i];
        if (postconf_find(&to->options, have->name) != NULL)
            continue;
        struct postconf_command *c =
            add(list, arena, POSTCONF_OPTION_DROP,
                join(arena, to->id, have->name), (struct slice){ 0 });
        c->had = true;
        c->earlier = have->value;
    }
    if (!slice_equal(from->limit, to->limit)) {
        struct postconf_command *c =
            add(list, arena, POSTCONF_LIMIT,
                join(arena, to->id, SLICE_OF("process_limit")), to->limit);
        c->had = true;
        c->earlier = from->limit;
    }
}

void
postconf_commands(const struct postconf *from, const struct postconf *to,
                  struct arena *arena, struct postconf_commands *list)
{
    /* What others will lead to is there before they do. */
    for (size_t i = 0; i < to->service_count; i++)
        if (postconf_service(from, to->services[i].id) == NULL)
            add(list, arena, POSTCONF_SERVICE, to->services[i].id,
                line_of(arena, &to->services[i]));
    compare_main(from, to, arena, list);
    for (size_t i = 0; i < to->service_count; i++) {
        const struct postconf_service *have =
            postconf_service(from, to->services[i].id);
        if (have != NULL)
            compare_service(have, &to->services[i], arena, list);
    }
    for (size_t i = 0; i < from->service_count; i++) {
        const struct postconf_service *have = &from->services[i];
        if (postconf_service(to, have->id) == NULL) {
            struct postconf_command *c = add(list, arena, POSTCONF_SERVICE_DROP,
                                             have->id, (struct slice){ 0 });
            c->had = true;
            c->earlier = line_of(arena, have);
        }
    }
}

/* ---- printing ---------------------------------------------------------- */

const char *
postconf_flag(enum postconf_verb verb)
{
    static const char *const flags[] = {
        [POSTCONF_MAIN] = "-e",          [POSTCONF_MAIN_DROP] = "-X",
        [POSTCONF_OPTION] = "-P",        [POSTCONF_OPTION_DROP] = "-PX",
        [POSTCONF_LIMIT] = "-F",         [POSTCONF_SERVICE] = "-M",
        [POSTCONF_SERVICE_DROP] = "-MX",
    };

    return flags[verb];
}

void
postconf_argument(const struct postconf_command *command, struct buf *argument)
{
    buf_append(argument, command->target);
    switch (command->verb) {
    case POSTCONF_MAIN:
        buf_printf(argument, " = %.*s", SLICE_ARG(command->value));
        break;
    case POSTCONF_OPTION:
    case POSTCONF_LIMIT:
    case POSTCONF_SERVICE:
        buf_printf(argument, "=%.*s", SLICE_ARG(command->value));
        break;
    case POSTCONF_MAIN_DROP:
    case POSTCONF_OPTION_DROP:
    case POSTCONF_SERVICE_DROP:
        break;
    }
}

void
postconf_quote(struct slice word, struct buf *out)
{
    static const struct slice plain = SLICE("+-./:=@_%^");
    bool quote = word.len == 0;

    for (size_t i = 0; i < word.len && !quote; i++)
        quote = !ascii_is_alnum(word.ptr[i]) &&
                slice_find(plain, word.ptr[i]) == plain.len;
    if (!quote) {
        buf_append(out, word);
        return;
    }
    buf_putc(out, '\'');
    for (size_t i = 0; i < word.len; i++)
        if (word.ptr[i] == '\'')
            buf_puts(out, "'\\''");
        else
            buf_putc(out, word.ptr[i]);
    buf_putc(out, '\'');
}

void
postconf_print(const struct postconf_command *command, struct slice directory,
               struct buf *out)
{
    struct buf argument = { 0 };

    buf_puts(out, "postconf ");
    if (directory.len != 0) {
        buf_puts(out, "-c ");
        postconf_quote(directory, out);
        buf_putc(out, ' ');
    }
    buf_printf(out, "%s ", postconf_flag(command->verb));
    postconf_argument(command, &argument);
    postconf_quote(buf_slice(&argument), out);
    buf_free(&argument);
}
