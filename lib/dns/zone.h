/* Lines of a zone file, as zonetext.c hands them to zone.c. */
#ifndef ONWARD_DNS_ZONE_H
#define ONWARD_DNS_ZONE_H

#include "dns.h"

enum {
    ZONE_TROUBLE = 0 /* in place of a type: TIMEOUT, SERVFAIL */
};

struct zone_line {
    struct slice name; /* lower case, no final dot */
    unsigned type;     /* enum dns_type, or ZONE_TROUBLE */
    struct dns_record record;
};

enum zone_reading {
    ZONE_LINE,
    ZONE_END,
    ZONE_BAD, /* *why says what is wrong with the line */
};

struct zone_text {
    struct slice rest;
    unsigned line; /* the one that was read last, from 1 */
};

/* The next line that says something. Memory: the arena. */
enum zone_reading zone_text_next(struct zone_text *text, struct arena *arena,
                                 struct zone_line *line, const char **why);

#endif
