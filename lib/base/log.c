#include "log.h"

#include <string.h>

/* A line longer than this is cut: syslog daemons cut at 8 KiB at the latest,
 * and in the middle of a key. */
enum {
    VALUE_MAX = 2048,
    LIST_MAX = 100
};

size_t
utf8_length(struct slice s)
{
    if (s.len == 0)
        return 0;
    const unsigned char *p = (const unsigned char *)s.ptr;
    unsigned char c = p[0];

    if (c < 0x80)
        return 1;
    size_t need = c >= 0xC2 && c <= 0xDF   ? 2
                  : c >= 0xE0 && c <= 0xEF ? 3
                  : c >= 0xF0 && c <= 0xF4 ? 4
                                           : 0;
    if (need == 0 || s.len < need)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    /* Overlong forms, surrogates and what lies beyond U+10FFFF. */
    if ((c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F) ||
        (c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] > 0x8F))
        return 0;
    return need;
}

bool
utf8_is_valid(struct slice s)
{
    while (s.len != 0) {
        size_t n = ascii_printable_length(s);
        if (n == 0)
            n = utf8_length(s);
        if (n == 0)
            return false;
        s = slice_tail(s, n);
    }
    return true;
}

/* Appends what needs no escaping at the start of s and returns the rest. */
static struct slice
append_plain(struct buf *out, struct slice s)
{
    size_t n = ascii_printable_length(s);

    buf_append(out, slice_head(s, n));
    return slice_tail(s, n);
}

/* U+0080 to U+009F; n from utf8_length. */
static bool
is_c1(struct slice s, size_t n)
{
    return n == 2 && (unsigned char)s.ptr[0] == 0xC2 &&
           (unsigned char)s.ptr[1] < 0xA0;
}

size_t
utf8_printable_length(struct slice s)
{
    size_t n = utf8_length(s);

    return (n == 1 && ascii_is_control(s.ptr[0])) || is_c1(s, n) ? 0 : n;
}

void
log_escape_text(struct buf *out, struct slice s)
{
    while ((s = append_plain(out, s)).len != 0) {
        size_t n = utf8_printable_length(s);
        if (n == 0) {
            buf_printf(out, "\\%03o", (unsigned)(unsigned char)s.ptr[0]);
            n = 1;
        } else {
            buf_append(out, slice_head(s, n));
        }
        s = slice_tail(s, n);
    }
}

void
log_escape_json(struct buf *out, struct slice s)
{
    while (s.len != 0) {
        size_t n = utf8_length(s);
        char c = s.ptr[0];
        if (n == 1 && (c == '"' || c == '\\')) {
            buf_putc(out, '\\');
            buf_putc(out, c);
        } else if (n == 0 || (n == 1 && ascii_is_control(c))) {
            buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c);
            n = 1;
        } else if (is_c1(s, n)) {
            buf_printf(out, "\\u%04x", (unsigned)(unsigned char)s.ptr[1]);
        } else {
            buf_append(out, slice_head(s, n));
        }
        s = slice_tail(s, n);
    }
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
put_json_string(struct log_line *line, struct slice value)
{
    buf_putc(&line->text, '"');
    log_escape_json(&line->text, slice_head(value, VALUE_MAX));
    buf_putc(&line->text, '"');
}

static bool
needs_quotes(struct slice value)
{
    if (value.len == 0)
        return true;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] == ' ' || value.ptr[i] == ',' || value.ptr[i] == '"')
            return true;
    return false;
}

void
log_value(struct log_line *line, const char *key, struct slice value)
{
    put_key(line, key);
    if (line->format == LOG_FORMAT_JSON) {
        put_json_string(line, value);
        return;
    }
    value = slice_head(value, VALUE_MAX);
    if (!needs_quotes(value)) {
        log_escape_text(&line->text, value);
        return;
    }
    buf_putc(&line->text, '"');
    while (value.len != 0) {
        size_t at = slice_find(value, '"');
        log_escape_text(&line->text, slice_head(value, at));
        if (at < value.len)
            buf_puts(&line->text, "\\\"");
        value = slice_tail(value, at + 1);
    }
    buf_putc(&line->text, '"');
}

void
log_number(struct log_line *line, const char *key, uint64_t value)
{
    put_key(line, key);
    buf_put_number(&line->text, value);
}

static void
put_address(struct log_line *line, struct slice value)
{
    if (line->format == LOG_FORMAT_JSON) {
        put_json_string(line, value);
        return;
    }
    buf_putc(&line->text, '<');
    log_escape_text(&line->text, slice_head(value, VALUE_MAX));
    buf_putc(&line->text, '>');
}

void
log_address(struct log_line *line, const char *key, struct slice value)
{
    put_key(line, key);
    put_address(line, value);
}

void
log_addresses(struct log_line *line, const char *key,
              const struct slice *values, size_t count)
{
    put_key(line, key);
    if (line->format == LOG_FORMAT_JSON)
        buf_putc(&line->text, '[');
    for (size_t i = 0; i < count && i < LIST_MAX; i++) {
        if (i != 0)
            buf_putc(&line->text, ',');
        put_address(line, values[i]);
    }
    if (line->format == LOG_FORMAT_JSON)
        buf_putc(&line->text, ']');
    if (count > LIST_MAX)
        log_number(line, "more", count - LIST_MAX);
}

void
log_words(struct log_line *line, const char *key, const struct slice *values,
          size_t count)
{
    put_key(line, key);
    if (line->format == LOG_FORMAT_JSON)
        buf_putc(&line->text, '"');
    for (size_t i = 0; i < count && i < LIST_MAX; i++) {
        if (i != 0)
            buf_putc(&line->text, ',');
        if (line->format == LOG_FORMAT_JSON)
            log_escape_json(&line->text, slice_head(values[i], VALUE_MAX));
        else
            log_escape_text(&line->text, slice_head(values[i], VALUE_MAX));
    }
    if (line->format == LOG_FORMAT_JSON)
        buf_putc(&line->text, '"');
}

void
log_end(struct log_line *line, const struct log_sink *sink)
{
    if (line->format == LOG_FORMAT_JSON)
        buf_putc(&line->text, '}');
    if (line->level <= sink->level && sink->write != NULL)
        sink->write(sink->ctx, line->level, buf_slice(&line->text));
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
    if (line.format == LOG_FORMAT_JSON)
        log_value(&line, "message", buf_slice(&text));
    else
        log_escape_text(&line.text, buf_slice(&text));
    log_end(&line, sink);
    buf_free(&text);
}
