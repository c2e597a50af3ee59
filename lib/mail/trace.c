#include "trace.h"

#include <openssl/evp.h>

#include <inttypes.h>
#include <string.h>

enum {
    DAY = 86400
};

static const struct slice loop_field = SLICE("X-Onward-Loop");

unsigned
mail_trace_hops(const struct mail_header *header)
{
    return (unsigned)mail_header_count(header, SLICE_OF("Received"));
}

/* ---- the loop mark ----------------------------------------------------- */

bool
mail_loop_token(struct slice secret, struct slice alias,
                char token[MAIL_LOOP_TOKEN])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t len = 0;
    struct buf input = { 0 };

    /* An alias is a path, so its length is bounded; it is a peer's choice all
     * the same. */
    buf_append(&input, SLICE_OF("onward-loop"));
    if (!buf_try_append(&input, alias)) {
        buf_free(&input);
        return false;
    }
    for (size_t i = 0; i < input.len; i++)
        input.ptr[i] = ascii_lower(input.ptr[i]);
    bool ok = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret.ptr,
                        secret.len, (unsigned char *)input.ptr, input.len,
                        digest, sizeof(digest), &len) != NULL;
    buf_free(&input);
    if (!ok || len < MAIL_LOOP_TOKEN / 2)
        return false;
    for (size_t i = 0; i < MAIL_LOOP_TOKEN / 2; i++) {
        token[2 * i] = hex[digest[i] >> 4];
        token[2 * i + 1] = hex[digest[i] & 15];
    }
    return true;
}

/* The body of a field without the blanks and folds around it. */
static struct slice
trim_folds(struct slice body)
{
    static const char blanks[] = " \t\r\n";

    while (body.len != 0 && memchr(blanks, body.ptr[0], 4) != NULL)
        body = slice_tail(body, 1);
    while (body.len != 0 && memchr(blanks, body.ptr[body.len - 1], 4) != NULL)
        body.len--;
    return body;
}

bool
mail_trace_is_marked(const struct mail_header *header)
{
    return mail_header_count(header, loop_field) != 0;
}

bool
mail_trace_has_token(const struct mail_header *header,
                     const char token[MAIL_LOOP_TOKEN])
{
    const struct slice wanted = { token, MAIL_LOOP_TOKEN };

    for (size_t i = 0; i < header->count; i++) {
        struct mail_field field = mail_header_field(header, i);
        if (slice_equal_nocase(field.name, loop_field) &&
            slice_equal_nocase(trim_folds(field.body), wanted))
            return true;
    }
    return false;
}

void
mail_loop_print(const char token[MAIL_LOOP_TOKEN], struct buf *out)
{
    buf_append(out, loop_field);
    buf_puts(out, ": ");
    buf_append(out, (struct slice){ token, MAIL_LOOP_TOKEN });
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
