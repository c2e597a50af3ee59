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
    if (d->reason != NULL)
        buf_puts(out, "   ");
    if (d->srs.token) {
        buf_puts(out, "a stored sender");
        print_age(out, d);
        return; /* which secret is not told */
    }
    buf_puts(out, "original ");
    buf_append(out, buf_slice(&d->original));
    print_age(out, d);
    buf_printf(out, "   %s, secret %u of %zu", mac_of(d),
               d->srs.found.secret + 1, srs_conf_secret_count(w->srs));
}

static void
put_string(struct buf *out, const char *name, struct slice value)
{
    buf_printf(out, "\"%s\": \"", name);
    log_escape_json(out, value);
    buf_putc(out, '"');
}

static void
print_decoded_json(struct srs_worker *w, const struct decoded *d)
{
    struct buf *out = &w->out;

    w->refused |= d->reason != NULL;
    buf_putc(out, '{');
    put_string(out, "address", d->address);
    buf_printf(out, ", \"valid\": %s", d->reason == NULL ? "true" : "false");
    if (d->reason != NULL) {
        buf_puts(out, ", ");
        put_string(out, "reason", slice_from(d->reason));
    }
    if (was_genuine(d)) {
        buf_printf(out, ", \"kind\": \"%s\"",
                   d->srs.token             ? "token"
                   : d->srs.found.kind == 1 ? "SRS1"
                                            : "SRS0");
        if (d->srs.has_stamp)
            buf_printf(out,
                       ", \"made\": \"%s\", \"age_days\": %lld, "
                       "\"valid_days\": %lld",
                       d->made, d->age < 0 ? 0 : d->age,
                       d->status == SRS_OK ? d->left : 0);
    }
    if (was_genuine(d) && !d->srs.token) {
        buf_puts(out, ", ");
        put_string(out, "original", buf_slice(&d->original));
        buf_printf(out, ", \"mac\": \"%s\", \"secret\": %u, \"secrets\": %zu",
                   mac_of(d), d->srs.found.secret + 1,
                   srs_conf_secret_count(w->srs));
    }
    buf_putc(out, '}');
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
