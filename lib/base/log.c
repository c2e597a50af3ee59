#include "log.h"

#include "escape.h"

#include <stdio.h>
#include <string.h>

/*
 * Syslog daemons cut a line at 8 KiB at the latest, some at 4 KiB, and in the
 * middle of a key: a line of ours has at most LINE_OCTETS, and 100 octets are
 * left of 4,000 for time, host and process before it. One value gets at most
 * VALUE_OCTETS as written, so that those of fixed number leave room for lists.
 */
enum {
    LINE_OCTETS = 3900,
    VALUE_OCTETS = 700,
    ENTRY_OCTETS_MIN = 40, /* of the first address of a list, in any case */
    MORE_OCTETS = 32       /* of ", more_orig_to=N" and a bracket */
};

/* Octets that the line may still take. */
static size_t
room(const struct log_line *line)
{
    size_t used = line->text.len + line->kept;

    return used < LINE_OCTETS ? LINE_OCTETS - used : 0;
}

/* What one value may take of them. */
static size_t
value_room(const struct log_line *line)
{
    size_t left = room(line);

    return left > VALUE_OCTETS       ? VALUE_OCTETS
           : left > ENTRY_OCTETS_MIN ? left
                                     : ENTRY_OCTETS_MIN;
}

void
log_begin(struct log_line *line, const struct log_sink *sink,
          enum log_level level, struct slice id)
{
    *line = (struct log_line){ .format = sink->format,
                               .level = level,
                               .empty = true };
    if (line->format == LOG_FORMAT_JSON) {
        buf_putc(&line->text, '{');
        if (id.len != 0)
            log_value(line, "id", id);
    } else if (id.len != 0) {
        buf_append(&line->text, id);
        buf_puts(&line->text, ": ");
    }
    line->id_length = line->text.len;
}

struct slice
log_said(const struct log_line *line)
{
    struct slice said = slice_tail(buf_slice(&line->text), line->id_length);

    if (line->format == LOG_FORMAT_TEXT)
        return said;
    if (slice_starts_nocase(said, SLICE_OF(", "))) /* after the id */
        said = slice_tail(said, 2);
    return slice_head(said, said.len - 1);
}

static void
put_key(struct log_line *line, const char *key)
{
    if (!line->empty)
        buf_puts(&line->text, ", ");
    line->empty = false;
    if (line->format == LOG_FORMAT_JSON)
        buf_putc(&line->text, '"');
    buf_puts(&line->text, key);
    buf_puts(&line->text, line->format == LOG_FORMAT_JSON ? "\": " : "=");
}

static void
put_json_string(struct log_line *line, struct slice value, size_t max)
{
    buf_putc(&line->text, '"');
    log_escape(&line->text, LOG_ESCAPE_JSON, value, max);
    buf_putc(&line->text, '"');
}

static bool
needs_quotes(struct slice value)
{
    if (value.len == 0)
        return true;
    for (size_t i = 0; i < value.len; i++)
        if (memchr(" ,\"\\", value.ptr[i], 4) != NULL)
            return true;
    return false;
}

void
log_value(struct log_line *line, const char *key, struct slice value)
{
    put_key(line, key);
    size_t max = value_room(line);
    if (line->format == LOG_FORMAT_JSON) {
        put_json_string(line, value, max);
    } else if (!needs_quotes(value)) {
        log_escape(&line->text, LOG_ESCAPE_TEXT, value, max);
    } else {
        buf_putc(&line->text, '"');
        log_escape(&line->text, LOG_ESCAPE_QUOTED, value, max);
        buf_putc(&line->text, '"');
    }
}

void
log_number(struct log_line *line, const char *key, uint64_t value)
{
    put_key(line, key);
    buf_put_number(&line->text, value);
}

static void
put_address(struct log_line *line, struct slice value, size_t max)
{
    if (line->format == LOG_FORMAT_JSON) {
        put_json_string(line, value, max);
        return;
    }
    buf_putc(&line->text, '<');
    log_escape(&line->text, LOG_ESCAPE_ADDRESS, value, max);
    buf_putc(&line->text, '>');
}

