#include "srs_conf.h"

enum {
    DAY = 86400,
    SLOTS = 1024
};

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static int
slot_of(int64_t now)
{
    int64_t day = now / DAY - (now % DAY < 0); /* floor */

    return (int)(((day % SLOTS) + SLOTS) % SLOTS);
}

void
srs_stamp_print(int64_t now, char stamp[2])
{
    int slot = slot_of(now);

    stamp[0] = base32[slot >> 5];
    stamp[1] = base32[slot & 31];
}

static int
base32_value(char c)
{
    c = ascii_lower(c); /* relays fold local parts */
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

int
srs_stamp_parse(struct slice stamp)
{
    if (stamp.len != 2)
        return -1;
    int high = base32_value(stamp.ptr[0]);
    int low = base32_value(stamp.ptr[1]);
    return high < 0 || low < 0 ? -1 : high << 5 | low;
}

bool
srs_stamp_age(int64_t now, int slot, unsigned max_age, unsigned *age)
{
    unsigned days = (unsigned)(slot_of(now) - slot + SLOTS) % SLOTS;

    /* Two hosts around midnight, or a clock that was set back: tomorrow's
     * stamp is today's, not one of 1023 days ago. */
    if (days == SLOTS - 1)
        days = 0;
    *age = days;
    return days <= max_age;
}
