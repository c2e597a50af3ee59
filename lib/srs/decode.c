#include "parts.h"
#include "srs_conf.h"

enum {
    DAY = 86400
};

/* When it was made: midnight of that day. */
static int64_t
made_at(int64_t now, struct slice stamp)
{
    unsigned age;
    int64_t today = now - (now % DAY + DAY) % DAY;
    int slot = srs_stamp_parse(stamp);
    char tomorrow[2];

    srs_stamp_print(now + DAY, tomorrow);
    if (srs_stamp_parse((struct slice){ tomorrow, 2 }) == slot)
        return today + DAY;
    srs_stamp_age(now, slot, 0, &age);
    return today - (int64_t)age * DAY;
}

enum srs_status
srs_decode(const struct srs_conf *conf, int64_t now, struct slice rcpt,
           struct srs_decoded *decoded, struct buf *original)
{
    struct buf scratch = { 0 };
    struct srs_address address;
    struct srs_parts parts;

    *decoded = (struct srs_decoded){ 0 };
    enum srs_status status = srs_token_reverse(conf, now, rcpt, decoded->key);
    decoded->token = status == SRS_OK || status == SRS_EXPIRED;
    if (status == SRS_NOT_SRS)
        status = srs_reverse(conf, now, rcpt, original, &decoded->found);
    if (status != SRS_OK && status != SRS_EXPIRED)
        return status;
    if (srs_address_split(rcpt, &scratch, &address) != SRS_OK)
        status = SRS_NO_MEMORY; /* it was an address a moment ago */
    else
        srs_parts_split(address.local, &parts);
    if ((status == SRS_OK || status == SRS_EXPIRED) && parts.kind == 0) {
        decoded->has_stamp = true;
        decoded->made = made_at(now, parts.stamp);
    }
    /* A right hash was shown, so what it said is no secret any more. */
    if (status == SRS_EXPIRED && !decoded->token &&
        srs_reverse(conf, decoded->made, rcpt, original, NULL) != SRS_OK)
        status = SRS_NO_MEMORY;
    buf_free(&scratch);
    return status;
}
