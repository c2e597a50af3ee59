/* Prometheus' text format, version 0.0.4. No label holds an address or a
 * domain: the number of series is bounded by the configuration. */
#ifndef ONWARD_ADMIN_METRICS_H
#define ONWARD_ADMIN_METRICS_H

#include "statusview.h"

void admin_metrics(const struct admin_view *view, struct buf *out);

#endif
