#include "key.h"

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

/* What a domain needs instead; a file that is moved away (to a name without
 * .pem) is not looked at. */
#define MAKE_ONE "move it away and make another: onward dkim keygen"
#define KINDS "DKIM knows RSA and Ed25519; " MAKE_ONE

static const char IS_DAMAGED[] =
    "is cut off or damaged; put a copy back, or " MAKE_ONE;
static const char IS_ENCRYPTED[] =
    "is encrypted; a server has nobody to ask for the pass phrase: take it off "
    "with openssl pkey -in OLD -out NEW";
static const char HAS_MORE[] =
    "has something behind its key; one file holds one key in DER";
static const char IS_PUBLIC[] = "holds a public key; the private one is needed";
static const char IS_CERTIFICATE[] =
    "holds a certificate; a private key is needed";
static const char IS_NO_KEY[] = "holds no private key";

/* ---- forms ------------------------------------------------------------- */

/*
 * PrivateKeyInfo of PKCS#8. A decoder that knows the type is three times as
 * fast as one that tries all, which counts with thousands of keys; the kinds
 * that are not for us are decoded so that they can be named.
 */
static EVP_PKEY *
decode_pkcs8(const PKCS8_PRIV_KEY_INFO *info, struct slice der)
{
    const unsigned char *at = (const unsigned char *)der.ptr;
    const ASN1_OBJECT *algorithm = NULL;
    const char *type = NULL;
    EVP_PKEY *pkey = NULL;
    size_t len = der.len;

    if (PKCS8_pkey_get0(&algorithm, NULL, NULL, NULL, info) != 1)
        return NULL;
    switch (OBJ_obj2nid(algorithm)) {
    case NID_rsaEncryption:
        type = "RSA";
        break;
    case NID_ED25519:
        type = "ED25519";
        break;
    default:
        return EVP_PKCS82PKEY(info);
    }
    OSSL_DECODER_CTX *ctx = OSSL_DECODER_CTX_new_for_pkey(
        &pkey, "DER", "PrivateKeyInfo", type, EVP_PKEY_KEYPAIR, NULL, NULL);
    if (ctx != NULL && OSSL_DECODER_from_data(ctx, &at, &len) != 1) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    OSSL_DECODER_CTX_free(ctx);
    return pkey;
}

static EVP_PKEY *
from_pkcs8(struct slice der)
{
    const unsigned char *at = (const unsigned char *)der.ptr;
    PKCS8_PRIV_KEY_INFO *info =
        d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);
    EVP_PKEY *pkey = info != NULL ? decode_pkcs8(info, der) : NULL;

    PKCS8_PRIV_KEY_INFO_free(info);
    return pkey;
}

static EVP_PKEY *
from_pkcs1(struct slice der)
{
    const unsigned char *at = (const unsigned char *)der.ptr;

    return d2i_PrivateKey(EVP_PKEY_RSA, NULL, &at, (long)der.len);
}

/* EC keys in DER of their own, to be named. */
static EVP_PKEY *
from_sec1(struct slice der)
{
    const unsigned char *at = (const unsigned char *)der.ptr;

    return d2i_PrivateKey(EVP_PKEY_EC, NULL, &at, (long)der.len);
}

/* What DER that is no private key is instead. */
static const char *
name_der(struct slice der)
{
    const unsigned char *at = (const unsigned char *)der.ptr;
    long len = (long)der.len;
    const char *name = IS_NO_KEY;

    X509_SIG *sealed = d2i_X509_SIG(NULL, &at, len);
    at = (const unsigned char *)der.ptr;
    X509 *certificate = d2i_X509(NULL, &at, len);
    at = (const unsigned char *)der.ptr;
    EVP_PKEY *public_key = d2i_PUBKEY(NULL, &at, len);
    at = (const unsigned char *)der.ptr;
    if (public_key == NULL)
        public_key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, len);

    if (certificate != NULL)
        name = IS_CERTIFICATE;
    else if (public_key != NULL)
        name = IS_PUBLIC;
    else if (sealed != NULL)
        name = IS_ENCRYPTED;
    X509_SIG_free(sealed);
    X509_free(certificate);
    EVP_PKEY_free(public_key);
    return name;
}

