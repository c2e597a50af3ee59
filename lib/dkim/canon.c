#include "canon.h"

#include "dkim.h"

#include <openssl/evp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    GATHER = 16 * 1024, /* small stretches are hashed together */
    STRETCH = 1024,     /* longer ones where they lie */
    BLOCK = 64,         /* octets looked at together */
};

/* A hash over the first octets of the canonical body (l=). */
struct part {
    uint64_t limit;
    EVP_MD_CTX *md;
    unsigned char digest[32]; /* once the body is finished */
};

/*
 * White space and line ends are held back, as counts, until it is known
 * whether something follows them (RFC 6376, 3.4.3 and 3.4.4). All zero:
 * whatever comes next goes out as it is, unless it is white space or CR.
 */
struct dkim_body {
    enum dkim_canon canon;
    EVP_MD_CTX *md;     /* over all of it */
    struct part *parts; /* each with a limit of its own */
    size_t part_count;
    uint64_t length;    /* canonical octets hashed so far */
    uint64_t line_ends; /* CRLFs */
    bool blank;         /* white space behind them */
    bool cr;            /* a CR behind that: the half of a CRLF? */
    bool any;           /* is there any canonical content */
    bool failed;
    size_t gathered;
    char gather[GATHER];
};

static EVP_MD_CTX *
new_digest(void)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    if (md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1)
        return md;
    EVP_MD_CTX_free(md);
    return NULL;
}

struct dkim_body *
dkim_body_new(enum dkim_canon canon)
{
    struct dkim_body *body = mem_try_octets(sizeof(*body));

    if (body == NULL)
        return NULL;
    /* Not the gathered octets: to clear them costs more than a short body. */
    memset(body, 0, offsetof(struct dkim_body, gather));
    body->canon = canon;
    body->md = new_digest();
    if (body->md == NULL) {
        dkim_body_free(body);
        return NULL;
    }
    return body;
}

void
dkim_body_free(struct dkim_body *body)
{
    if (body == NULL)
        return;
    EVP_MD_CTX_free(body->md);
    for (size_t i = 0; i < body->part_count; i++)
        EVP_MD_CTX_free(body->parts[i].md);
    free(body->parts);
    free(body);
}

/* The part with this limit, or NULL. */
static struct part *
find_part(const struct dkim_body *body, uint64_t limit)
{
    for (size_t i = 0; i < body->part_count; i++)
        if (body->parts[i].limit == limit)
            return &body->parts[i];
    return NULL;
}

bool
dkim_body_limit(struct dkim_body *body, uint64_t limit)
{
    if (find_part(body, limit) != NULL)
        return true;
    struct part *parts = mem_try_realloc(body->parts, (body->part_count + 1) *
                                                          sizeof(struct part));
    if (parts == NULL)
        return false;
    body->parts = parts;
    EVP_MD_CTX *md = new_digest();
    if (md == NULL)
        return false;
    parts[body->part_count++] = (struct part){ .limit = limit, .md = md };
    return true;
}

uint64_t
dkim_body_length(const struct dkim_body *body)
{
    return body->length;
}

/* The octets of the part among the next `len`. */
static size_t
still_in_part(const struct dkim_body *body, const struct part *part, size_t len)
{
    uint64_t left = part->limit > body->length ? part->limit - body->length : 0;

    return left < len ? (size_t)left : len;
}

static void
hash(struct dkim_body *body, const char *ptr, size_t len)
{
    if (len == 0)
        return;
    if (EVP_DigestUpdate(body->md, ptr, len) != 1)
        body->failed = true;
    for (size_t i = 0; i < body->part_count; i++) {
        struct part *part = &body->parts[i];
        size_t most = still_in_part(body, part, len);
        if (most != 0 && EVP_DigestUpdate(part->md, ptr, most) != 1)
            body->failed = true;
    }
    body->length += len;
}

static void
flush(struct dkim_body *body)
{
    hash(body, body->gather, body->gathered);
    body->gathered = 0;
}

