/*
 * Any octets as a sender. What is forwarded is printable, comes back from
 * reverse, and coming back it is the same address: forwarded once more it
 * gives the same octets. Forwarded by a second host it is an SRS1 that leads
 * to the first one's SRS0. Its token leads to the same key.
 */
#include "srs.h"

#include <stdlib.h>
#include <string.h>

enum {
    NOW = 1767225600
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
        .max_age_days = 21,
    };
    const char *why;

    return srs_conf_new(&settings, &why);
}

static void
check(const struct srs_conf *conf, struct slice sender)
{
    const struct slice domain = SLICE("fwd.example");
    const struct slice second = SLICE("second.example");
    struct buf out = { 0 }, back = { 0 }, again = { 0 };
    struct buf chain = { 0 }, token = { 0 };
    struct srs_found found;
    char key[SRS_TOKEN_KEY], key_back[SRS_TOKEN_KEY];

    enum srs_status status = srs_forward(conf, NOW, sender, domain, &out);
    if (status != SRS_OK) {
        require(out.len == 0 || (status == SRS_OUR_DOMAIN &&
                                 slice_equal(buf_slice(&out), sender)));
        goto out;
    }
    require(out.len <= SMTP_PATH_MAX);
    for (size_t i = 0; i < out.len; i++)
        require(!ascii_is_control(out.ptr[i]));
    require(srs_reverse(conf, NOW, buf_slice(&out), &back, &found) == SRS_OK);
    if (found.kind == 0) {
        require(srs_forward(conf, NOW, buf_slice(&back), domain, &again) ==
                SRS_OK);
        require(slice_equal(buf_slice(&again), buf_slice(&out)));
    }

    status = srs_forward(conf, NOW, buf_slice(&out), second, &chain);
    require(status == SRS_OK || status == SRS_TOO_LONG);
    if (status == SRS_OK) {
        buf_clear(&again);
        require(srs_reverse(conf, NOW, buf_slice(&chain), &again, &found) ==
                SRS_OK);
        require(found.kind == 1);
        require(slice_equal(buf_slice(&again), buf_slice(&out)) ||
                slice_equal(buf_slice(&again), buf_slice(&back)));
    }

    require(srs_token_forward(conf, NOW, sender, domain, key, &token) ==
            SRS_OK);
    require(srs_local_length(buf_slice(&token)) <= 64);
    require(srs_token_reverse(conf, NOW, buf_slice(&token), key_back) ==
            SRS_OK);
    require(memcmp(key, key_back, sizeof(key)) == 0);
out:
    buf_free(&out);
    buf_free(&back);
    buf_free(&again);
    buf_free(&chain);
    buf_free(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };

    if (size == 0)
        return 0;
    struct srs_conf *conf =
        conf_new((data[0] & 1) != 0 ? SRS_MAC_CLASSIC : SRS_MAC_SHA256);
    check(conf, slice_tail(text, 1));
    srs_conf_free(conf);
    return 0;
}
