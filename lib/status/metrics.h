/* Prometheus' text format, version 0.0.4. No label holds an address or a
 * domain: the number of series is bounded by the configuration. */
#ifndef ONWARD_STATUS_METRICS_H
#define ONWARD_STATUS_METRICS_H

#include "view.h"

void status_metrics(const struct status_view *view, struct buf *out);

#endif
