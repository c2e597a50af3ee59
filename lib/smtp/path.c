#include "path.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdlib.h>
#include <string.h>

enum {
    LABEL_MAX = 63,
    DOMAIN_MAX = 255
};

static bool read_path(struct slice *in, enum smtp_path_kind kind,
                      bool bracketed, struct slice *local, char *unquoted,
                      struct slice *domain);
static enum smtp_path_status make(struct slice local, struct slice domain,
                                  struct arena *arena, struct smtp_path *path);

bool
smtp_path_parse(struct slice *in, enum smtp_path_kind kind, struct arena *arena,
                struct smtp_path *path)
{
    return smtp_path_read(in, kind, arena, path) == SMTP_PATH_OK;
}

enum smtp_path_status
smtp_path_read(struct slice *in, enum smtp_path_kind kind, struct arena *arena,
               struct smtp_path *path)
{
    char unquoted[SMTP_PATH_MAX];
    struct slice local, domain;
    struct slice rest = *in;

    while (rest.len != 0 && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t'))
        rest = slice_tail(rest, 1);
    bool bracketed = rest.len != 0 && rest.ptr[0] == '<';
    if (bracketed)
        rest = slice_tail(rest, 1);
    if (!read_path(&rest, kind, bracketed, &local, unquoted, &domain))
        return SMTP_PATH_BAD;
    if (rest.len != 0 && rest.ptr[0] != ' ' && rest.ptr[0] != '\t')
        return SMTP_PATH_BAD;
    if (local.len == 0) {
        *path = (struct smtp_path){ SLICE(""), SLICE(""), SLICE("") };
    } else {
        enum smtp_path_status status = make(local, domain, arena, path);
        if (status != SMTP_PATH_OK)
            return status;
    }
    *in = rest;
    return SMTP_PATH_OK;
}

bool
smtp_address_parse(struct slice text, struct arena *arena,
                   struct smtp_path *path)
{
    char unquoted[SMTP_PATH_MAX];
    struct slice local, domain;

