/* Canonicalization, for the files of this directory; dkim.h has the rest. */
#ifndef ONWARD_DKIM_CANON_H
#define ONWARD_DKIM_CANON_H

#include "base.h"

/* dkim_relax_field that returns false, out unchanged, when memory is gone:
 * how long a field is, a stranger decides. */
bool dkim_try_relax_field(struct slice raw, struct buf *out);

#endif
