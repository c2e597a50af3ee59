/* Keys, for the files of this directory; dkim.h has the rest. */
#ifndef ONWARD_DKIM_KEY_H
#define ONWARD_DKIM_KEY_H

#include "dkim.h"

enum {
    DKIM_RSA_BITS_MIN = 1024,      /* RFC 8301, 3.2 */
    DKIM_RSA_BITS_ADVISED = 2048,  /* the same */
    DKIM_RSA_BITS_MAX = 4096,      /* what verifiers must know */
    DKIM_RSA_BITS_VERIFIED = 8192, /* a longer key costs too much */
    DKIM_DIGEST = 32,
    DKIM_ED25519_KEY = 32,
};

/*
 * The signature over a SHA-256 digest, appended: PKCS#1 v1.5, or PureEdDSA
 * over the 32 octets (RFC 8463, 3). Any thread; the key is only read.
 */
bool dkim_key_sign(const struct dkim_key *key,
                   const unsigned char digest[DKIM_DIGEST],
                   struct buf *signature);
bool dkim_verify_digest(void *pkey, enum dkim_algorithm algorithm,
                        const unsigned char digest[DKIM_DIGEST],
                        struct slice signature);

/* The public key as p= has it, not yet in base64. */
bool dkim_key_public(const struct dkim_key *key, struct buf *out);

/*
 * S.pem, S.next.pem, S.old.pem. False: the name does not end in ".pem". The
 * selector may still be none.
 */
bool dkim_key_file_name(struct slice name, struct slice *selector,
                        enum dkim_key_state *state);

#endif
