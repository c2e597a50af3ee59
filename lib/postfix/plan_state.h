/* What `setup` remembers: every item it changed, as it was and as it is. */
#ifndef ONWARD_POSTFIX_PLAN_STATE_H
#define ONWARD_POSTFIX_PLAN_STATE_H

#include "postconf.h"

/* Undo, in `postconf`, what the state says. What was changed by others since
 * is left alone, but for our elements of lists; notes says so. False: the
 * text is damaged; *line is its line. */
bool plan_state_undo(struct slice state, struct postconf *postconf,
                     struct buf *notes, unsigned *line);
/* What these commands change. before: what was in force without them. */
void plan_state_print(const struct postconf_commands *commands,
                      const struct postconf *before, struct buf *out);

#endif