    if (text.len != 0 && text.ptr[0] == '@')
        return false; /* a source route: not in an address */
    return read_path(&text, SMTP_FORWARD_PATH, false, &local, unquoted,
                     &domain) &&
           text.len == 0 && make(local, domain, arena, path) == SMTP_PATH_OK;
}

bool
smtp_path_make(struct slice local, struct slice domain, struct arena *arena,
               struct smtp_path *path)
{
    return make(local, domain, arena, path) == SMTP_PATH_OK;
}

bool
smtp_path_is_null(const struct smtp_path *path)
{
    return path->local.len == 0 && path->domain.len == 0;
}

bool
smtp_path_equal(const struct smtp_path *a, const struct smtp_path *b)
{
    return slice_equal_nocase(a->local, b->local) &&
           slice_equal_nocase(a->domain, b->domain);
}

/* ---- the local part ---------------------------------------------------- */

static bool
is_high(char c)
{
    return (unsigned char)c >= 0x80;
}

/* RFC 5322, 3.2.3, and RFC 6531, 3.3. */
static bool
is_atext(char c)
{
    return ascii_is_alnum(c) || is_high(c) ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
is_dot_string(struct slice local)
{
    bool after_atom = false;

    for (size_t i = 0; i < local.len; i++) {
        if (local.ptr[i] != '.' && !is_atext(local.ptr[i]))
            return false;
        if (local.ptr[i] == '.' && !after_atom)
            return false;
        after_atom = local.ptr[i] != '.';
    }
    return after_atom;
}

/* UTF-8 without control characters, those of U+0080 to U+009F included. */
static bool
is_clean(struct slice s)
{
    while (s.len != 0) {
        size_t n = utf8_length(s);
        if (n == 0 || (n == 1 && ascii_is_control(s.ptr[0])))
            return false;
        if (n == 2 && (unsigned char)s.ptr[0] == 0xC2 &&
            (unsigned char)s.ptr[1] < 0xA0)
            return false;
        s = slice_tail(s, n);
    }
    return true;
}

static size_t
printed_length(struct slice local)
{
    size_t length = local.len + 2;

    if (is_dot_string(local))
        return local.len;
    for (size_t i = 0; i < local.len; i++)
        length += local.ptr[i] == '"' || local.ptr[i] == '\\';
    return length;
}

static char *
print_local(struct slice local, char *to)
{
    bool quoted = !is_dot_string(local);

    if (quoted)
        *to++ = '"';
    for (size_t i = 0; i < local.len; i++) {
        char c = local.ptr[i];
        if (quoted && (c == '"' || c == '\\'))
            *to++ = '\\';
        *to++ = c;
    }
    if (quoted)
        *to++ = '"';
    return to;
}

void
smtp_local_print(struct slice local, struct buf *out)
{
    size_t length = printed_length(local);

    buf_reserve(out, length);
    print_local(local, out->ptr + out->len);
    out->len += length;
}

/* ---- reading ----------------------------------------------------------- */

static bool
next_is(struct slice in, char c)
{
    return in.len != 0 && in.ptr[0] == c;
}

static void
skip_blanks(struct slice *in)
{
    while (next_is(*in, ' ') || next_is(*in, '\t'))
        *in = slice_tail(*in, 1);
}

/* A literal to its "]", or the octets up to what is in no domain. */
static struct slice
take_domain(struct slice *in)
{
    size_t n = 0;

    if (next_is(*in, '['))
        n = slice_find(*in, ']') + 1;
    else
        while (n < in->len && strchr(" \t<>,;:@\"\\()", in->ptr[n]) == NULL)
            n++;
    struct slice domain = slice_head(*in, n);
    *in = slice_tail(*in, n);
    return domain;
}

/* Like smtp_domain_is_valid, but "_" and outer hyphens pass: Postfix takes
 * such domains from strangers, and refusing them here would lose mail. */
static bool
is_path_domain(struct slice domain)
{
    size_t label = 0;

    if (domain.len == 0 || domain.len > DOMAIN_MAX || !is_clean(domain))
        return false;
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.ptr[i];
        if (c == '.') {
            if (label == 0)
                return false;
            label = 0;
        } else if (ascii_is_alnum(c) || c == '-' || c == '_' || is_high(c)) {
            if (++label > LABEL_MAX)
                return false;
        } else {
            return false;
        }
    }
    return label != 0;
}

static bool
is_host(struct slice domain)
{
    return is_path_domain(domain) || smtp_literal_is_valid(domain);
}

/* "@a,@b:" means nothing any more (RFC 5321, appendix C). */
static bool
skip_source_route(struct slice *in)
{
    if (!next_is(*in, '@'))
        return true;
    for (;;) {
        *in = slice_tail(*in, 1);
        if (!is_host(take_domain(in)))
            return false;
        bool last = next_is(*in, ':');
        if (!last && !next_is(*in, ','))
            return false;
        *in = slice_tail(*in, 1);
        if (last)
            return true;
        if (!next_is(*in, '@'))
            return false;
    }
}

static bool
take_quoted(struct slice *in, char *unquoted, struct slice *local)
{
    size_t n = 0;

    for (size_t i = 1; i < in->len; i++) {
        char c = in->ptr[i];
        if (c == '"') {
            *in = slice_tail(*in, i + 1);
            *local = (struct slice){ unquoted, n };
            return true;
        }
        /* RFC 5321, 4.1.2: a quoted pair is ASCII. */
        if (c == '\\' && (++i == in->len || is_high(in->ptr[i])))
            return false;
        if (n == SMTP_PATH_MAX)
            return false;
        unquoted[n++] = in->ptr[i];
    }
    return false;
}

/* `SRS0=h=ts=d="a b"@f`: quotes in mid-atom, which nothing allows, as PostSRSd
 * and Mail::SRS make of a quoted sender. Bounces come back to it, so it is
 * read: the quotes belong to what it holds. */
static bool
take_srs_quoted(struct slice *in, char *unquoted, struct slice *local)
{
    struct slice quoted = *in;
    struct slice content;
    size_t n = local->len;

    if (!slice_starts_nocase(*local, SLICE_OF("SRS")) ||
        local->ptr[n - 1] != '=')
        return false;
    if (!take_quoted(&quoted, unquoted, &content))
        return false;
    size_t length = in->len - quoted.len;
    if (n + length > SMTP_PATH_MAX)
        return false;
    memcpy(unquoted, local->ptr, n);
    memcpy(unquoted + n, in->ptr, length);
    *local = (struct slice){ unquoted, n + length };
    *in = quoted;
    return true;
}

static bool
take_local(struct slice *in, char *unquoted, struct slice *local)
{
    size_t n = 0;

    if (next_is(*in, '"'))
        return take_quoted(in, unquoted, local);
    /* Dots where no dot-string has them are forgiven: there are mailboxes
     * with them. They go out quoted. */
    while (n < in->len && (is_atext(in->ptr[n]) || in->ptr[n] == '.'))
        n++;
    *local = slice_head(*in, n);
    *in = slice_tail(*in, n);
    if (n != 0 && next_is(*in, '"'))
        return take_srs_quoted(in, unquoted, local);
    return true;
}

/* From behind the "<" to behind the ">". unquoted: SMTP_PATH_MAX octets. */
static bool
read_path(struct slice *in, enum smtp_path_kind kind, bool bracketed,
          struct slice *local, char *unquoted, struct slice *domain)
{
    *local = *domain = SLICE_OF("");
    if (bracketed)
        skip_blanks(in);
    if (bracketed && kind == SMTP_REVERSE_PATH && next_is(*in, '>')) {
        *in = slice_tail(*in, 1);
        return true;
    }
    if (!skip_source_route(in) || !take_local(in, unquoted, local) ||
        local->len == 0)
        return false;
    if (next_is(*in, '@')) {
        *in = slice_tail(*in, 1);
        *domain = take_domain(in);
        if (domain->len == 0)
            return false;
    }
    if (bracketed) {
        skip_blanks(in);
        if (!next_is(*in, '>'))
            return false;
        *in = slice_tail(*in, 1);
    }
    return true;
}

static enum smtp_path_status
make(struct slice local, struct slice domain, struct arena *arena,
     struct smtp_path *path)
{
    if (local.len == 0 || local.len > SMTP_PATH_MAX || !is_clean(local))
        return SMTP_PATH_BAD;
    if (domain.len != 0 ? !is_host(domain)
                        : !slice_equal_nocase(local, SLICE_OF("postmaster")))
        return SMTP_PATH_BAD;

