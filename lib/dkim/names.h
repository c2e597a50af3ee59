/* Which fields h= names, for the files of this directory. */
#ifndef ONWARD_DKIM_NAMES_H
#define ONWARD_DKIM_NAMES_H

#include "dkim.h"

bool dkim_names_hold(struct dkim_names list, struct slice name);

#endif
