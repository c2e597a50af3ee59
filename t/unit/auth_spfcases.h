/*
 * Cases of SPF for the tests of lib/auth: scenarios, each a zone and the
 * checks in it.
 *
 *     == what the scenario is about
 *     example.com TXT "v=spf1 -all"        lines as in a --dns-file
 *     -- name of a check
 *     client 192.0.2.1
 *     helo mail.example.com                \DDD for an odd octet
 *     from someone@example.com             <> for the null path
 *     result fail softfail                 any of these words
 *     mechanism all                        and, where it matters, what else
 *     path include:a.example -> all        the verdict says ("-": nothing)
 *     domain, identity, about, problem, terms, voids, questions, anybody
 */
#ifndef ONWARD_AUTH_SPFCASES_H
#define ONWARD_AUTH_SPFCASES_H

#include "auth.h"

struct spf_case {
    const char *name;
    const struct dns_zone *zone;
    struct spf_client client;
    struct slice lines; /* what the verdict is compared with */
};

struct spf_cases {
    struct arena arena;
    struct spf_case *rows;
    size_t count;
    struct dns_zone **zones;
    size_t zone_count;
};

/* Ends the program with a message if the text is not in order. */
void spf_cases_read(struct slice text, struct spf_cases *cases);
void spf_cases_free(struct spf_cases *cases);

/* The verdict of the client in the zone; to be freed with spf_free. */
struct spf *spf_case_run(const struct dns_zone *zone,
                         const struct spf_client *client);

/* A cmocka test, whose state is a struct spf_case. */
void spf_case_test(void **state);

/* Runs all cases as one group of cmocka. */
int spf_cases_main(const char *group, struct spf_cases *cases);

/* The whole file or pipe. */
void spf_cases_slurp(void *file, struct buf *text);

#endif
