/* /readyz: may this node be given mail, and if not, why, in words. */
#ifndef ONWARD_ADMIN_HEALTH_H
#define ONWARD_ADMIN_HEALTH_H

#include "statusview.h"

/* Reasons and warnings are lines; warnings do not make it unready. */
bool admin_ready(const struct admin_view *view, struct buf *reasons,
                 struct buf *warnings);

#endif
