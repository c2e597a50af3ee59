/* /readyz: may this node be given mail, and if not, why, in words. */
#ifndef ONWARD_STATUS_HEALTH_H
#define ONWARD_STATUS_HEALTH_H

#include "view.h"

/* Reasons and warnings are lines; warnings do not make it unready. */
bool status_ready(const struct status_view *view, struct buf *reasons,
                  struct buf *warnings);

#endif
