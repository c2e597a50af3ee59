#include "logqueue.h"

#include <stdlib.h>
#include <string.h>

struct logqueue_line {
    TAILQ_ENTRY(logqueue_line) next;
    size_t len, gone;
    char octets[];
};

static void
set_wake(struct logqueue *q)
{
    uint64_t at = TAILQ_EMPTY(&q->lines) ? LOGQUEUE_NEVER : q->retry;

    for (size_t i = 0; i < LOGQUEUE_REPEATS; i++)
        if (q->repeats[i].text.len != 0 &&
            q->repeats[i].since + LOGQUEUE_MINUTE < at)
            at = q->repeats[i].since + LOGQUEUE_MINUTE;
    q->ops->wake(q->ctx, at);
}

/* ---- the queue ----------------------------------------------------------- */

static void
drop(struct logqueue *q)
{
    q->dropped++;
    q->dropped_total++;
}

/* True when it is off our hands, written or given up. */
static bool
try_write(struct logqueue *q, struct slice octets, size_t *gone, uint64_t now)
{
    while (*gone < octets.len) {
        size_t count = 0;
        switch (q->ops->write(q->ctx, slice_tail(octets, *gone), &count)) {
        case LOGQUEUE_DONE:
            *gone += count;
            q->interval = LOGQUEUE_RETRY;
            break;
        case LOGQUEUE_AGAIN:
            return false;
        case LOGQUEUE_GONE:
            if (now - q->connected < LOGQUEUE_RECONNECT)
                return false;
            q->connected = now;
            if (!q->ops->reconnect(q->ctx))
                return false;
            break;
        case LOGQUEUE_REFUSED:
            drop(q);
            return true;
        }
    }
    return true;
}

static void
enqueue(struct logqueue *q, struct slice octets, size_t gone, uint64_t now)
{
    struct logqueue_line *line = NULL;

    if (q->octets + octets.len <= LOGQUEUE_OCTETS)
        line = mem_try(sizeof(*line) + octets.len);
    if (line == NULL) {
        drop(q);
        return;
    }
    line->len = octets.len;
    line->gone = gone;
    memcpy(line->octets, octets.ptr, octets.len);
    if (TAILQ_EMPTY(&q->lines)) {
        q->interval = LOGQUEUE_RETRY;
        q->retry = now + LOGQUEUE_RETRY;
    }
    TAILQ_INSERT_TAIL(&q->lines, line, next);
    q->octets += octets.len;
}

static void
deliver(struct logqueue *q, enum log_level level, struct slice text,
        uint64_t now)
{
    struct buf dressed = { 0 };
    size_t gone = 0;

    q->ops->dress(q->ctx, level, q->format, text, &dressed);
    if (!TAILQ_EMPTY(&q->lines) ||
        !try_write(q, buf_slice(&dressed), &gone, now))
        enqueue(q, buf_slice(&dressed), gone, now);
    buf_free(&dressed);
}

/* A line of our own, which no session and no level filter has seen. */
static void
say_dropped(struct logqueue *q, uint64_t now)
{
    struct buf line = { 0 };

    buf_printf(&line,
               q->format == LOG_FORMAT_JSON
                   ? "{\"message\": \"log: %llu lines dropped\"}"
                   : "log: %llu lines dropped",
               (unsigned long long)q->dropped);
    q->dropped = 0;
    deliver(q, LOG_LEVEL_WARNING, buf_slice(&line), now);
    buf_free(&line);
}

bool
logqueue_drain(struct logqueue *q, uint64_t now)
{
    struct logqueue_line *line;

    while ((line = TAILQ_FIRST(&q->lines)) != NULL) {
        struct slice octets = { line->octets, line->len };
        if (!try_write(q, octets, &line->gone, now))
            return false;
        TAILQ_REMOVE(&q->lines, line, next);
        q->octets -= line->len;
        free(line);
    }
    if (q->dropped != 0)
        say_dropped(q, now);
    return true;
}

/* ---- repeated trouble ---------------------------------------------------- */

