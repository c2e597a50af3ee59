#include "plan_state.h"

/*
 * One line for each item that was changed:
 *
 *     KIND TAB TARGET TAB had|new TAB EARLIER TAB OURS
 *
 * KIND is main, option, limit or service; tabs, line ends and backslashes in
 * values are escaped. EARLIER of a new parameter of main.cf is the default that
 * was in force.
 */

enum state_kind {
    STATE_MAIN,
    STATE_OPTION,
    STATE_LIMIT,
    STATE_SERVICE
};

struct entry {
    enum state_kind kind;
    struct slice target, earlier, ours;
    bool had;
};

static const struct slice kinds[] = {
    [STATE_MAIN] = SLICE("main"),
    [STATE_OPTION] = SLICE("option"),
    [STATE_LIMIT] = SLICE("limit"),
    [STATE_SERVICE] = SLICE("service"),
};

static const char head[] = "# Written by `onward setup`: what it changed in "
                           "main.cf and master.cf, and\n"
                           "# what that was before. `onward setup --remove` "
                           "undoes it and removes this.\n";

/* ---- text -------------------------------------------------------------- */

static void
put_escaped(struct buf *out, struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        switch (value.ptr[i]) {
        case '\t':
            buf_puts(out, "\\t");
            break;
        case '\n':
            buf_puts(out, "\\n");
            break;
        case '\\':
            buf_puts(out, "\\\\");
            break;
        default:
            buf_putc(out, value.ptr[i]);
        }
}

static struct slice
unescape(struct arena *arena, struct slice value)
{
    struct buf out = { 0 };

    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\\' && i + 1 < value.len) {
            c = value.ptr[++i];
            c = c == 't' ? '\t' : c == 'n' ? '\n' : c;
        }
        buf_putc(&out, c);
    }
    struct slice copy = arena_copy(arena, buf_slice(&out));
    buf_free(&out);
    return copy;
}

static enum state_kind
kind_of(enum postconf_verb verb)
{
    switch (verb) {
    case POSTCONF_MAIN:
    case POSTCONF_MAIN_DROP:
        return STATE_MAIN;
    case POSTCONF_OPTION:
    case POSTCONF_OPTION_DROP:
        return STATE_OPTION;
    case POSTCONF_LIMIT:
        return STATE_LIMIT;
    case POSTCONF_SERVICE:
    case POSTCONF_SERVICE_DROP:
        break;
    }
    return STATE_SERVICE;
}

static struct slice
value_in_force(const struct postconf *before, struct slice name)
{
    struct buf text = { 0 };

    buf_append(&text, name);
    struct slice value = postconf_value(before, buf_cstr(&text));
    buf_free(&text);
    return value;
}

void
plan_state_print(const struct postconf_commands *commands,
                 const struct postconf *before, struct buf *out)
{
    if (commands->count == 0)
        return;
    buf_puts(out, head);
    for (size_t i = 0; i < commands->count; i++) {
        const struct postconf_command *c = &commands->commands[i];
        struct slice kind = kinds[kind_of(c->verb)];
        buf_printf(out, "%.*s\t%.*s\t%s\t", SLICE_ARG(kind),
                   SLICE_ARG(c->target), c->had ? "had" : "new");
        put_escaped(out, kind_of(c->verb) == STATE_MAIN && !c->had
                             ? value_in_force(before, c->target)
                             : c->earlier);
        buf_putc(out, '\t');
        put_escaped(out, c->value);
        buf_putc(out, '\n');
    }
}

static bool
parse_entry(struct slice line, struct arena *arena, struct entry *entry)
{
    struct slice kind = slice_cut(&line, '\t');
    entry->target = slice_cut(&line, '\t');
    struct slice had = slice_cut(&line, '\t');
    size_t tab = slice_find(line, '\t');

    if (entry->target.len == 0 || tab == line.len)
        return false;
    entry->had = slice_equal(had, SLICE_OF("had"));
    if (!entry->had && !slice_equal(had, SLICE_OF("new")))
        return false;
    entry->earlier = unescape(arena, slice_head(line, tab));
    entry->ours = unescape(arena, slice_tail(line, tab + 1));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (slice_equal(kind, kinds[i])) {
            entry->kind = (enum state_kind)i;
            return true;
        }
    return false;
}

/* ---- undoing ----------------------------------------------------------- */

/* Is `part` one or more whole elements of the list, at this place? */
static bool
stands_at(struct slice list, size_t at, struct slice part)
{
    struct slice rest = slice_tail(list, at);

    if (rest.len < part.len || !slice_equal(slice_head(rest, part.len), part))
        return false;
    return rest.len == part.len || rest.ptr[part.len] == ',' ||
           rest.ptr[part.len] == ' ';
}

/* What we appended to a list, taken out of what it is now. False: it is not
 * there. */
static bool
take_out(const struct entry *entry, struct slice now, struct arena *arena,
         struct slice *left)
{
    struct slice part = entry->ours;
    struct buf text = { 0 };
    size_t at = 0;

