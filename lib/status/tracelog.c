#include "tracelog.h"

#include "traceline.h"

#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 4 * TRACE_IDS_MAX, /* of the hash table of ids */
    OPEN_MAX = 64              /* refusals that wait for their other line */
};

struct known { /* an id */
    struct slice id;
    size_t story; /* ids of one message have the same */
};

struct kept {
    struct slice text;
    size_t story;
};

/* A line that is half of a refusal: the words of ours, or Postfix' line. */
struct half {
    uint64_t number;
    struct buf text; /* empty: the place is free */
    struct trace_line line;
    struct slice recipients, reply; /* of ours */
};

/* Line `number` is part of a pair: which one, is a made-up id. */
struct paired {
    uint64_t number;
    uint64_t pair;
};

struct trace {
    struct arena arena;
    struct slice what;
    bool address;
    struct known *known;
    size_t known_count;
    unsigned short *slots; /* index in known, plus 1 */
    struct kept *lines;
    size_t line_count, line_room;
    size_t story_count;
    bool cut;
    uint64_t number; /* of the line, in this reading */
    struct half halves[OPEN_MAX];
    size_t next_half;
    struct paired *pairs; /* by number, from the second reading on */
    size_t pair_count, pair_room;
    size_t next_pair; /* the first one not before the line */
    char pair_id[32];
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
    trace->slots = mem_alloc(SLOTS * sizeof(*trace->slots));
    return trace;
}

void
trace_free(struct trace *trace)
{
    for (size_t i = 0; i < OPEN_MAX; i++)
        buf_free(&trace->halves[i].text);
    free(trace->known);
    free(trace->slots);
    free(trace->lines);
    free(trace->pairs);
    arena_free(&trace->arena);
    free(trace);
}

/* ---- ids ---------------------------------------------------------------- */

/* Where the id is, or the free slot where it would be. */
static size_t
find_slot(const struct trace *trace, struct slice id)
{
    uint32_t hash = 2166136261U; /* FNV-1a */

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.ptr[i]) * 16777619U;
    for (size_t slot = hash % SLOTS;; slot = (slot + 1) % SLOTS)
        if (trace->slots[slot] == 0 ||
            slice_equal(trace->known[trace->slots[slot] - 1].id, id))
            return slot;
}

static struct known *
find_known(const struct trace *trace, struct slice id)
{
    size_t slot = find_slot(trace, id);

    return id.len == 0 || trace->slots[slot] == 0
               ? NULL
               : &trace->known[trace->slots[slot] - 1];
}

