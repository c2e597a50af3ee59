/*
 * The public suffix list: which domains of a name were registered by somebody,
 * and which belong to everybody (co.uk). Two names with one registrable domain
 * have one owner; DMARC calls such names aligned (relaxed).
 */
#ifndef ONWARD_SMTP_SUFFIXES_H
#define ONWARD_SMTP_SUFFIXES_H

#include "base.h"

struct smtp_suffixes; /* read-only once loaded */

/*
 * The newer of the list that the system keeps as a file and the one that is
 * built into libpsl. NULL: there is neither.
 */
struct smtp_suffixes *smtp_suffixes_load(void);
void smtp_suffixes_free(struct smtp_suffixes *suffixes); /* NULL is fine */

/*
 * The registrable domain of a name in lower-case A-labels, as a part of it.
 * Empty: the name is a public suffix itself, a single label, or no name.
 */
struct slice smtp_registrable(const struct smtp_suffixes *suffixes,
                              struct slice domain);

/* One name is the other, or lies below it. */
bool smtp_domain_is_within(struct slice domain, struct slice parent);

#endif
