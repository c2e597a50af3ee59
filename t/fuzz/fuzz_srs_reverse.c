/*
 * Any octets as a recipient. Refused: no output. Accepted: the hash was right,
 * so each of these must hold. The result is an address that forward takes; it
 * is forwarded to an address which reverse accepts, and that gives the same
 * result again. The same for tokens: what is accepted has 58 octets and a key.
 *
 * To get past the hash the fuzzer would have to guess it; so the first octet
 * may ask for the right hash to be put in: the fields are then what is fuzzed.
 */
#include "mac.h"
#include "parts.h"

#include <stdlib.h>
#include <string.h>

enum {
    NOW = 1767225600,
    SIGN = 1,
    CLASSIC = 2
};

static void
require(bool ok)
{
    if (!ok)
        abort();
}

static struct srs_conf *
conf_new(enum srs_mac mac)
{
    static const struct slice secret = SLICE("0123456789abcdef");
    const struct srs_settings settings = {
        .secrets = &secret,
        .secret_count = 1,
        .mac = mac,
        .hash_length = 6,
        .hash_minimum = 6,
        .max_age_days = 1000,
    };
    const char *why;

    return srs_conf_new(&settings, &why);
}

/* The address with a right hash, if it has the shape of one. */
static void
put_hash(struct slice text, enum srs_mac mac, struct buf *out)
{
    static const struct slice secret = SLICE("0123456789abcdef");
    struct buf scratch = { 0 };
    struct srs_address address;
    struct srs_parts parts;
    char hash[SRS_HASH_SHA256_MAX];
    const char *why;

    buf_append(out, text);
    if (srs_address_split(text, &scratch, &address) == SRS_OK &&
        !address.quoted && srs_has_tag(address.local)) {
        srs_parts_split(address.local, &parts);
        struct srs_claim claim = {
            .label = SLICE("onward-srs0"),
            .fields = { parts.stamp, parts.host, parts.last },
            .count = 3,
            .domain = address.domain,
        };
        if (parts.kind == 1)
            claim = (struct srs_claim){
                .label = SLICE("onward-srs1"),
                .fields = { parts.host, parts.last },
                .count = 2,
                .domain = address.domain,
            };
        struct srs_keys *keys = srs_keys_new(&secret, 1, true, &why);
        require(srs_mac_sign(keys, mac, &claim, hash));
        srs_keys_free(keys);
        buf_clear(out);
        buf_append(out, slice_head(text, 5));
        buf_append(out, (struct slice){ hash, 6 });
        buf_append(out, slice_tail(text, 5 + parts.hash.len));
    }
    buf_free(&scratch);
}

static void
check(const struct srs_conf *conf, struct slice rcpt)
{
    struct buf original = { 0 }, again = { 0 }, back = { 0 };
    char key[SRS_TOKEN_KEY];

    enum srs_status status = srs_reverse(conf, NOW, rcpt, &original, NULL);
    require((status == SRS_OK) == (original.len != 0));
    if (status == SRS_OK) {
        struct slice sender = buf_slice(&original);
        struct slice domain = SLICE("onward.example");
        status = srs_forward(conf, NOW, sender, domain, &again);
        if (status == SRS_OK) {
            require(srs_reverse(conf, NOW, buf_slice(&again), &back, NULL) ==
                    SRS_OK);
            /* An SRS sender comes back as the first forwarder's SRS0. */
            bool quoted = sender.ptr[0] == '"';
            require(srs_has_tag(slice_tail(sender, quoted)) ||
                    slice_equal(buf_slice(&back), sender));
        } else {
            require(status == SRS_TOO_LONG || status == SRS_OUR_DOMAIN);
        }
    }
    if (srs_token_reverse(conf, NOW, rcpt, key) == SRS_OK)
        for (size_t i = 0; i < sizeof(key); i++)
            require(ascii_is_alnum(key[i]));
    srs_local_length(rcpt);
    buf_free(&original);
    buf_free(&again);
    buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };
    struct buf rcpt = { 0 };

    if (size == 0)
        return 0;
    enum srs_mac mac =
        (data[0] & CLASSIC) != 0 ? SRS_MAC_CLASSIC : SRS_MAC_SHA256;
    struct srs_conf *conf = conf_new(mac);
    if ((data[0] & SIGN) != 0)
        put_hash(slice_tail(text, 1), mac, &rcpt);
    else
        buf_append(&rcpt, slice_tail(text, 1));
    check(conf, buf_slice(&rcpt));
    buf_free(&rcpt);
    srs_conf_free(conf);
    return 0;
}
