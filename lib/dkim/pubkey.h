/* Key records of others (RFC 6376, 3.6.1), for the files of this directory. */
#ifndef ONWARD_DKIM_PUBKEY_H
#define ONWARD_DKIM_PUBKEY_H

#include "dkim.h"

struct dkim_pubkey {
    unsigned refs;           /* loop thread only */
    bool is_record;          /* false: a text that is no key record at all */
    enum dkim_reason reason; /* REASON_NONE: it can be used */
    enum dkim_algorithm algorithm;
    unsigned bits;
    bool is_test;     /* t=y */
    bool same_domain; /* t=s: i= may not be below d= */
    void *pkey;       /* EVP_PKEY; only read, so on any thread */
};

/* Read a record, the strings of its TXT joined. NULL: memory is gone. */
struct dkim_pubkey *dkim_pubkey_read(struct slice record);
struct dkim_pubkey *dkim_pubkey_ref(struct dkim_pubkey *key);
void dkim_pubkey_unref(struct dkim_pubkey *key);

/* The same through a cache; cache may be NULL. */
struct dkim_pubkey *dkim_keycache_get(struct dkim_keycache *cache,
                                      struct slice record);

/*
 * Modulus and exponent of an RSA key in DER: SubjectPublicKeyInfo, or the
 * RSAPublicKey of PKCS#1 that RFC 6376 speaks of. Octets behind it do not
 * count. False: it is neither.
 */
bool dkim_rsa_numbers(struct slice der, struct slice *modulus,
                      struct slice *exponent);

#endif
