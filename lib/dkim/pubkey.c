#include "pubkey.h"

#include "key.h"
#include "taglist.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum {
    DER_MAX = 2048,   /* of p=: RSA of 8192 bits has 1062 octets */
    EXPONENT_MAX = 8, /* octets; OpenSSL refuses more for long keys */
    MODULUS_MAX = DKIM_RSA_BITS_VERIFIED / 8,
};

/* ---- the key ----------------------------------------------------------- */

static unsigned
bits_of(struct slice number)
{
    unsigned char first = (unsigned char)number.ptr[0];
    unsigned bits = (unsigned)(number.len - 1) * 8;

    for (; first != 0; first >>= 1)
        bits++;
    return bits;
}

static bool
is_odd(struct slice number)
{
    return ((unsigned char)number.ptr[number.len - 1] & 1) != 0;
}

/* A number as OSSL_PARAM wants it: in the order of this machine. */
static bool
to_native(struct slice number, unsigned char *octets)
{
    BIGNUM *bn =
        BN_bin2bn((const unsigned char *)number.ptr, (int)number.len, NULL);
    bool ok = bn != NULL &&
              BN_bn2nativepad(bn, octets, (int)number.len) == (int)number.len;

    BN_free(bn);
    return ok;
}

static EVP_PKEY *
make_rsa(struct slice modulus, struct slice exponent)
{
    unsigned char n[MODULUS_MAX];
    unsigned char e[EXPONENT_MAX];
    EVP_PKEY *pkey = NULL;

    if (!to_native(modulus, n) || !to_native(exponent, e))
        return NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n, modulus.len),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e, exponent.len),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static enum dkim_reason
read_rsa(struct dkim_pubkey *key, struct slice der)
{
    struct slice modulus = { 0 };
    struct slice exponent = { 0 };

    if (!dkim_rsa_numbers(der, &modulus, &exponent))
        return DKIM_KEY_MISSING;
    key->bits = bits_of(modulus);
    if (key->bits < DKIM_RSA_BITS_MIN || key->bits > DKIM_RSA_BITS_VERIFIED ||
        exponent.len > EXPONENT_MAX)
        return DKIM_KEY_WEAK;
    /* With an exponent of 1 everything verifies. */
    if (!is_odd(modulus) || !is_odd(exponent) || bits_of(exponent) < 2)
        return DKIM_KEY_WEAK;
    key->pkey = make_rsa(modulus, exponent);
    return key->pkey != NULL ? DKIM_REASON_NONE : DKIM_TROUBLE;
}

static enum dkim_reason
read_ed25519(struct dkim_pubkey *key, struct slice octets)
{
    if (octets.len != DKIM_ED25519_KEY)
        return DKIM_KEY_MISSING;
    key->bits = 256;
    key->pkey = EVP_PKEY_new_raw_public_key(
        EVP_PKEY_ED25519, NULL, (const unsigned char *)octets.ptr, octets.len);
    return key->pkey != NULL ? DKIM_REASON_NONE : DKIM_TROUBLE;
}

/* ---- the record -------------------------------------------------------- */

struct tags {
    struct dkim_tag v, h, k, p, s, t;
};

static bool
is_there(struct dkim_tag tag)
{
    return tag.name.len != 0;
}

/* False: this is no key record. */
static bool
collect(struct slice record, struct tags *tags)
{
    struct {
        char name;
        struct dkim_tag *tag;
    } wanted[] = {
        { 'v', &tags->v }, { 'h', &tags->h }, { 'k', &tags->k },
        { 'p', &tags->p }, { 's', &tags->s }, { 't', &tags->t },
    };
    struct dkim_tag tag;

    if (!dkim_tags_are_valid(record))
        return false;
    for (bool is_first = true; dkim_tag_next(&record, &tag) == DKIM_TAG;
         is_first = false) {
        if (slice_equal(tag.name, SLICE_OF("v")) && !is_first)
            return false;
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
            if (tag.name.len == 1 && tag.name.ptr[0] == wanted[i].name)
                *wanted[i].tag = tag;
    }
    if (is_there(tags->v) && !slice_equal(tags->v.value, SLICE_OF("DKIM1")))
        return false;
    return is_there(tags->p);
}

static enum dkim_reason
read_key(struct dkim_pubkey *key, const struct tags *tags)
{
    unsigned char octets[DER_MAX];
    size_t len = 0;

    if (tags->p.value.len == 0)
        return DKIM_KEY_REVOKED;
    if (is_there(tags->h) &&
        !dkim_list_holds(tags->h.value, SLICE_OF("sha256")))
        return DKIM_KEY_WEAK;
    if (is_there(tags->s) && !dkim_list_holds(tags->s.value, SLICE_OF("*")) &&
        !dkim_list_holds(tags->s.value, SLICE_OF("email")))
        return DKIM_KEY_WEAK;
    if (!is_there(tags->k) ||
        slice_equal_nocase(tags->k.value, SLICE_OF("rsa")))
        key->algorithm = DKIM_RSA_SHA256;
    else if (slice_equal_nocase(tags->k.value, SLICE_OF("ed25519")))
        key->algorithm = DKIM_ED25519_SHA256;
    else
        return DKIM_KEY_WEAK;
    if (!dkim_base64_decode(tags->p.value, octets, sizeof(octets), &len))
        return tags->p.value.len > DKIM_BASE64_MAX ? DKIM_KEY_WEAK
                                                   : DKIM_KEY_MISSING;
    struct slice decoded = { (const char *)octets, len };
    switch (key->algorithm) {
    case DKIM_RSA_SHA256:
        return read_rsa(key, decoded);
    case DKIM_ED25519_SHA256:
        return read_ed25519(key, decoded);
    }
    return DKIM_KEY_MISSING;
}