    size_t printed = printed_length(local);
    size_t length = printed + (domain.len != 0 ? 1 + domain.len : 0);
    if (length > SMTP_PATH_MAX)
        return SMTP_PATH_BAD;
    bool quoted = !is_dot_string(local);
    char *text = arena_try(arena, length + 1 + (quoted ? local.len : 0));
    if (text == NULL)
        return SMTP_PATH_NO_MEMORY;

    char *to = print_local(local, text);
    path->local = (struct slice){ text, local.len };
    path->domain = SLICE_OF("");
    path->text = (struct slice){ text, length };
    if (domain.len != 0) {
        *to++ = '@';
        memcpy(to, domain.ptr, domain.len);
        path->domain = (struct slice){ to, domain.len };
    }
    if (quoted) {
        memcpy(text + length + 1, local.ptr, local.len);
        path->local.ptr = text + length + 1;
    }
    return SMTP_PATH_OK;
}

/* ---- domains ----------------------------------------------------------- */

bool
smtp_domain_is_valid(struct slice domain)
{
    if (!is_path_domain(domain))
        return false;
    while (domain.len != 0) {
        struct slice label = slice_cut(&domain, '.');
        if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-' ||
            slice_find(label, '_') != label.len)
            return false;
    }
    return true;
}

bool
smtp_literal_is_valid(struct slice literal)
{
    static const struct slice tag = SLICE("IPv6:");
    char text[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    int family = AF_INET;

    if (literal.len < 2 || literal.ptr[0] != '[' ||
        literal.ptr[literal.len - 1] != ']')
        return false;
    struct slice inner = slice_head(slice_tail(literal, 1), literal.len - 2);
    if (slice_starts_nocase(inner, tag)) {
        inner = slice_tail(inner, tag.len);
        family = AF_INET6;
    }
    if (inner.len == 0 || inner.len >= sizeof(text) ||
        memchr(inner.ptr, '\0', inner.len) != NULL)
        return false;
    memcpy(text, inner.ptr, inner.len);
    text[inner.len] = '\0';
    return inet_pton(family, text, address) == 1;
}

static enum smtp_domain_status
fold(struct slice domain, struct arena *arena, struct slice *ascii)
{
    char *to = arena_try(arena, domain.len + 1);

    if (to == NULL)
        return SMTP_DOMAIN_NO_MEMORY;
    for (size_t i = 0; i < domain.len; i++)
        to[i] = ascii_lower(domain.ptr[i]);
    *ascii = (struct slice){ to, domain.len };
    return SMTP_DOMAIN_OK;
}

static bool
has_high(struct slice domain)
{
    for (size_t i = 0; i < domain.len; i++)
        if (is_high(domain.ptr[i]))
            return true;
    return false;
}

enum smtp_domain_status
smtp_domain_read(struct slice domain, struct arena *arena, struct slice *ascii)
{
    uint8_t utf8[DOMAIN_MAX + 1] = { 0 };
    uint8_t *alabels = NULL;
    enum smtp_domain_status status = SMTP_DOMAIN_BAD;

    if (!has_high(domain))
        return fold(domain, arena, ascii);
    if (!is_path_domain(domain))
        return SMTP_DOMAIN_BAD;
    memcpy(utf8, domain.ptr, domain.len);
    int error =
        idn2_lookup_u8(utf8, &alabels, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (error == IDN2_MALLOC) {
        status = SMTP_DOMAIN_NO_MEMORY;
    } else if (error == IDN2_OK) {
        struct slice made = slice_from((const char *)alabels);
        if (is_path_domain(made))
            status = fold(made, arena, ascii);
    }
    idn2_free(alabels);
    return status;
}

bool
smtp_domain_equal(struct slice domain, struct slice ascii)
{
    struct arena arena = { 0 };
    struct slice read;

    if (slice_equal_nocase(domain, ascii))
        return true;
    if (!has_high(domain))
        return false;
    bool equal = smtp_domain_read(domain, &arena, &read) == SMTP_DOMAIN_OK &&
                 slice_equal_nocase(read, ascii);
    arena_free(&arena);
    return equal;
}

bool
smtp_domain_to_ascii(struct slice domain, struct arena *arena,
                     struct slice *ascii)
{
    return smtp_domain_read(domain, arena, ascii) == SMTP_DOMAIN_OK;
}