static void
end_repeat(struct logqueue *q, struct logqueue_repeat *repeat, uint64_t now)
{
    if (repeat->more != 0) {
        struct slice said = buf_slice(&repeat->text);
        struct buf text = { 0 };
        if (q->format == LOG_FORMAT_JSON) /* without its braces */
            buf_printf(&text, "{%.*s, \"more\": %u}", SLICE_ARG(said),
                       repeat->more);
        else
            buf_printf(&text, "%.*s, %u more in 60 s", SLICE_ARG(said),
                       repeat->more);
        deliver(q, repeat->level, buf_slice(&text), now);
        buf_free(&text);
    }
    buf_free(&repeat->text);
    repeat->more = 0;
}

/* The place of a line in the list: of the same line, a free one, or of the
 * oldest. */
static struct logqueue_repeat *
place_of(struct logqueue *q, struct slice said)
{
    struct logqueue_repeat *place = NULL;

    for (size_t i = 0; i < LOGQUEUE_REPEATS; i++) {
        struct logqueue_repeat *repeat = &q->repeats[i];
        if (repeat->text.len != 0 &&
            slice_equal(buf_slice(&repeat->text), said))
            return repeat;
        if (place == NULL ||
            (place->text.len != 0 &&
             (repeat->text.len == 0 || repeat->since < place->since)))
            place = repeat;
    }
    return place;
}

/* Was this said in the last minute? Else remember that it is now. */
static bool
is_repeated(struct logqueue *q, const struct log_line *line, uint64_t now)
{
    struct slice said = log_said(line);
    struct logqueue_repeat *repeat = place_of(q, said);

    if (slice_equal(buf_slice(&repeat->text), said) &&
        now - repeat->since < LOGQUEUE_MINUTE) {
        repeat->more++;
        return true;
    }
    end_repeat(q, repeat, now);
    buf_append(&repeat->text, said);
    repeat->since = now;
    repeat->level = line->level;
    return false;
}

/* ---- events -------------------------------------------------------------- */

void
logqueue_write(struct logqueue *q, const struct log_line *line, uint64_t now)
{
    bool is_trouble =
        line->kind == LOG_SENTENCE && line->level <= LOG_LEVEL_WARNING;
    bool was_empty = TAILQ_EMPTY(&q->lines);

    if (is_trouble && is_repeated(q, line, now))
        return;
    deliver(q, line->level, buf_slice(&line->text), now);
    if (is_trouble || was_empty != TAILQ_EMPTY(&q->lines))
        set_wake(q);
}

void
logqueue_on_time(struct logqueue *q, uint64_t now)
{
    if (!TAILQ_EMPTY(&q->lines) && q->retry <= now) {
        q->interval = q->interval < LOGQUEUE_RETRY_MOST ? 2 * q->interval
                                                        : LOGQUEUE_RETRY_MOST;
        logqueue_drain(q, now);
        q->retry = now + q->interval;
    }
    for (size_t i = 0; i < LOGQUEUE_REPEATS; i++)
        if (q->repeats[i].text.len != 0 &&
            now - q->repeats[i].since >= LOGQUEUE_MINUTE)
            end_repeat(q, &q->repeats[i], now);
    set_wake(q);
}

void
logqueue_sum_up(struct logqueue *q, uint64_t now)
{
    for (size_t i = 0; i < LOGQUEUE_REPEATS; i++)
        end_repeat(q, &q->repeats[i], now);
    set_wake(q);
}

/* ---- its life ------------------------------------------------------------ */

void
logqueue_init(struct logqueue *q, const struct logqueue_ops *ops, void *ctx,
              uint64_t now)
{
    *q = (struct logqueue){ .ops = ops, .ctx = ctx, .connected = now };
    TAILQ_INIT(&q->lines);
}

void
logqueue_change(struct logqueue *q, enum log_format format, uint64_t now)
{
    q->format = format;
    q->connected = now;
}

void
logqueue_free(struct logqueue *q)
{
    struct logqueue_line *line;

    while ((line = TAILQ_FIRST(&q->lines)) != NULL) {
        TAILQ_REMOVE(&q->lines, line, next);
        free(line);
    }
    for (size_t i = 0; i < LOGQUEUE_REPEATS; i++)
        buf_free(&q->repeats[i].text);
}
