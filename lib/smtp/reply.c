#include "reply.h"

enum {
    LINE_OCTETS_MAX = 100 * 1024,
    CODE = 4,
    CRLF = 2,
    TEXT_MAX = SMTP_REPLY_LINE_MAX - CODE - CRLF,
    /* The text of a reply that fits; a larger buffer was for EHLO. */
    USUAL_TEXT = SMTP_REPLY_LINES_KEPT * SMTP_REPLY_LINE_MAX
};

/* ---- reading ----------------------------------------------------------- */

/* The code at the start of a line; 0 if there is none that we could relay. */
static unsigned
read_code(struct slice line)
{
    unsigned code = 0;

    if (line.len < 3)
        return 0;
    for (size_t i = 0; i < 3; i++) {
        if (!ascii_is_digit(line.ptr[i]))
            return 0;
        code = code * 10 + (unsigned)(line.ptr[i] - '0');
    }
    return code >= 200 && code <= 599 ? code : 0;
}

/* At most max octets. The caller has reserved them. */
static void
append_printable(struct buf *out, struct slice text, size_t max)
{
    while (text.len != 0) {
        size_t n = ascii_printable_length(text);
        if (n > max)
            n = max;
        buf_append(out, slice_head(text, n));
        text = slice_tail(text, n);
        max -= n;
        if (text.len == 0)
            return;
        n = utf8_printable_length(text);
        if ((n != 0 ? n : 1) > max)
            return;
        if (n == 0)
            buf_putc(out, '?');
        else
            buf_append(out, slice_head(text, n));
        n = n != 0 ? n : 1;
        max -= n;
        text = slice_tail(text, n);
    }
}

static enum smtp_reply_status
take_line(struct smtp_reply_parser *parser, struct slice line,
          struct smtp_reply *reply)
{
    unsigned code = read_code(line);

    if (code == 0)
        return SMTP_REPLY_BAD;
    bool last = line.len == 3 || line.ptr[3] == ' ';
    if (!last && line.ptr[3] != '-')
        return SMTP_REPLY_BAD;
    if (parser->lines != 0 && code != parser->code)
        return SMTP_REPLY_BAD;
    if (parser->lines == SMTP_REPLY_LINES_MAX)
        return SMTP_REPLY_BAD;

    if (parser->lines == 0 && parser->text.cap > USUAL_TEXT)
        buf_free(&parser->text);
    else if (parser->lines == 0)
        buf_clear(&parser->text); /* of the reply before */
    if (parser->lines < SMTP_REPLY_LINES_KEPT || parser->keep_all) {
        struct slice text = slice_tail(line, CODE);
        size_t length = text.len < TEXT_MAX ? text.len : TEXT_MAX;
        if (!buf_try_reserve(&parser->text, length + 1))
            return SMTP_REPLY_BAD;
        if (parser->lines != 0)
            buf_putc(&parser->text, '\n');
        append_printable(&parser->text, text, TEXT_MAX);
    }
    parser->code = code;
    parser->lines++;
    if (!last)
        return SMTP_REPLY_MORE;

    parser->lines = 0;
    *reply = (struct smtp_reply){ code, buf_slice(&parser->text) };
    return SMTP_REPLY_DONE;
}

/* Keep what we look at of a line and count the rest. */
static bool
add_octets(struct smtp_reply_parser *parser, struct slice part)
{
    if (slice_find(part, '\0') != part.len ||
        part.len > LINE_OCTETS_MAX - parser->octets)
        return false;
    parser->octets += part.len;
    size_t room = SMTP_REPLY_LINE_MAX - parser->line.len;
    if (part.len > room)
        parser->overlong = true;
    return buf_try_append(&parser->line, slice_head(part, room));
}

