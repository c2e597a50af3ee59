/*
 * Which domains this Postfix knows: the address classes hold names and tables,
 * and only Postfix itself (postmap -q) can say what is in a table.
 */
#ifndef ONWARD_POSTFIX_QUESTIONS_H
#define ONWARD_POSTFIX_QUESTIONS_H

#include "conf.h"
#include "postconf.h"

enum knowledge {
    KNOWN,
    PERHAPS, /* a table may have it, which gave no answer */
    UNKNOWN
};

/* An address class, by the parameter that lists its domains. */
enum domain_class {
    CLASS_LOCAL = 1,                          /* mydestination */
    CLASS_RELAY = 2,                          /* relay_domains */
    CLASS_MAILBOX = 4,                        /* virtual_mailbox_domains */
    CLASS_ALIAS = 8,                          /* virtual_alias_domains */
    CLASS_MAIL = CLASS_LOCAL | CLASS_MAILBOX, /* what Postfix delivers */
    CLASS_ANY = CLASS_MAIL | CLASS_RELAY | CLASS_ALIAS
};

enum {
    QUESTIONS_MAX = 200
};
/* "TABLE TAB DOMAIN" lines for postmap -q, at most QUESTIONS_MAX: every domain
 * of ours in every table of the classes. A "proxy:" in front is taken off. */
void postfix_questions(const struct conf *conf, const struct postconf *postconf,
                       struct buf *out);

/* Is the domain in one of the classes? */
enum knowledge postfix_knows_domain(const struct postconf *postconf,
                                    enum domain_class classes,
                                    struct slice domain);

#endif
