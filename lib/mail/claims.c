#include "claims.h"

#include "domain.h"

#include <string.h>

/* Headers that programs do not agree on: where they end, or which fields they
 * hold. */
enum {
    ODD = MAIL_NO_COLON | MAIL_LEADING_FOLD | MAIL_BLANK_BEFORE_COLON |
          MAIL_BYTE_ORDER_MARK | MAIL_MBOX_FROM | MAIL_FORM_FEED |
          MAIL_HUGE_FIELD | MAIL_BAD_NAME
};

/* ---- octets ------------------------------------------------------------ */

static bool
is_high(char c)
{
    return (unsigned char)c >= 128;
}

/* White space in any program's opinion. */
static bool
is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_name_octet(char c)
{
    return ascii_is_alnum(c) || c == '.' || c == '-' || c == '_' || is_high(c);
}

static bool
joins(char c)
{
    return c == '.' || c == '@';
}

static size_t
name_length(struct slice s)
{
    size_t n = 0;

    while (n < s.len && is_name_octet(s.ptr[n]))
        n++;
    return n;
}

/* ---- a field without what some programs skip ---------------------------- */

/* The comment at the start of s; without its end it is no comment. */
static size_t
comment_length(struct slice s)
{
    size_t depth = 0;

    for (size_t n = 0; n < s.len; n++) {
        if (s.ptr[n] == '\\')
            n++;
        else if (s.ptr[n] == '(')
            depth++;
        else if (s.ptr[n] == ')' && --depth == 0)
            return n + 1;
    }
    return 0;
}

/* White space, comments, quotes and backslashes at the start of s. An open
 * comment is looked for once: *open then says that there is none any more. */
static size_t
filler_length(struct slice s, bool *open)
{
    size_t n = 0;

    while (n < s.len) {
        char c = s.ptr[n];
        size_t more = is_space(c) || c == '"' || c == '\\' ? 1 : 0;
        if (c == '(' && !*open) {
            more = comment_length(slice_tail(s, n));
            *open = more == 0;
        }
        if (more == 0)
            break;
        n += more;
    }
    return n;
}

/* Beside a dot or an at sign such filler goes, so that "example . (x) org" is
 * one name; elsewhere it is one blank, so that two names stay two. */
static bool
flatten(struct slice s, struct buf *out)
{
    bool open = false;

    if (!buf_try_reserve(out, s.len + 1))
        return false;
    while (s.len != 0) {
        size_t n = filler_length(s, &open);
        if (n == 0) {
            buf_putc(out, s.ptr[0]);
            s = slice_tail(s, 1);
            continue;
        }
        s = slice_tail(s, n);
        bool joined = out->len == 0 || joins(out->ptr[out->len - 1]) ||
                      s.len == 0 || joins(s.ptr[0]);
        if (!joined)
            buf_putc(out, ' ');
    }
    return true;
}

/* ---- encoded words (RFC 2047) ------------------------------------------- */

enum {
    WORD_CHARSET_MAX = 75 /* of a whole word by RFC 2047, 2 */
};

static int
hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
decode_q(struct slice s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        int high =
            s.ptr[i] == '=' && i + 2 < s.len ? hex_value(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_value(s.ptr[i + 2]) : -1;
        if (low < 0) {
            buf_putc(out, s.ptr[i] == '_' ? ' ' : s.ptr[i]);
            continue;
        }
        buf_putc(out, (char)(high * 16 + low));
        i += 2;
    }
}

static int
base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (ascii_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void
decode_b(struct slice s, struct buf *out)
{
    unsigned bits = 0, have = 0;

    for (size_t i = 0; i < s.len; i++) {
        int value = base64_value(s.ptr[i]);
        if (value < 0)
            continue;
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_putc(out, (char)(bits >> have & 0xff));
        }
    }
}

/* The length of "=?charset?B?text?=" at the start of s, and its parts; 0: there
 * is none. */
