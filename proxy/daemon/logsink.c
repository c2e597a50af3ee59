#include "logsink.h"

#include "logtarget.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
    QUEUE_MAX = 1024 * 1024, /* octets */
    RETRY = 10,              /* ms, while lines wait; doubled as long as */
    RETRY_MAX = 160,         /* nothing moves */
    RECONNECT = 1000,        /* ms, at most one attempt */
    REPEATS = 16,            /* different lines of trouble in a minute */
    REPEAT_TIME = 60 * 1000,
    REPEAT_LOOK = 5000, /* how often we look whether a minute is over */
    CLOSE_ROUNDS = 10,  /* of 100 ms */
};

struct queued {
    TAILQ_ENTRY(queued) next;
    size_t len, gone;
    char octets[];
};

/* A line of trouble that was written less than a minute ago. */
struct repeat {
    struct buf text; /* empty: free */
    enum log_level level;
    uint64_t since;
    unsigned more;
};

struct logsink {
    uv_loop_t *loop;
    struct logtarget target;
    enum log_format format;
    TAILQ_HEAD(, queued) queue;
    size_t queued;    /* octets */
    uint64_t dropped; /* and not said yet */
    uint64_t dropped_total;
    uint64_t written;   /* octets, ever */
    unsigned interval;  /* of retry */
    uint64_t connected; /* when that was tried, ms */
    struct repeat repeats[REPEATS];
    uv_timer_t retry;
    uv_timer_t repeat;
};

static void on_retry(uv_timer_t *timer);
static void on_repeat(uv_timer_t *timer);

static uint64_t
now_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* ---- the queue --------------------------------------------------------- */

static void
drop(struct logsink *s)
{
    s->dropped++;
    s->dropped_total++;
}

uint64_t
logsink_dropped(const struct logsink *logsink)
{
    return logsink->dropped_total;
}

/* True when it is off our hands, written or given up. */
static bool
try_write(struct logsink *s, struct slice octets, size_t *gone)
{
    while (*gone < octets.len) {
        size_t count;
        switch (
            logtarget_write(&s->target, slice_tail(octets, *gone), &count)) {
        case LOGTARGET_DONE:
            *gone += count;
            s->written += count;
            break;
        case LOGTARGET_AGAIN:
            return false;
        case LOGTARGET_GONE:
            if (now_ms() - s->connected < RECONNECT)
                return false;
            s->connected = now_ms();
            if (!logtarget_reconnect(&s->target))
                return false;
            break;
        case LOGTARGET_NEVER:
            drop(s);
            return true;
        }
    }
    return true;
}

static void
enqueue(struct logsink *s, struct slice octets, size_t gone)
{
    struct queued *queued = NULL;

    if (s->queued + octets.len <= QUEUE_MAX)
        queued = mem_try(sizeof(*queued) + octets.len);
    if (queued == NULL) {
        drop(s);
        return;
    }
    queued->len = octets.len;
    queued->gone = gone;
    memcpy(queued->octets, octets.ptr, octets.len);
    TAILQ_INSERT_TAIL(&s->queue, queued, next);
    s->queued += octets.len;
    if (!uv_is_active((uv_handle_t *)&s->retry)) {
        s->interval = RETRY;
        uv_timer_start(&s->retry, on_retry, RETRY, 0);
    }
}

static void
deliver(struct logsink *s, enum log_level level, struct slice line)
{
    struct buf dressed = { 0 };
    size_t gone = 0;

    logtarget_dress(&s->target, level, s->format, line, &dressed);
    if (!TAILQ_EMPTY(&s->queue) || !try_write(s, buf_slice(&dressed), &gone))
        enqueue(s, buf_slice(&dressed), gone);
    buf_free(&dressed);
}

/* A line of our own, which no session and no level filter has seen. */
static void
deliver_text(struct logsink *s, enum log_level level, struct slice text)
{
    struct buf line = { 0 };

    switch (s->format) {
    case LOG_FORMAT_JSON:
        buf_puts(&line, "{\"message\": \"");
        log_escape_json(&line, text);
        buf_puts(&line, "\"}");
        break;
    case LOG_FORMAT_TEXT:
        log_escape_text(&line, text);
        break;
    }
    deliver(s, level, buf_slice(&line));
    buf_free(&line);
}

static void
drain_queue(struct logsink *s)
{
    struct queued *queued;

    while ((queued = TAILQ_FIRST(&s->queue)) != NULL) {
        struct slice octets = { queued->octets, queued->len };
        if (!try_write(s, octets, &queued->gone))
            return;
        TAILQ_REMOVE(&s->queue, queued, next);
        s->queued -= queued->len;
        free(queued);
    }
    if (s->dropped != 0) {
        struct buf text = { 0 };
        buf_printf(&text, "log: %llu lines dropped",
                   (unsigned long long)s->dropped);
        s->dropped = 0;
        deliver_text(s, LOG_LEVEL_WARNING, buf_slice(&text));
        buf_free(&text);
    }
}

static void
on_retry(uv_timer_t *timer)
{
    struct logsink *s = timer->data;
    uint64_t before = s->written;

    drain_queue(s);
    s->interval = s->written != before      ? RETRY
                  : s->interval < RETRY_MAX ? 2 * s->interval
                                            : RETRY_MAX;
    if (!TAILQ_EMPTY(&s->queue))
        uv_timer_start(timer, on_retry, s->interval, 0);
}

/* ---- repeated trouble -------------------------------------------------- */

