/* Signed messages of any kind for the tests of verification, made by a plain
 * reading of RFC 6376 (any canonicalization, any tags, any key), and a zone of
 * key records to verify them with. */
#ifndef DKIM_MADE_H
#define DKIM_MADE_H

#include "test_dkim.h"

struct made_signer {
    const struct dkim_key *key;
    const char *algorithm; /* a= */
    const char *tags;      /* all others but bh= and b=, as "v=1; d=...; " */
};

/* The field over the message, put on top of it, appended to out. */
void made_sign(const struct made_signer *signer, struct slice message,
               struct buf *out);

/* Key records: names and texts in turn, up to NULL. The text "TROUBLE" is no
 * answer; a name may stand more than once. */
struct made_zone {
    const char *const *records;
    size_t questions; /* that were asked */
};

struct made_result {
    struct dkim_signature signatures[16];
    size_t count;
    enum dkim_reason why;
    struct dkim_verifier *verifier; /* what the slices point into */
    struct mail_header header;
};

struct made_options {
    const struct slice *authors;
    size_t author_count;
    size_t max; /* 0: 8 */
    enum dkim_extent extent;
    int64_t now;  /* 0: MADE_NOW */
    size_t piece; /* octets of the body fed at once; 0: all */
    struct dkim_keycache *cache;
};

#define MADE_NOW INT64_C(1795507200)

void made_verify(struct slice message, struct made_zone *zone,
                 const struct made_options *options,
                 struct made_result *result);
void made_free(struct made_result *result);

#endif
