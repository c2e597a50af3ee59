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
add_field(struct mail_header *header, size_t *room,
          struct mail_field_place place)
{
    if (header->count == *room) {
        size_t more = *room != 0 ? *room * 2 : 32;
        if (more > MAIL_FIELDS_MAX)
            more = MAIL_FIELDS_MAX;
        struct mail_field_place *places =
            mem_try_realloc(header->places, more * sizeof(*places));
        if (places == NULL)
            return false;
        header->places = places;
        *room = more;
    }
    header->places[header->count++] = place;
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

    *header = (struct mail_header){ .content = content.ptr };
    content = slice_head(content, UINT32_MAX); /* of what places can say */
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

        if (header->count == MAIL_FIELDS_MAX) {
            header->oddities |= MAIL_MANY_FIELDS;
            break;
        }
        struct slice raw = slice_head(rest, field_length(rest));
        header->oddities |= field_oddities(raw);
        struct mail_field_place place = {
            .at = (uint32_t)at,
            .length = (uint32_t)raw.len,
            .name_length = (uint32_t)name_len,
            .colon = (uint32_t)colon,
        };
        if (!add_field(header, &room, place)) {
            mail_header_free(header);
            return false;
        }
        at += raw.len;
    }
    header->length = at;
    return true;
}

void
mail_header_free(struct mail_header *header)
{
    free(header->places);
    *header = (struct mail_header){ 0 };
}

struct slice
mail_header_name(const struct mail_header *header, size_t i)
{
    const struct mail_field_place *place = &header->places[i];

    return (struct slice){ header->content + place->at, place->name_length };
}

struct mail_field
mail_header_field(const struct mail_header *header, size_t i)
{
    const struct mail_field_place *place = &header->places[i];
    struct mail_field field = {
        .name = mail_header_name(header, i),
        .raw = { header->content + place->at, place->length },
    };

    field.body = slice_tail(field.raw, place->colon + 1);
    if (slice_ends_nocase(field.body, SLICE_OF("\r\n")))
        field.body.len -= 2;
    return field;
}

bool
mail_header_find(const struct mail_header *header, struct slice name, size_t n,
                 struct mail_field *field)
{
    for (size_t i = 0; i < header->count; i++)
        if (slice_equal_nocase(mail_header_name(header, i), name) && n-- == 0) {
            *field = mail_header_field(header, i);
            return true;
        }
    return false;
}

size_t
mail_header_count(const struct mail_header *header, struct slice name)
{
    size_t count = 0;

    for (size_t i = 0; i < header->count; i++)
        count += slice_equal_nocase(mail_header_name(header, i), name);
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
