#include "spfrecord.h"

#include "spfmacro.h"

#include <arpa/inet.h>
#include <string.h>

static const struct slice version = SLICE("v=spf1");

bool
spf_record_is_ours(struct slice text)
{
    return slice_starts_nocase(text, version) &&
           (text.len == version.len || text.ptr[version.len] == ' ');
}

const char *
spf_record_read(struct slice text, struct spf_record *record,
                struct slice *about)
{
    struct spf_term term;
    bool has_exp = false;
    const char *why;

    *record = (struct spf_record){ .terms = slice_tail(text, version.len) };
    for (struct slice rest = record->terms;
         spf_term_next(&rest, &term, &why);) {
        *about = term.text;
        if (why != NULL)
            return why;
        if (term.kind == SPF_ALL) {
            record->has_all = true;
        } else if (term.kind == SPF_REDIRECT) {
            if (record->redirect.len != 0)
                return "redirect= stands twice in the record";
            record->redirect = term.text;
        } else if (term.kind == SPF_EXP) {
            if (has_exp)
                return "exp= stands twice in the record";
            has_exp = true;
        }
    }
    return NULL;
}

/* ---- parts of a term ----------------------------------------------------- */

/* A length of digits alone, without a zero before it. */
static bool
read_prefix(struct slice digits, unsigned most, unsigned *prefix)
{
    uint64_t number;

    if (digits.len > 3 || !slice_to_u64(digits, &number) || number > most ||
        (digits.len > 1 && digits.ptr[0] == '0'))
        return false;
    *prefix = (unsigned)number;
    return true;
}

/* The slash of a "/digits" at the end, or text.len. */
static size_t
last_prefix(struct slice text)
{
    size_t at = text.len;

    while (at != 0 && ascii_is_digit(text.ptr[at - 1]))
        at--;
    return at != text.len && at != 0 && text.ptr[at - 1] == '/' ? at - 1
                                                                : text.len;
}

/* Cut [ "/" length4 ] [ "//" length6 ] off the end. */
static bool
take_dual_prefix(struct slice *text, struct spf_term *term)
{
    size_t slash = last_prefix(*text);

    if (slash != text->len && slash != 0 && text->ptr[slash - 1] == '/') {
        if (!read_prefix(slice_tail(*text, slash + 1), 128, &term->prefix6))
            return false;
        text->len = slash - 1;
        slash = last_prefix(*text);
    }
    if (slash != text->len) {
        if (!read_prefix(slice_tail(*text, slash + 1), 32, &term->prefix4))
            return false;
        text->len = slash;
    }
    return true;
}

static bool
read_address(struct slice text, int family, unsigned char address[16])
{
    char copy[INET6_ADDRSTRLEN + 1];

    if (text.len >= sizeof(copy) || text.len == 0)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return strlen(copy) == text.len && inet_pton(family, copy, address) == 1;
}

/* glibc takes "01" in an address; the grammar does not. */
static bool
has_leading_zero(struct slice address)
{
    while (address.len != 0) {
        const struct slice part = slice_cut(&address, '.');

        if (part.len > 1 && part.ptr[0] == '0')
            return true;
    }
    return false;
}

static const char *
take_network(struct slice text, struct spf_term *term)
{
    const bool is_ip4 = term->kind == SPF_IP4;
    const size_t slash = slice_find(text, '/');
    const struct slice address = slice_head(text, slash);

    if (slash != text.len &&
        !read_prefix(slice_tail(text, slash + 1), is_ip4 ? 32 : 128,
                     is_ip4 ? &term->prefix4 : &term->prefix6))
        return "no such length of a prefix";
    if (!read_address(address, is_ip4 ? AF_INET : AF_INET6, term->address) ||
        (is_ip4 && has_leading_zero(address)))
        return is_ip4 ? "no IPv4 address" : "no IPv6 address";
    return NULL;
}

static const char *
take_spec(struct slice text, struct spf_term *term)
{
    term->spec = text;
    return spf_domain_spec_is_valid(text) ? NULL
                                          : "not a name, or bad macros in it";
}

/* ---- mechanisms and modifiers -------------------------------------------- */

