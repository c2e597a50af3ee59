/*
 * Tokens for long senders:  SRS0=HASH=TT==KEY@domain
 *
 *     HASH  16 characters of the sha256 MAC over (stamp, key, domain) with
 *           the label onward-token, from the first secret
 *     TT    the stamp, as in any SRS0
 *           an empty host: no address has one, so neither forward of any
 *           implementation makes it nor does our reverse accept it
 *     KEY   32 base32 characters (160 bits) of an HMAC of the sender
 *
 * In all 58 octets. To other forwarders it is the body of an SRS0, which they
 * carry in their SRS1 unread.
 */
#include "parts.h"
#include "srs_conf.h"

#include <assert.h>

enum {
    TOKEN_HASH = 16, /* 80 bits and more, also when case is ignored */
    TOKEN_LENGTH = 5 + TOKEN_HASH + 1 + 2 + 2 + SRS_TOKEN_KEY,
};
static_assert(TOKEN_LENGTH <= 64, "what every mail server takes");
static_assert(SRS_TOKEN_KEY * 5 / 8 <= SRS_DIGEST, "bits for the key");

static void
key_print(const unsigned char digest[SRS_DIGEST], char key[SRS_TOKEN_KEY])
{
    static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned bits = 0;
    unsigned held = 0;

    for (size_t i = 0, n = 0; n < SRS_TOKEN_KEY; n++) {
        if (held < 5) {
            bits = (bits & 31) << 8 | digest[i++];
            held += 8;
        }
        held -= 5;
        key[n] = base32[bits >> held & 31];
    }
}

static struct srs_claim
claim_of(struct slice stamp, struct slice key, struct slice srs_domain)
{
    return (struct srs_claim){
        .label = SLICE("onward-token"),
        .fields = { stamp, key },
        .count = 2,
        .domain = srs_domain,
    };
}

static enum srs_status
token_print(const struct srs_conf *conf, int64_t now, struct slice key,
            struct slice srs_domain, struct buf *out)
{
    char hash[SRS_HASH_SHA256_MAX];
    char stamp[2];

    srs_stamp_print(now, stamp);
    struct srs_claim claim =
        claim_of((struct slice){ stamp, sizeof(stamp) }, key, srs_domain);
    if (!srs_mac_sign(conf->keys, SRS_MAC_SHA256, &claim, hash) ||
        !buf_try_reserve(out, TOKEN_LENGTH + 1 + srs_domain.len))
        return SRS_NO_MEMORY;
    buf_append(out, SLICE_OF("SRS0="));
    buf_append(out, (struct slice){ hash, TOKEN_HASH });
    buf_putc(out, '=');
    buf_append(out, (struct slice){ stamp, sizeof(stamp) });
    buf_append(out, SLICE_OF("=="));
    buf_append(out, key);
    buf_putc(out, '@');
    buf_append(out, srs_domain);
    return SRS_OK;
}

enum srs_status
srs_token_forward(const struct srs_conf *conf, int64_t now, struct slice sender,
                  struct slice srs_domain, char key[SRS_TOKEN_KEY],
                  struct buf *out)
{
    unsigned char digest[SRS_DIGEST];
    struct buf scratch = { 0 };
    struct srs_address address;

    if (sender.len == 0)
        return SRS_NULL_SENDER;
    enum srs_status status =
        srs_sender_judge(sender, srs_domain, &scratch, &address);
    buf_free(&scratch);
    if (status == SRS_OUR_DOMAIN)
        return buf_try_append(out, sender) ? status : SRS_NO_MEMORY;
    if (status != SRS_OK)
        return status;

    /* Octet for octet, so that Bob@ and bob@ both come back as they were. */
    if (!srs_mac_digest(conf->keys, SLICE_OF("onward-sender"), sender, digest))
        return SRS_NO_MEMORY;
    key_print(digest, key);
    return token_print(conf, now, (struct slice){ key, SRS_TOKEN_KEY },
                       srs_domain, out);
}

/* Fold to lower case into key. False: it is none. */
static bool
key_parse(struct slice text, char key[SRS_TOKEN_KEY])
{
    if (text.len != SRS_TOKEN_KEY)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.ptr[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '2' && c <= '7'))
            return false;
        key[i] = c;
    }
    return true;
}

static enum srs_status
reverse(const struct srs_conf *conf, int64_t now,
        const struct srs_address *rcpt, char key[SRS_TOKEN_KEY])
{
    struct srs_parts parts;
    struct srs_match match = { 0 };
    unsigned age;

    if (!srs_has_tag(rcpt->local))
        return SRS_NOT_SRS;
    srs_parts_split(rcpt->local, &parts);
    if (parts.kind != 0 || parts.host.len != 0 || parts.last.len == 0)
        return SRS_NOT_SRS;
    if (srs_stamp_parse(parts.stamp) < 0 || !key_parse(parts.last, key))
        return SRS_SYNTAX;
    if (parts.hash.len < TOKEN_HASH)
        return SRS_HASH_SHORT;

    struct srs_claim claim = claim_of(
        parts.stamp, (struct slice){ key, SRS_TOKEN_KEY }, rcpt->domain);
    if (!srs_mac_verify(conf->keys, SRS_MAC_SHA256, &claim, parts.hash, &match))
        return SRS_NO_MEMORY;
    if (!match.matched)
        return SRS_HASH_BAD;
    return srs_stamp_age(now, srs_stamp_parse(parts.stamp), conf->max_age_days,
                         &age)
               ? SRS_OK
               : SRS_EXPIRED;
}

enum srs_status
srs_token_reverse(const struct srs_conf *conf, int64_t now, struct slice rcpt,
                  char key[SRS_TOKEN_KEY])
{
    struct arena arena = { 0 };
    struct buf scratch = { 0 };
    struct srs_address address;
    enum srs_status status = srs_rcpt_split(rcpt, &arena, &scratch, &address);

    if (status == SRS_OK)
        status = reverse(conf, now, &address, key);
    buf_free(&scratch);
    arena_free(&arena);
    return status;
}
