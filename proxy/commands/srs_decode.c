/* `srs decode` of one address, as a line or as JSON. */
#include "srs_work.h"

#include <time.h>

enum {
    DAY = 86400
};

struct decoded {
    struct slice address;
    enum srs_status status;
    const char *reason; /* NULL: it is valid */
    struct srs_decoded srs;
    struct buf original;
    char made[16]; /* YYYY-MM-DD */
    long long age; /* days; -1: of tomorrow */
    long long left;
};

static void
decode_address(struct srs_worker *w, struct slice rcpt, struct decoded *d)
{
    struct tm tm;

    *d = (struct decoded){ .address = rcpt, .status = SRS_NOT_SRS };
    if (!srs_work_is_ours(w, rcpt)) {
        d->reason = "not ours";
        return;
    }
    d->status = srs_decode(w->srs, w->now, rcpt, &d->srs, &d->original);
    d->reason = d->status == SRS_OK ? NULL : srs_work_reason(d->status);
    if (d->srs.token && d->status == SRS_OK)
        d->reason = srs_work_stored(w, d->srs.key, &d->original);
    time_t made = (time_t)d->srs.made;
    if (d->srs.has_stamp && gmtime_r(&made, &tm) != NULL)
        strftime(d->made, sizeof(d->made), "%Y-%m-%d", &tm);
    d->age = (w->now / DAY * DAY - d->srs.made) / DAY;
    d->left = (long long)srs_conf_max_age(w->srs) - d->age;
}

static bool
was_genuine(const struct decoded *d)
{
    return d->status == SRS_OK || d->status == SRS_EXPIRED;
}

static const char *
mac_of(const struct decoded *d)
{
    return d->srs.found.classic ? "classic" : "sha256";
}

static void
print_age(struct buf *out, const struct decoded *d)
{
    if (!d->srs.has_stamp) {
        buf_puts(out, "   no stamp");
        return;
    }
    buf_printf(out, "   made %s (", d->made);
    if (d->age <= 0)
        buf_puts(out, d->age == 0 ? "today" : "tomorrow");
    else
        buf_printf(out, "%lld day%s ago", d->age, d->age == 1 ? "" : "s");
    if (d->status == SRS_OK)
        buf_printf(out, ", valid %lld more", d->left);
    buf_putc(out, ')');
}

static void
print_decoded(struct srs_worker *w, const struct decoded *d)
{
    struct buf *out = &w->out;

    if (d->reason != NULL)
        srs_work_refuse(w, d->reason);
    if (!was_genuine(d))
        return;
    if (d->reason != NULL && d->original.len != 0)
        buf_puts(out, "   ");
    if (d->original.len != 0) {
        buf_puts(out, "original ");
        buf_append(out, buf_slice(&d->original));
    }
    print_age(out, d);
    if (d->srs.token)
        buf_puts(out, "   stored");
    else
        buf_printf(out, "   %s, secret %u of %zu", mac_of(d),
                   d->srs.found.secret + 1, srs_conf_secret_count(w->srs));
}

static const char *
kind_of(const struct decoded *d)
{
    if (d->srs.token)
        return "token";
    return d->srs.found.kind == 1 ? "SRS1" : "SRS0";
}

static void
print_decoded_json(struct srs_worker *w, const struct decoded *d)
{
    struct json json = { .out = &w->out };

    w->refused |= d->reason != NULL;
    json_open(&json, '{');
    json_member(&json, "address", d->address);
    json_key(&json, "valid");
    json_put_bool(&json, d->reason == NULL);
    if (d->reason != NULL)
        json_member(&json, "reason", slice_from(d->reason));
    if (was_genuine(d))
        json_member(&json, "kind", slice_from(kind_of(d)));
    if (was_genuine(d) && d->srs.has_stamp) {
        json_member(&json, "made", slice_from(d->made));
        json_key(&json, "age_days");
        json_put_number(&json, d->age < 0 ? 0 : (uint64_t)d->age);
        json_key(&json, "valid_days");
        json_put_number(&json, d->status == SRS_OK ? (uint64_t)d->left : 0);
    }
    if (d->original.len != 0)
        json_member(&json, "original", buf_slice(&d->original));
    if (was_genuine(d) && !d->srs.token) {
        json_member(&json, "mac", slice_from(mac_of(d)));
        json_key(&json, "secret");
        json_put_number(&json, d->srs.found.secret + 1);
        json_key(&json, "secrets");
        json_put_number(&json, srs_conf_secret_count(w->srs));
    }
    json_close(&json, '}');
}

void
srs_work_decode(struct srs_worker *w, struct slice rcpt)
{
    struct decoded d;

    decode_address(w, rcpt, &d);
    if (w->json)
        print_decoded_json(w, &d);
    else
        print_decoded(w, &d);
    buf_free(&d.original);
}
