/*
 * SRS, the Sender Rewriting Scheme: SRS0 and SRS1, both ways, with the classic
 * MAC (Mail::SRS, PostSRSd) and our own. There is no RFC; the format and why
 * each check is as it is stand in the README's section on SRS.
 *
 * Pure: time, secrets and settings are arguments. The output is complete or
 * untouched. Addresses are local@domain without angle brackets, as they go on
 * the wire (quoted where needed).
 */
#ifndef ONWARD_SRS_H
#define ONWARD_SRS_H

#include "base.h"
#include "smtp.h"

enum srs_mac {
    SRS_MAC_SHA256,
    SRS_MAC_CLASSIC
};

enum {
    SRS_SECRET_MIN = 16,
    SRS_SECRET_MAX = 256,
    SRS_HASH_MIN = 4,
    SRS_HASH_CLASSIC_MAX = 27,
    SRS_HASH_SHA256_MAX = 43,
};

struct srs_conf; /* secrets, keyed contexts, settings; read-only once made */

struct srs_settings {
    const struct slice *secrets; /* the first signs, all verify */
    size_t secret_count;
    enum srs_mac mac;
    bool accept_classic;
    unsigned hash_length;
    unsigned hash_minimum;
    unsigned max_age_days;
    char separator; /* '=' unless told otherwise (tests) */
};

/* Copies the settings. NULL when OpenSSL refuses (a FIPS build and the classic
 * MAC): *why then says so. */
struct srs_conf *srs_conf_new(const struct srs_settings *settings,
                              const char **why);
void srs_conf_free(struct srs_conf *conf); /* wipes */

/* The first secret: the loop mark and sender tokens are keyed from it. */
struct slice srs_conf_secret(const struct srs_conf *conf);
size_t srs_conf_secret_count(const struct srs_conf *conf);
unsigned srs_conf_max_age(const struct srs_conf *conf); /* days */

enum srs_status {
    SRS_OK,
    /* not errors: leave the address as it is */
    SRS_NULL_SENDER,
    SRS_OUR_DOMAIN,
    SRS_NOT_SRS,
    /* the input */
    SRS_SYNTAX,
    SRS_TOO_LONG,
    /* the proof */
    SRS_HASH_SHORT,
    SRS_HASH_BAD,
    SRS_EXPIRED,
    SRS_NO_MEMORY, /* or OpenSSL failed: 451 */
};

struct srs_found {
    int kind; /* 0 or 1 */
    bool classic;
    bool case_folded;  /* the hash matched only without regard to case */
    unsigned secret;   /* index of the one that verified */
    unsigned age_days; /* 0 also for a stamp of tomorrow */
};

/* Does the local part look like SRS: "SRS0" or "SRS1" in any case and a
 * separator? (Content of the local part, unquoted.) */
bool srs_has_tag(struct slice local);

/*
 * The sender as we forward it. SRS_OK: out holds it. SRS_NULL_SENDER and
 * SRS_OUR_DOMAIN (the sender's domain is srs_domain): out holds the sender
 * unchanged. SRS_SYNTAX: sender is no address. A result whose local part is
 * over 64 octets is SRS_OK all the same; see srs_local_length. SRS_TOO_LONG:
 * the result would be no path (SMTP_PATH_MAX).
 */
enum srs_status srs_forward(const struct srs_conf *conf, int64_t now,
                            struct slice sender, struct slice srs_domain,
                            struct buf *out);

/* Octets of the local part of an address, unquoted. */
size_t srs_local_length(struct slice address);

/*
 * An address at one of our SRS domains (the caller looks first) back to where
 * it came from. SRS_NOT_SRS: no tag; everything else but SRS_OK is a refusal.
 * SRS1 gives the first forwarder's SRS0 address. found may be NULL; it is
 * filled as far as things were found out.
 */
enum srs_status srs_reverse(const struct srs_conf *conf, int64_t now,
                            struct slice rcpt, struct buf *out,
                            struct srs_found *found);

/* A fixed word for logs: ok, srs-null, srs-ours, srs-none, srs-malformed,
 * srs-too-long, srs-short, srs-hash, srs-expired, srs-internal. */
const char *srs_status_word(enum srs_status status);

/* The slot (day mod 1024) as two base32 characters, and back (-1: none). */
void srs_stamp_print(int64_t now, char stamp[2]);
int srs_stamp_parse(struct slice stamp);

/*
 * Read a secret file's text: one secret a line, CR and LF stripped and nothing
 * else, empty lines skipped. The slices point into text. On error (a secret
 * too short or too long, none at all, a NUL) *line and *why say where and
 * what, and false is returned. max: room in secrets.
 */
bool srs_secrets_parse(struct slice text, struct slice *secrets, size_t max,
                       size_t *count, unsigned *line, const char **why);

/*
 * A token that stands in for a long sender (long_sender = "store"):
 *
 *     SRS0=HASH=TT==KEY@srs_domain
 *
 * 58 octets of local part, which survive case folding. The host between the
 * two last "=" is empty, which no genuine address has; so srs_reverse calls a
 * token malformed, and srs_token_reverse is asked first. HASH vouches for
 * stamp, key and domain, so that a forged token costs no look-up; the stamp
 * expires as that of an address does. It is the sha256 MAC whatever
 * settings.mac says: nobody else can resolve a token anyway.
 *
 * key: what the sender is stored under, 32 characters of lower-case base32.
 * The same sender has the same key as long as the first secret is the same.
 */
enum {
    SRS_TOKEN_KEY = 32
};
enum srs_status srs_token_forward(const struct srs_conf *conf, int64_t now,
                                  struct slice sender, struct slice srs_domain,
                                  char key[SRS_TOKEN_KEY], struct buf *out);
/* SRS_NOT_SRS: it is no token. SRS_OK: look key up; else key is undefined. */
enum srs_status srs_token_reverse(const struct srs_conf *conf, int64_t now,
                                  struct slice rcpt, char key[SRS_TOKEN_KEY]);

/*
 * Guessing is limited: past so many bad addresses a minute an address that
 * shows less than SRS_HASH_UNLIMITED characters of hash is not looked at until
 * the minute is over. Longer hashes are out of reach of guesses, so that nobody
 * can keep genuine bounces out. The same bad address is counted once a minute
 * as far as the last ones are remembered. All zeroes is valid and empty.
 */
enum {
    SRS_HASH_UNLIMITED = 8,
    SRS_GUESSES_SEEN = 1024
};
struct srs_guesses {
    int64_t minute;
    unsigned count;
    uint64_t seen[SRS_GUESSES_SEEN];
};
bool srs_guesses_block(struct srs_guesses *guesses, int64_t now, unsigned max,
                       struct slice local);
void srs_guesses_add(struct srs_guesses *guesses, const struct srs_conf *conf,
                     int64_t now, struct slice address);

/*
 * What an address at one of our SRS domains says, for people: like
 * srs_reverse, but an expired address gives its original too.
 */
struct srs_decoded {
    struct srs_found found;  /* of an address; zero for a token */
    bool token;              /* stands in for a stored sender: no original */
    char key[SRS_TOKEN_KEY]; /* of a token */
    bool has_stamp;          /* not so in SRS1 */
    int64_t made;            /* 00:00 UTC of the day of the stamp */
};
enum srs_status srs_decode(const struct srs_conf *conf, int64_t now,
                           struct slice rcpt, struct srs_decoded *decoded,
                           struct buf *original);

#endif
