#include "signature.h"

#include "taglist.h"

#include <string.h>

/* The tags that are used; the others (q= apart) say nothing to a verifier. */
struct tags {
    struct dkim_tag v, a, b, bh, c, d, h, i, l, q, s, t, x;
};

static bool
is_there(struct dkim_tag tag)
{
    return tag.name.len != 0;
}

static void
collect(struct slice list, struct tags *tags)
{
    struct {
        const char *name;
        struct dkim_tag *tag;
    } wanted[] = {
        { "v", &tags->v },   { "a", &tags->a }, { "b", &tags->b },
        { "bh", &tags->bh }, { "c", &tags->c }, { "d", &tags->d },
        { "h", &tags->h },   { "i", &tags->i }, { "l", &tags->l },
        { "q", &tags->q },   { "s", &tags->s }, { "t", &tags->t },
        { "x", &tags->x },
    };
    struct dkim_tag tag;

    for (;;) {
        enum dkim_tag_status status = dkim_tag_next(&list, &tag);
        if (status == DKIM_TAG_END)
            return;
        if (status == DKIM_TAG_BAD)
            continue;
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
            if (!is_there(*wanted[i].tag) &&
                slice_equal(tag.name, slice_from(wanted[i].name)))
                *wanted[i].tag = tag;
    }
}

/* ---- names ------------------------------------------------------------- */

static bool
append(struct dkim_parsed *parsed, struct slice name, unsigned char *len)
{
    char *at = parsed->question + parsed->question_len;

    if (name.len > DKIM_DOMAIN_MAX - (size_t)parsed->question_len)
        return false;
    for (size_t i = 0; i < name.len; i++)
        at[i] = ascii_lower(name.ptr[i]);
    *len = (unsigned char)name.len;
    parsed->question_len = (unsigned char)(parsed->question_len + name.len);
    return true;
}

/* Append a name in lower-case A-labels to the question (RFC 8616, 5). */
static bool
add_name(struct dkim_parsed *parsed, struct slice name, unsigned char *len)
{
    struct arena arena = { 0 };
    struct slice labels = { 0 };

    if (dkim_is_name(name))
        return append(parsed, name, len);
    bool ok = mail_domain_a_labels(name, &arena, &labels) &&
              append(parsed, labels, len);
    arena_free(&arena);
    return ok;
}

/* SELECTOR._domainkey.DOMAIN. The domain has two labels at least: nobody has
 * the right to sign for all of a top-level domain. */
static bool
make_question(struct dkim_parsed *parsed, const struct tags *tags)
{
    unsigned char len = 0;

    if (!is_there(tags->s) || !is_there(tags->d) ||
        !add_name(parsed, tags->s.value, &parsed->selector_len) ||
        !append(parsed, SLICE_OF("._domainkey."), &len) ||
        !add_name(parsed, tags->d.value, &parsed->domain_len))
        return false;
    return slice_find(dkim_parsed_domain(parsed), '.') < parsed->domain_len;
}

struct slice
dkim_parsed_selector(const struct dkim_parsed *parsed)
{
    return (struct slice){ parsed->question, parsed->selector_len };
}

struct slice
dkim_parsed_domain(const struct dkim_parsed *parsed)
{
    return (struct slice){ parsed->question + parsed->question_len -
                               parsed->domain_len,
                           parsed->domain_len };
}

struct slice
dkim_parsed_question(const struct dkim_parsed *parsed)
{
    return (struct slice){ parsed->question, parsed->question_len };
}

/* ---- single tags: false if the value is against the grammar ------------ */

static bool
read_algorithm(struct dkim_parsed *parsed, struct dkim_tag a)
{
    static const struct {
        struct slice word;
        enum dkim_algorithm algorithm;
    } known[] = {
        { SLICE("rsa-sha256"), DKIM_RSA_SHA256 },
        { SLICE("ed25519-sha256"), DKIM_ED25519_SHA256 },
        { SLICE("rsa-sha1"), DKIM_RSA_SHA256 }, /* never verified */
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!slice_equal_nocase(a.value, known[i].word))
            continue;
        parsed->algorithm_word = known[i].word;
        parsed->algorithm = known[i].algorithm;
        return true;
    }
    return false;
}

