#include "loop.h"

#include <time.h>

void
loop_open(struct loop *loop, const struct log_sink *log)
{
    uv_loop_init(&loop->uv);
    loop->log = log;
    TAILQ_INIT(&loop->later);
    uv_idle_init(&loop->uv, &loop->idle);
    loop->idle.data = loop;
}

void
loop_close(struct loop *loop)
{
    uv_close((uv_handle_t *)&loop->idle, NULL);
}

void
loop_free(struct loop *loop)
{
    uv_loop_close(&loop->uv);
}

static void
on_idle(uv_idle_t *idle)
{
    struct loop *loop = idle->data;

    /* What these queue again is for the next turn: the sockets come first. */
    for (size_t due = loop->later_count; due != 0; due--) {
        struct later *later = TAILQ_FIRST(&loop->later);
        if (later == NULL)
            break;
        loop_not_later(loop, later);
        later->run(later);
    }
}

void
loop_later(struct loop *loop, struct later *later)
{
    if (later->queued)
        return;
    later->queued = true;
    TAILQ_INSERT_TAIL(&loop->later, later, next);
    if (loop->later_count++ == 0)
        uv_idle_start(&loop->idle, on_idle);
}

void
loop_not_later(struct loop *loop, struct later *later)
{
    if (!later->queued)
        return;
    later->queued = false;
    TAILQ_REMOVE(&loop->later, later, next);
    if (--loop->later_count == 0)
        uv_idle_stop(&loop->idle);
}

void
loop_log(const struct loop *loop, enum log_level level, const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    log_message(loop->log, level, (struct slice){ 0 }, "%.*s",
                SLICE_ARG(buf_slice(&text)));
    buf_free(&text);
}

uint64_t
clock_ms(void)
{
    return uv_hrtime() / 1000000;
}

struct relay_time
clock_now(void)
{
    struct timespec wall;

    clock_gettime(CLOCK_REALTIME, &wall);
    return (struct relay_time){ .wall = wall.tv_sec, .ms = clock_ms() };
}
