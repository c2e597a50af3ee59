#include "from.h"

#include "claims.h"
#include "domain.h"

#include <string.h>

/*
 * RFC 5322, 3.4 with its obsolete forms, on octets. Everything that is not in
 * that grammar makes the whole field unreadable: mail readers guess then, and
 * each guesses differently.
 */
struct parser {
    struct slice in;    /* what is left */
    struct buf domains; /* of struct slice, in the arena */
    struct buf domain;  /* the one being read */
    struct arena *arena;
    bool routes; /* the domains of obsolete routes are wanted, too */
    enum mail_from_status status;
    bool mailbox;      /* of the first mailbox keep the local part as well */
    struct buf local;  /* of the words being read */
    struct buf author; /* of the first mailbox */
};

static bool parse_list(struct parser *p);

static enum mail_from_status
read_domains(struct parser *p, const struct mail_header *header,
             struct slice **domains, size_t *count)
{
    size_t fields = mail_header_count(header, SLICE_OF("From"));
    struct mail_field from = { 0 };

    *domains = NULL;
    *count = 0;
    if (fields == 0)
        return MAIL_FROM_MISSING;
    if (fields > 1)
        return MAIL_FROM_SEVERAL;
    mail_header_find(header, SLICE_OF("From"), 0, &from);
    p->in = from.body;
    if (p->in.len > MAIL_FROM_OCTETS_MAX || !utf8_is_valid(p->in))
        return MAIL_FROM_UNREADABLE;

    p->status = MAIL_FROM_UNREADABLE;
    if (parse_list(p) && p->domains.len != 0) {
        *domains = arena_try(p->arena, p->domains.len);
        p->status = *domains != NULL ? MAIL_FROM_OK : MAIL_FROM_NO_MEMORY;
    }
    if (p->status == MAIL_FROM_OK) {
        memcpy(*domains, p->domains.ptr, p->domains.len);
        *count = p->domains.len / sizeof(struct slice);
    }
    buf_free(&p->domains);
    buf_free(&p->domain);
    return p->status;
}

bool
mail_from_mailbox(const struct mail_header *header, struct arena *arena,
                  struct slice *local, struct slice *domain)
{
    struct parser p = { .arena = arena, .mailbox = true };
    struct slice *domains = NULL;
    size_t count = 0;
    bool ok = read_domains(&p, header, &domains, &count) == MAIL_FROM_OK &&
              count == 1;

    /* Words after the one mailbox would have made the field unreadable. */
    if (ok) {
        *domain = domains[0];
        ok = arena_try_copy(arena, buf_slice(&p.author), local);
    }
    buf_free(&p.local);
    buf_free(&p.author);
    return ok;
}

enum mail_from_status
mail_from_domains(const struct mail_header *header, struct arena *arena,
                  struct slice **domains, size_t *count)
{
    struct parser p = { .arena = arena };

    return read_domains(&p, header, domains, count);
}

enum mail_from_status
mail_from_routed_domains(const struct mail_header *header, struct arena *arena,
                         struct slice **domains, size_t *count)
{
    struct parser p = { .arena = arena, .routes = true };

    return read_domains(&p, header, domains, count);
}

enum mail_from_status
mail_from_domain(const struct mail_header *header, struct arena *arena,
                 struct slice *domain)
{
    struct arena mailboxes = { 0 };
    struct slice *domains = NULL;
    size_t count = 0;
    /* A header of 1 MB names some 100,000 mailboxes: of those nothing but the
     * one domain lives longer than this call. */
    enum mail_from_status status =
        mail_from_domains(header, &mailboxes, &domains, &count);

    *domain = (struct slice){ 0 };
    if (status == MAIL_FROM_UNREADABLE) {
        /* Not in the grammar, but nobody can take it for another domain's. */
        struct mail_field from;
        arena_free(&mailboxes);
        mail_header_find(header, SLICE_OF("From"), 0, &from);
        return mail_from_only_domain(from.body, arena, domain);
    }
    for (size_t i = 1; status == MAIL_FROM_OK && i < count; i++)
        if (!slice_equal(domains[i], domains[0]))
            status = MAIL_FROM_DISAGREE;
    if (status == MAIL_FROM_OK && !arena_try_copy(arena, domains[0], domain))
        status = MAIL_FROM_NO_MEMORY;
    arena_free(&mailboxes);
    return status;
}

