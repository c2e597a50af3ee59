/* Does anybody answer at an address? */
#ifndef ONWARD_REACHABLE_H
#define ONWARD_REACHABLE_H

#include "conf.h"

/* A connection is made and closed; at most 3 s. */
bool reachable(const struct conf_address *address);

#endif
