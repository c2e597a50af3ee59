/* One rule of verification a row: what is signed, the key record, what is
 * changed afterwards, and what has to come out. */
#ifndef DKIM_RULES_H
#define DKIM_RULES_H

#include "dkim_made.h"

#define TAGS "v=1; c=relaxed/relaxed; d=example.org; s=s; "
#define H "h=From:To:Subject; "
#define ED "v=DKIM1; k=ed25519; "

struct rule {
    const char *name;
    const char *tags;
    const char *record;    /* before p=; NULL: there is none */
    const char *p;         /* NULL: the key that signed */
    const char *algorithm; /* NULL: ed25519-sha256 */
    const char *find;      /* in the signed message, becomes replace */
    const char *replace;
    enum dkim_result result;
    enum dkim_reason reason;
};

/* A test with a rule as its state; signed with Ed25519. */
void rule_holds(void **state);

#endif
