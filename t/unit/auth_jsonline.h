/* Just enough JSON to read the cases of others: one object a line. */
#ifndef AUTH_JSONLINE_H
#define AUTH_JSONLINE_H

#include "base.h"

/* The value of a member of an object, as it is written; empty: none. */
struct slice jsonline_member(struct slice object, const char *key);

/* The next member of an object or element of an array: its value, and its key
 * in an object. *rest begins after the bracket. False: there is none. */
bool jsonline_next(struct slice *rest, struct slice *key, struct slice *value);

/* A string without its quotation marks and escapes; other values give "". */
void jsonline_text(struct slice value, struct buf *out);

#endif
