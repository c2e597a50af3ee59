#include "mac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <stdlib.h>
#include <string.h>

struct key {
    struct slice secret;
    EVP_MAC_CTX *contexts[2]; /* by enum srs_mac; classic may be NULL */
};

struct srs_keys {
    struct key *keys;
    size_t count;
};

/* A path, the domain, a label and the lengths always fit. */
enum {
    INPUT_MAX = 2 * SMTP_PATH_MAX + 64
};

struct input {
    unsigned char octets[INPUT_MAX];
    size_t len;
};

static const struct mac {
    const char *digest;
    size_t octets;
    size_t characters; /* of the unpadded base64 */
} macs[] = {
    [SRS_MAC_SHA256] = { "SHA256", 32, SRS_HASH_SHA256_MAX },
    [SRS_MAC_CLASSIC] = { "SHA1", 20, SRS_HASH_CLASSIC_MAX },
};

static EVP_MAC_CTX *
keyed_context(EVP_MAC *hmac, enum srs_mac mac, struct slice secret)
{
    /* The parameter wants a pointer that is not const, and only reads it. */
    char digest[8];
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);

    memcpy(digest, macs[mac].digest, strlen(macs[mac].digest) + 1);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    if (ctx != NULL && EVP_MAC_init(ctx, (const unsigned char *)secret.ptr,
                                    secret.len, params) == 1)
        return ctx;
    EVP_MAC_CTX_free(ctx);
    return NULL;
}

static bool
key_init(struct key *key, EVP_MAC *hmac, struct slice secret, bool with_classic,
         const char **why)
{
    char *copy = mem_alloc(secret.len);

    if (secret.len != 0)
        memcpy(copy, secret.ptr, secret.len);
    key->secret = (struct slice){ copy, secret.len };
    key->contexts[SRS_MAC_SHA256] =
        keyed_context(hmac, SRS_MAC_SHA256, key->secret);
    if (key->contexts[SRS_MAC_SHA256] == NULL) {
        *why = "OpenSSL refuses HMAC-SHA256 with this secret";
        return false;
    }
    if (!with_classic)
        return true;
    key->contexts[SRS_MAC_CLASSIC] =
        keyed_context(hmac, SRS_MAC_CLASSIC, key->secret);
    if (key->contexts[SRS_MAC_CLASSIC] == NULL) {
        *why = "OpenSSL refuses HMAC-SHA1 with this secret, so there is no "
               "classic MAC (a FIPS build?)";
        return false;
    }
    return true;
}

struct srs_keys *
srs_keys_new(const struct slice *secrets, size_t count, bool with_classic,
             const char **why)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    if (hmac == NULL) {
        *why = "OpenSSL has no HMAC";
        return NULL;
    }
    struct srs_keys *keys = mem_alloc(sizeof(*keys));
    keys->keys = mem_alloc(count * sizeof(*keys->keys));
    keys->count = count;
    for (size_t i = 0; i < count; i++) {
        if (!key_init(&keys->keys[i], hmac, secrets[i], with_classic, why)) {
            srs_keys_free(keys);
            keys = NULL;
            break;
        }
    }
    EVP_MAC_free(hmac);
    return keys;
}

void
srs_keys_free(struct srs_keys *keys)
{
    if (keys == NULL)
        return;
    for (size_t i = 0; i < keys->count; i++) {
        EVP_MAC_CTX_free(keys->keys[i].contexts[SRS_MAC_SHA256]);
        EVP_MAC_CTX_free(keys->keys[i].contexts[SRS_MAC_CLASSIC]);
        mem_free_secret((char *)keys->keys[i].secret.ptr,
                        keys->keys[i].secret.len);
    }
    free(keys->keys);
    free(keys);
}

size_t
srs_keys_count(const struct srs_keys *keys)
{
    return keys->count;
}

struct slice
srs_keys_first(const struct srs_keys *keys)
{
    return keys->keys[0].secret;
}

size_t
srs_mac_length(enum srs_mac mac)
{
    return macs[mac].characters;
}

/* ASCII only, octet by octet: no locale decides what a hash covers. */
static bool
put_lower(struct input *input, struct slice s)
{
    if (s.len > sizeof(input->octets) - input->len)
        return false;
    for (size_t i = 0; i < s.len; i++)
        input->octets[input->len++] = (unsigned char)ascii_lower(s.ptr[i]);
    return true;
}

/* The length in front keeps the fields apart: without it a valid hash for
 * bob@example.com is one for mbob@example.co as well. */
