#include "command.h"

static bool
is_plain(char c)
{
    return c > 32 && c < 127 && c != '+' && c != '=';
}

void
smtp_xtext_print(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_plain(text.ptr[i]))
            buf_putc(out, text.ptr[i]);
        else
            buf_printf(out, "+%02X", (unsigned)(unsigned char)text.ptr[i]);
    }
}

/* Lower case is not in the grammar, but Postfix takes it. */
static int
hex_digit(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
smtp_xtext_parse(struct slice xtext, struct buf *out)
{
    size_t before = out->len;

    if (!buf_try_reserve(out, xtext.len))
        return false;
    for (size_t i = 0; i < xtext.len; i++) {
        char c = xtext.ptr[i];
        if (c == '+' && xtext.len - i > 2) {
            int high = hex_digit(xtext.ptr[i + 1]);
            int low = hex_digit(xtext.ptr[i + 2]);
            if (high < 0 || low < 0)
                goto bad;
            c = (char)(unsigned char)(high * 16 + low);
            i += 2;
        } else if (!is_plain(c) && c != '=') {
            goto bad;
        }
        out->ptr[out->len++] = c;
    }
    return true;
bad:
    out->len = before;
    return false;
}

static uint32_t
code_point(struct slice sequence)
{
    static const unsigned char lead[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    uint32_t point = (unsigned char)sequence.ptr[0] & lead[sequence.len];

    for (size_t i = 1; i < sequence.len; i++)
        point = point << 6 | ((unsigned char)sequence.ptr[i] & 0x3F);
    return point;
}

void
smtp_orcpt_print(struct slice address, struct buf *out)
{
    size_t ascii = 0;

    while (ascii < address.len && (unsigned char)address.ptr[ascii] < 0x80)
        ascii++;
    if (ascii == address.len) {
        buf_puts(out, "rfc822;");
        smtp_xtext_print(address, out);
        return;
    }
    buf_puts(out, "utf-8;");
    while (address.len != 0) {
        size_t n = utf8_length(address);
        if (n == 0)
            n = 1; /* paths are UTF-8; anything else still prints as ASCII */
        struct slice c = slice_head(address, n);
        if (n == 1 && is_plain(c.ptr[0]) && c.ptr[0] != '\\')
            buf_putc(out, c.ptr[0]);
        else
            buf_printf(out, "\\x{%02X}", code_point(c));
        address = slice_tail(address, n);
    }
}
