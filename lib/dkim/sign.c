#include "canon.h"
#include "field.h"
#include "key.h"
#include "names.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <stdlib.h>

/* ---- one signature ----------------------------------------------------- */

/* For EVP_PKEY_sign and EVP_PKEY_verify of RSA. */
static bool
use_pkcs1_sha256(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1;
}

static bool
sign_rsa(EVP_PKEY *pkey, const unsigned char *digest, unsigned char *signature,
         size_t *len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    bool ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
              use_pkcs1_sha256(ctx) &&
              EVP_PKEY_sign(ctx, signature, len, digest, DKIM_DIGEST) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool
sign_ed25519(EVP_PKEY *pkey, const unsigned char *digest,
             unsigned char *signature, size_t *len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL &&
              EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
              EVP_DigestSign(ctx, signature, len, digest, DKIM_DIGEST) == 1;

    EVP_MD_CTX_free(ctx);
    return ok;
}

bool
dkim_key_sign(const struct dkim_key *key,
              const unsigned char digest[DKIM_DIGEST], struct buf *signature)
{
    int size = EVP_PKEY_get_size(key->pkey);
    bool ok = false;

    if (size <= 0 || !buf_try_reserve(signature, (size_t)size))
        return false;
    size_t len = (size_t)size;
    unsigned char *at = (unsigned char *)signature->ptr + signature->len;
    switch (key->algorithm) {
    case DKIM_RSA_SHA256:
        ok = sign_rsa(key->pkey, digest, at, &len);
        break;
    case DKIM_ED25519_SHA256:
        ok = sign_ed25519(key->pkey, digest, at, &len);
        break;
    }
    if (ok)
        signature->len += len;
    return ok;
}

static bool
verify_rsa(EVP_PKEY *pkey, const unsigned char *digest, struct slice signature)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    bool ok = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
              use_pkcs1_sha256(ctx) &&
              EVP_PKEY_verify(ctx, (const unsigned char *)signature.ptr,
                              signature.len, digest, DKIM_DIGEST) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool
verify_ed25519(EVP_PKEY *pkey, const unsigned char *digest,
               struct slice signature)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md != NULL &&
              EVP_DigestVerifyInit(md, NULL, NULL, NULL, pkey) == 1 &&
              EVP_DigestVerify(md, (const unsigned char *)signature.ptr,
                               signature.len, digest, DKIM_DIGEST) == 1;

    EVP_MD_CTX_free(md);
    return ok;
}

bool
dkim_verify_digest(void *pkey, enum dkim_algorithm algorithm,
                   const unsigned char digest[DKIM_DIGEST],
                   struct slice signature)
{
    switch (algorithm) {
    case DKIM_RSA_SHA256:
        return verify_rsa(pkey, digest, signature);
    case DKIM_ED25519_SHA256:
        return verify_ed25519(pkey, digest, signature);
    }
    return false;
}

/* ---- which fields ------------------------------------------------------ */

enum {
    INSTANCES_MAX = 50, /* of one name; beyond, it is not signed at all */
    SLOTS = 1024,       /* of the table of names, at most half full */
    NAMES_MAX = SLOTS / 2,
};

/* One name of h= and where it occurs: a chain of occurrences, from the bottom
 * of the header to its top. */
struct chosen {
    struct slice name;
    bool oversigned;
    size_t count;
    uint32_t last; /* index into occurrences, plus one; 0: none */
};

struct occurrence {
    uint32_t field;  /* of the header; of what is prepended, counted on */
    uint32_t before; /* the one above it, as in chosen.last */
};

struct selection {
    struct chosen *chosen;
    size_t count;
    uint16_t slots[SLOTS];          /* index into chosen, plus one; 0: free */
    struct occurrence *occurrences; /* of one name INSTANCES_MAX at most */
    uint32_t occurrence_count;
    struct slice *names;  /* h=, as it will be written */
    struct slice *fields; /* what each of them stands for; empty: none */
    size_t listed;
};

static size_t
hash_name(struct slice name)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)ascii_lower(name.ptr[i])) * 16777619u;
    return h ^ h >> 16;
}