static bool
put_field(struct input *input, struct slice s)
{
    if (s.len > 0xffff || sizeof(input->octets) - input->len < 2)
        return false;
    input->octets[input->len++] = (unsigned char)(s.len >> 8);
    input->octets[input->len++] = (unsigned char)(s.len & 0xff);
    return put_lower(input, s);
}

static bool
put_claim(struct input *input, enum srs_mac mac, const struct srs_claim *claim)
{
    switch (mac) {
    case SRS_MAC_CLASSIC:
        for (size_t i = 0; i < claim->count; i++)
            if (!put_lower(input, claim->fields[i]))
                return false;
        return true;
    case SRS_MAC_SHA256:
        if (!put_lower(input, claim->label))
            return false;
        for (size_t i = 0; i < claim->count; i++)
            if (!put_field(input, claim->fields[i]))
                return false;
        return put_field(input, claim->domain);
    }
    return false;
}

static bool
hmac(const struct key *key, enum srs_mac mac, const struct input *input,
     unsigned char digest[SRS_DIGEST])
{
    size_t len = 0;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(key->contexts[mac]);
    bool ok = ctx != NULL &&
              EVP_MAC_update(ctx, input->octets, input->len) == 1 &&
              EVP_MAC_final(ctx, digest, &len, SRS_DIGEST) == 1 &&
              len == macs[mac].octets;

    EVP_MAC_CTX_free(ctx);
    return ok;
}

/* The complete hash as text. We write "+" and "/" in the classic one, because
 * Mail::SRS and PostSRSd before 2.2.6 know nothing else. */
static bool
hash_text(const struct key *key, enum srs_mac mac, const struct input *input,
          char text[SRS_HASH_SHA256_MAX])
{
    unsigned char digest[SRS_DIGEST];
    unsigned char padded[SRS_HASH_SHA256_MAX + 2]; /* "=" and a NUL */

    if (!hmac(key, mac, input, digest))
        return false;
    EVP_EncodeBlock(padded, digest, (int)macs[mac].octets);
    for (size_t i = 0; i < macs[mac].characters; i++) {
        unsigned char c = padded[i];
        if (mac == SRS_MAC_SHA256)
            c = c == '+' ? '-' : c == '/' ? '_' : c;
        text[i] = (char)c;
    }
    return true;
}

bool
srs_mac_sign(const struct srs_keys *keys, enum srs_mac mac,
             const struct srs_claim *claim, char text[SRS_HASH_SHA256_MAX])
{
    struct input input;

    input.len = 0;
    return put_claim(&input, mac, claim) &&
           hash_text(&keys->keys[0], mac, &input, text);
}

/* The two alphabets of base64 are one. Without a branch or a table, since one
 * of the two sides is the secret's. */
static unsigned
fold_alphabet(unsigned c)
{
    c -= 2u * (c == '-');        /* '+' */
    return c - 48u * (c == '_'); /* '/' */
}

/* Relays fold local parts, so the hash comes back in any case. */
static unsigned
fold_case(unsigned c)
{
    return c + 32u * (c - 'A' < 26u);
}

bool
srs_mac_verify(const struct srs_keys *keys, enum srs_mac mac,
               const struct srs_claim *claim, struct slice hash,
               struct srs_match *match)
{
    struct input input;
    char text[SRS_HASH_SHA256_MAX];

    input.len = 0;
    if (hash.len == 0 || hash.len > macs[mac].characters)
        return true; /* public: no hash of ours is as long */
    if (!put_claim(&input, mac, claim))
        return false;
    /* No early exit: neither which secret fits nor how much of a guess. */
    for (unsigned k = 0; k < keys->count; k++) {
        unsigned differ = 0;
        unsigned differ_in_case = 0;

        if (!hash_text(&keys->keys[k], mac, &input, text))
            return false;
        for (size_t i = 0; i < hash.len; i++) {
            unsigned ours = fold_alphabet((unsigned char)text[i]);
            unsigned theirs = fold_alphabet((unsigned char)hash.ptr[i]);
            differ_in_case |= ours ^ theirs;
            differ |= fold_case(ours) ^ fold_case(theirs);
        }
        if (differ == 0 && !match->matched)
            *match = (struct srs_match){ true, differ_in_case != 0, mac, k };
    }
    return true;
}

bool
srs_mac_digest(const struct srs_keys *keys, struct slice label,
               struct slice text, unsigned char digest[SRS_DIGEST])
{
    struct input input;

    input.len = label.len + text.len;
    if (input.len > sizeof(input.octets))
        return false;
    memcpy(input.octets, label.ptr, label.len);
    memcpy(input.octets + label.len, text.ptr, text.len);
    return hmac(&keys->keys[0], SRS_MAC_SHA256, &input, digest);
}