static size_t
encoded_word(struct slice s, char *encoding, struct slice *text)
{
    if (s.len < 2 || s.ptr[0] != '=' || s.ptr[1] != '?')
        return 0;
    struct slice rest = slice_tail(s, 2);
    size_t mark = slice_find(slice_head(rest, WORD_CHARSET_MAX), '?');
    if (mark == WORD_CHARSET_MAX || rest.len < mark + 3 ||
        rest.ptr[mark + 2] != '?')
        return 0;
    *encoding = ascii_lower(rest.ptr[mark + 1]);
    *text = slice_tail(rest, mark + 3);
    size_t end = slice_find(*text, '?');
    if ((*encoding != 'q' && *encoding != 'b') || end + 1 >= text->len ||
        text->ptr[end + 1] != '=')
        return 0;
    *text = slice_head(*text, end);
    return (size_t)(text->ptr - s.ptr) + end + 2;
}

/* The text with its encoded words decoded, whatever their character set: names
 * are ASCII in nearly all. *any: there was one. */
static bool
decode_words(struct slice s, struct buf *out, bool *any)
{
    size_t behind = 0; /* what was written when the last word ended */

    *any = false;
    if (!buf_try_reserve(out, s.len + 1))
        return false;
    while (s.len != 0) {
        char encoding;
        struct slice text;
        size_t n = encoded_word(s, &encoding, &text);
        if (n == 0) {
            buf_putc(out, s.ptr[0]);
            s = slice_tail(s, 1);
            continue;
        }
        /* White space between two words is not of the text. */
        size_t blank = out->len;
        while (blank > behind && is_space(out->ptr[blank - 1]))
            blank--;
        if (*any && blank == behind)
            out->len = behind;
        if (encoding == 'q')
            decode_q(text, out);
        else
            decode_b(text, out);
        behind = out->len;
        *any = true;
        s = slice_tail(s, n);
    }
    return true;
}

/* ---- the forms of a field ------------------------------------------------ */

struct forms {
    struct buf flat, decoded, decoded_flat;
    struct slice each[4];
    size_t count;
};

static void
free_forms(struct forms *forms)
{
    buf_free(&forms->flat);
    buf_free(&forms->decoded);
    buf_free(&forms->decoded_flat);
}

static bool
make_forms(struct slice body, struct forms *forms)
{
    bool any = false;

    forms->each[forms->count++] = body;
    if (!flatten(body, &forms->flat))
        return false;
    forms->each[forms->count++] = buf_slice(&forms->flat);
    if (memmem(body.ptr, body.len, "=?", 2) == NULL)
        return true;
    if (!decode_words(body, &forms->decoded, &any) ||
        (any && !flatten(buf_slice(&forms->decoded), &forms->decoded_flat)))
        return false;
    if (any) {
        forms->each[forms->count++] = buf_slice(&forms->decoded);
        forms->each[forms->count++] = buf_slice(&forms->decoded_flat);
    }
    return true;
}

/* ---- every name -----------------------------------------------------------
 */

static void
add(struct mail_claims *claims, struct slice domain)
{
    for (size_t i = 0; i < claims->count; i++)
        if (slice_equal(claims->domains[i], domain))
            return;
    if (claims->count == MAIL_CLAIMS_MAX)
        claims->more = true;
    else
        claims->domains[claims->count++] = domain;
}

/* False: memory is gone. */
static bool
add_name(struct slice name, struct arena *arena, struct mail_claims *claims)
{
    struct slice domain;

    while (name.len != 0 && !ascii_is_alnum(name.ptr[0]) &&
           !is_high(name.ptr[0]))
        name = slice_tail(name, 1);
    while (name.len != 0 && !ascii_is_alnum(name.ptr[name.len - 1]) &&
           !is_high(name.ptr[name.len - 1]))
        name.len--;
    switch (mail_domain_read(name, MAIL_DOMAIN_MAPPED, arena, &domain)) {
    case MAIL_DOMAIN_OK:
        if (slice_find(domain, '.') != domain.len)
            add(claims, domain);
        return true;
    case MAIL_DOMAIN_BAD:
        return true;
    case MAIL_DOMAIN_NO_MEMORY:
        break;
    }
    return false;
}

/* A name, and where it holds octets of other alphabets, each part without: it
 * may not be text at all. */