/* The slot of this name, or the free one where it belongs. */
static uint16_t *
find_slot(struct selection *sel, struct slice name)
{
    size_t at = hash_name(name) % SLOTS;

    while (sel->slots[at] != 0 &&
           !slice_equal_nocase(sel->chosen[sel->slots[at] - 1].name, name))
        at = (at + 1) % SLOTS;
    return &sel->slots[at];
}

static void
choose_names(struct selection *sel, struct dkim_names names, bool oversigned)
{
    for (size_t i = 0; i < names.count; i++) {
        uint16_t *slot = find_slot(sel, names.names[i]);
        if (*slot == 0) {
            if (sel->count == NAMES_MAX ||
                !dkim_name_may_be_signed(names.names[i]))
                continue;
            sel->chosen[sel->count] = (struct chosen){ .name = names.names[i] };
            *slot = (uint16_t)++sel->count;
        }
        if (oversigned)
            sel->chosen[*slot - 1].oversigned = true;
    }
}

/* A name that occurs too often is not signed, so what goes beyond is counted
 * and not kept: the room does not depend on how many fields there are. */
static void
index_fields(struct selection *sel, const struct mail_header *header,
             size_t first)
{
    for (size_t i = 0; i < header->count; i++) {
        uint16_t slot = *find_slot(sel, mail_header_name(header, i));
        if (slot == 0)
            continue;
        struct chosen *c = &sel->chosen[slot - 1];
        if (c->count++ >= INSTANCES_MAX)
            continue;
        sel->occurrences[sel->occurrence_count] =
            (struct occurrence){ (uint32_t)(first + i), c->last };
        c->last = ++sel->occurrence_count;
    }
}

/* Each name as often as it occurs, bottom-up, and once more where adding one
 * shall break the signature (RFC 6376, 5.4.2 and 8.15). */
static void
list_names(struct selection *sel, const struct mail_header *above,
           const struct mail_header *header)
{
    for (size_t i = 0; i < sel->count; i++) {
        const struct chosen *c = &sel->chosen[i];
        if (c->count > INSTANCES_MAX)
            continue;
        for (uint32_t at = c->last; at != 0;
             at = sel->occurrences[at - 1].before) {
            uint32_t field = sel->occurrences[at - 1].field;
            sel->names[sel->listed] = c->name;
            sel->fields[sel->listed++] =
                field < above->count
                    ? mail_header_field(above, field).raw
                    : mail_header_field(header, field - above->count).raw;
        }
        if (c->oversigned)
            sel->names[sel->listed++] = c->name;
    }
}

static bool
list_fields(struct selection *sel, const struct mail_header *above,
            const struct mail_header *header)
{
    size_t fields = above->count + header->count;
    size_t most = sel->count * INSTANCES_MAX;

    sel->occurrences =
        mem_try((fields < most ? fields : most) * sizeof(struct occurrence));
    if (sel->occurrences == NULL)
        return false;
    index_fields(sel, above, 0);
    index_fields(sel, header, above->count);
    most = sel->occurrence_count + sel->count;
    sel->names = mem_try(most * sizeof(struct slice));
    sel->fields = mem_try(most * sizeof(struct slice));
    if (sel->names == NULL || sel->fields == NULL)
        return false;
    list_names(sel, above, header);
    return true;
}

static bool
select_fields(struct selection *sel, const struct dkim_request *request)
{
    struct mail_header above = { 0 };
    size_t names = request->headers.count + request->oversign.count;

    sel->chosen = mem_try((names < NAMES_MAX ? names : NAMES_MAX) *
                          sizeof(struct chosen));
    if (sel->chosen == NULL || !mail_header_index(request->prepended, &above))
        return false;
    choose_names(sel, request->headers, false);
    choose_names(sel, request->oversign, true);
    bool ok = list_fields(sel, &above, request->header);
    mail_header_free(&above);
    return ok;
}

static void
free_selection(struct selection *sel)
{
    free(sel->chosen);
    free(sel->occurrences);
    free(sel->names);
    free(sel->fields);
}