/* What a line says, without the session it is about. */
static struct slice
substance(enum log_format format, struct slice line)
{
    struct slice rest = line, id;

    switch (format) {
    case LOG_FORMAT_JSON:
        if (slice_starts_nocase(line, SLICE_OF("{\"id\": "))) {
            slice_cut(&rest, ',');
            return rest;
        }
        return line;
    case LOG_FORMAT_TEXT:
        id = slice_cut(&rest, ':');
        for (size_t i = 0; i < id.len; i++)
            if (!ascii_is_alnum(id.ptr[i]))
                return line;
        return rest.len != 0 ? rest : line;
    }
    return line;
}

static bool
is_trouble(enum log_level level, struct slice line)
{
    return level <= LOG_LEVEL_WARNING &&
           memmem(line.ptr, line.len, "status", sizeof("status") - 1) == NULL;
}

static void
end_repeat(struct logsink *s, struct repeat *repeat)
{
    if (repeat->more != 0) {
        struct slice line = buf_slice(&repeat->text);
        struct buf text = { 0 };
        switch (s->format) {
        case LOG_FORMAT_JSON: /* {"message": "...", "more": 4} */
            if (line.len != 0 && line.ptr[0] != '{')
                buf_putc(&text, '{');
            buf_append(&text, slice_head(line, line.len - 1));
            buf_printf(&text, ", \"more\": %u}", repeat->more);
            break;
        case LOG_FORMAT_TEXT:
            buf_append(&text, slice_trim(line));
            buf_printf(&text, ", %u more in 60 s", repeat->more);
            break;
        }
        deliver(s, repeat->level, buf_slice(&text));
        buf_free(&text);
    }
    buf_free(&repeat->text);
    repeat->more = 0;
}

static void
on_repeat(uv_timer_t *timer)
{
    struct logsink *s = timer->data;
    bool any = false;

    for (size_t i = 0; i < REPEATS; i++) {
        struct repeat *repeat = &s->repeats[i];
        if (repeat->text.len == 0)
            continue;
        if (now_ms() - repeat->since >= REPEAT_TIME)
            end_repeat(s, repeat);
        else
            any = true;
    }
    if (!any)
        uv_timer_stop(timer);
}

/* Was this said in the last minute? Else remember that it is now. */
static bool
is_repeated(struct logsink *s, enum log_level level, struct slice line)
{
    struct slice text = substance(s->format, line);
    struct repeat *oldest = &s->repeats[0];

    for (size_t i = 0; i < REPEATS; i++) {
        struct repeat *repeat = &s->repeats[i];
        if (repeat->text.len != 0 &&
            slice_equal(buf_slice(&repeat->text), text)) {
            if (now_ms() - repeat->since < REPEAT_TIME) {
                repeat->more++;
                return true;
            }
            oldest = repeat;
            break;
        }
        if (repeat->since < oldest->since)
            oldest = repeat;
    }
    end_repeat(s, oldest);
    buf_append(&oldest->text, text);
    oldest->since = now_ms();
    oldest->level = level;
    if (!uv_is_active((uv_handle_t *)&s->repeat))
        uv_timer_start(&s->repeat, on_repeat, REPEAT_LOOK, REPEAT_LOOK);
    return false;
}

static void
write_line(void *ctx, enum log_level level, struct slice line)
{
    struct logsink *s = ctx;

    if (is_trouble(level, line) && is_repeated(s, level, line))
        return;
    deliver(s, level, line);
}

/* ---- its life ---------------------------------------------------------- */

static void
set_sink(struct logsink *s, const struct conf *conf, struct log_sink *sink)
{
    s->format = conf->log.format;
    *sink = (struct log_sink){ .write = write_line,
                               .ctx = s,
                               .level = conf->log.level,
                               .format = conf->log.format };
}

struct logsink *
logsink_open(uv_loop_t *loop, const struct conf *conf, struct log_sink *sink)
{
    struct logsink *s = mem_alloc(sizeof(*s));

    s->loop = loop;
    TAILQ_INIT(&s->queue);
    uv_timer_init(loop, &s->retry);
    uv_timer_init(loop, &s->repeat);
    uv_unref((uv_handle_t *)&s->retry); /* the loop does not run for them */
    uv_unref((uv_handle_t *)&s->repeat);
    s->retry.data = s;
    s->repeat.data = s;
    s->connected = now_ms();
    logtarget_open(&s->target, conf->log.target, conf->log.file);
    set_sink(s, conf, sink);
    return s;
}

void
logsink_sum_up(struct logsink *s)
{
    for (size_t i = 0; i < REPEATS; i++)
        end_repeat(s, &s->repeats[i]);
}

void
logsink_change(struct logsink *s, const struct conf *conf,
               struct log_sink *sink)
{
    logsink_sum_up(s); /* they are in the old format */
    logtarget_close(&s->target);
    buf_free(&s->target.path);
    s->connected = now_ms();
    logtarget_open(&s->target, conf->log.target, conf->log.file);
    set_sink(s, conf, sink);
}

void
logsink_close(struct logsink *s)
{
    logsink_sum_up(s);
    drain_queue(s);
    for (int i = 0; i < CLOSE_ROUNDS && !TAILQ_EMPTY(&s->queue); i++) {
        poll(NULL, 0, 100);
        drain_queue(s);
    }
    uv_close((uv_handle_t *)&s->retry, NULL);
    uv_close((uv_handle_t *)&s->repeat, NULL);
}

void
logsink_free(struct logsink *s)
{
    struct queued *queued;

    while ((queued = TAILQ_FIRST(&s->queue)) != NULL) {
        TAILQ_REMOVE(&s->queue, queued, next);
        free(queued);
    }
    logtarget_close(&s->target);
    buf_free(&s->target.path);
    free(s);
}
