#include "signature.h"

#include "canon.h"
#include "taglist.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE = 4096 /* octets that are hashed at once */
};

/* ---- the index --------------------------------------------------------- */

static uint32_t
hash_name(struct slice name)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)ascii_lower(name.ptr[i])) * 16777619u;
    return h;
}

/* Names in any order, as long as it is one. */
static int
compare_names(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;

    for (size_t i = 0; i < len; i++) {
        int d = (unsigned char)ascii_lower(a.ptr[i]) -
                (unsigned char)ascii_lower(b.ptr[i]);
        if (d != 0)
            return d;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

static struct slice
name_of(const struct dkim_fields *fields, uint64_t entry)
{
    return mail_header_name(fields->header, (uint32_t)entry);
}

/* By hash, then by name (a stranger can make hashes meet), then from the top
 * of the header to its bottom. */
static int
compare_entries(const void *a, const void *b, void *ctx)
{
    const struct dkim_fields *fields = ctx;
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    int order = 0;

    if (x >> 32 == y >> 32)
        order = compare_names(name_of(fields, x), name_of(fields, y));
    if (order != 0)
        return order;
    return x < y ? -1 : x > y;
}

bool
dkim_fields_index(const struct mail_header *header, struct dkim_fields *fields)
{
    *fields = (struct dkim_fields){ .header = header };
    fields->order = mem_try((header->count + 1) * sizeof(uint64_t));
    fields->taken = mem_try((header->count + 1) * sizeof(uint32_t));
    if (fields->order == NULL || fields->taken == NULL) {
        dkim_fields_free(fields);
        return false;
    }
    for (size_t i = 0; i < header->count; i++)
        fields->order[i] = (uint64_t)hash_name(mail_header_name(header, i))
                               << 32 |
                           (uint32_t)i;
    qsort_r(fields->order, header->count, sizeof(uint64_t), compare_entries,
            fields);
    return true;
}

void
dkim_fields_free(struct dkim_fields *fields)
{
    free(fields->order);
    free(fields->taken);
    *fields = (struct dkim_fields){ 0 };
}

/* The first entry at or after (hash, name); `after`: past all of that name. */
static size_t
find_entry(const struct dkim_fields *fields, uint32_t hash, struct slice name,
           bool after)
{
    size_t low = 0;
    size_t high = fields->header->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t entry = fields->order[middle];
        uint32_t h = (uint32_t)(entry >> 32);
        int order = h < hash ? -1 : h > hash;
        if (order == 0)
            order = compare_names(name_of(fields, entry), name);
        if (order < 0 || (after && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/*
 * The instance that h= means when it names a field once more: from the bottom
 * up, and never the signature itself (RFC 6376, 5.4.2). False: there is none
 * left.
 */
static bool
next_instance(const struct dkim_fields *fields, struct slice name,
              const struct mail_field *self, struct mail_field *field)
{
    uint32_t hash = hash_name(name);
    size_t first = find_entry(fields, hash, name, false);
    size_t end = find_entry(fields, hash, name, true);

    while (first < end && fields->taken[first] < end - first) {
        size_t at = end - 1 - fields->taken[first]++;
        *field = mail_header_field(fields->header, (uint32_t)fields->order[at]);
        if (field->raw.ptr != self->raw.ptr)
            return true;
    }
    return false;
}

/* ---- the digest -------------------------------------------------------- */

static bool
add_canonical(struct slice raw, enum dkim_canon canon, struct buf *input)
{
    switch (canon) {
    case DKIM_RELAXED:
        return dkim_try_relax_field(raw, input);
    case DKIM_SIMPLE:
        return buf_try_append(input, raw) &&
               (slice_ends_nocase(raw, SLICE_OF("\r\n")) ||
                buf_try_append(input, SLICE_OF("\r\n")));
    }
    return false;
}

/* The signature field without the value of b= and without its CRLF. */
static bool
add_itself(const struct dkim_parsed *parsed, struct buf *input)
{
    const struct mail_field *field = &parsed->field;
    struct slice raw = {
        field->raw.ptr,
        (size_t)(field->body.ptr - field->raw.ptr) + field->body.len,
    };
    size_t start = (size_t)(parsed->b_whole.ptr - raw.ptr);
    struct buf own = { 0 };
    bool ok =
        buf_try_append(&own, slice_head(raw, start)) &&
        buf_try_append(&own, slice_tail(raw, start + parsed->b_whole.len)) &&
        add_canonical(buf_slice(&own), parsed->header_canon, input);

    buf_free(&own);
    if (ok)
        input->len -= 2;
    return ok;
}

static bool
flush(EVP_MD_CTX *md, struct buf *input)
{
    bool ok =
        input->len == 0 || EVP_DigestUpdate(md, input->ptr, input->len) == 1;

    buf_clear(input);
    return ok;
}

static bool
add_named(const struct dkim_fields *fields, const struct dkim_parsed *parsed,
          EVP_MD_CTX *md, struct buf *input)
{
    struct slice rest = parsed->names;

    memset(fields->taken, 0, fields->header->count * sizeof(uint32_t));
    while (rest.len != 0) {
        struct slice name = dkim_trim(slice_cut(&rest, ':'));
        struct mail_field field;
        if (!next_instance(fields, name, &parsed->field, &field))
            continue;
        if (!add_canonical(field.raw, parsed->header_canon, input) ||
            (input->len >= PIECE && !flush(md, input)))
            return false;
    }
    return true;
}

bool
dkim_signed_digest(const struct dkim_fields *fields,
                   const struct dkim_parsed *parsed, unsigned char digest[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    struct buf input = { 0 };
    bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              add_named(fields, parsed, md, &input) &&
              add_itself(parsed, &input) && flush(md, &input) &&
              EVP_DigestFinal_ex(md, digest, NULL) == 1;

    buf_free(&input);
    EVP_MD_CTX_free(md);
    return ok;
}