/* Is there more than one value of DER? */
static bool
has_more(struct slice der)
{
    const unsigned char *start = (const unsigned char *)der.ptr;
    const unsigned char *at = start;
    long len = 0;
    int tag;
    int class;

    return (ASN1_get_object(&at, &len, &tag, &class, (long)der.len) & 0x80) ==
               0 &&
           (size_t)(at - start) + (size_t)len < der.len;
}

static EVP_PKEY *
from_der(struct slice der, const char **why)
{
    EVP_PKEY *pkey = from_pkcs8(der);

    if (pkey == NULL)
        pkey = from_pkcs1(der);
    if (pkey == NULL)
        pkey = from_sec1(der);
    if (pkey == NULL) {
        *why = name_der(der);
    } else if (has_more(der)) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
        *why = HAS_MORE;
    }
    return pkey;
}

static EVP_PKEY *
from_pem_block(struct slice name, struct slice header, struct slice der,
               const char **why)
{
    EVP_PKEY *pkey = NULL;

    *why = IS_NO_KEY;
    if (slice_equal(name, SLICE_OF("ENCRYPTED PRIVATE KEY")) ||
        (header.len != 0 &&
         memmem(header.ptr, header.len, "ENCRYPTED", 9) != NULL)) {
        *why = IS_ENCRYPTED;
    } else if (slice_equal(name, SLICE_OF("PRIVATE KEY"))) {
        pkey = from_pkcs8(der);
        *why = IS_DAMAGED;
    } else if (slice_equal(name, SLICE_OF("RSA PRIVATE KEY"))) {
        pkey = from_pkcs1(der);
        *why = IS_DAMAGED;
    } else if (slice_equal(name, SLICE_OF("EC PRIVATE KEY"))) {
        *why = "is an EC key; " KINDS;
    } else if (slice_equal(name, SLICE_OF("DSA PRIVATE KEY"))) {
        *why = "is a DSA key; " KINDS;
    } else if (slice_equal(name, SLICE_OF("OPENSSH PRIVATE KEY"))) {
        *why = "is a key in the format of OpenSSH, not PKCS#8 or "
               "PKCS#1; " MAKE_ONE;
    } else if (slice_ends_nocase(name, SLICE_OF("PUBLIC KEY"))) {
        *why = IS_PUBLIC;
    } else if (slice_ends_nocase(name, SLICE_OF("CERTIFICATE"))) {
        *why = IS_CERTIFICATE;
    }
    return pkey;
}

/* The one key of a PEM file. Text around it is fine, a second key is not: it
 * would be a matter of luck which of them signs. */
static EVP_PKEY *
from_pem(BIO *bio, const char **why)
{
    EVP_PKEY *pkey = NULL;
    const char *wrong = NULL;
    bool several = false;
    char *name = NULL;
    char *header = NULL;
    unsigned char *der = NULL;
    long len = 0;

    *why = IS_DAMAGED;
    while (!several && PEM_read_bio(bio, &name, &header, &der, &len) == 1) {
        struct slice octets = { (const char *)der, (size_t)len };
        EVP_PKEY *next = NULL;
        if (!slice_equal(slice_from(name), SLICE_OF("EC PARAMETERS")))
            next = from_pem_block(slice_from(name), slice_from(header), octets,
                                  &wrong);
        several = pkey != NULL && next != NULL;
        if (pkey == NULL)
            pkey = next;
        else
            EVP_PKEY_free(next);
        if (pkey == NULL && *why == IS_DAMAGED && wrong != NULL)
            *why = wrong; /* the first block says best what the file is */
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)len);
    }
    if (!several)
        return pkey;
    EVP_PKEY_free(pkey);
    *why = "holds more than one private key";
    return NULL;
}

