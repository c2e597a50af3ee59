/*
 * DKIM (RFC 6376, 8301, 8463, 8616): verification, which is in verify.h, and
 * signing, with relaxed/relaxed, rsa-sha256 and ed25519-sha256. Keys are
 * parsed once and kept. The body is read once, whatever the number of
 * signatures. Nothing here decides whether a message may be signed by whom;
 * dkim_examine only says whether it can be.
 */
#ifndef ONWARD_DKIM_H
#define ONWARD_DKIM_H

#include "base.h"
#include "mail.h"
#include "taglist.h"
#include "verify.h"

/* ---- canonicalization -------------------------------------------------- */

enum dkim_canon {
    DKIM_SIMPLE,
    DKIM_RELAXED
};

/* The body hash (RFC 6376, 3.4.3 and 3.4.4), fed in any pieces. */
struct dkim_body; /* holds digest contexts */

/* NULL: OpenSSL failed or memory is gone. */
struct dkim_body *dkim_body_new(enum dkim_canon canon);
bool dkim_body_update(struct dkim_body *body, struct slice octets);
bool dkim_body_finish(struct dkim_body *body, unsigned char hash[32]);
void dkim_body_free(struct dkim_body *body);

/*
 * Hash the first `limit` canonical octets as well (l=); asked for before the
 * first octet is fed. The hash is there once the body is finished, and so is
 * the length of all of the canonical body.
 */
bool dkim_body_limit(struct dkim_body *body, uint64_t limit);
bool dkim_body_part(const struct dkim_body *body, uint64_t limit,
                    unsigned char hash[32]);
uint64_t dkim_body_length(const struct dkim_body *body);

/* The relaxed form of one field (RFC 6376, 3.4.2), final CRLF included. Aborts
 * when memory is gone. */
void dkim_relax_field(struct slice raw, struct buf *out);

/* ---- keys -------------------------------------------------------------- */

enum dkim_algorithm {
    DKIM_RSA_SHA256,
    DKIM_ED25519_SHA256
};
enum dkim_key_state {
    DKIM_KEY_NEXT,
    DKIM_KEY_ACTIVE,
    DKIM_KEY_OLD
};

struct dkim_key {
    unsigned refs;       /* loop thread only */
    struct slice domain; /* A-labels, lower case */
    struct slice selector;
    enum dkim_algorithm algorithm;
    enum dkim_key_state state;
    unsigned bits;
    void *pkey; /* EVP_PKEY */
    struct slice path;
    uint64_t device, inode; /* what "unchanged" means at reload */
    int64_t size, mtime_ns;
};

/*
 * Parse and test one private key: PEM or DER; PKCS#8 or PKCS#1; RSA of at
 * least 1024 bits, or Ed25519; unencrypted. It signs and verifies once. NULL:
 * *why is a sentence ("is encrypted", "is an EC key; DKIM knows RSA and
 * Ed25519", ...).
 */
struct dkim_key *dkim_key_parse(struct slice octets, struct slice domain,
                                struct slice selector, const char **why);

/* From a file: regular, not a link in a directory others can write to, not
 * accessible for others (mode & 07), at most 64 KiB, opened without blocking.
 * The state comes from the name: S.pem, S.next.pem, S.old.pem. */
struct dkim_key *dkim_key_load(const char *path, struct slice domain,
                               struct buf *why);
struct dkim_key *dkim_key_ref(struct dkim_key *key);
void dkim_key_unref(struct dkim_key *key);

/* A new key, as PKCS#8 PEM in out. bits: RSA only. */
bool dkim_key_generate(enum dkim_algorithm algorithm, unsigned bits,
                       struct buf *out);

/* The value of the TXT record: "v=DKIM1; k=rsa; p=..." */
bool dkim_key_record(const struct dkim_key *key, struct buf *out);

/* Compare a published record (the TXT strings joined) with our key. NULL: it
 * is the same; else a sentence that says what is wrong with it. */
const char *dkim_record_compare(const struct dkim_key *key,
                                struct slice record);

/* NULL, or a sentence on a record that matches and still does not help: test
 * mode (t=y). */
