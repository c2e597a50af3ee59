#include "problem.h"

#include <stdlib.h>
#include <string.h>

enum {
    QUOTED_MAX = 200
};

static void
add(struct problems *list, struct conf_place place, struct slice text)
{
    if (list->count == list->room) {
        list->room = list->room == 0 ? 16 : 2 * list->room;
        list->items =
            mem_realloc(list->items, list->room * sizeof(list->items[0]));
    }
    list->items[list->count] =
        (struct problem){ place, list->count, arena_copy(list->arena, text) };
    list->count++;
}

void
problem_add(struct problems *list, struct conf_place place,
            struct slice setting, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    problem_vadd(list, place, setting, format, args);
    va_end(args);
}

void
problem_vadd(struct problems *list, struct conf_place place,
             struct slice setting, const char *format, va_list args)
{
    struct buf text = { 0 };

    log_escape_text(&text, place.file);
    if (place.line != 0)
        buf_printf(&text, ":%u", place.line);
    buf_puts(&text, ": ");
    if (setting.len != 0) {
        log_escape_text(&text, setting);
        buf_puts(&text, ": ");
    }
    buf_vprintf(&text, format, args);
    add(list, place, buf_slice(&text));
    buf_free(&text);
}

void
problem_add_lines(struct problems *list, struct slice lines)
{
    while (lines.len != 0) {
        struct slice line = slice_cut(&lines, '\n');
        struct conf_place nowhere = { .rank = CONF_ELSEWHERE };
        if (line.len != 0)
            add(list, nowhere, line);
    }
}

static int
compare(const void *left, const void *right)
{
    const struct problem *a = left;
    const struct problem *b = right;

    if (a->place.rank != b->place.rank)
        return a->place.rank < b->place.rank ? -1 : 1;
    if (a->place.rank != CONF_ELSEWHERE && a->place.line != b->place.line)
        return a->place.line < b->place.line ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

void
problems_print(const struct problems *list, struct buf *out)
{
    if (list->count == 0)
        return;
    qsort(list->items, list->count, sizeof(list->items[0]), compare);
    for (size_t i = 0; i < list->count; i++) {
        buf_append(out, list->items[i].text);
        buf_putc(out, '\n');
    }
}

void
problems_free(struct problems *list)
{
    free(list->items);
    *list = (struct problems){ 0 };
}

const char *
problem_quote(struct arena *arena, struct slice text)
{
    struct buf out = { 0 };

    buf_putc(&out, '"');
    log_escape_text(&out, slice_head(text, QUOTED_MAX));
    if (text.len > QUOTED_MAX)
        buf_puts(&out, "...");
    buf_putc(&out, '"');
    char *copy = arena_cstr(arena, buf_slice(&out));
    buf_free(&out);
    return copy;
}
