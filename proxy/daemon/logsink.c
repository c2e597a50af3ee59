#include "logsink.h"

#include "logtarget.h"
#include "loop.h"

#include <poll.h>
#include <stdlib.h>

enum {
    CLOSE_ROUNDS = 10, /* of 100 ms */
};

struct logsink {
    struct logtarget target;
    struct logqueue queue;
    uv_timer_t timer;
};

static void
on_time(uv_timer_t *timer)
{
    struct logsink *s = timer->data;

    logqueue_on_time(&s->queue, clock_ms());
}

static void
op_dress(void *ctx, enum log_level level, enum log_format format,
         struct slice line, struct buf *out)
{
    struct logsink *s = ctx;

    logtarget_dress(&s->target, level, format, line, out);
}

static enum logqueue_result
op_write(void *ctx, struct slice octets, size_t *gone)
{
    struct logsink *s = ctx;

    return logtarget_write(&s->target, octets, gone);
}

static bool
op_reconnect(void *ctx)
{
    struct logsink *s = ctx;

    return logtarget_reconnect(&s->target);
}

static void
op_wake(void *ctx, uint64_t at)
{
    struct logsink *s = ctx;
    uint64_t now = clock_ms();

    if (at == LOGQUEUE_NEVER)
        uv_timer_stop(&s->timer);
    else if (!uv_is_closing((uv_handle_t *)&s->timer))
        uv_timer_start(&s->timer, on_time, at > now ? at - now : 0, 0);
}

static const struct logqueue_ops ops = {
    .dress = op_dress,
    .write = op_write,
    .reconnect = op_reconnect,
    .wake = op_wake,
};

static void
write_line(void *ctx, const struct log_line *line)
{
    struct logsink *s = ctx;

    logqueue_write(&s->queue, line, clock_ms());
}

static void
set_sink(struct logsink *s, const struct conf *conf, struct log_sink *sink)
{
    logtarget_open(&s->target, conf->log.target, conf->log.file);
    logqueue_change(&s->queue, conf->log.format, clock_ms());
    *sink = (struct log_sink){ .write = write_line,
                               .ctx = s,
                               .level = conf->log.level,
                               .format = conf->log.format };
}

struct logsink *
logsink_open(uv_loop_t *loop, const struct conf *conf, struct log_sink *sink)
{
    struct logsink *s = mem_alloc(sizeof(*s));

    uv_timer_init(loop, &s->timer);
    uv_unref((uv_handle_t *)&s->timer); /* the loop does not run for it */
    s->timer.data = s;
    logqueue_init(&s->queue, &ops, s, clock_ms());
    set_sink(s, conf, sink);
    return s;
}

uint64_t
logsink_dropped(const struct logsink *s)
{
    return s->queue.dropped_total;
}

void
logsink_sum_up(struct logsink *s)
{
    logqueue_sum_up(&s->queue, clock_ms());
}

void
logsink_change(struct logsink *s, const struct conf *conf,
               struct log_sink *sink)
{
    logsink_sum_up(s); /* they are in the old format */
    logtarget_close(&s->target);
    buf_free(&s->target.path);
    set_sink(s, conf, sink);
}

void
logsink_close(struct logsink *s)
{
    logsink_sum_up(s);
    for (int i = 0; !logqueue_drain(&s->queue, clock_ms()) && i < CLOSE_ROUNDS;
         i++)
        poll(NULL, 0, 100);
    uv_close((uv_handle_t *)&s->timer, NULL);
}

void
logsink_free(struct logsink *s)
{
    logqueue_free(&s->queue);
    logtarget_close(&s->target);
    buf_free(&s->target.path);
    free(s);
}
