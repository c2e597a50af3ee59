#include "trace.h"

#include <stdlib.h>

struct known { /* a queue id */
    struct slice id;
    size_t story; /* ids of one message have the same */
};

struct kept {
    struct slice text;
    size_t story;
};

struct trace {
    struct arena arena;
    struct slice what;
    bool address;
    struct known *known;
    size_t known_count;
    struct kept *lines;
    size_t line_count, line_room;
    size_t story_count;
    bool cut;
};

enum {
    LINKS_MAX = 16
};

struct parsed {
    struct slice program;          /* "postfix/smtpd", "onward" */
    struct slice prefix;           /* time and host */
    struct slice text;             /* behind "]: " */
    struct slice own;              /* the id it begins with; or empty */
    struct slice links[LINKS_MAX]; /* queue ids it speaks of */
    size_t link_count;
};

struct trace *
trace_new(struct slice what)
{
    struct trace *trace = mem_alloc(sizeof(*trace));

    trace->address =
        slice_find(what, '@') < what.len || slice_equal(what, SLICE_OF("<>"));
    if (what.len > 2 && what.ptr[0] == '<' && what.ptr[what.len - 1] == '>')
        what = slice_head(slice_tail(what, 1), what.len - 2);
    else if (trace->address && what.len == 2)
        what = slice_head(what, 0);
    trace->what = arena_copy(&trace->arena, what);
    trace->known = mem_alloc(TRACE_IDS_MAX * sizeof(*trace->known));
    return trace;
}

void
trace_free(struct trace *trace)
{
    free(trace->known);
    free(trace->lines);
    arena_free(&trace->arena);
    free(trace);
}

/* ---- a line ------------------------------------------------------------- */

static struct slice
id_at(struct slice text)
{
    size_t len = 0;

    while (len < text.len && ascii_is_alnum(text.ptr[len]))
        len++;
    return slice_head(text, len);
}

static bool
is_id(struct slice s)
{
    static const char *const words[] = { "NOQUEUE", "warning", "error",
                                         "fatal",   "panic",   "statistics",
                                         "config",  "log",     "upstream" };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_equal(s, slice_from(words[i])))
            return false;
    return s.len >= 5 && s.len <= 20;
}

static void
find_links(struct parsed *line, struct slice mark)
{
    struct slice rest = line->text;

    while (rest.len > mark.len && line->link_count < LINKS_MAX) {
        if (slice_starts_nocase(rest, mark)) {
            struct slice id = id_at(slice_tail(rest, mark.len));
            if (is_id(id))
                line->links[line->link_count++] = id;
        }
        rest = slice_tail(rest, 1);
    }
}

static bool
parse(struct slice line, struct parsed *parsed)
{
    size_t end = 0, start;

    *parsed = (struct parsed){ 0 };
    while (end + 3 <= line.len &&
           !(line.ptr[end] == ']' && line.ptr[end + 1] == ':' &&
             line.ptr[end + 2] == ' '))
        end++;
    if (end + 3 > line.len)
        return false;
    struct slice head = slice_head(line, end);
    head = slice_head(head, slice_find_last(head, '['));
    start = slice_find_last(head, ' ');
    if (start >= head.len)
        return false;
    parsed->program = slice_tail(head, start + 1);
    parsed->prefix = slice_head(head, start);
    if (!slice_starts_nocase(parsed->program, SLICE_OF("postfix")) &&
        !slice_starts_nocase(parsed->program, SLICE_OF("onward")))
        return false;
    parsed->text = slice_tail(line, end + 3);
    struct slice own = id_at(parsed->text);
    if (is_id(own) && own.len < parsed->text.len &&
        parsed->text.ptr[own.len] == ':')
        parsed->own = own;
    find_links(parsed, SLICE_OF("queued as "));
    find_links(parsed, SLICE_OF("notification: ")); /* bounce, delay */
    find_links(parsed, SLICE_OF("orig_queue_id="));
    return true;
}

static bool
is_onward(const struct parsed *line)
{
    return slice_starts_nocase(line->program, SLICE_OF("onward"));
}

