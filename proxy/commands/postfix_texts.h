/* What postconf(1) says about a Postfix, for setup and check. */
#ifndef ONWARD_POSTFIX_TEXTS_H
#define ONWARD_POSTFIX_TEXTS_H

#include "cli.h"
#include "postfix.h"

struct postfix_texts {
    struct buf services, options, set, values, defaults, answers;
};

/* The directory of main.cf: the option's, or what the configuration file says
 * (it may be unreadable), or /etc/postfix. */
void postfix_directory(const struct cli *cli, const char *option,
                       struct buf *directory);

/* False: an error was printed. */
bool postfix_texts_read(const char *directory, struct postfix_texts *texts);
/* Asks Postfix' own tables about our domains, with postmap(1). A table that
 * gives no answer within seconds is left out. */
void postfix_texts_ask(const char *directory, const struct conf *conf,
                       struct postfix_texts *texts);
void postfix_texts_free(struct postfix_texts *texts);
struct postconf_texts postfix_texts_view(const struct postfix_texts *texts);

#endif