/* Nothing is signed without its author (RFC 6376, 5.4). */
static bool
covers_from(const struct selection *sel)
{
    for (size_t i = 0; i < sel->listed; i++)
        if (sel->fields[i].len != 0 &&
            slice_equal_nocase(sel->names[i], SLICE_OF("From")))
            return true;
    return false;
}

/* ---- the fields -------------------------------------------------------- */

static bool
digest_update(EVP_MD_CTX *md, const struct buf *octets)
{
    return EVP_DigestUpdate(md, octets->ptr, octets->len) == 1;
}

/* What all signatures of one message begin with: their h= is the same. */
static EVP_MD_CTX *
digest_fields(const struct selection *sel)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    struct buf relaxed = { 0 };
    bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; ok && i < sel->listed; i++) {
        if (sel->fields[i].len == 0)
            continue;
        ok = dkim_try_relax_field(sel->fields[i], &relaxed);
        if (ok && relaxed.len >= 4096) {
            ok = digest_update(md, &relaxed);
            buf_clear(&relaxed);
        }
    }
    ok = ok && digest_update(md, &relaxed);
    buf_free(&relaxed);
    if (ok)
        return md;
    EVP_MD_CTX_free(md);
    return NULL;
}

/* The digest over the signed fields and ours with its empty b=, which has no
 * CRLF behind it (RFC 6376, 3.7). */
static bool
digest_all(const EVP_MD_CTX *fields, struct slice ours,
           unsigned char digest[DKIM_DIGEST])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    struct buf relaxed = { 0 };
    bool ok = false;

    if (md == NULL || EVP_MD_CTX_copy_ex(md, fields) != 1 ||
        !dkim_try_relax_field(ours, &relaxed))
        goto out;
    relaxed.len -= 2;
    ok = digest_update(md, &relaxed) &&
         EVP_DigestFinal_ex(md, digest, NULL) == 1;
out:
    buf_free(&relaxed);
    EVP_MD_CTX_free(md);
    return ok;
}

static bool
sign_one(const struct dkim_key *key, struct dkim_field *field,
         const EVP_MD_CTX *fields, struct buf *out)
{
    unsigned char digest[DKIM_DIGEST];
    struct buf signature = { 0 };
    struct buf text = { 0 };
    size_t start = out->len;
    size_t column = 0;

    field->algorithm = key->algorithm == DKIM_RSA_SHA256
                           ? SLICE_OF("rsa-sha256")
                           : SLICE_OF("ed25519-sha256");
    field->domain = key->domain;
    field->selector = key->selector;
    bool ok = dkim_field_print(field, out, &column) &&
              digest_all(fields, slice_tail(buf_slice(out), start), digest) &&
              dkim_key_sign(key, digest, &signature) &&
              dkim_base64(buf_slice(&signature), &text) &&
              dkim_field_finish(buf_slice(&text), column, out);
    buf_free(&signature);
    buf_free(&text);
    return ok;
}

bool
dkim_sign(const struct dkim_request *request, struct buf *out)
{
    struct dkim_field field = { .made = request->now };
    struct selection sel = { 0 };
    struct buf body_hash = { 0 };
    EVP_MD_CTX *fields = NULL;
    size_t start = out->len;
    bool ok = false;

    if (!select_fields(&sel, request) || !covers_from(&sel) ||
        !dkim_base64(
            (struct slice){ (const char *)request->body_hash, DKIM_DIGEST },
            &body_hash))
        goto out;
    fields = digest_fields(&sel);
    if (fields == NULL)
        goto out;
    if (request->expire_seconds > 0)
        field.expires = request->now + request->expire_seconds;
    field.names = sel.names;
    field.name_count = sel.listed;
    field.body_hash = buf_slice(&body_hash);
    ok = true;
    for (size_t i = 0; ok && i < request->key_count; i++)
        ok = sign_one(request->keys[i], &field, fields, out);
out:
    if (!ok)
        out->len = start;
    ERR_clear_error();
    EVP_MD_CTX_free(fields);
    buf_free(&body_hash);
    free_selection(&sel);
    return ok;
}