static bool
add_names(struct slice name, struct arena *arena, struct mail_claims *claims)
{
    size_t start = 0;
    bool high = false;

    for (size_t i = 0; i < name.len; i++)
        high = high || is_high(name.ptr[i]);
    if (!add_name(name, arena, claims))
        return false;
    for (size_t i = 0; high && i <= name.len; i++) {
        if (i < name.len && !is_high(name.ptr[i]))
            continue;
        if (!add_name(slice_head(slice_tail(name, start), i - start), arena,
                      claims))
            return false;
        start = i + 1;
    }
    return true;
}

static bool
scan(struct slice text, struct arena *arena, struct mail_claims *claims)
{
    while (text.len != 0 && !claims->more) {
        size_t n = name_length(text);
        struct slice name = slice_head(text, n);
        if (n != 0 && !add_names(name, arena, claims))
            return false;
        text = slice_tail(text, n != 0 ? n : 1);
    }
    return true;
}

static bool
scan_field(struct slice body, struct arena *arena, struct mail_claims *claims)
{
    struct forms forms = { 0 };
    bool ok = make_forms(body, &forms);

    for (size_t i = 0; ok && i < forms.count; i++)
        ok = scan(forms.each[i], arena, claims);
    free_forms(&forms);
    return ok;
}

/* The line at the start of s and its continuation lines. */
static size_t
field_length(struct slice s)
{
    size_t len = 0;

    do {
        len += slice_find(slice_tail(s, len), '\n') + 1;
    } while (len < s.len && is_space(s.ptr[len]) && s.ptr[len] != '\r');
    return len < s.len ? len : s.len;
}

/* "From" as a name with anything before it that is no letter (a byte-order
 * mark, blanks, ">") and a colon or a blank behind it. */
static bool
is_like_from(struct slice line)
{
    static const struct slice from = SLICE("from");

    while (line.len != 0 && !ascii_is_alnum(line.ptr[0]) &&
           line.ptr[0] != '\r' && line.ptr[0] != ':')
        line = slice_tail(line, 1);
    return slice_starts_nocase(line, from) && line.len > from.len &&
           (line.ptr[from.len] == ':' || is_space(line.ptr[from.len]));
}

static bool
scan_header(struct slice text, struct arena *arena, struct mail_claims *claims)
{
    size_t scanned = 0;

    while (text.len != 0 && !claims->more) {
        struct slice field = slice_head(text, field_length(text));
        /* A continuation line may be the first line of all. */
        if (is_like_from(field)) {
            scanned += field.len;
            if (scanned > MAIL_FROM_OCTETS_MAX)
                claims->more = true;
            else if (!scan_field(field, arena, claims))
                return false;
        }
        text = slice_tail(text, field.len);
    }
    return true;
}

static bool
read_claims(const struct mail_header *header, struct slice text,
            struct arena *arena, struct mail_claims *claims)
{
    struct slice *domains = NULL;
    struct slice domain;
    size_t count = 0;

    enum mail_from_status status =
        mail_from_routed_domains(header, arena, &domains, &count);
    if (status == MAIL_FROM_UNREADABLE &&
        mail_from_domain(header, arena, &domain) == MAIL_FROM_OK) {
        domains = &domain;
        count = 1;
        status = MAIL_FROM_OK;
    }
    if (status == MAIL_FROM_NO_MEMORY)
        return false;
    for (size_t i = 0; i < count; i++)
        add(claims, domains[i]);
    return (status == MAIL_FROM_OK && (header->oddities & ODD) == 0) ||
           scan_header(text, arena, claims);
}

bool
mail_claims_read(const struct mail_header *header, struct slice text,
                 struct arena *arena, struct mail_claims *claims)
{
    struct arena names = { 0 };

    *claims = (struct mail_claims){ 0 };
    /* A header of 1 MB may name 100,000: those of the result alone live longer
     * than this call. */
    bool ok = read_claims(header, text, &names, claims);
    for (size_t i = 0; ok && i < claims->count; i++)
        ok = arena_try_copy(arena, claims->domains[i], &claims->domains[i]);
    arena_free(&names);
    if (!ok)
        *claims = (struct mail_claims){ 0 };
    return ok;
}

