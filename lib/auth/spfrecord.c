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

static bool
same_network(const unsigned char *a, const unsigned char *b, unsigned prefix)
{
    const unsigned octets = prefix / 8, bits = prefix % 8;

    if (memcmp(a, b, octets) != 0)
        return false;
    return bits == 0 || ((a[octets] ^ b[octets]) >> (8 - bits)) == 0;
}

bool
spf_is_in(const unsigned char client[16], const unsigned char *network,
          unsigned prefix4, unsigned prefix6)
{
    return spf_address_is_ip4(client)
               ? same_network(client + 12, network, prefix4)
               : same_network(client, network, prefix6);
}

bool
spf_network_matches(const struct spf_term *term, const unsigned char client[16])
{
    const bool is_ip4 = spf_address_is_ip4(client);

    return (term->kind == SPF_IP4 && is_ip4) ||
                   (term->kind == SPF_IP6 && !is_ip4)
               ? spf_is_in(client, term->address, term->prefix4, term->prefix6)
               : false;
}

/* The term has no say about the client. */
static bool
is_without_say(const struct spf_term *term, const unsigned char client[16])
{
    if (term->kind == SPF_IP4 || term->kind == SPF_IP6)
        return !spf_network_matches(term, client);
    return term->kind == SPF_REDIRECT || term->kind == SPF_EXP ||
           term->kind == SPF_UNKNOWN;
}

const char *
spf_record_read(struct slice text, const unsigned char client[16],
                struct spf_record *record, struct slice *about)
{
    struct slice rest = slice_tail(text, version.len);
    struct spf_term term;
    bool has_exp = false;
    bool has_say = false; /* a term that was read */
    const char *why;

    *record = (struct spf_record){ .terms = rest };
    while (spf_term_next(&rest, &term, &why)) {
        *about = term.text;
        if (why != NULL)
            return why;
        has_say = has_say || !is_without_say(&term, client);
        if (!has_say)
            record->terms = rest;
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

/*
 * A number of one to three digits without a zero before it, cut off the front
 * of *text. Records of large senders are long lists of networks, each read
 * twice for a message, so this and read_ip4 are all that it takes.
 */
static bool
take_number(struct slice *text, unsigned most, unsigned *number)
{
    size_t len = 0;

    *number = 0;
    while (len < text->len && len < 3 && ascii_is_digit(text->ptr[len]))
        *number = *number * 10 + (unsigned)(text->ptr[len++] - '0');
    if (len == 0 || (len > 1 && text->ptr[0] == '0') || *number > most)
        return false;
    *text = slice_tail(*text, len);
    return true;
}

static bool
read_prefix(struct slice digits, unsigned most, unsigned *prefix)
{
    return take_number(&digits, most, prefix) && digits.len == 0;
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
read_ip4(struct slice text, unsigned char address[4])
{
    unsigned number;

    for (unsigned i = 0; i < 4; i++) {
        if (i != 0) {
            if (text.len == 0 || text.ptr[0] != '.')
                return false;
            text = slice_tail(text, 1);
        }
        if (!take_number(&text, 255, &number))
            return false;
        address[i] = (unsigned char)number;
    }
    return text.len == 0;
}

static bool
read_ip6(struct slice text, unsigned char address[16])
{
    char copy[INET6_ADDRSTRLEN + 1];

    if (text.len >= sizeof(copy) || text.len == 0)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return strlen(copy) == text.len && inet_pton(AF_INET6, copy, address) == 1;
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
    if (is_ip4)
        return read_ip4(address, term->address) ? NULL : "no IPv4 address";
    return read_ip6(address, term->address) ? NULL : "no IPv6 address";
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
    { SLICE("ip4"), SPF_IP4 }, { SLICE("ip6"), SPF_IP6 },
    { SLICE("all"), SPF_ALL }, { SLICE("include"), SPF_INCLUDE },
    { SLICE("a"), SPF_A },     { SLICE("mx"), SPF_MX },
    { SLICE("ptr"), SPF_PTR }, { SLICE("exists"), SPF_EXISTS },
};

static bool
kind_of(struct slice name, enum spf_kind *kind)
{
    for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
        *kind = mechanisms[i].kind;
        if (mechanisms[i].name.len == name.len &&
            slice_equal_nocase(mechanisms[i].name, name))
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