static void
emit(struct dkim_body *body, const char *ptr, size_t len)
{
    if (len == 0)
        return;
    body->any = true;
    if (len >= STRETCH) {
        flush(body);
        hash(body, ptr, len);
        return;
    }
    if (len > GATHER - body->gathered)
        flush(body);
    memcpy(body->gather + body->gathered, ptr, len);
    body->gathered += len;
}

/* Text follows, so what was held back counts. */
static void
emit_held(struct dkim_body *body)
{
    for (; body->line_ends != 0; body->line_ends--)
        emit(body, "\r\n", 2);
    if (body->blank)
        emit(body, " ", 1);
    body->blank = false;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Simple: line ends alone are held back. */
static void
step_simple(struct dkim_body *body, char c)
{
    if (body->cr) {
        body->cr = false;
        if (c == '\n') {
            body->line_ends++;
            return;
        }
        emit_held(body);
        emit(body, "\r", 1);
    }
    if (c == '\r') {
        body->cr = true;
    } else {
        emit_held(body);
        emit(body, &c, 1);
    }
}

static void
step_relaxed(struct dkim_body *body, char c)
{
    if (body->cr) {
        body->cr = false;
        if (c == '\n') {
            body->blank = false;
            body->line_ends++;
            return;
        }
        emit_held(body);
        emit(body, "\r", 1); /* alone it is an octet like others */
    }
    if (c == '\r') {
        body->cr = true;
    } else if (is_blank(c)) {
        body->blank = true;
    } else {
        emit_held(body);
        emit(body, &c, 1);
    }
}

/*
 * In text that ends with neither white space nor a line end, what becomes of
 * an octet depends on the two behind it alone: the last blank of a run stays,
 * as a space, unless a CRLF follows.
 *
 * The two functions of blocks are written so that compilers make vector code
 * of the one and code without branches of the other.
 */

/* May anything in ptr[0..BLOCK) change: a tab, or a blank before white space
 * or a CR? Reads one octet more. */
static bool
block_may_change(const char *ptr)
{
    unsigned char any = 0;

    for (size_t i = 0; i < BLOCK; i++) {
        unsigned char tab = ptr[i] == '\t';
        unsigned char blank = ptr[i] == ' ';
        unsigned char next =
            (unsigned char)((ptr[i + 1] == ' ') | (ptr[i + 1] == '\r') |
                            (ptr[i + 1] == '\t'));
        any |= (unsigned char)(tab | (blank & next));
    }
    return any != 0;
}

/* ptr[0..BLOCK) in canonical form. Reads two octets more. */
static void
emit_block(struct dkim_body *body, const char *ptr)
{
    unsigned char stays[BLOCK];
    char octet[BLOCK];
    size_t len = body->gathered;

    for (size_t i = 0; i < BLOCK; i++) {
        unsigned char blank =
            (unsigned char)((ptr[i] == ' ') | (ptr[i] == '\t'));
        unsigned char more =
            (unsigned char)((ptr[i + 1] == ' ') | (ptr[i + 1] == '\t'));
        unsigned char line_end =
            (unsigned char)((ptr[i + 1] == '\r') & (ptr[i + 2] == '\n'));
        stays[i] = (unsigned char)!(blank & (more | line_end));
        octet[i] = (char)(ptr[i] == '\t' ? ' ' : ptr[i]);
    }
    if (BLOCK > GATHER - len) {
        flush(body);
        len = 0;
    }
    for (size_t i = 0; i < BLOCK; i++) {
        body->gather[len] = octet[i];
        len += stays[i];
    }
    body->gathered = len;
}

/* The last octets of such a text, where reading on would be too far. */
static void
emit_last(struct dkim_body *body, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char *at = text.ptr + i;
        if (!is_blank(*at))
            emit(body, at, 1);
        else if (!is_blank(at[1]) && !(at[1] == '\r' && at[2] == '\n'))
            emit(body, " ", 1);
    }
}

