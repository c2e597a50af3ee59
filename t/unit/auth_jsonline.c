#include "auth_jsonline.h"

static void
skip_blanks(struct slice *s)
{
    while (s->len != 0 && (s->ptr[0] == ' ' || s->ptr[0] == ',' ||
                           s->ptr[0] == ':' || s->ptr[0] == '\n'))
        *s = slice_tail(*s, 1);
}

static size_t
string_length(struct slice s)
{
    size_t at = 1;

    while (at < s.len && s.ptr[at] != '"')
        at += s.ptr[at] == '\\' ? 2 : 1;
    return at + 1;
}

/* A value of any kind; brackets are counted. */
static struct slice
take_value(struct slice *s)
{
    size_t depth = 0;
    size_t at = 0;

    skip_blanks(s);
    while (at < s->len) {
        char c = s->ptr[at];
        if (c == '"') {
            at += string_length(slice_tail(*s, at));
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (c == '}' || c == ']') {
            if (depth-- == 0)
                break;
            at++;
        } else if (depth == 0 && (c == ',' || c == ' ')) {
            break;
        } else {
            at++;
        }
        if (depth == 0 && (c == '"' || c == '}' || c == ']'))
            break;
    }
    struct slice value = slice_head(*s, at);
    *s = slice_tail(*s, at);
    return value;
}

bool
jsonline_next(struct slice *rest, struct slice *key, struct slice *value)
{
    skip_blanks(rest);
    if (rest->len == 0 || rest->ptr[0] == '}' || rest->ptr[0] == ']')
        return false;
    *value = take_value(rest);
    *key = (struct slice){ 0 };
    if (rest->len != 0 && rest->ptr[0] == ':') {
        *key = *value;
        *value = take_value(rest);
    }
    return value->len != 0;
}

struct slice
jsonline_member(struct slice object, const char *key)
{
    struct slice rest = slice_tail(object, 1);
    struct slice name = { 0 };
    struct slice value = { 0 };

    while (jsonline_next(&rest, &name, &value))
        if (name.len >= 2 &&
            slice_equal(slice_head(slice_tail(name, 1), name.len - 2),
                        slice_from(key)))
            return value;
    return (struct slice){ 0 };
}

void
jsonline_text(struct slice value, struct buf *out)
{
    buf_clear(out);
    if (value.len < 2 || value.ptr[0] != '"')
        return;
    for (size_t i = 1; i + 1 < value.len; i++) {
        if (value.ptr[i] == '\\')
            i++;
        buf_putc(out, value.ptr[i]);
    }
}
