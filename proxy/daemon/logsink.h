/*
 * Log lines of the whole process: a bounded queue before a target, so that a
 * log that blocks or is gone never blocks mail. What does not fit is dropped
 * and counted, and the count is logged once lines go through again.
 *
 * Lines of trouble (warnings and errors that are not the summary of a
 * transaction, which is recognized by its status=) are written once a minute;
 * how often they came again is said at the end of that minute.
 */
#ifndef ONWARD_LOGSINK_H
#define ONWARD_LOGSINK_H

#include "conf.h"

#include <uv.h>

struct logsink;

/* Sets *sink. Whether the target could be reached is no error. */
struct logsink *logsink_open(uv_loop_t *loop, const struct conf *conf,
                             struct log_sink *sink);

/* The configuration was reloaded; files are opened anew (log rotation). */
void logsink_change(struct logsink *logsink, const struct conf *conf,
                    struct log_sink *sink);

/* Lines that were dropped since the start. */
uint64_t logsink_dropped(const struct logsink *logsink);

/* Say now how often trouble was repeated. */
void logsink_sum_up(struct logsink *logsink);

/* Say what was held back and write what is queued, within a second. Then its
 * timers are closed; logsink_free after the loop has ended. */
void logsink_close(struct logsink *logsink);
void logsink_free(struct logsink *logsink);

#endif