enum smtp_reply_status
smtp_reply_take(struct smtp_reply_parser *parser, struct slice *in,
                struct smtp_reply *reply)
{
    while (in->len != 0) {
        size_t end = slice_find(*in, '\n');
        bool complete = end != in->len;
        if (!add_octets(parser, slice_head(*in, end)))
            return SMTP_REPLY_BAD;
        *in = slice_tail(*in, end + 1);
        if (!complete)
            return SMTP_REPLY_MORE;

        /* A line that ends in LF alone is taken: replies are read only from
         * the next hop, and go out again in the canonical form. */
        struct slice line = buf_slice(&parser->line);
        if (!parser->overlong && line.len != 0 &&
            line.ptr[line.len - 1] == '\r')
            line.len--;
        enum smtp_reply_status status = take_line(parser, line, reply);
        buf_clear(&parser->line);
        parser->octets = 0;
        parser->overlong = false;
        if (status != SMTP_REPLY_MORE)
            return status;
    }
    return SMTP_REPLY_MORE;
}

void
smtp_reply_parser_free(struct smtp_reply_parser *parser)
{
    buf_free(&parser->text);
    buf_free(&parser->line);
    *parser = (struct smtp_reply_parser){ 0 };
}

/* ---- writing ----------------------------------------------------------- */

static void
put_code(struct buf *out, unsigned code, bool last)
{
    char digits[CODE] = { (char)('0' + code / 100 % 10),
                          (char)('0' + code / 10 % 10), (char)('0' + code % 10),
                          last ? ' ' : '-' };

    buf_append(out, (struct slice){ digits, sizeof(digits) });
}

void
smtp_reply_print(const struct smtp_reply *reply, struct buf *out)
{
    struct slice text = reply->text;
    bool last;

    do {
        last = slice_find(text, '\n') == text.len;
        struct slice line = slice_cut(&text, '\n');
        put_code(out, reply->code, last);
        append_printable(out, line, TEXT_MAX);
        buf_puts(out, "\r\n");
    } while (!last);
}

/* ---- looking into ------------------------------------------------------ */

static size_t
count_digits(struct slice s)
{
    size_t n = 0;

    while (n < s.len && ascii_is_digit(s.ptr[n]))
        n++;
    return n;
}

struct slice
smtp_reply_enhanced(const struct smtp_reply *reply)
{
    struct slice text = reply->text;
    size_t length = 0;

    for (int part = 0; part < 3; part++) {
        struct slice rest = slice_tail(text, length);
        if (part != 0) {
            if (rest.len == 0 || rest.ptr[0] != '.')
                return SLICE_OF("");
            rest = slice_tail(rest, 1);
            length++;
        }
        size_t digits = count_digits(rest);
        if (digits == 0 || digits > (part == 0 ? 1 : 3))
            return SLICE_OF("");
        length += digits;
    }
    char class = text.ptr[0];
    if ((class != '2' && class != '4' && class != '5') ||
        (length < text.len && text.ptr[length] != ' ' &&
         text.ptr[length] != '\n'))
        return SLICE_OF("");
    return slice_head(text, length);
}

struct slice
smtp_reply_queue_id(const struct smtp_reply *reply)
{
    static const struct slice words = SLICE("queued as ");
    struct slice rest = reply->text;

    for (; rest.len >= words.len; rest = slice_tail(rest, 1)) {
        if (!slice_starts_nocase(rest, words))
            continue;
        struct slice id = slice_tail(rest, words.len);
        size_t n = 0;
        while (n < id.len && ascii_is_alnum(id.ptr[n]))
            n++;
        if (n != 0)
            return slice_head(id, n);
    }
    return SLICE_OF("");
}

bool
smtp_reply_parse_setting(struct slice s, struct smtp_reply *reply)
{
    unsigned code = read_code(s);
    struct slice text = slice_trim(slice_tail(s, CODE));

    if (code < 400 || s.len < CODE || s.ptr[3] != ' ' || text.len == 0 ||
        text.len > TEXT_MAX)
        return false;
    for (struct slice rest = text; rest.len != 0;) {
        size_t n = utf8_printable_length(rest);
        if (n == 0)
            return false;
        rest = slice_tail(rest, n);
    }
    *reply = (struct smtp_reply){ code, text };
    return true;
}
