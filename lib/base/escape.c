#include "escape.h"

#include <string.h>

/* ---- UTF-8 --------------------------------------------------------------- */

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

/* n from utf8_length, not 0. */
static uint32_t
code_point(struct slice s, size_t n)
{
    static const unsigned char masks[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    uint32_t code = (unsigned char)s.ptr[0] & masks[n];

    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((unsigned char)s.ptr[i] & 0x3F);
    return code;
}

static bool
is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

/* Unicode's general categories Cf, Zl and Zp, as of Unicode 15.1, and the
 * places between them that are kept for more of the kind. */
static bool
is_format(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        { 0x00AD, 0x00AD },   { 0x0600, 0x0605 },   { 0x061C, 0x061C },
        { 0x06DD, 0x06DD },   { 0x070F, 0x070F },   { 0x0890, 0x0891 },
        { 0x08E2, 0x08E2 },   { 0x180E, 0x180E },   { 0x200B, 0x200F },
        { 0x2028, 0x202E },   { 0x2060, 0x206F },   { 0xFEFF, 0xFEFF },
        { 0xFFF0, 0xFFFB },   { 0x110BD, 0x110BD }, { 0x110CD, 0x110CD },
        { 0x13430, 0x1343F }, { 0x1BCA0, 0x1BCA3 }, { 0x1D173, 0x1D17A },
        { 0xE0000, 0xE007F },
    };

    if (code < ranges[0].first)
        return false;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

size_t
utf8_printable_length(struct slice s)
{
    size_t n = utf8_length(s);

    return n != 0 && is_control(code_point(s, n)) ? 0 : n;
}

size_t
utf8_shown_length(struct slice s)
{
    size_t n = utf8_printable_length(s);

    return n != 0 && is_format(code_point(s, n)) ? 0 : n;
}

/* ---- escaping ------------------------------------------------------------ */

/* Characters of ASCII that each form escapes beside the control characters. */
static const char *const also[] = {
    [LOG_ESCAPE_TEXT] = "",
    [LOG_ESCAPE_QUOTED] = "\"\\",
    [LOG_ESCAPE_ADDRESS] = "\"\\<> ",
    [LOG_ESCAPE_JSON] = "\"\\",
};

/* How many octets at the start of s stand for themselves. */
static size_t
plain_length(enum log_escape how, struct slice s)
{
    size_t n = ascii_printable_length(s);

    for (const char *c = also[how]; *c != '\0'; c++)
        n = slice_find(slice_head(s, n), *c);
    return n;
}

static void
escape_json(struct buf *out, uint32_t code)
{
    if (code == '"' || code == '\\')
        buf_printf(out, "\\%c", (char)code);
    else if (code < 0x10000)
        buf_printf(out, "\\u%04x", (unsigned)code);
    else /* a pair of surrogates */
        buf_printf(out, "\\u%04x\\u%04x",
                   (unsigned)(0xD800 + ((code - 0x10000) >> 10)),
                   (unsigned)(0xDC00 + ((code - 0x10000) & 0x3FF)));
}

/* Appends the first character of s; returns its octets in s. */
static size_t
escape_one(struct buf *out, enum log_escape how, struct slice s)
{
    size_t n = utf8_length(s);
    uint32_t code = n != 0 ? code_point(s, n) : (unsigned char)s.ptr[0];
    bool octets = n == 0 || is_control(code); /* \ooo for each */

    if (!octets && !is_format(code) &&
        (n != 1 || strchr(also[how], (int)code) == NULL)) {
        buf_append(out, slice_head(s, n));
        return n;
    }
    if (n == 0)
        n = 1;
    switch (how) {
    case LOG_ESCAPE_JSON:
        escape_json(out, code);
        return n;
    case LOG_ESCAPE_QUOTED:
    case LOG_ESCAPE_TEXT:
    case LOG_ESCAPE_ADDRESS:
        break;
    }
    if (octets)
        for (size_t i = 0; i < n; i++)
            buf_printf(out, "\\%03o", (unsigned)(unsigned char)s.ptr[i]);
    else if (how == LOG_ESCAPE_QUOTED && code < 0x80)
        buf_printf(out, "\\%c", (char)code);
    else
        buf_printf(out, "\\x{%x}", (unsigned)code);
    return n;
}

static const struct slice dots = SLICE("...");

void
log_escape(struct buf *out, enum log_escape how, struct slice s, size_t max)
{
    size_t start = out->len;
    size_t limit = max - dots.len;
    size_t fits = start; /* where the dots may follow */

    while (s.len != 0) {
        size_t used = out->len - start;
        size_t n = plain_length(how, s);
        if (n != 0) {
            n = used >= limit ? 1 : n < limit - used ? n : limit - used;
            buf_append(out, slice_head(s, n));
        } else {
            n = escape_one(out, how, s);
        }
        used = out->len - start;
        if (used > max) {
            out->len = fits;
            buf_append(out, dots);
            return;
        }
        if (used <= limit)
            fits = out->len;
        s = slice_tail(s, n);
    }
}

void
log_escape_text(struct buf *out, struct slice s)
{
    log_escape(out, LOG_ESCAPE_TEXT, s, SIZE_MAX);
}

void
log_escape_json(struct buf *out, struct slice s)
{
    log_escape(out, LOG_ESCAPE_JSON, s, SIZE_MAX);
}

/* ---- reading ------------------------------------------------------------- */

static void
put_utf8(struct buf *out, uint32_t code)
{
    if (code < 0x80) {
        buf_putc(out, (char)code);
        return;
    }
    if (code < 0x800) {
        buf_putc(out, (char)(0xC0 | code >> 6));
    } else {
        if (code < 0x10000) {
            buf_putc(out, (char)(0xE0 | code >> 12));
        } else {
            buf_putc(out, (char)(0xF0 | code >> 18));
            buf_putc(out, (char)(0x80 | (code >> 12 & 0x3F)));
        }
        buf_putc(out, (char)(0x80 | (code >> 6 & 0x3F)));
    }
    buf_putc(out, (char)(0x80 | (code & 0x3F)));
}

/* The hexadecimal digits at the start of s, at most max of them. */
static size_t
read_hex(struct slice s, size_t max, uint32_t *code)
{
    size_t n = 0;

    *code = 0;
    for (; n < s.len && n < max; n++) {
        char c = ascii_lower(s.ptr[n]);
        if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
            break;
        *code =
            *code * 16 + (uint32_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return n;
}

/* Appends what the escape at the start of s stands for; returns its length, 0
 * if it is none. */
static size_t
unescape_address(struct buf *out, struct slice s)
{
    uint32_t code = 0;

    if (s.len >= 4 && s.ptr[1] >= '0' && s.ptr[1] <= '3') {
        for (size_t i = 1; i < 4; i++) {
            if (s.ptr[i] < '0' || s.ptr[i] > '7')
                return 0;
            code = code * 8 + (uint32_t)(s.ptr[i] - '0');
        }
        buf_putc(out, (char)code);
        return 4;
    }
    if (s.len < 5 || s.ptr[1] != 'x' || s.ptr[2] != '{')
        return 0;
    size_t n = 3 + read_hex(slice_tail(s, 3), 6, &code);
    if (n == 3 || n == s.len || s.ptr[n] != '}' || code > 0x10FFFF)
        return 0;
    put_utf8(out, code);
    return n + 1;
}

static size_t
unescape_json(struct buf *out, struct slice s)
{
    static const char letters[] = "bfnrt", octets[] = "\b\f\n\r\t";
    uint32_t code, low;

    if (s.len < 2)
        return 0;
    const char *at = memchr(letters, s.ptr[1], sizeof(letters) - 1);
    if (s.ptr[1] != 'u') {
        buf_putc(out, at != NULL ? octets[at - letters] : s.ptr[1]);
        return 2;
    }
    if (read_hex(slice_tail(s, 2), 4, &code) != 4)
        return 0;
    if (code < 0xD800 || code > 0xDFFF) {
        put_utf8(out, code);
        return 6;
    }
    if (code > 0xDBFF || s.len < 12 || s.ptr[6] != '\\' || s.ptr[7] != 'u' ||
        read_hex(slice_tail(s, 8), 4, &low) != 4 || low < 0xDC00 ||
        low > 0xDFFF)
        return 0;
    put_utf8(out, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
    return 12;
}

void
log_unescape(struct buf *out, enum log_escape how, struct slice s)
{
    while (s.len != 0) {
        size_t at = slice_find(s, '\\');
        buf_append(out, slice_head(s, at));
        s = slice_tail(s, at);
        if (s.len == 0)
            return;
        size_t n = how == LOG_ESCAPE_JSON ? unescape_json(out, s)
                                          : unescape_address(out, s);
        if (n == 0) {
            buf_putc(out, s.ptr[0]);
            n = 1;
        }
        s = slice_tail(s, n);
    }
}