const char *dkim_record_note(struct slice record);

/*
 * The record of a key as text, for whoever feeds the name server. BIND: a line
 * of a zone file; PLAIN: name, blank, value uncut, for web forms; NSUPDATE:
 * replaces what is there, without `send`; JSON: one object, no line end.
 */
enum dkim_zone_format {
    DKIM_ZONE_BIND,
    DKIM_ZONE_PLAIN,
    DKIM_ZONE_NSUPDATE,
    DKIM_ZONE_JSON,
};
bool dkim_zone_print(const struct dkim_key *key, enum dkim_zone_format format,
                     struct buf *out);

/* "next", "active", "old"; "rsa", "ed25519". */
const char *dkim_key_state_word(enum dkim_key_state state);
const char *dkim_algorithm_word(enum dkim_algorithm algorithm);

/* A domain or selector as d= and s= want it (A-labels). */
bool dkim_is_name(struct slice s);

/* ---- the key set ------------------------------------------------------- */

struct dkim_keyset; /* sorted by domain; immutable; reference counted */

/*
 * Everything under directory: DOMAIN/SELECTOR{,.next,.old}.pem, read on
 * `threads` threads (0: one per processor). Keys that did not change since
 * `before` (may be NULL) are taken from it. All errors are appended to
 * `errors`, one a line ("PATH: sentence"); NULL is returned if there is any.
 * Warnings (RSA below 2048) are appended to `warnings`.
 */
struct dkim_keyset *dkim_keyset_load(const char *directory,
                                     const struct dkim_keyset *before,
                                     unsigned threads, struct buf *errors,
                                     struct buf *warnings);
struct dkim_keyset *dkim_keyset_ref(struct dkim_keyset *set);
void dkim_keyset_unref(struct dkim_keyset *set);

/* All keys, sorted by domain, then selector. */
size_t dkim_keyset_count(const struct dkim_keyset *set);
const struct dkim_key *dkim_keyset_key(const struct dkim_keyset *set,
                                       size_t index);

/*
 * The active keys for a domain (A-labels): its own, or with `subdomains` those
 * of the nearest parent that has any. At most `max` are stored; returns how
 * many. *domain is the one whose keys they are.
 */
enum {
    DKIM_SIGNATURES_MAX = 8
};
size_t dkim_keyset_find(const struct dkim_keyset *set, struct slice domain,
                        bool subdomains, const struct dkim_key **keys,
                        size_t max, struct slice *found);

/* ---- signing ----------------------------------------------------------- */

struct dkim_names { /* field names for h=; the first 512 count */
    const struct slice *names;
    size_t count;
};
extern const struct dkim_names dkim_default_headers;
extern const struct dkim_names dkim_default_oversign;

/* False for names that never stand in h=, whoever asks for them: trace fields,
 * Bcc, X-*, ARC-*, what is no field name, and names with ";". */
bool dkim_name_may_be_signed(struct slice name);

/*
 * Can this message be signed at all, i.e. do all verifiers read it as we do?
 * NULL: yes. Else a fixed word for `dkim=none(WORD)`: no-from, several-from,
 * from-unreadable, from-disagree, odd-header, form-feed, huge-field,
 * no-memory. For signatures as the SRS domain too (From must be there and
 * readable once; its domain does not matter then).
 */
const char *dkim_examine(const struct mail_header *header,
                         const struct dkim_names *headers);

struct dkim_request {
    const struct mail_header *header; /* of the message as it came */
    struct slice prepended; /* fields that we put above it (Date, Message-ID,
                             * X-Onward-Loop), each with its CRLF */
    const unsigned char *body_hash; /* 32 octets */
    const struct dkim_key *const *keys;
    size_t key_count;
    struct dkim_names headers;
    struct dkim_names oversign;
    int64_t now;
    int64_t expire_seconds; /* 0: no x= */
};

/*
 * Append one DKIM-Signature field for each key, each with its CRLF, in the
 * order of the keys. False: OpenSSL failed or memory is gone; out is as it
 * was. Reads its arguments only, so it may run on any thread.
 */
bool dkim_sign(const struct dkim_request *request, struct buf *out);

#endif
