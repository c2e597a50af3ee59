/* `check --dns`: does DNS say what our mail needs? */
#ifndef ONWARD_CHECK_DNS_H
#define ONWARD_CHECK_DNS_H

#include "check.h"

/*
 * MX and SPF of each SRS domain, and the records of our keys. False: nothing
 * is known to be wrong, but some question got no answer (these are among the
 * errors, too).
 */
bool check_dns(const struct cli *cli, const struct conf *conf,
               struct check_report *report);

#endif