/* ---- the only name ---------------------------------------------------------
 */

/* Is what stands before an at sign, or behind a domain, what a program that
 * knows no more of the grammar would take it for? */
static bool
ends_local_part(char c)
{
    return !is_space(c) && c != '\0' && strchr("<>,:;()@.", c) == NULL;
}

static bool
ends_domain(struct slice rest)
{
    return rest.len == 0 || is_space(rest.ptr[0]) ||
           strchr(">,;)\"'", rest.ptr[0]) != NULL;
}

/* Each pair of brackets, also one without its end, holds an address. */
static bool
brackets_hold_addresses(struct slice text)
{
    bool empty = false; /* since the last "<" */

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '>' && empty)
            return false;
        if (text.ptr[i] == '<')
            empty = true;
        else if (text.ptr[i] == '@')
            empty = false;
    }
    return !empty;
}

/* Every address in the text is of the domain, which the first one sets. */
static enum mail_from_status
agree(struct slice text, struct arena *arena, struct slice *domain)
{
    struct slice rest = text;

    if (slice_find(text, '@') == text.len)
        return MAIL_FROM_UNREADABLE;
    for (size_t at; (at = slice_find(rest, '@')) < rest.len;) {
        struct slice found;
        bool local = at != 0 && ends_local_part(rest.ptr[at - 1]);
        rest = slice_tail(rest, at + 1);
        struct slice name = slice_head(rest, name_length(rest));
        rest = slice_tail(rest, name.len);
        if (!local || !ends_domain(rest))
            return MAIL_FROM_UNREADABLE;
        switch (mail_domain_read(name, MAIL_DOMAIN_STRICT, arena, &found)) {
        case MAIL_DOMAIN_OK:
            break;
        case MAIL_DOMAIN_BAD:
            return MAIL_FROM_UNREADABLE;
        case MAIL_DOMAIN_NO_MEMORY:
            return MAIL_FROM_NO_MEMORY;
        }
        if (domain->len != 0 && !slice_equal(*domain, found))
            return MAIL_FROM_UNREADABLE;
        *domain = found;
    }
    return brackets_hold_addresses(text) ? MAIL_FROM_OK : MAIL_FROM_UNREADABLE;
}

/* Text in UTF-8 with folds, and no quote or comment that is left open, since
 * to some programs the rest of the field is a part of it. */
static bool
is_clean(struct slice body)
{
    size_t depth = 0;
    bool quoted = false;

    if (!utf8_is_valid(body))
        return false;
    for (size_t i = 0; i < body.len; i++) {
        char c = body.ptr[i];
        bool fold = c == '\r' && i + 2 < body.len && body.ptr[i + 1] == '\n' &&
                    (body.ptr[i + 2] == ' ' || body.ptr[i + 2] == '\t');
        if (fold)
            i++;
        else if (ascii_is_control(c) && c != '\t')
            return false;
        else if (c == '\\' && i + 1 < body.len &&
                 !ascii_is_control(body.ptr[i + 1]))
            i++;
        else if (c == '"' && depth == 0)
            quoted = !quoted;
        else if (c == '(' && !quoted)
            depth++;
        else if (c == ')' && !quoted && depth != 0)
            depth--;
    }
    return depth == 0 && !quoted;
}

enum mail_from_status
mail_from_only_domain(struct slice body, struct arena *arena,
                      struct slice *domain)
{
    struct forms forms = { 0 };
    enum mail_from_status status = MAIL_FROM_OK;
    struct slice found = { 0 };

    *domain = found;
    if (body.len > MAIL_FROM_OCTETS_MAX || !is_clean(body))
        return MAIL_FROM_UNREADABLE;
    if (!make_forms(body, &forms))
        status = MAIL_FROM_NO_MEMORY;
    for (size_t i = 0; status == MAIL_FROM_OK && i < forms.count; i++)
        status = agree(forms.each[i], arena, &found);
    free_forms(&forms);
    if (status == MAIL_FROM_OK)
        *domain = found;
    return status;
}
