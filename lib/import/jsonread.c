#include "jsonread.h"

enum {
    DEPTH_MAX = 32
};

struct reader {
    struct slice rest;
    unsigned line;
    const char *why;
    struct arena *arena;
};

static struct json_value *read_value(struct reader *r, unsigned depth);

static struct json_value *
fail(struct reader *r, const char *why)
{
    if (r->why == NULL)
        r->why = why;
    return NULL;
}

static char
peek(const struct reader *r)
{
    return r->rest.len != 0 ? r->rest.ptr[0] : '\0';
}

static void
skip_blanks(struct reader *r)
{
    while (r->rest.len != 0) {
        char c = r->rest.ptr[0];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            return;
        if (c == '\n')
            r->line++;
        r->rest = slice_tail(r->rest, 1);
    }
}

static bool
take_here(struct reader *r, char c)
{
    if (r->rest.len == 0 || peek(r) != c)
        return false;
    r->rest = slice_tail(r->rest, 1);
    return true;
}

static bool
take(struct reader *r, char c)
{
    skip_blanks(r);
    return take_here(r, c);
}

static void
put_utf8(struct buf *out, unsigned c)
{
    if (c < 0x80) {
        buf_putc(out, (char)c);
    } else if (c < 0x800) {
        buf_putc(out, (char)(0xC0 | c >> 6));
        buf_putc(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_putc(out, (char)(0xE0 | c >> 12));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_putc(out, (char)(0x80 | (c & 0x3F)));
    } else {
        buf_putc(out, (char)(0xF0 | c >> 18));
        buf_putc(out, (char)(0x80 | (c >> 12 & 0x3F)));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_putc(out, (char)(0x80 | (c & 0x3F)));
    }
}

static bool
read_hex(struct reader *r, unsigned *code)
{
    *code = 0;
    for (size_t i = 0; i < 4; i++) {
        char c = ascii_lower(peek(r));
        if (!ascii_is_digit(c) && !(c >= 'a' && c <= 'f'))
            return false;
        *code =
            *code * 16 + (unsigned)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
        r->rest = slice_tail(r->rest, 1);
    }
    return true;
}

static bool
read_escape(struct reader *r, struct buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = peek(r);
    unsigned code, low;

    r->rest = slice_tail(r->rest, 1);
    for (size_t i = 0; i < sizeof(from) - 1; i++)
        if (c == from[i]) {
            buf_putc(out, to[i]);
            return true;
        }
    /* No address holds a NUL, and libconfig's strings end at one. */
    if (c != 'u' || !read_hex(r, &code) || code == 0 ||
        (code >= 0xDC00 && code <= 0xDFFF))
        return false;
    if (code >= 0xD800 && code < 0xDC00) {
        if (!take_here(r, '\\') || !take_here(r, 'u') || !read_hex(r, &low) ||
            low < 0xDC00 || low > 0xDFFF)
            return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    put_utf8(out, code);
    return true;
}

static bool
read_string(struct reader *r, struct slice *text)
{
    struct buf out = { 0 };

    if (!take(r, '"')) {
        fail(r, "a string in double quotes is expected here");
        return false;
    }
    bool ok = true;
    while (ok && r->rest.len != 0 && peek(r) != '"') {
        char c = peek(r);
        if (ascii_is_control(c) && c != 127) {
            ok = false;
            break;
        }
        r->rest = slice_tail(r->rest, 1);
        if (c == '\\')
            ok = read_escape(r, &out);
        else
            buf_putc(&out, c);
    }
    ok = ok && take(r, '"');
    if (ok)
        *text = arena_copy(r->arena, buf_slice(&out));
    else
        fail(r, "this string does not end, or holds a bad escape");
    buf_free(&out);
    return ok;
}

static struct json_value *
read_members(struct reader *r, struct json_value *value, char close,
             unsigned depth)
{
    struct json_value **last = &value->first;

    if (take(r, close))
        return value;
    do {
        struct slice name = { 0 };
        if (value->kind == JSON_OBJECT) {
            if (!read_string(r, &name))
                return NULL;
            if (!take(r, ':'))
                return fail(r, "a colon is missing behind the name");
        }
        struct json_value *member = read_value(r, depth + 1);
        if (member == NULL)
            return NULL;
        member->name = name;
        *last = member;
        last = &member->next;
    } while (take(r, ','));
    if (!take(r, close))
        return fail(r, "a comma or the closing bracket is missing here");
    return value;
}

static struct json_value *
read_word(struct reader *r, struct json_value *value)
{
    size_t len = 0;

    while (len < r->rest.len &&
           (ascii_is_alnum(r->rest.ptr[len]) || r->rest.ptr[len] == '-' ||
            r->rest.ptr[len] == '+' || r->rest.ptr[len] == '.'))
        len++;
    value->text = slice_head(r->rest, len);
    r->rest = slice_tail(r->rest, len);
    value->truth = slice_equal(value->text, SLICE_OF("true"));
    if (value->truth || slice_equal(value->text, SLICE_OF("false")))
        value->kind = JSON_BOOL;
    else if (slice_equal(value->text, SLICE_OF("null")))
        value->kind = JSON_NULL;
    else if (len != 0 &&
             (ascii_is_digit(value->text.ptr[0]) || value->text.ptr[0] == '-'))
        value->kind = JSON_NUMBER;
    else
        return fail(r, "this is no JSON value");
    return value;
}

static struct json_value *
read_value(struct reader *r, unsigned depth)
{
    struct json_value *value = arena_alloc(r->arena, sizeof(*value));

    skip_blanks(r);
    value->line = r->line;
    if (depth > DEPTH_MAX)
        return fail(r, "nested too deeply");
    if (take(r, '{')) {
        value->kind = JSON_OBJECT;
        return read_members(r, value, '}', depth);
    }
    if (take(r, '[')) {
        value->kind = JSON_ARRAY;
        return read_members(r, value, ']', depth);
    }
    if (peek(r) == '"') {
        value->kind = JSON_STRING;
        return read_string(r, &value->text) ? value : NULL;
    }
    return read_word(r, value);
}

struct json_value *
json_read(struct slice text, struct arena *arena, unsigned *line,
          const char **why)
{
    struct reader r = { .rest = text, .line = 1, .arena = arena };
    struct json_value *value = read_value(&r, 0);

    if (value != NULL) {
        skip_blanks(&r);
        if (r.rest.len != 0)
            value = fail(&r, "something stands behind the end");
    }
    *line = r.line;
    *why = r.why;
    return value;
}

const struct json_value *
json_get(const struct json_value *object, const char *name)
{
    if (object == NULL || object->kind != JSON_OBJECT)
        return NULL;
    for (const struct json_value *m = object->first; m != NULL; m = m->next)
        if (slice_equal(m->name, slice_from(name)))
            return m;
    return NULL;
}
