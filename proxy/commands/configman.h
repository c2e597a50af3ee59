/* The settings as a part of a manual page. */
#ifndef ONWARD_CONFIGMAN_H
#define ONWARD_CONFIGMAN_H

#include "conf.h"

void config_print_man(struct buf *out);

#endif
