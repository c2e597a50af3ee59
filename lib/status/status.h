/* Everything of lib/status: what the process tells about itself, and one
 * message's way through the log. */
#ifndef ONWARD_STATUS_H
#define ONWARD_STATUS_H

#include "dnsanswer.h"
#include "health.h"
#include "httprequest.h"
#include "metrics.h"
#include "page.h"
#include "tracelog.h"
#include "view.h"

#endif