/* <address>, in any case; <a>,<b> has both. */
static bool
has_address(const struct trace *trace, struct slice text)
{
    struct slice a = trace->what;

    for (size_t i = 0; i + a.len + 1 < text.len; i++)
        if (text.ptr[i] == '<' && text.ptr[i + 1 + a.len] == '>' &&
            slice_equal_nocase(slice_head(slice_tail(text, i + 1), a.len), a))
            return true;
    return false;
}

/* ---- ids ---------------------------------------------------------------- */

static struct known *
find_known(const struct trace *trace, struct slice id)
{
    for (size_t i = 0; i < trace->known_count && id.len != 0; i++)
        if (slice_equal(trace->known[i].id, id))
            return &trace->known[i];
    return NULL;
}

/* The story of a line that belongs to one; false: it does not. */
static bool
find_story(const struct trace *trace, const struct parsed *line, size_t *story)
{
    /* An Onward session may have had several messages: its id joins none. */
    struct known *known = is_onward(line) ? NULL : find_known(trace, line->own);

    for (size_t i = 0; known == NULL && i < line->link_count; i++)
        known = find_known(trace, line->links[i]);
    if (known != NULL)
        *story = known->story;
    return known != NULL;
}

static bool
is_asked_for(const struct trace *trace, const struct parsed *line)
{
    return trace->address
               ? has_address(trace, line->text)
               : line->own.len != 0 && slice_equal(line->own, trace->what);
}

static bool
add_id(struct trace *trace, struct slice id, size_t story)
{
    struct known *known = find_known(trace, id);

    if (known != NULL) {
        size_t other = known->story;
        if (other == story)
            return false;
        for (size_t i = 0; i < trace->known_count; i++)
            if (trace->known[i].story == other)
                trace->known[i].story = story;
        return true;
    }
    if (trace->known_count == TRACE_IDS_MAX) {
        trace->cut = true;
        return false;
    }
    trace->known[trace->known_count++] =
        (struct known){ arena_copy(&trace->arena, id), story };
    return true;
}

bool
trace_learn(struct trace *trace, struct slice text)
{
    struct parsed line;
    size_t story;
    bool learnt = false;

    if (!parse(text, &line))
        return false;
    if (!find_story(trace, &line, &story)) {
        if (!is_asked_for(trace, &line) &&
            !(!trace->address && line.link_count != 0 &&
              slice_equal(line.links[0], trace->what)))
            return false;
        story = trace->story_count++;
    }
    if (!is_onward(&line) && line.own.len != 0)
        learnt = add_id(trace, line.own, story);
    for (size_t i = 0; i < line.link_count; i++)
        learnt = add_id(trace, line.links[i], story) || learnt;
    return learnt;
}

void
trace_collect(struct trace *trace, struct slice text)
{
    struct parsed line;
    size_t story;

    if (!parse(text, &line))
        return;
    if (!find_story(trace, &line, &story)) {
        if (!is_asked_for(trace, &line))
            return;
        story = trace->story_count++; /* refused: it got no queue id */
    }
    if (trace->line_count == TRACE_LINES_MAX) {
        trace->cut = true;
        return;
    }
    if (trace->line_count == trace->line_room) {
        trace->line_room = trace->line_room * 2 + 64;
        trace->lines =
            mem_realloc(trace->lines, trace->line_room * sizeof(*trace->lines));
    }
    trace->lines[trace->line_count++] =
        (struct kept){ arena_copy(&trace->arena, text), story };
}

/* ---- the story ---------------------------------------------------------- */

static void
print_line(struct slice text, struct buf *out)
{
    struct parsed line;

    if (!parse(text, &line))
        return;
    buf_puts(out, "  ");
    log_escape_text(out, line.prefix);
    buf_puts(out, "  ");
    log_escape_text(out, line.program);
    buf_puts(out, "\n      ");
    log_escape_text(out, line.text);
    buf_putc(out, '\n');
}

size_t
trace_print(const struct trace *trace, struct buf *out, bool *cut)
{
    size_t count = 0;

    *cut = trace->cut;
    for (size_t i = 0; i < trace->line_count; i++) {
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = trace->lines[k].story == trace->lines[i].story;
        if (seen)
            continue;
        count++;
        buf_printf(out, "%smessage %zu\n", count > 1 ? "\n" : "", count);
        for (size_t k = i; k < trace->line_count; k++)
            if (trace->lines[k].story == trace->lines[i].story)
                print_line(trace->lines[k].text, out);
    }
    return count;
}