static const struct mechanism {
    struct slice name;
    enum spf_kind kind;
} mechanisms[] = {
    { SLICE("all"), SPF_ALL }, { SLICE("include"), SPF_INCLUDE },
    { SLICE("a"), SPF_A },     { SLICE("mx"), SPF_MX },
    { SLICE("ptr"), SPF_PTR }, { SLICE("ip4"), SPF_IP4 },
    { SLICE("ip6"), SPF_IP6 }, { SLICE("exists"), SPF_EXISTS },
};

static bool
kind_of(struct slice name, enum spf_kind *kind)
{
    for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
        *kind = mechanisms[i].kind;
        if (slice_equal_nocase(mechanisms[i].name, name))
            return true;
    }
    return false;
}

static enum spf_result
take_qualifier(struct slice *text)
{
    const char c = text->ptr[0];

    if (c != '+' && c != '-' && c != '~' && c != '?')
        return SPF_PASS;
    *text = slice_tail(*text, 1);
    return c == '+'   ? SPF_PASS
           : c == '-' ? SPF_FAIL
           : c == '~' ? SPF_SOFTFAIL
                      : SPF_NEUTRAL;
}

/* What follows the name: nothing, or ":" and an argument, or "/". */
static const char *
take_argument(struct slice text, struct spf_term *term)
{
    const bool has_colon = text.len != 0 && text.ptr[0] == ':';

    if (term->kind == SPF_A || term->kind == SPF_MX) {
        if (!take_dual_prefix(&text, term))
            return "no such length of a prefix";
    }
    if (text.len == 0)
        return term->kind == SPF_ALL || term->kind == SPF_A ||
                       term->kind == SPF_MX || term->kind == SPF_PTR
                   ? NULL
                   : "the mechanism wants an argument";
    if (!has_colon || term->kind == SPF_ALL)
        return "more than belongs to the mechanism";
    text = slice_tail(text, 1);
    return term->kind == SPF_IP4 || term->kind == SPF_IP6
               ? take_network(text, term)
               : take_spec(text, term);
}

static const char *
read_mechanism(struct slice text, struct spf_term *term)
{
    size_t len = 0;

    term->qualifier = take_qualifier(&text);
    term->text = text;
    while (len < text.len && text.ptr[len] != ':' && text.ptr[len] != '/')
        len++;
    if (!kind_of(slice_head(text, len), &term->kind))
        return "no such mechanism";
    return take_argument(slice_tail(text, len), term);
}

/* The length of name in name "=" ..., or 0: the term is no modifier. */
static size_t
modifier_name(struct slice text)
{
    size_t len = 0;

    if (!ascii_is_alpha(text.ptr[0]))
        return 0;
    while (len < text.len &&
           (ascii_is_alnum(text.ptr[len]) || text.ptr[len] == '-' ||
            text.ptr[len] == '_' || text.ptr[len] == '.'))
        len++;
    return len < text.len && text.ptr[len] == '=' ? len : 0;
}

static const char *
read_modifier(struct slice name, struct slice value, struct spf_term *term)
{
    if (slice_equal_nocase(name, SLICE_OF("redirect")))
        term->kind = SPF_REDIRECT;
    else if (slice_equal_nocase(name, SLICE_OF("exp")))
        term->kind = SPF_EXP;
    else
        return spf_macro_string_is_valid(value, SPF_LETTERS_ALL)
                   ? NULL
                   : "bad macros in a modifier";
    return take_spec(value, term);
}

bool
spf_term_next(struct slice *rest, struct spf_term *term, const char **why)
{
    while (rest->len != 0 && rest->ptr[0] == ' ')
        *rest = slice_tail(*rest, 1);
    if (rest->len == 0)
        return false;

    const struct slice text = slice_cut(rest, ' ');
    const size_t name = modifier_name(text);
    *term = (struct spf_term){
        .kind = SPF_UNKNOWN, .text = text, .prefix4 = 32, .prefix6 = 128
    };
    *why = name != 0 ? read_modifier(slice_head(text, name),
                                     slice_tail(text, name + 1), term)
                     : read_mechanism(text, term);
    return true;
}
