/*
 * Log lines of the whole process: the queue (lib/service/logqueue.h) with its
 * target and its timer.
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