struct dkim_pubkey *
dkim_pubkey_read(struct slice record)
{
    struct dkim_pubkey *key = mem_try(sizeof(*key));
    struct tags tags = { 0 };

    if (key == NULL)
        return NULL;
    key->refs = 1;
    key->reason = DKIM_KEY_MISSING;
    key->is_record = collect(record, &tags);
    if (key->is_record) {
        key->is_test =
            is_there(tags.t) && dkim_list_holds(tags.t.value, SLICE_OF("y"));
        key->same_domain =
            is_there(tags.t) && dkim_list_holds(tags.t.value, SLICE_OF("s"));
        key->reason = read_key(key, &tags);
    }
    ERR_clear_error();
    return key;
}

struct dkim_pubkey *
dkim_pubkey_ref(struct dkim_pubkey *key)
{
    key->refs++;
    return key;
}

void
dkim_pubkey_unref(struct dkim_pubkey *key)
{
    if (key == NULL || --key->refs != 0)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

/* ---- the cache --------------------------------------------------------- */

/* A set holds the records of one hash; its ways are searched in turn, so what
 * strangers put into it costs no more than that. */
struct way {
    struct dkim_pubkey *key; /* NULL: free */
    struct buf text;
    uint64_t used; /* when, counted in look-ups */
};

struct dkim_keycache {
    struct way *ways;
    size_t sets; /* a power of two */
    size_t count;
    uint64_t clock;
};

struct dkim_keycache *
dkim_keycache_new(size_t keys)
{
    struct dkim_keycache *cache = mem_try(sizeof(*cache));
    size_t sets = 1;

    while (sets * DKIM_KEYCACHE_WAYS < keys && sets < 1u << 20)
        sets *= 2;
    if (cache == NULL)
        return NULL;
    cache->sets = sets;
    cache->ways = mem_try(sets * DKIM_KEYCACHE_WAYS * sizeof(struct way));
    if (cache->ways == NULL) {
        free(cache);
        return NULL;
    }
    return cache;
}

void
dkim_keycache_free(struct dkim_keycache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->sets * DKIM_KEYCACHE_WAYS; i++) {
        dkim_pubkey_unref(cache->ways[i].key);
        buf_free(&cache->ways[i].text);
    }
    free(cache->ways);
    free(cache);
}

size_t
dkim_keycache_count(const struct dkim_keycache *cache)
{
    return cache->count;
}

static uint32_t
hash_text(struct slice text)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.ptr[i]) * 16777619u;
    return h ^ h >> 16;
}

/* Keep a key in the way that is free or was not used for the longest time.
 * Without memory for its text it is not kept. */
static void
keep(struct dkim_keycache *cache, struct way *set, struct slice text,
     struct dkim_pubkey *key)
{
    struct way *oldest = set;

    for (struct way *way = set; way < set + DKIM_KEYCACHE_WAYS; way++)
        if (way->key == NULL || way->used < oldest->used)
            oldest = way;
    buf_clear(&oldest->text);
    dkim_pubkey_unref(oldest->key);
    cache->count -= oldest->key != NULL;
    oldest->key = NULL;
    oldest->used = 0;
    if (!buf_try_append(&oldest->text, text))
        return;
    oldest->key = dkim_pubkey_ref(key);
    oldest->used = cache->clock;
    cache->count++;
}

struct dkim_pubkey *
dkim_keycache_get(struct dkim_keycache *cache, struct slice record)
{
    if (cache == NULL || record.len > DKIM_KEYCACHE_TEXT)
        return dkim_pubkey_read(record);
    struct way *set = cache->ways + (hash_text(record) & (cache->sets - 1)) *
                                        DKIM_KEYCACHE_WAYS;
    cache->clock++;
    for (struct way *way = set; way < set + DKIM_KEYCACHE_WAYS; way++) {
        if (way->key == NULL || !slice_equal(buf_slice(&way->text), record))
            continue;
        way->used = cache->clock;
        return dkim_pubkey_ref(way->key);
    }
    struct dkim_pubkey *key = dkim_pubkey_read(record);
    /* Our own trouble is no property of the record. */
    if (key != NULL && key->reason != DKIM_TROUBLE)
        keep(cache, set, record, key);
    return key;
}
