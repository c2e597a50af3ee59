#include "trace.h"

#include <inttypes.h>

enum {
    DAY = 86400,
    LINE_MAX_OCTETS = 998 /* RFC 5322, 2.1.1 */
};

unsigned
mail_trace_hops(const struct mail_header *header)
{
    return (unsigned)mail_header_count(header, SLICE_OF("Received"));
}

/* ---- the alias ---- */

void
mail_original_to_print(struct slice alias, bool utf8, struct buf *out)
{
    static const struct slice name = SLICE("X-Original-To: ");

    if (name.len + alias.len > LINE_MAX_OCTETS ||
        (!utf8 && ascii_printable_length(alias) != alias.len))
        return;
    buf_append(out, name);
    buf_append(out, alias);
    buf_puts(out, "\r\n");
}

/* ---- what an outbound message lacks -------------------------------------- */

struct date {
    int64_t year;
    unsigned month; /* 0-11 */
    unsigned day;   /* 1-31 */
    unsigned weekday;
};

/*
 * Days since 1970 to a date, by eras of 400 years that begin on 1 March, so
 * that the leap day is the last of its year. gmtime_r would read the
 * environment for its leap seconds (TZ), which lib/ does not do.
 */
static struct date
date_of(int64_t days)
{
    enum {
        ERA = 146097,
        TO_ERA = 719468
    }; /* 0000-03-01 to 1970-01-01 */
    int64_t shifted = days + TO_ERA;
    int64_t era = (shifted >= 0 ? shifted : shifted - (ERA - 1)) / ERA;
    unsigned in_era = (unsigned)(shifted - era * ERA);
    unsigned year =
        (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
    unsigned march = (5 * in_year + 2) / 153; /* months since March */
    unsigned month = (march + 2) % 12;

    return (struct date){
        .year = era * 400 + year + (month < 2),
        .month = month,
        .day = in_year - (153 * march + 2) / 5 + 1,
        .weekday = (unsigned)(((days % 7) + 7 + 4) % 7), /* a Thursday */
    };
}

void
mail_date_print(int64_t now, struct buf *out)
{
    static const char weekdays[7][4] = { "Sun", "Mon", "Tue", "Wed",
                                         "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr",
                                        "May", "Jun", "Jul", "Aug",
                                        "Sep", "Oct", "Nov", "Dec" };
    int64_t days = now / DAY - (now % DAY < 0); /* floor */
    int64_t second = now - days * DAY;
    struct date date = date_of(days);

    buf_printf(out,
               "Date: %s, %u %s %04" PRId64 " %02" PRId64 ":%02" PRId64
               ":%02" PRId64 " +0000\r\n",
               weekdays[date.weekday], date.day, months[date.month], date.year,
               second / 3600, second / 60 % 60, second % 60);
}

void
mail_message_id_print(int64_t now, uint64_t unique, struct slice hostname,
                      struct buf *out)
{
    buf_printf(out, "Message-ID: <%" PRId64 ".%016" PRIx64 "@%.*s>\r\n", now,
               unique, SLICE_ARG(hostname));
}