    if (entry->had && entry->earlier.len != 0 &&
        part.len > entry->earlier.len &&
        slice_equal(slice_head(part, entry->earlier.len), entry->earlier))
        part = slice_tail(part, entry->earlier.len);
    while (part.len != 0 && (part.ptr[0] == ',' || part.ptr[0] == ' '))
        part = slice_tail(part, 1);
    if (part.len == 0)
        return false;
    while (at < now.len &&
           !((at == 0 || now.ptr[at - 1] == ',' || now.ptr[at - 1] == ' ') &&
             stands_at(now, at, part)))
        at++;
    if (at == now.len)
        return false;
    size_t before = at, after = at + part.len;
    while (before > 0 &&
           (now.ptr[before - 1] == ',' || now.ptr[before - 1] == ' '))
        before--;
    while (before == 0 && after < now.len &&
           (now.ptr[after] == ',' || now.ptr[after] == ' '))
        after++;
    buf_append(&text, slice_head(now, before));
    buf_append(&text, slice_tail(now, after));
    *left = arena_copy(arena, buf_slice(&text));
    buf_free(&text);
    return true;
}

/* An item that was changed since: what becomes of it. False: left alone. */
static bool
undo_changed(const struct entry *entry, struct slice now, struct arena *arena,
             struct buf *notes, struct slice *left)
{
    bool taken = take_out(entry, now, arena, left);

    buf_printf(notes,
               taken ? "%.*s was changed since: only our part is undone\n"
                     : "%.*s was changed since: it is left as it is\n",
               SLICE_ARG(entry->target));
    return taken;
}

static void
undo_main(const struct entry *entry, struct postconf *postconf,
          struct buf *notes)
{
    const struct postconf_pair *now =
        postconf_find(&postconf->set, entry->target);
    struct slice left;

    if (now == NULL)
        return; /* somebody has dropped it */
    if (slice_equal(now->value, entry->ours)) {
        if (entry->had)
            postconf_put_main(postconf, entry->target, entry->earlier);
        else
            postconf_drop_main(postconf, entry->target, entry->earlier);
    } else if (!(entry->had && slice_equal(now->value, entry->earlier)) &&
               undo_changed(entry, now->value, postconf->arena, notes, &left)) {
        postconf_put_main(postconf, entry->target, left);
    }
}

/* "smtp/inet/NAME" */
static void
split_target(struct slice target, struct slice *id, struct slice *name)
{
    size_t slash = slice_find_last(target, '/');

    *id = slice_head(target, slash);
    *name = slice_tail(target, slash + 1);
}

static void
undo_option(const struct entry *entry, struct postconf *postconf,
            struct buf *notes)
{
    struct slice id, name, left;

    split_target(entry->target, &id, &name);
    struct postconf_service *service = postconf_service(postconf, id);
    const struct postconf_pair *now =
        service != NULL ? postconf_find(&service->options, name) : NULL;
    if (now == NULL)
        return;
    if (slice_equal(now->value, entry->ours)) {
        if (entry->had)
            postconf_put(&service->options, postconf->arena, name,
                         entry->earlier);
        else
            postconf_drop(&service->options, name);
    } else if (!(entry->had && slice_equal(now->value, entry->earlier)) &&
               undo_changed(entry, now->value, postconf->arena, notes, &left)) {
        postconf_put(&service->options, postconf->arena, name, left);
    }
}

static void
undo_limit(const struct entry *entry, struct postconf *postconf)
{
    struct slice id, name;

    split_target(entry->target, &id, &name);
    struct postconf_service *service = postconf_service(postconf, id);
    if (service != NULL && slice_equal(service->limit, entry->ours))
        service->limit = entry->earlier;
}

static bool
undo_service(const struct entry *entry, struct postconf *postconf)
{
    struct postconf_service service;

    if (!entry->had) {
        postconf_drop_service(postconf, entry->target);
        return true;
    }
    if (!postconf_parse_service(entry->earlier, postconf->arena, &service))
        return false;
    if (postconf_service(postconf, entry->target) != NULL)
        postconf_put_service(postconf, &service);
    return true;
}

bool
plan_state_undo(struct slice state, struct postconf *postconf,
                struct buf *notes, unsigned *line)
{
    *line = 0;
    while (state.len != 0) {
        struct slice text = slice_cut(&state, '\n');
        struct entry entry;
        ++*line;
        if (text.len == 0 || text.ptr[0] == '#')
            continue;
        if (!parse_entry(text, postconf->arena, &entry))
            return false;
        switch (entry.kind) {
        case STATE_MAIN:
            undo_main(&entry, postconf, notes);
            break;
        case STATE_OPTION:
            undo_option(&entry, postconf, notes);
            break;
        case STATE_LIMIT:
            undo_limit(&entry, postconf);
            break;
        case STATE_SERVICE:
            if (!undo_service(&entry, postconf))
                return false;
            break;
        }
    }
    return true;
}
