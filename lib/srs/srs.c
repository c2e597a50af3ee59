#include "parts.h"
#include "srs_conf.h"

static const char tags[2][4] = { { 'S', 'R', 'S', '0' },
                                 { 'S', 'R', 'S', '1' } };

static struct srs_claim
claim_of(const struct srs_parts *parts, struct slice srs_domain)
{
    if (parts->kind == 0)
        return (struct srs_claim){
            .label = SLICE("onward-srs0"),
            .fields = { parts->stamp, parts->host, parts->last },
            .count = 3,
            .domain = srs_domain,
        };
    return (struct srs_claim){
        .label = SLICE("onward-srs1"),
        .fields = { parts->host, parts->last },
        .count = 2,
        .domain = srs_domain,
    };
}

/* ---- forward ----------------------------------------------------------- */

/* The first forwarder's SRS0 without its tag: a separator and something. It
 * is that host's business and opaque to us. */
static bool
is_rest(struct slice s)
{
    return s.len >= 2 && srs_is_separator(s.ptr[0]);
}

/*
 * What the new address says. A sender that looks like SRS but lacks a field
 * is an ordinary sender: nothing is lost by wrapping it, whereas others emit
 * what nobody can reverse.
 */
static struct srs_parts
parts_for(const struct srs_address *sender, struct slice stamp)
{
    struct srs_parts old;

    if (srs_has_tag(sender->local)) {
        srs_parts_split(sender->local, &old);
        /* The second forwarder's hash is dropped: the bounce skips that host,
         * and the address does not grow from hop to hop. */
        if (old.kind == 1 && srs_host_is_valid(old.host) && is_rest(old.last))
            return (struct srs_parts){
                .kind = 1,
                .host = old.host,
                .last = old.last,
            };
        struct slice rest = slice_tail(sender->local, sizeof(tags[0]));
        if (old.kind == 0 && is_rest(rest))
            return (struct srs_parts){
                .kind = 1,
                .host = sender->domain,
                .last = rest,
            };
    }
    return (struct srs_parts){
        .kind = 0,
        .stamp = stamp,
        .host = sender->domain,
        .last = sender->local,
    };
}

static enum srs_status
print_parts(const struct srs_conf *conf, const struct srs_parts *parts,
            struct slice srs_domain, struct buf *scratch, struct buf *out)
{
    size_t start = scratch->len;
    char hash[SRS_HASH_SHA256_MAX];
    struct srs_claim claim = claim_of(parts, srs_domain);

    if (!srs_mac_sign(conf->keys, conf->mac, &claim, hash))
        return SRS_NO_MEMORY;
    if (!buf_try_reserve(scratch, sizeof(tags[0]) + 1 + conf->hash_length +
                                      parts->stamp.len + parts->host.len +
                                      parts->last.len + 3))
        return SRS_NO_MEMORY;

    buf_append(scratch, (struct slice){ tags[parts->kind], sizeof(tags[0]) });
    buf_putc(scratch, conf->separator);
    buf_append(scratch, (struct slice){ hash, conf->hash_length });
    buf_putc(scratch, '=');
    if (parts->kind == 0) {
        buf_append(scratch, parts->stamp);
        buf_putc(scratch, '=');
    }
    buf_append(scratch, parts->host);
    buf_putc(scratch, '=');
    buf_append(scratch, parts->last);
    return srs_address_print(slice_tail(buf_slice(scratch), start), srs_domain,
                             out);
}

static enum srs_status
unchanged(struct slice sender, enum srs_status status, struct buf *out)
{
    return buf_try_append(out, sender) ? status : SRS_NO_MEMORY;
}

enum srs_status
srs_forward(const struct srs_conf *conf, int64_t now, struct slice sender,
            struct slice srs_domain, struct buf *out)
{
    struct buf scratch = { 0 };
    struct srs_address address;
    char stamp[2];

    if (sender.len == 0)
        return SRS_NULL_SENDER;
    enum srs_status status =
        srs_sender_judge(sender, srs_domain, &scratch, &address);
    if (status == SRS_OUR_DOMAIN) {
        status = unchanged(sender, status, out);
    } else if (status == SRS_OK) {
        /* The parts may point into scratch, so the new local part needs a
         * buf of its own. */
        struct buf local = { 0 };
        srs_stamp_print(now, stamp);
        struct srs_parts parts =
            parts_for(&address, (struct slice){ stamp, sizeof(stamp) });
        status = print_parts(conf, &parts, srs_domain, &local, out);
        buf_free(&local);
    }
    buf_free(&scratch);
    return status;
}

/* ---- reverse ----------------------------------------------------------- */

static bool
parts_are_valid(const struct srs_parts *parts)
{
    if (parts->hash.len == 0 || !srs_host_is_valid(parts->host))
        return false;
    if (parts->kind == 1)
        return is_rest(parts->last);
    /* Exactly two characters, before any arithmetic: others hang or read
     * beyond the end when this is longer (CVE-2020-35573). */
    return srs_stamp_parse(parts->stamp) >= 0 && parts->last.len != 0;
}

