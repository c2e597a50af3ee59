/*
 * The two MACs of SRS addresses. The only file that talks to OpenSSL.
 * Private to this directory.
 *
 * Keyed contexts are prepared once and duplicated for each use; a srs_keys is
 * only read from then on, by any number of threads.
 */
#ifndef ONWARD_SRS_MAC_H
#define ONWARD_SRS_MAC_H

#include "srs.h"

struct srs_keys;

/* Copies the secrets. NULL: *why says what OpenSSL did not like. */
struct srs_keys *srs_keys_new(const struct slice *secrets, size_t count,
                              bool with_classic, const char **why);
void srs_keys_free(struct srs_keys *keys); /* wipes */
size_t srs_keys_count(const struct srs_keys *keys);
struct slice srs_keys_first(const struct srs_keys *keys);

/* What a hash vouches for. The classic MAC leaves label and domain out. */
struct srs_claim {
    struct slice label;
    struct slice fields[3];
    size_t count;
    struct slice domain;
};

/* Characters of a complete hash. */
size_t srs_mac_length(enum srs_mac mac);

/* The complete hash, made with the first secret. False: OpenSSL failed. */
bool srs_mac_sign(const struct srs_keys *keys, enum srs_mac mac,
                  const struct srs_claim *claim,
                  char text[SRS_HASH_SHA256_MAX]);

struct srs_match {
    bool matched;
    bool case_folded;
    enum srs_mac mac;
    unsigned secret;
};

/*
 * Is hash the beginning of the hash that any of the secrets gives? Takes the
 * same time whichever it is, and if none. match is only changed when there is
 * a match, so that several MACs can be asked in turn. False: OpenSSL failed.
 */
bool srs_mac_verify(const struct srs_keys *keys, enum srs_mac mac,
                    const struct srs_claim *claim, struct slice hash,
                    struct srs_match *match);

/* HMAC-SHA256 under the first secret of label and text as they stand. */
enum {
    SRS_DIGEST = 32
};
bool srs_mac_digest(const struct srs_keys *keys, struct slice label,
                    struct slice text, unsigned char digest[SRS_DIGEST]);

#endif
