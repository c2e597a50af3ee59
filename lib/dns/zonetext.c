#include "zone.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void
skip_blanks(struct slice *s)
{
    while (s->len != 0 && is_blank(s->ptr[0]))
        *s = slice_tail(*s, 1);
}

/* Nothing but a comment is left of the line. */
static bool
at_end(struct slice *s)
{
    skip_blanks(s);
    return s->len == 0 || s->ptr[0] == ';';
}

/* One octet after a backslash: \DDD, or \C for C itself. */
static bool
take_escaped(struct slice *s, char *octet)
{
    const char *digits = s->ptr;

    if (s->len == 0)
        return false;
    if (!ascii_is_digit(digits[0])) {
        *octet = digits[0];
        *s = slice_tail(*s, 1);
        return true;
    }
    if (s->len < 3 || !ascii_is_digit(digits[1]) || !ascii_is_digit(digits[2]))
        return false;
    const int value =
        (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    if (value > 255)
        return false;
    *octet = (char)value;
    *s = slice_tail(*s, 3);
    return true;
}

/* The octets up to a blank, a comment or the end. */
static struct slice
take_word(struct slice *s)
{
    size_t len = 0;

    skip_blanks(s);
    while (len < s->len && !is_blank(s->ptr[len]) && s->ptr[len] != ';')
        len += s->ptr[len] == '\\' && len + 1 < s->len ? 2 : 1;
    struct slice word = slice_head(*s, len);
    *s = slice_tail(*s, len);
    return word;
}

/* A name; "." and nothing at all are the root, of length 0. */
static const char *
take_name(struct slice *s, struct arena *arena, struct slice *name)
{
    struct slice word = take_word(s);
    char *text = arena_alloc(arena, word.len + 1);
    size_t len = 0;

    while (word.len != 0) {
        char c = word.ptr[0];

        word = slice_tail(word, 1);
        if (c == '\\') {
            if (!take_escaped(&word, &c))
                return "a backslash wants three digits up to 255, or the "
                       "character itself";
            if (c == '.')
                return "a dot within a label cannot be asked for";
        } else if (c == '.' && word.len == 0) {
            break;
        }
        text[len++] = ascii_lower(c);
    }
    *name = (struct slice){ text, len };
    return NULL;
}

static const char *
take_text(struct slice *s, struct arena *arena, struct slice *text)
{
    char *to = arena_alloc(arena, s->len + 1);
    size_t len = 0;

    while (!at_end(s)) {
        if (s->ptr[0] != '"')
            return "TXT wants its strings in double quotes";
        *s = slice_tail(*s, 1);
        for (;;) {
            if (s->len == 0)
                return "a string without its closing quote";
            char c = s->ptr[0];
            *s = slice_tail(*s, 1);
            if (c == '"')
                break;
            if (c == '\\' && !take_escaped(s, &c))
                return "a backslash wants three digits up to 255, or the "
                       "character itself";
            to[len++] = c;
        }
    }
    *text = (struct slice){ to, len };
    return NULL;
}

static const char *
take_address(struct slice *s, int family, unsigned char address[16])
{
    char text[INET6_ADDRSTRLEN + 1];
    struct slice word = take_word(s);

    if (word.len >= sizeof(text))
        return "no such address";
    if (word.len != 0)
        memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    if (strlen(text) == word.len && inet_pton(family, text, address) == 1)
        return NULL;
    return family == AF_INET ? "A wants an IPv4 address"
                             : "AAAA wants an IPv6 address";
}

static const char *
take_exchange(struct slice *s, struct arena *arena, struct dns_record *record)
{
    uint64_t preference;

    if (!slice_to_u64(take_word(s), &preference) || preference > UINT16_MAX)
        return "MX wants a preference from 0 to 65535 and a host";
    record->preference = (unsigned)preference;
    return take_name(s, arena, &record->name);
}

static const struct type {
    struct slice name;
    unsigned type;
} types[] = {
    { SLICE("A"), DNS_A },
    { SLICE("AAAA"), DNS_AAAA },
    { SLICE("CNAME"), DNS_CNAME },
    { SLICE("MX"), DNS_MX },
    { SLICE("PTR"), DNS_PTR },
    { SLICE("TXT"), DNS_TXT },
    { SLICE("TIMEOUT"), ZONE_TROUBLE },
    { SLICE("SERVFAIL"), ZONE_TROUBLE },
};

static bool
type_of(struct slice word, unsigned *type)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        *type = types[i].type;
        if (slice_equal_nocase(types[i].name, word))
            return true;
    }
    return false;
}

static const char *
take_data(struct slice *s, struct arena *arena, struct zone_line *line)
{
    struct dns_record *record = &line->record;

    switch (line->type) {
    case DNS_A:
        return take_address(s, AF_INET, record->address);
    case DNS_AAAA:
        return take_address(s, AF_INET6, record->address);
    case DNS_MX:
        return take_exchange(s, arena, record);
    case DNS_TXT:
        return take_text(s, arena, &record->text);
    case DNS_CNAME:
    case DNS_PTR:
        return take_name(s, arena, &record->name);
    }
    return NULL;
}

static const char *
take_line(struct slice s, struct arena *arena, struct zone_line *line)
{
    const char *why = take_name(&s, arena, &line->name);

    if (why != NULL)
        return why;
    if (line->name.len == 0)
        return "a line begins with a name";
    if (!type_of(take_word(&s), &line->type))
        return "after the name: A, AAAA, CNAME, MX, PTR, TXT, TIMEOUT or "
               "SERVFAIL";
    why = take_data(&s, arena, line);
    if (why == NULL && !at_end(&s))
        why = "more on the line than belongs to the record";
    return why;
}

enum zone_reading
zone_text_next(struct zone_text *text, struct arena *arena,
               struct zone_line *line, const char **why)
{
    while (text->rest.len != 0) {
        struct slice s = slice_cut(&text->rest, '\n');

        text->line++;
        if (s.len != 0 && s.ptr[s.len - 1] == '\r')
            s.len--;
        if (at_end(&s))
            continue;
        *line = (struct zone_line){ 0 };
        *why = take_line(s, arena, line);
        return *why == NULL ? ZONE_LINE : ZONE_BAD;
    }
    return ZONE_END;
}