void
log_address(struct log_line *line, const char *key, struct slice value)
{
    put_key(line, key);
    put_address(line, value, value_room(line));
}

/* JSON wants each key once. */
static void
put_more(struct log_line *line, const char *key, size_t count)
{
    char name[64];

    if (line->format == LOG_FORMAT_JSON && line->cut)
        snprintf(name, sizeof(name), "more_%s", key);
    else
        snprintf(name, sizeof(name), "more");
    line->cut = true;
    log_number(line, name, count);
}

void
log_addresses(struct log_line *line, const char *key,
              const struct slice *values, size_t count, unsigned share)
{
    size_t i = 0;

    put_key(line, key);
    size_t end = line->text.len + room(line) / share;
    end -= end - line->text.len > MORE_OCTETS ? MORE_OCTETS : 0;
    if (line->format == LOG_FORMAT_JSON)
        buf_putc(&line->text, '[');
    for (; i < count; i++) {
        size_t before = line->text.len;
        if (i != 0)
            buf_putc(&line->text, ',');
        put_address(line, values[i], VALUE_OCTETS);
        if (line->text.len <= end)
            continue;
        line->text.len = before;
        if (i != 0)
            break;
        put_address(line, values[i],
                    end > before + ENTRY_OCTETS_MIN + 2 ? end - before - 2
                                                        : ENTRY_OCTETS_MIN);
    }
    if (line->format == LOG_FORMAT_JSON)
        buf_putc(&line->text, ']');
    if (i < count)
        put_more(line, key, count - i);
}

void
log_words(struct log_line *line, const char *key, const struct slice *values,
          size_t count)
{
    struct buf list = { 0 };

    for (size_t i = 0; i < count && list.len <= VALUE_OCTETS; i++) {
        if (i != 0)
            buf_putc(&list, ',');
        buf_append(&list, values[i]);
    }
    put_key(line, key);
    if (line->format == LOG_FORMAT_JSON)
        put_json_string(line, buf_slice(&list), value_room(line));
    else
        log_escape(&line->text, LOG_ESCAPE_TEXT, buf_slice(&list),
                   value_room(line));
    buf_free(&list);
}

void
log_begin_tail(struct log_line *tail, const struct log_line *line)
{
    *tail = (struct log_line){ .format = line->format,
                               .level = line->level,
                               .empty = true };
}

void
log_keep_tail(struct log_line *line, const struct log_line *tail)
{
    line->kept = tail->text.len + 2;
}

void
log_append_tail(struct log_line *line, struct log_line *tail)
{
    line->kept = 0;
    if (!line->empty && !tail->empty)
        buf_puts(&line->text, ", ");
    line->empty = line->empty && tail->empty;
    buf_append(&line->text, buf_slice(&tail->text));
    buf_free(&tail->text);
}

void
log_end(struct log_line *line, const struct log_sink *sink)
{
    if (line->format == LOG_FORMAT_JSON)
        buf_putc(&line->text, '}');
    if (line->level <= sink->level && sink->write != NULL)
        sink->write(sink->ctx, line);
    buf_free(&line->text);
}

void
log_message(const struct log_sink *sink, enum log_level level, struct slice id,
            const char *format, ...)
{
    struct buf text = { 0 };
    struct log_line line;
    va_list args;

    if (level > sink->level)
        return;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    log_begin(&line, sink, level, id);
    line.kind = LOG_SENTENCE;
    if (line.format == LOG_FORMAT_JSON) {
        put_key(&line, "message");
        put_json_string(&line, buf_slice(&text), room(&line) - 3);
    } else {
        log_escape(&line.text, LOG_ESCAPE_TEXT, buf_slice(&text), room(&line));
    }
    log_end(&line, sink);
    buf_free(&text);
}
