#include "header.h"

#include <stdlib.h>
#include <string.h>

/* header_size_limit of Postfix: cleanup cuts what is longer. */
enum {
    HUGE_FIELD = 102400
};

/* Length of the line at the start of s with its CRLF; all of s without. */
static size_t
line_length(struct slice s)
{
    const char *at = s.len != 0 ? memmem(s.ptr, s.len, "\r\n", 2) : NULL;

    return at != NULL ? (size_t)(at - s.ptr) + 2 : s.len;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool
starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && memcmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

/*
 * Where the name ends and where the colon stands; what is wrong with a line
 * that is no field. The same question as Postfix' is_header_buf() answers: a
 * line that is not a field for cleanup must not be one for us.
 */
static unsigned
parse_name(struct slice line, size_t *name_len, size_t *colon)
{
    size_t at = slice_find(line, ':');
    size_t end = at;

    if (at == 0 || at == line.len)
        return MAIL_NO_COLON;
    while (end > 0 && is_blank(line.ptr[end - 1]))
        end--;
    for (size_t i = 0; i < end; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            return MAIL_NO_COLON; /* words of a text that holds a colon */
        if (c < 32 || c >= 127)
            return MAIL_BAD_NAME;
    }
    *name_len = end;
    *colon = at;
    return 0;
}

/* All lines of the field at the start of s. */
static size_t
field_length(struct slice s)
{
    size_t len = line_length(s);

    while (len < s.len && is_blank(s.ptr[len]))
        len += line_length(slice_tail(s, len));
    return len;
}

static bool
add_field(struct mail_header *header, size_t *room, struct mail_field field)
{
    if (header->count == *room) {
        size_t more = *room != 0 ? *room * 2 : 32;
        struct mail_field *fields =
            mem_try_realloc(header->fields, more * sizeof(struct mail_field));
        if (fields == NULL)
            return false;
        header->fields = fields;
        *room = more;
    }
    header->fields[header->count++] = field;
    return true;
}

static unsigned
field_oddities(struct slice raw)
{
    unsigned odd = 0;

    if (raw.len > HUGE_FIELD)
        odd |= MAIL_HUGE_FIELD;
    if (memchr(raw.ptr, '\v', raw.len) != NULL ||
        memchr(raw.ptr, '\f', raw.len) != NULL)
        odd |= MAIL_FORM_FEED;
    return odd;
}

/*
 * What smtpd does with the very first lines: "From " (with any ">" before it)
 * becomes a field of its own making, and a continuation line gets an empty
 * line put before it, so that all of it is body. Returns how many octets to
 * step over; *ended when the header is over before it began.
 */
static size_t
skip_odd_start(struct slice content, struct mail_header *header, bool *ended)
{
    size_t at = 0;

    if (starts_with(content, SLICE_OF("\xef\xbb\xbf"))) {
        header->oddities |= MAIL_BYTE_ORDER_MARK;
        *ended = true;
        return 0;
    }
    for (;;) {
        struct slice rest = slice_tail(content, at);
        struct slice text = rest;
        while (text.len != 0 && text.ptr[0] == '>')
            text = slice_tail(text, 1);
        if (!slice_starts_nocase(text, SLICE_OF("From ")))
            break;
        /* "From : x" is a field with a blank before its colon for everybody
         * but smtpd, which looks for "From " first. */
        header->oddities |= MAIL_MBOX_FROM;
        at += line_length(rest);
    }
    if (at < content.len && is_blank(content.ptr[at])) {
        header->oddities |= MAIL_LEADING_FOLD;
        *ended = true;
    }
    return at;
}

bool
mail_header_index(struct slice content, struct mail_header *header)
{
    size_t room = 0;
    bool ended = false;

    *header = (struct mail_header){ 0 };
    size_t at = skip_odd_start(content, header, &ended);
    while (!ended && at < content.len) {
        struct slice rest = slice_tail(content, at);
        size_t name_len = 0;
        size_t colon = 0;

        if (starts_with(rest, SLICE_OF("\r\n"))) {
            header->complete = true;
            at += 2;
            break;
        }
        struct slice line = slice_head(rest, line_length(rest));
        unsigned odd = parse_name(line, &name_len, &colon);
        header->oddities |= odd;
        if (odd != 0)
            break;
        if (name_len != colon)
            header->oddities |= MAIL_BLANK_BEFORE_COLON;

        struct mail_field field = { .name = slice_head(rest, name_len) };
        field.raw = slice_head(rest, field_length(rest));
        field.body = slice_tail(field.raw, colon + 1);
        if (slice_ends_nocase(field.body, SLICE_OF("\r\n")))
            field.body.len -= 2;
        header->oddities |= field_oddities(field.raw);
        if (!add_field(header, &room, field)) {
            mail_header_free(header);
            return false;
        }
        at += field.raw.len;
    }
    header->length = at;
    return true;
}

void
mail_header_free(struct mail_header *header)
{
    free(header->fields);
    *header = (struct mail_header){ 0 };
}

const struct mail_field *
mail_header_find(const struct mail_header *header, struct slice name, size_t n)
{
    for (size_t i = 0; i < header->count; i++)
        if (slice_equal_nocase(header->fields[i].name, name) && n-- == 0)
            return &header->fields[i];
    return NULL;
}

size_t
mail_header_count(const struct mail_header *header, struct slice name)
{
    size_t count = 0;

    for (size_t i = 0; i < header->count; i++)
        count += slice_equal_nocase(header->fields[i].name, name);
    return count;
}

size_t
mail_header_length(struct slice content)
{
    if (starts_with(content, SLICE_OF("\r\n")))
        return 2;
    const char *at = content.len != 0
                         ? memmem(content.ptr, content.len, "\r\n\r\n", 4)
                         : NULL;
    return at != NULL ? (size_t)(at - content.ptr) + 4 : 0;
}