static bool
read_canon_word(struct slice word, enum dkim_canon *canon)
{
    word = dkim_trim(word);
    if (slice_equal_nocase(word, SLICE_OF("simple")))
        *canon = DKIM_SIMPLE;
    else if (slice_equal_nocase(word, SLICE_OF("relaxed")))
        *canon = DKIM_RELAXED;
    else
        return false;
    return true;
}

/* c=; what is not said is simple. */
static bool
read_canon(struct dkim_parsed *parsed, struct dkim_tag c)
{
    struct slice body = c.value;

    parsed->header_canon = DKIM_SIMPLE;
    parsed->body_canon = DKIM_SIMPLE;
    if (!is_there(c))
        return true;
    bool has_body = slice_find(body, '/') < body.len;
    struct slice header = slice_cut(&body, '/');
    return read_canon_word(header, &parsed->header_canon) &&
           (!has_body || read_canon_word(body, &parsed->body_canon));
}

/* hdr-name: printable, without the colon that ends it. */
static bool
is_field_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 127)
            return false;
    return s.len != 0;
}

/* h=: at least From (RFC 6376, 5.4), and no more names than anybody needs. */
static bool
read_names(struct dkim_parsed *parsed, struct dkim_tag h)
{
    struct slice rest = h.value;
    bool has_from = false;

    for (size_t count = 0;; count++) {
        bool is_last = slice_find(rest, ':') == rest.len;
        struct slice name = dkim_trim(slice_cut(&rest, ':'));
        if (count == DKIM_NAMES_MAX || !is_field_name(name))
            return false;
        has_from |= slice_equal_nocase(name, SLICE_OF("From"));
        if (is_last)
            break;
    }
    parsed->names = h.value;
    return has_from;
}

/* Digits; what is more than fits is as much as fits. */
static bool
read_number(struct dkim_tag tag, uint64_t most, uint64_t *number)
{
    if (tag.value.len == 0)
        return false;
    for (size_t i = 0; i < tag.value.len; i++)
        if (!ascii_is_digit(tag.value.ptr[i]))
            return false;
    if (!slice_to_u64(tag.value, number) || *number > most)
        *number = most;
    return true;
}

static bool
read_times(struct dkim_parsed *parsed, const struct tags *tags, int64_t now)
{
    uint64_t made = 0;
    uint64_t expires = 0;

    if (is_there(tags->t)) {
        if (!read_number(tags->t, INT64_MAX, &made) ||
            (int64_t)made > now + DKIM_CLOCK_SKEW)
            return false;
        parsed->made = (int64_t)made;
    }
    if (is_there(tags->x)) {
        if (!read_number(tags->x, INT64_MAX, &expires) ||
            (is_there(tags->t) && expires < made))
            return false;
        /* A signature of 1970 has expired; 0 means that there is no x=. */
        parsed->expires = expires != 0 ? (int64_t)expires : 1;
    }
    return true;
}

static int
hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* dkim-quoted-printable (RFC 6376, 2.11): the octets, without white space. */
static bool
decode_quoted(struct slice text, char *octets, size_t room, size_t *len)
{
    size_t at = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (c == '=') {
            if (text.len - i < 3 || hex_value(text.ptr[i + 1]) < 0 ||
                hex_value(text.ptr[i + 2]) < 0)
                return false;
            c = (char)(hex_value(text.ptr[i + 1]) << 4 |
                       hex_value(text.ptr[i + 2]));
            i += 2;
        }
        if (at == room)
            return false;
        octets[at++] = c;
    }
    *len = at;
    return true;
}

/* True if the domain is the parent's or below it, at a label boundary. */
static bool
is_below(struct slice domain, struct slice parent)
{
    return domain.len > parent.len + 1 &&
           domain.ptr[domain.len - parent.len - 1] == '.' &&
           slice_ends_nocase(domain, parent);
}

