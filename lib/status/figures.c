/* What metrics, status and page have in common. */
#include "view.h"

#include <string.h>

const double status_seconds_bounds[] = { 0.001, 0.0025, 0.005, 0.01, 0.025,
                                         0.05,  0.1,    0.25,  0.5,  1,
                                         2.5,   5,      10,    30,   60 };
const size_t status_seconds_bound_count =
    sizeof(status_seconds_bounds) / sizeof(status_seconds_bounds[0]);
const double status_lookup_bounds[] = { 0.00001, 0.0001, 0.001, 0.0025, 0.005,
                                        0.01,    0.025,  0.05,  0.1,    0.25,
                                        0.5,     1,      2.5 };
const size_t status_lookup_bound_count =
    sizeof(status_lookup_bounds) / sizeof(status_lookup_bounds[0]);
const double status_octets_bounds[] = { 1024,    4096,     16384,
                                        65536,   262144,   1048576,
                                        4194304, 16777216, 67108864 };
const size_t status_octets_bound_count =
    sizeof(status_octets_bounds) / sizeof(status_octets_bounds[0]);

void
status_observe(struct status_histogram *histogram, double value)
{
    size_t i = 0;

    while (i < histogram->bound_count && value > histogram->bounds[i])
        i++;
    histogram->counts[i]++;
    histogram->sum += value;
}

uint64_t
status_observed(const struct status_histogram *histogram)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= histogram->bound_count; i++)
        count += histogram->counts[i];
    return count;
}

double
status_quantile(const struct status_histogram *histogram, double share)
{
    uint64_t all = status_observed(histogram), count = 0;

    if (all == 0)
        return -1;
    for (size_t i = 0; i < histogram->bound_count; i++) {
        count += histogram->counts[i];
        if ((double)count >= share * (double)all)
            return histogram->bounds[i];
    }
    return -1;
}

const char *
status_result_word(enum relay_result result)
{
    switch (result) {
    case RELAY_ACCEPTED:
        return "accepted";
    case RELAY_REJECTED:
        return "rejected";
    case RELAY_DEFERRED:
        return "deferred";
    case RELAY_ABORTED:
        return "aborted";
    case RELAY_DISCARDED:
        return "discarded";
    }
    return "unknown";
}

/* The first letter, of several octets perhaps. */
static struct slice
first_letter(struct slice text)
{
    size_t len = utf8_length(text);

    return slice_head(text, len != 0 ? len : 1);
}

void
status_mask(struct slice address, char *out, size_t size)
{
    struct buf text = { 0 }, shown = { 0 };
    struct slice domain = slice_tail(address, slice_find_last(address, '@'));
    size_t len = 0;

    if (address.len == 0)
        buf_puts(&text, "<>");
    else if (address.len > domain.len)
        buf_append(&text, first_letter(address));
    if (address.len != 0)
        buf_puts(&text, "...");
    buf_append(&text, domain);
    /* As much as there is room for, but no part of a letter or escape. */
    for (struct slice rest = buf_slice(&text); rest.len != 0;) {
        struct slice letter = first_letter(rest);
        rest = slice_tail(rest, letter.len);
        buf_clear(&shown);
        log_escape_text(&shown, letter);
        if (len + shown.len > size - 1)
            break;
        memcpy(out + len, shown.ptr, shown.len);
        len += shown.len;
    }
    out[len] = '\0';
    buf_free(&text);
    buf_free(&shown);
}

/* All counters of relay_counters are uint64_t, but the pointer behind them. */
struct relay_counters
status_total(const struct status_view *view, struct arena *arena)
{
    struct relay_counters total = { 0 };
    size_t reasons = relay_outcome_count();
    uint64_t *sum = (uint64_t *)&total;

    for (size_t i = 0; i < view->listener_count; i++) {
        const uint64_t *one = (const uint64_t *)view->listeners[i].counters;
        for (size_t k = 0;
             k < offsetof(struct relay_counters, reasons) / sizeof(*sum); k++)
            sum[k] += one[k];
    }
    total.reasons = arena_alloc(arena, reasons * sizeof(*total.reasons));
    memset(total.reasons, 0, reasons * sizeof(*total.reasons));
    for (size_t i = 0; i < view->listener_count; i++)
        for (size_t k = 0; k < reasons; k++)
            total.reasons[k] += view->listeners[i].counters->reasons[k];
    return total;
}

void
status_put_number(struct buf *out, uint64_t number)
{
    if (number >= 1000) {
        status_put_number(out, number / 1000);
        buf_printf(out, ",%03u", (unsigned)(number % 1000));
    } else {
        buf_printf(out, "%u", (unsigned)number);
    }
}

void
status_put_age(struct buf *out, int64_t seconds)
{
    long long s = seconds < 0 ? 0 : (long long)seconds;

    if (s < 120)
        buf_printf(out, "%llds", s);
    else if (s < 2 * 3600)
        buf_printf(out, "%lldmin", s / 60);
    else if (s < 2 * 86400)
        buf_printf(out, "%lldh %lldmin", s / 3600, s % 3600 / 60);
    else
        buf_printf(out, "%lldd %lldh", s / 86400, s % 86400 / 3600);
}

struct status_minute
status_last(const struct status_view *view, size_t minutes)
{
    struct status_minute sum = { .minute = view->now / 60 };

    for (size_t i = 0; i < STATUS_MINUTES && view->minutes != NULL; i++)
        if (view->minutes[i].minute > sum.minute - (int64_t)minutes - 1)
            for (size_t k = 0; k < RELAY_RESULTS; k++)
                sum.results[k] += view->minutes[i].results[k];
    return sum;
}