const char *
mail_from_status_word(enum mail_from_status status)
{
    switch (status) {
    case MAIL_FROM_OK:
        return "ok";
    case MAIL_FROM_MISSING:
        return "no-from";
    case MAIL_FROM_SEVERAL:
        return "several-from";
    case MAIL_FROM_UNREADABLE:
        return "from-unreadable";
    case MAIL_FROM_DISAGREE:
        return "from-disagree";
    case MAIL_FROM_NO_MEMORY:
        return "no-memory";
    }
    return "";
}

/* ---- octets ------------------------------------------------------------ */

static bool
at_end(const struct parser *p)
{
    return p->in.len == 0;
}

static bool
next_is(const struct parser *p, char c)
{
    return p->in.len != 0 && p->in.ptr[0] == c;
}

static bool
take(struct parser *p, char c)
{
    if (!next_is(p, c))
        return false;
    p->in = slice_tail(p->in, 1);
    return true;
}

/* atext, and every octet of UTF-8 (RFC 6532, 3.2). */
static bool
is_atext(char c)
{
    return ascii_is_alnum(c) || (unsigned char)c >= 128 ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* ---- white space and comments ------------------------------------------ */

static bool
take_blank(struct parser *p)
{
    if (take(p, ' ') || take(p, '\t'))
        return true;
    /* The index has made sure that a blank follows; look anyway. */
    if (p->in.len >= 3 && p->in.ptr[0] == '\r' && p->in.ptr[1] == '\n' &&
        (p->in.ptr[2] == ' ' || p->in.ptr[2] == '\t')) {
        p->in = slice_tail(p->in, 3);
        return true;
    }
    return false;
}

/* One octet or quoted pair of a comment or a quoted string. */
static bool
take_text(struct parser *p)
{
    if (take_blank(p))
        return true;
    take(p, '\\');
    if (at_end(p) || (ascii_is_control(p->in.ptr[0]) && !next_is(p, '\t')))
        return false;
    p->in = slice_tail(p->in, 1);
    return true;
}

static bool
take_comment(struct parser *p)
{
    size_t depth = 0;

    do {
        if (take(p, '('))
            depth++;
        else if (take(p, ')'))
            depth--;
        else if (!take_text(p))
            return false;
    } while (depth != 0);
    return true;
}

static bool
skip_cfws(struct parser *p)
{
    for (;;) {
        if (next_is(p, '(')) {
            if (!take_comment(p))
                return false;
        } else if (!take_blank(p)) {
            return true;
        }
    }
}

static bool
no_memory(struct parser *p)
{
    p->status = MAIL_FROM_NO_MEMORY;
    return false;
}

/* ---- addresses --------------------------------------------------------- */

/* The words that may be a local part, as its content. */
static bool
keep_local(struct parser *p, struct slice octets)
{
    return !p->mailbox || buf_try_append(&p->local, octets) || no_memory(p);
}

static bool
take_quoted(struct parser *p)
{
    take(p, '"');
    while (!take(p, '"')) {
        struct slice before = p->in;
        if (!take_text(p))
            return false;
        size_t length = before.len - p->in.len;
        size_t escape = length == 2 && before.ptr[0] == '\\' ? 1 : 0;
        if (!keep_local(
                p, slice_head(slice_tail(before, escape), length - escape)))
            return false;
    }
    return true;
}

static struct slice
take_atom(struct parser *p)
{
    size_t len = 0;

    while (len < p->in.len && is_atext(p->in.ptr[len]))
        len++;
    struct slice atom = slice_head(p->in, len);
    p->in = slice_tail(p->in, len);
    return atom;
}

/*
 * Atoms, quoted strings and dots up to what is none of these: a display name
 * or a local part, which only what follows can tell. In a local part there is
 * a dot between any two words.
 */
static bool
take_words(struct parser *p, size_t *words, bool *is_local_part)
{
    bool after_word = false;

    *words = 0;
    *is_local_part = true;
    buf_clear(&p->local);
    for (;;) {
        if (!skip_cfws(p))
            return false;
        if (take(p, '.')) {
            after_word = false;
            if (!keep_local(p, SLICE_OF(".")))
                return false;
            continue;
        }
        if (next_is(p, '"')) {
            if (!take_quoted(p))
                return false;
        } else {
            struct slice atom = take_atom(p);
            if (atom.len == 0)
                break;
            if (!keep_local(p, atom))
                return false;
        }
        if (after_word)
            *is_local_part = false;
        after_word = true;
        ++*words;
    }
    if (*words == 0)
        *is_local_part = false;
    return true;
}

/* Into p->domain as it is written, without what stands between its atoms. */
static bool
take_domain(struct parser *p)
{
    buf_clear(&p->domain);
    do {
        if (!skip_cfws(p))
            return false;
        struct slice label = take_atom(p);
        if (label.len == 0) /* a literal, or a dot too many */
            return false;
        if (p->domain.len != 0 && !buf_try_append(&p->domain, SLICE_OF(".")))
            return no_memory(p);
        if (!buf_try_append(&p->domain, label))
            return no_memory(p);
        if (!skip_cfws(p))
            return false;
    } while (take(p, '.'));
    return true;
}

/* p->domain in lower-case A-labels. */
static bool
read_domain(struct parser *p, struct slice *domain)
{
    switch (mail_domain_read(buf_slice(&p->domain), MAIL_DOMAIN_STRICT,
                             p->arena, domain)) {
    case MAIL_DOMAIN_OK:
        return true;
    case MAIL_DOMAIN_BAD:
        break;
    case MAIL_DOMAIN_NO_MEMORY:
        return no_memory(p);
    }
    return false;
}

static bool
keep_domain(struct parser *p, struct slice domain)
{
    return buf_try_append(&p->domains, (struct slice){ (const char *)&domain,
                                                       sizeof(domain) }) ||
           no_memory(p);
}

static bool
take_at_domain(struct parser *p)
{
    struct slice domain = { 0 };

    if (!take(p, '@') || !take_domain(p) || !read_domain(p, &domain))
        return false;
    if (p->mailbox && p->domains.len == 0 &&
        !buf_try_append(&p->author, buf_slice(&p->local)))
        return no_memory(p);
    return keep_domain(p, domain);
}

/* "@one.example,@two.example:", which says nothing about the author, but a
 * program that takes the first "@" of the field reads its domain there. */
static bool
take_route(struct parser *p)
{
    struct slice domain = { 0 };

    do {
        if (!skip_cfws(p) || !take(p, '@') || !take_domain(p))
            return false;
        if (p->routes && (!read_domain(p, &domain) || !keep_domain(p, domain)))
            return false;
    } while (take(p, ','));
    return take(p, ':');
}

static bool
take_angle(struct parser *p)
{
    size_t words = 0;
    bool is_local_part = false;

    if (!take(p, '<') || !skip_cfws(p))
        return false;
    if (next_is(p, '@') && !take_route(p))
        return false;
    if (!take_words(p, &words, &is_local_part) || !is_local_part ||
        !take_at_domain(p))
        return false;
    return take(p, '>') && skip_cfws(p);
}

/* What stands behind the words of a mailbox. */
static bool
take_mailbox_rest(struct parser *p, bool is_local_part)
{
    if (next_is(p, '<'))
        return take_angle(p);
    return is_local_part && take_at_domain(p);
}

/* The members of a group, the ":" already taken. There may be none. */
static bool
take_group_rest(struct parser *p)
{
    size_t words = 0;
    bool is_local_part = false;

    if (!skip_cfws(p))
        return false;
    if (take(p, ';'))
        return skip_cfws(p);
    do {
        if (!take_words(p, &words, &is_local_part) ||
            !take_mailbox_rest(p, is_local_part))
            return false;
    } while (take(p, ','));
    return take(p, ';') && skip_cfws(p);
}

static bool
parse_list(struct parser *p)
{
    size_t words = 0;
    bool is_local_part = false;

    do {
        if (!take_words(p, &words, &is_local_part))
            return false;
        bool ok = words != 0 && take(p, ':')
                      ? take_group_rest(p)
                      : take_mailbox_rest(p, is_local_part);
        if (!ok)
            return false;
    } while (take(p, ','));
    return at_end(p);
}