/* i=: in d= or below. */
static bool
read_identity(struct dkim_parsed *parsed, struct dkim_tag i)
{
    char octets[1024];
    struct arena arena = { 0 };
    struct slice domain = { 0 };
    size_t len = 0;
    bool ok = false;

    if (!is_there(i))
        return true;
    if (!decode_quoted(i.value, octets, sizeof(octets), &len))
        return false;
    struct slice identity = { octets, len };
    size_t at = slice_find_last(identity, '@');
    if (at == identity.len)
        return false;
    struct slice written = slice_tail(identity, at + 1);
    bool is_ascii = dkim_is_name(written);
    if (is_ascii)
        domain = written;
    if (is_ascii || mail_domain_a_labels(written, &arena, &domain)) {
        parsed->below_domain = is_below(domain, dkim_parsed_domain(parsed));
        ok = parsed->below_domain ||
             slice_equal_nocase(domain, dkim_parsed_domain(parsed));
    }
    arena_free(&arena);
    return ok;
}

static bool
read_body_hash(struct dkim_parsed *parsed, struct dkim_tag bh)
{
    size_t len = 0;

    return dkim_base64_decode(bh.value, parsed->body_hash,
                              sizeof(parsed->body_hash), &len) &&
           len == sizeof(parsed->body_hash);
}

static bool
read_signature(struct dkim_parsed *parsed, struct dkim_tag b)
{
    unsigned char octets[DKIM_SIGNATURE_MAX];
    size_t len = 0;

    parsed->b = b.value;
    parsed->b_whole = b.whole;
    return dkim_base64_decode(b.value, octets, sizeof(octets), &len) &&
           len != 0;
}

/* The first octets of b=, for Authentication-Results. */
static void
name_signature(struct dkim_parsed *parsed, struct slice b)
{
    for (size_t i = 0; i < b.len && parsed->b_start_len < DKIM_B_START; i++) {
        char c = b.ptr[i];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            parsed->b_start[parsed->b_start_len++] = c;
    }
}

/* ---- all of it --------------------------------------------------------- */

static enum dkim_reason
judge(struct dkim_parsed *parsed, const struct tags *tags, bool has_names,
      int64_t now)
{
    bool ok = has_names && is_there(tags->v) &&
              slice_equal(tags->v.value, SLICE_OF("1")) &&
              parsed->algorithm_word.len != 0 && is_there(tags->b) &&
              is_there(tags->bh) && is_there(tags->h) &&
              read_canon(parsed, tags->c) && read_names(parsed, tags->h) &&
              read_identity(parsed, tags->i) && read_times(parsed, tags, now) &&
              read_signature(parsed, tags->b);

    if (ok && is_there(tags->l)) {
        parsed->has_limit = true;
        ok = read_number(tags->l, UINT64_MAX, &parsed->limit);
    }
    if (ok && is_there(tags->q))
        ok = dkim_list_holds(tags->q.value, SLICE_OF("dns/txt"));
    if (!ok)
        return DKIM_SYNTAX;
    /* RFC 8301, 3.1. Its bh= has another length. */
    if (slice_equal(parsed->algorithm_word, SLICE_OF("rsa-sha1")))
        return DKIM_SHA1;
    if (!read_body_hash(parsed, tags->bh))
        return DKIM_SYNTAX;
    if (parsed->expires != 0 && now > parsed->expires)
        return DKIM_EXPIRED;
    return DKIM_REASON_NONE;
}

void
dkim_signature_parse(const struct mail_field *field, int64_t now,
                     char question[DKIM_DOMAIN_MAX], struct dkim_parsed *parsed)
{
    struct tags tags = { 0 };

    *parsed = (struct dkim_parsed){ .field = *field, .question = question };
    collect(field->body, &tags);
    bool has_names = make_question(parsed, &tags);
    if (is_there(tags.a) && !read_algorithm(parsed, tags.a))
        parsed->algorithm_word = (struct slice){ 0 };
    name_signature(parsed, tags.b.value);
    parsed->reason = judge(parsed, &tags, has_names, now);
    if (!dkim_tags_are_valid(field->body))
        parsed->reason = DKIM_SYNTAX;
}