/* Which MACs may a hash of that length be checked against? The shorter
 * classic minimum holds only while classic addresses are taken at all. */
static enum srs_status
verify(const struct srs_conf *conf, const struct srs_parts *parts,
       struct slice srs_domain, struct srs_match *match)
{
    struct srs_claim claim = claim_of(parts, srs_domain);
    size_t len = parts->hash.len;
    bool own = len >= conf->hash_minimum;
    bool classic = conf->accept_classic && conf->mac != SRS_MAC_CLASSIC &&
                   len >= SRS_HASH_MIN;

    if (!own && !classic)
        return SRS_HASH_SHORT;
    if (own &&
        !srs_mac_verify(conf->keys, conf->mac, &claim, parts->hash, match))
        return SRS_NO_MEMORY;
    if (classic && !srs_mac_verify(conf->keys, SRS_MAC_CLASSIC, &claim,
                                   parts->hash, match))
        return SRS_NO_MEMORY;
    return match->matched ? SRS_OK : SRS_HASH_BAD;
}

/*
 * The original address. Mail::SRS, PostSRSd and libsrs2 leave a quoted local
 * part's quotes in mid-atom, `SRS0=hash=stamp=host="a b"@domain`, and hash
 * them too: there the quotes are not content.
 */
static enum srs_status
print_user(const struct srs_address *rcpt, const struct srs_parts *parts,
           struct buf *out)
{
    struct buf content = { 0 };
    struct slice user = parts->last;

    if (!rcpt->quoted && user.ptr[0] == '"') {
        if (!buf_try_reserve(&content, user.len))
            return SRS_NO_MEMORY;
        if (srs_unquote(user, &content))
            user = buf_slice(&content);
    }
    enum srs_status status = srs_address_print(user, parts->host, out);
    buf_free(&content);
    return status;
}

static enum srs_status
print_srs0(const struct srs_parts *parts, struct buf *out)
{
    struct buf local = { 0 };

    if (!buf_try_reserve(&local, sizeof(tags[0]) + parts->last.len))
        return SRS_NO_MEMORY;
    buf_append(&local, (struct slice){ tags[0], sizeof(tags[0]) });
    buf_append(&local, parts->last);
    enum srs_status status =
        srs_address_print(buf_slice(&local), parts->host, out);
    buf_free(&local);
    return status;
}

static enum srs_status
reverse(const struct srs_conf *conf, int64_t now,
        const struct srs_address *rcpt, struct buf *out,
        struct srs_found *found)
{
    struct srs_parts parts;
    struct srs_match match = { 0 };

    if (!srs_has_tag(rcpt->local))
        return SRS_NOT_SRS;
    srs_parts_split(rcpt->local, &parts);
    found->kind = parts.kind;
    if (!parts_are_valid(&parts))
        return SRS_SYNTAX;

    enum srs_status status = verify(conf, &parts, rcpt->domain, &match);
    if (status != SRS_OK)
        return status;
    found->classic = match.mac == SRS_MAC_CLASSIC;
    found->case_folded = match.case_folded;
    found->secret = match.secret;

    /* Only now: nobody but who has a right hash learns about the time. SRS1
     * has no stamp; to expire is the first forwarder's business. */
    if (parts.kind == 1)
        return print_srs0(&parts, out);
    if (!srs_stamp_age(now, srs_stamp_parse(parts.stamp), conf->max_age_days,
                       &found->age_days))
        return SRS_EXPIRED;
    return print_user(rcpt, &parts, out);
}

enum srs_status
srs_reverse(const struct srs_conf *conf, int64_t now, struct slice rcpt,
            struct buf *out, struct srs_found *found)
{
    struct arena arena = { 0 };
    struct buf scratch = { 0 };
    struct srs_address address;
    struct srs_found unasked;

    if (found == NULL)
        found = &unasked;
    *found = (struct srs_found){ 0 };
    enum srs_status status = srs_rcpt_split(rcpt, &arena, &scratch, &address);
    if (status == SRS_OK)
        status = reverse(conf, now, &address, out, found);
    buf_free(&scratch);
    arena_free(&arena);
    return status;
}

const char *
srs_status_word(enum srs_status status)
{
    switch (status) {
    case SRS_OK:
        return "ok";
    case SRS_NULL_SENDER:
        return "srs-null";
    case SRS_OUR_DOMAIN:
        return "srs-ours";
    case SRS_NOT_SRS:
        return "srs-none";
    case SRS_SYNTAX:
        return "srs-malformed";
    case SRS_TOO_LONG:
        return "srs-too-long";
    case SRS_HASH_SHORT:
        return "srs-short";
    case SRS_HASH_BAD:
        return "srs-hash";
    case SRS_EXPIRED:
        return "srs-expired";
    case SRS_NO_MEMORY:
        return "srs-internal";
    }
    return "srs-internal";
}