static void
emit_text(struct dkim_body *body, struct slice text)
{
    size_t same = 0; /* from here up to `at` nothing changes */
    size_t at = 0;

    while (text.len - at > BLOCK + 1) {
        if (block_may_change(text.ptr + at)) {
            emit(body, text.ptr + same, at - same);
            emit_block(body, text.ptr + at);
            same = at + BLOCK;
        }
        at += BLOCK;
    }
    emit(body, text.ptr + same, at - same);
    emit_last(body, slice_tail(text, at));
}

/* Without the white space and line ends behind it: these are not decided. */
static struct slice
without_end(struct slice octets)
{
    while (octets.len != 0) {
        char c = octets.ptr[octets.len - 1];
        if (!is_blank(c) && c != '\r' && c != '\n')
            break;
        octets.len--;
    }
    return octets;
}

static bool
holds_back(const struct dkim_body *body)
{
    return body->line_ends != 0 || body->blank || body->cr;
}

static void
step(struct dkim_body *body, char c)
{
    switch (body->canon) {
    case DKIM_RELAXED:
        step_relaxed(body, c);
        break;
    case DKIM_SIMPLE:
        step_simple(body, c);
        break;
    }
}

/* Text that does not end in white space or a line end, and nothing is held
 * back before it. */
static void
emit_run(struct dkim_body *body, struct slice text)
{
    switch (body->canon) {
    case DKIM_RELAXED:
        emit_text(body, text);
        break;
    case DKIM_SIMPLE:
        emit(body, text.ptr, text.len);
        break;
    }
}

bool
dkim_body_update(struct dkim_body *body, struct slice octets)
{
    struct slice text = without_end(octets);
    size_t at = 0;

    while (at < text.len && holds_back(body))
        step(body, text.ptr[at++]);
    if (at < text.len)
        emit_run(body, slice_tail(text, at));
    for (at = text.len; at < octets.len; at++)
        step(body, octets.ptr[at]);
    return !body->failed;
}

bool
dkim_body_finish(struct dkim_body *body, unsigned char digest[32])
{
    if (body->cr) {
        emit_held(body);
        emit(body, "\r", 1);
        body->cr = false;
    }
    if (body->any || body->canon == DKIM_SIMPLE)
        emit(body, "\r\n", 2);
    flush(body);
    for (size_t i = 0; i < body->part_count; i++)
        if (EVP_DigestFinal_ex(body->parts[i].md, body->parts[i].digest,
                               NULL) != 1)
            body->failed = true;
    return !body->failed && EVP_DigestFinal_ex(body->md, digest, NULL) == 1;
}

bool
dkim_body_part(const struct dkim_body *body, uint64_t limit,
               unsigned char digest[32])
{
    const struct part *part = find_part(body, limit);

    if (part == NULL || body->failed)
        return false;
    memcpy(digest, part->digest, sizeof(part->digest));
    return true;
}

/* The value: line ends taken out, white space squeezed and stripped. */
static void
relax_value(struct slice value, struct buf *out)
{
    bool blank = false;
    bool any = false;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\r' && i + 1 < value.len && value.ptr[i + 1] == '\n') {
            i++;
        } else if (is_blank(c)) {
            blank = true;
        } else {
            if (blank && any)
                out->ptr[out->len++] = ' ';
            out->ptr[out->len++] = c;
            blank = false;
            any = true;
        }
    }
}

bool
dkim_try_relax_field(struct slice raw, struct buf *out)
{
    size_t colon = slice_find(raw, ':');
    struct slice name = slice_trim(slice_head(raw, colon));

    if (!buf_try_reserve(out, raw.len + 3))
        return false;
    for (size_t i = 0; i < name.len; i++)
        out->ptr[out->len++] = ascii_lower(name.ptr[i]);
    out->ptr[out->len++] = ':';
    relax_value(slice_tail(raw, colon + 1), out);
    out->ptr[out->len++] = '\r';
    out->ptr[out->len++] = '\n';
    return true;
}

void
dkim_relax_field(struct slice raw, struct buf *out)
{
    buf_reserve(out, raw.len + 3);
    bool ok = dkim_try_relax_field(raw, out);
    (void)ok;
}
