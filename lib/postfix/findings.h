/*
 * Where a Postfix is not what we want of it: `check --postfix`. Each finding
 * is a row of the one table (wanted.c) that does not hold at one place.
 */
#ifndef ONWARD_POSTFIX_FINDINGS_H
#define ONWARD_POSTFIX_FINDINGS_H

#include "conf.h"
#include "postconf.h"

enum finding_severity {
    FINDING_NONE,    /* a row that nobody has to know about */
    FINDING_ERROR,   /* mail is lost, doubled, refused, let through, or loops */
    FINDING_WARNING, /* mail flows, and not as well as it could */
    FINDING_NOTE,    /* nothing is wrong; there is something to know */
};

struct finding_sink {
    void (*found)(void *ctx, enum finding_severity severity,
                  const char *file,     /* "main.cf" or "master.cf" */
                  struct slice setting, /* "smtp/inet/smtpd_proxy_filter" */
                  struct slice sentence,
                  struct slice command); /* that mends it; empty: none can */
    void *ctx;
};

/* directory: of main.cf, for the commands' -c; empty: the usual one. */
void findings_report(const struct conf *conf, const struct postconf *postconf,
                     struct slice directory, const struct finding_sink *sink);

#endif