static bool
add_id(struct trace *trace, struct slice id, size_t story)
{
    size_t slot = find_slot(trace, id);

    if (trace->slots[slot] != 0) {
        size_t other = trace->known[trace->slots[slot] - 1].story;
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
    trace->slots[slot] = (unsigned short)trace->known_count;
    return true;
}

/* ---- refusals ----------------------------------------------------------- */

static void
add_pair(struct trace *trace, uint64_t number, uint64_t pair)
{
    if (trace->pair_count == TRACE_PAIRS_MAX) {
        trace->cut = true;
        return;
    }
    if (trace->pair_count == trace->pair_room) {
        trace->pair_room = trace->pair_room * 2 + 64;
        trace->pairs =
            mem_realloc(trace->pairs, trace->pair_room * sizeof(*trace->pairs));
    }
    trace->pairs[trace->pair_count++] = (struct paired){ number, pair };
}

/* Parses; false: the line is no half of anything. */
static bool
read_half(struct slice text, struct half *half)
{
    if (!trace_line_parse(text, &half->line))
        return false;
    return half->line.onward ? trace_line_is_refusal(
                                   &half->line, &half->recipients, &half->reply)
                             : trace_line_quotes_refusal(&half->line);
}

static bool
belong_together(const struct half *one, const struct half *two)
{
    const struct half *ours = one->line.onward ? one : two;
    const struct half *theirs = one->line.onward ? two : one;

    return one->line.onward != two->line.onward &&
           trace_line_quotes(&theirs->line, &ours->line, ours->recipients,
                             ours->reply);
}

/* The front logs a refused command before we log the transaction, and a
 * refused message after it: the other half may stand before or behind. */
void
trace_pair(struct trace *trace, struct slice text)
{
    struct half half = { 0 };

    trace->number++;
    if (!read_half(text, &half))
        return;
    for (size_t i = 1; i <= OPEN_MAX; i++) { /* the latest first */
        struct half *other =
            &trace->halves[(trace->next_half + OPEN_MAX - i) % OPEN_MAX];
        if (other->text.len == 0 || !belong_together(&half, other))
            continue;
        add_pair(trace, other->number, other->number);
        add_pair(trace, trace->number, other->number);
        buf_clear(&other->text);
        return;
    }
    struct half *place = &trace->halves[trace->next_half++ % OPEN_MAX];
    half.text = place->text;
    half.number = trace->number;
    buf_clear(&half.text);
    buf_append(&half.text, text);
    read_half(buf_slice(&half.text), &half); /* the copy */
    *place = half;
}

static int
by_number(const void *a, const void *b)
{
    const struct paired *one = a, *two = b;

    return (one->number > two->number) - (one->number < two->number);
}

void
trace_start(struct trace *trace)
{
    if (trace->number != 0 && trace->pair_count != 0)
        qsort(trace->pairs, trace->pair_count, sizeof(*trace->pairs),
              by_number);
    trace->number = 0;
    trace->next_pair = 0;
}

/* The next line, with the id of its pair among what it speaks of. */
static bool
read_line(struct trace *trace, struct slice text, struct trace_line *line)
{
    const struct paired *next;

    trace->number++;
    if (!trace_line_parse(text, line))
        return false;
    while (trace->next_pair < trace->pair_count &&
           trace->pairs[trace->next_pair].number < trace->number)
        trace->next_pair++;
    if (trace->next_pair == trace->pair_count)
        return true;
    next = &trace->pairs[trace->next_pair];
    if (next->number == trace->number && line->link_count < TRACE_LINKS_MAX) {
        struct buf id = { 0 }; /* no id of Postfix has a blank */
        buf_printf(&id, "pair %llu", (unsigned long long)next->pair);
        struct slice s = slice_head(buf_slice(&id), sizeof(trace->pair_id));
        memcpy(trace->pair_id, s.ptr, s.len);
        line->links[line->link_count++] =
            (struct slice){ trace->pair_id, s.len };
        buf_free(&id);
    }
    return true;
}

/* ---- stories ------------------------------------------------------------ */

/* The story of a line that belongs to one; false: it does not. */
static bool
find_story(const struct trace *trace, const struct trace_line *line,
           size_t *story)
{
    /* An Onward session may have had several messages: its id joins none. */
    struct known *known = line->onward ? NULL : find_known(trace, line->own);

    for (size_t i = 0; known == NULL && i < line->link_count; i++)
        known = find_known(trace, line->links[i]);
    if (known != NULL)
        *story = known->story;
    return known != NULL;
}

static bool
is_asked_for(const struct trace *trace, const struct trace_line *line)
{
    if (trace->address)
        return trace_line_has_address(line, trace->what);
    if (line->own.len != 0 && slice_equal(line->own, trace->what))
        return true;
    for (size_t i = 0; i < line->link_count; i++)
        if (slice_equal(line->links[i], trace->what))
            return true;
    return false;
}

bool
trace_learn(struct trace *trace, struct slice text)
{
    struct trace_line line;
    size_t story;
    bool learnt = false;

    if (!read_line(trace, text, &line))
        return false;
    if (!find_story(trace, &line, &story)) {
        if (!is_asked_for(trace, &line))
            return false;
        story = trace->story_count++;
    }
    if (!line.onward && line.own.len != 0)
        learnt = add_id(trace, line.own, story);
    for (size_t i = 0; i < line.link_count; i++)
        learnt = add_id(trace, line.links[i], story) || learnt;
    return learnt;
}

void
trace_collect(struct trace *trace, struct slice text)
{
    struct trace_line line;
    size_t story;

    if (!read_line(trace, text, &line))
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

/* ---- telling ------------------------------------------------------------ */

static void
print_line(struct slice text, struct buf *out)
{
    struct trace_line line;

    if (!trace_line_parse(text, &line))
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
    /* The last line of each story so far, and the next line of the same story
     * behind each line; plus 1, 0 is none. */
    size_t *last = mem_alloc((trace->story_count + 1) * sizeof(*last));
    size_t *next = mem_alloc((trace->line_count + 1) * sizeof(*next));
    bool *first = mem_alloc(trace->line_count + 1);
    size_t count = 0;

    *cut = trace->cut;
    for (size_t i = 0; i < trace->line_count; i++) {
        size_t *end = &last[trace->lines[i].story];
        if (*end == 0)
            first[i] = true;
        else
            next[*end - 1] = i + 1;
        *end = i + 1;
    }
    for (size_t i = 0; i < trace->line_count; i++) {
        if (!first[i])
            continue;
        count++;
        buf_printf(out, "%smessage %zu\n", count > 1 ? "\n" : "", count);
        for (size_t k = i + 1; k != 0; k = next[k - 1])
            print_line(trace->lines[k - 1].text, out);
    }
    free(last);
    free(next);
    free(first);
    return count;
}
