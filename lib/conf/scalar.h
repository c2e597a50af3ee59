/* Values of single settings: type and range against the table. */
#ifndef ONWARD_CONF_SCALAR_H
#define ONWARD_CONF_SCALAR_H

#include "reading.h"

/* The value of a node that was written. False: why has a sentence. */
bool conf_scalar_read(const struct conf_reading *r,
                      const struct conf_setting *setting,
                      const struct conf_node *node, struct conf_got *got,
                      struct buf *why);

/* The same for text that stands in the table, or that Postfix gave. */
bool conf_scalar_from_text(const struct conf_setting *setting,
                           struct slice text, struct conf_got *got);

/* What is wrong with a string as it is written; NULL: nothing. */
const char *conf_string_problem(const struct conf_reading *r,
                                const struct conf_node *node);

#endif