static EVP_PKEY *
decode(struct slice octets, const char **why)
{
    static const char begin[] = "-----BEGIN ";
    EVP_PKEY *pkey = NULL;

    if (octets.len == 0) {
        *why = "is empty";
        return NULL;
    }
    if (octets.len > INT32_MAX) {
        *why = IS_NO_KEY;
        return NULL;
    }
    if (memmem(octets.ptr, octets.len, begin, sizeof(begin) - 1) == NULL)
        return from_der(octets, why);
    BIO *bio = BIO_new_mem_buf(octets.ptr, (int)octets.len);
    *why = "cannot be read: out of memory";
    if (bio != NULL)
        pkey = from_pem(bio, why);
    BIO_free(bio);
    return pkey;
}

/* ---- judgement --------------------------------------------------------- */

/* NULL: a key for DKIM. */
static const char *
judge(struct dkim_key *key)
{
    int bits = EVP_PKEY_get_bits(key->pkey);

    key->bits = bits > 0 ? (unsigned)bits : 0;
    switch (EVP_PKEY_get_base_id(key->pkey)) {
    case EVP_PKEY_RSA:
        key->algorithm = DKIM_RSA_SHA256;
        if (key->bits < DKIM_RSA_BITS_MIN)
            return "is an RSA key of less than 1024 bits, which verifiers "
                   "refuse; " MAKE_ONE;
        return NULL;
    case EVP_PKEY_ED25519:
        key->algorithm = DKIM_ED25519_SHA256;
        key->bits = 256;
        return NULL;
    case EVP_PKEY_RSA_PSS:
        return "is an RSA-PSS key, not plain RSA; " KINDS;
    case EVP_PKEY_EC:
        return "is an EC key; " KINDS;
    case EVP_PKEY_ED448:
        return "is an Ed448 key; " KINDS;
    case EVP_PKEY_X25519:
    case EVP_PKEY_X448:
        return "is a key for key exchange, which cannot sign; " KINDS;
    case EVP_PKEY_DSA:
        return "is a DSA key; " KINDS;
    default:
        return "is of an unknown kind; " KINDS;
    }
}

/* A key whose halves do not belong together signs without complaint, and
 * every receiver would see a broken signature. */
static bool
works(const struct dkim_key *key)
{
    static const unsigned char digest[DKIM_DIGEST] = "onward tries each key";
    struct buf signature = { 0 };
    bool ok = dkim_key_sign(key, digest, &signature) &&
              dkim_verify_digest(key->pkey, key->algorithm, digest,
                                 buf_slice(&signature));

    buf_free(&signature);
    return ok;
}

/* A copy of our own, in lower case: names of DNS compare so, and d= and s=
 * are written so. */
static struct slice
lower_copy(struct slice s)
{
    char *copy = mem_alloc(s.len + 1);

    for (size_t i = 0; i < s.len; i++)
        copy[i] = ascii_lower(s.ptr[i]);
    return (struct slice){ copy, s.len };
}

struct dkim_key *
dkim_key_parse(struct slice octets, struct slice domain, struct slice selector,
               const char **why)
{
    struct dkim_key *key = mem_alloc(sizeof(*key));

    *key = (struct dkim_key){ .refs = 1, .state = DKIM_KEY_ACTIVE };
    key->domain = lower_copy(domain);
    key->selector = lower_copy(selector);
    key->pkey = decode(octets, why);
    if (key->pkey != NULL) {
        *why = judge(key);
        if (*why == NULL && !works(key))
            *why = "does not verify what it signs: its halves do not "
                   "match; " MAKE_ONE;
    }
    ERR_clear_error();
    if (*why == NULL)
        return key;
    dkim_key_unref(key);
    return NULL;
}

bool
dkim_key_generate(enum dkim_algorithm algorithm, unsigned bits, struct buf *out)
{
    EVP_PKEY *pkey = algorithm == DKIM_RSA_SHA256
                         ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits)
                         : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text = NULL;
    bool ok = false;

    if (pkey == NULL || bio == NULL ||
        PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) !=
            1)
        goto out;
    long len = BIO_get_mem_data(bio, &text);
    if (len <= 0)
        goto out;
    buf_append(out, (struct slice){ text, (size_t)len });
    ok = true;
out:
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return ok;
}
