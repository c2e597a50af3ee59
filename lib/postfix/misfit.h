/*
 * Where Postfix' configuration and ours do not fit together: what
 * `check --postfix` finds, each with the command that mends it.
 */
#ifndef ONWARD_POSTFIX_MISFIT_H
#define ONWARD_POSTFIX_MISFIT_H

#include "conf.h"
#include "postconf.h"

enum misfit_severity {
    MISFIT_ERROR,   /* mail is lost, doubled, refused, let through, or loops */
    MISFIT_WARNING, /* it works, and not as well as it could */
};

struct misfit_sink {
    void (*found)(void *ctx, enum misfit_severity severity,
                  const char *file,     /* "main.cf" or "master.cf" */
                  struct slice setting, /* "smtp/inet/smtpd_proxy_filter" */
                  struct slice sentence, struct slice command);
    void *ctx;
};

/* directory: of main.cf, for the commands' -c; empty: the usual one. */
void misfit_find(const struct conf *conf, const struct postconf *postconf,
                 struct slice directory, const struct misfit_sink *sink);

#endif
