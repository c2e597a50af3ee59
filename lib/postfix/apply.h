/* The rows of the table applied to a copy of what a Postfix is without us. */
#ifndef ONWARD_POSTFIX_APPLY_H
#define ONWARD_POSTFIX_APPLY_H

#include "site.h"

struct apply {
    struct site site;
    struct postconf_list whys;    /* by target of a command */
    struct buf *refusals, *notes; /* a line each */
};

/* If refusals were added, site.postfix is of no use. */
void apply_rows(struct apply *apply);

#endif
