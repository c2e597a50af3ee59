#include "backend.h"

#include <string.h>

enum {
    ERRORS_SHOWN = 100,
    CULPRIT_SHOWN = 80,
    LINE_MAX_OCTETS = 2 * TABLE_VALUE_MAX /* a logical line, with its blanks */
};

void
text_error(struct text_errors *errors, unsigned line, const char *format, ...)
{
    struct buf sentence = { 0 };
    va_list args;

    if (errors->count++ >= ERRORS_SHOWN)
        return;
    buf_append(errors->out, errors->name);
    if (line != 0)
        buf_printf(errors->out, ":%u", line);
    buf_puts(errors->out, ": ");
    va_start(args, format);
    buf_vprintf(&sentence, format, args);
    va_end(args);
    /* It quotes the file, and somebody's terminal will show it. */
    log_escape_text(errors->out, buf_slice(&sentence));
    buf_putc(errors->out, '\n');
    buf_free(&sentence);
}

void
text_errors_end(struct text_errors *errors)
{
    if (errors->count <= ERRORS_SHOWN)
        return;
    buf_append(errors->out, errors->name);
    buf_printf(errors->out, ": and %u more errors\n",
               errors->count - ERRORS_SHOWN);
}

/* What isspace() says in the C locale, as postmap asks it. */
static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct slice
trim(struct slice s)
{
    while (s.len != 0 && is_blank(s.ptr[0]))
        s = slice_tail(s, 1);
    while (s.len != 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static bool
is_ascii(struct slice s)
{
    unsigned char all = 0;

    for (size_t i = 0; i < s.len; i++)
        all |= (unsigned char)s.ptr[i];
    return all < 0x80;
}

/* The end of the key: the first blank outside quotes, as postmap has it.
 * *open: a quote is not closed. */
static size_t
key_end(struct slice line, bool *open)
{
    size_t i = 0;

    *open = false;
    for (; i < line.len; i++) {
        if (line.ptr[i] == '\\' && i + 1 < line.len)
            i++;
        else if (line.ptr[i] == '"')
            *open = !*open;
        else if (is_blank(line.ptr[i]) && !*open)
            break;
    }
    return i;
}

/* One logical line that is being put together. */
struct logical {
    struct buf text;
    unsigned line; /* where it began; 0: there is none */
    bool skip;     /* it was too long: what continues it is passed over */
};

static bool
visit_line(struct logical *logical, table_visit *visit, void *ctx,
           struct text_errors *errors)
{
    struct slice text = buf_slice(&logical->text);
    unsigned line = logical->line;
    bool open;

    logical->line = 0;
    if (memchr(text.ptr, '\0', text.len) != NULL) {
        text_error(errors, line, "the line holds a NUL");
        return true;
    }
    if (!is_ascii(text) && !utf8_is_valid(text)) {
        text_error(errors, line, "the line is not UTF-8");
        return true;
    }
    struct slice key = slice_head(text, key_end(text, &open));
    struct slice value = trim(slice_tail(text, key.len));
    if (open) {
        text_error(errors, line, "a quote is not closed");
        return true;
    }
    if (value.len > TABLE_VALUE_MAX) {
        text_error(errors, line, "\"%.*s\" has a value of more than %d octets",
                   SLICE_ARG(slice_head(key, CULPRIT_SHOWN)), TABLE_VALUE_MAX);
        return true;
    }
    if (value.len == 0) {
        text_error(errors, line, "\"%.*s\" has no value",
                   SLICE_ARG(slice_head(key, CULPRIT_SHOWN)));
        return true;
    }
    for (size_t i = 0; i < key.len; i++)
        logical->text.ptr[i] = ascii_lower(logical->text.ptr[i]);
    return visit(ctx, key, value, line);
}

void
text_walk(struct slice text, table_visit *visit, void *ctx,
          struct text_errors *errors)
{
    struct logical logical = { 0 };
    bool going = true;

    if (slice_starts_nocase(text, SLICE_OF("\xEF\xBB\xBF"))) {
        text_error(errors, 1, "the file begins with a byte-order mark");
        text = slice_tail(text, 3);
    }
    for (unsigned line = 1; text.len != 0 && going; line++) {
        struct slice physical = slice_cut(&text, '\n');
        struct slice content = trim(physical);

        /* Neither ends a logical line: see postconf(5), "multi-line". */
        if (content.len == 0 || content.ptr[0] == '#')
            continue;
        if (!is_blank(physical.ptr[0])) {
            if (logical.line != 0)
                going = visit_line(&logical, visit, ctx, errors);
            buf_clear(&logical.text);
            logical.line = line;
            logical.skip = false;
        } else if (logical.skip) {
            continue;
        } else if (logical.line == 0) {
            text_error(errors, line,
                       "the line begins with a blank but continues nothing");
            continue;
        }
        if (logical.text.len + physical.len > LINE_MAX_OCTETS) {
            text_error(errors, line, "the line is longer than %d octets",
                       LINE_MAX_OCTETS);
            buf_clear(&logical.text);
            logical.line = 0;
            logical.skip = true;
            continue;
        }
        buf_append(&logical.text, physical);
    }
    if (logical.line != 0 && going)
        visit_line(&logical, visit, ctx, errors);
    buf_free(&logical.text);
}

bool
table_text_each(struct slice text, struct slice name,
                bool (*visit)(void *ctx, struct slice key, struct slice value,
                              unsigned line),
                void *ctx, struct buf *errors)
{
    struct text_errors report = { .out = errors, .name = name };

    text_walk(text, visit, ctx, &report);
    text_errors_end(&report);
    return report.count == 0;
}
