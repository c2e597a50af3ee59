/* The log queue: what waits, what is dropped, what is said once a minute. */
#include "service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct {
    struct logqueue queue;
    struct log_sink sink;
    struct buf written;
    size_t takes; /* octets that the target takes now */
    enum logqueue_result else_says;
    unsigned reconnects;
    bool reconnected;
    uint64_t now, wake;
} world;

static void
op_dress(void *ctx, enum log_level level, enum log_format format,
         struct slice line, struct buf *out)
{
    (void)ctx;
    (void)format;
    buf_printf(out, "%d %.*s\n", level, SLICE_ARG(line));
}

static enum logqueue_result
op_write(void *ctx, struct slice octets, size_t *gone)
{
    (void)ctx;
    if (world.takes == 0)
        return world.else_says;
    octets = slice_head(octets, world.takes);
    world.takes -= octets.len;
    *gone = octets.len;
    buf_append(&world.written, octets);
    return LOGQUEUE_DONE;
}

static bool
op_reconnect(void *ctx)
{
    (void)ctx;
    world.reconnects++;
    if (world.reconnected)
        world.takes = SIZE_MAX;
    return world.reconnected;
}

static void
op_wake(void *ctx, uint64_t at)
{
    (void)ctx;
    world.wake = at;
}

static const struct logqueue_ops ops = { op_dress, op_write, op_reconnect,
                                         op_wake };

static void
write_line(void *ctx, const struct log_line *line)
{
    (void)ctx;
    logqueue_write(&world.queue, line, world.now);
}

static int
set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    world.takes = SIZE_MAX;
    world.else_says = LOGQUEUE_AGAIN;
    world.now = 5000;
    world.wake = LOGQUEUE_NEVER;
    world.sink.level = LOG_LEVEL_INFO;
    world.sink.write = write_line;
    logqueue_init(&world.queue, &ops, NULL, world.now);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    logqueue_free(&world.queue);
    buf_free(&world.written);
    return 0;
}

static void
at(uint64_t now)
{
    while (world.wake <= now) {
        if (world.wake > world.now)
            world.now = world.wake;
        world.wake = LOGQUEUE_NEVER;
        logqueue_on_time(&world.queue, world.now);
    }
    world.now = now;
}

static void
warn(const char *id, const char *text)
{
    log_message(&world.sink, LOG_LEVEL_WARNING, slice_from(id), "%s", text);
}

static void
check(const char *want)
{
    assert_string_equal(buf_cstr(&world.written), want);
    buf_clear(&world.written);
}

static void
in_order_with_no_octet_lost(void **state)
{
    (void)state;
    log_message(&world.sink, LOG_LEVEL_INFO, SLICE_OF(""), "one");
    world.takes = 3;
    log_message(&world.sink, LOG_LEVEL_INFO, SLICE_OF(""), "two");
    log_message(&world.sink, LOG_LEVEL_INFO, SLICE_OF(""), "three");
    check("2 one\n2 t");
    assert_int_equal(world.wake, 5000 + LOGQUEUE_RETRY);
    at(5000 + LOGQUEUE_RETRY);
    assert_int_equal(world.wake, 5000 + 3 * LOGQUEUE_RETRY); /* doubled */
    at(8000);
    assert_in_range(world.wake, 8001, 8000 + LOGQUEUE_RETRY_MOST);
    world.takes = SIZE_MAX;
    at(9000);
    check("wo\n2 three\n");
    assert_true(world.wake == LOGQUEUE_NEVER);
    assert_int_equal(world.queue.octets, 0);
}

static void
too_much_is_dropped_and_counted(void **state)
{
    char text[1001] = { 0 };
    unsigned lines = 2000, kept = 0;

    (void)state;
    memset(text, 'x', 1000);
    world.takes = 0;
    for (unsigned i = 0; i < lines; i++)
        log_message(&world.sink, LOG_LEVEL_INFO, SLICE_OF(""), "%s", text);
    assert_true(world.queue.octets <= LOGQUEUE_OCTETS);
    uint64_t dropped = world.queue.dropped_total;
    world.takes = SIZE_MAX;
    at(world.now + 1000);
    struct slice rest = buf_slice(&world.written);
    for (; rest.len > 1000; kept++)
        slice_cut(&rest, '\n');
    assert_int_equal(kept + dropped, lines);
    snprintf(text, sizeof(text), "1 log: %u lines dropped\n",
             (unsigned)dropped);
    assert_true(slice_equal(rest, slice_from(text)));
    assert_int_equal(world.queue.dropped_total, dropped);
}

static void
connects_again_once_a_second(void **state)
{
    (void)state;
    world.takes = 0;
    world.else_says = LOGQUEUE_GONE;
    log_message(&world.sink, LOG_LEVEL_INFO, SLICE_OF(""), "one");
    assert_int_equal(world.reconnects, 0);
    at(5000 + LOGQUEUE_RECONNECT + LOGQUEUE_RETRY_MOST);
    assert_int_equal(world.reconnects, 1);
    at(5000 + 3 * LOGQUEUE_RECONNECT);
    assert_in_range(world.reconnects, 2, 3);
    world.reconnected = true;
    at(5000 + 5 * LOGQUEUE_RECONNECT);
    check("2 one\n");
}

static void
what_cannot_be_written_is_counted(void **state)
{
    (void)state;
    world.takes = 0;
    world.else_says = LOGQUEUE_REFUSED;
    log_message(&world.sink, LOG_LEVEL_INFO, SLICE_OF(""), "one");
    assert_int_equal(world.queue.dropped_total, 1);
    assert_int_equal(world.queue.octets, 0);
}

static void
trouble_once_a_minute(void **state)
{
    struct log_line line;

    (void)state;
    warn("a1", "no space");
    warn("b2", "no space");
    warn("", "no space");
    warn("", "status: no memory");
    check("1 a1: no space\n1 status: no memory\n");
    log_message(&world.sink, LOG_LEVEL_INFO, SLICE_OF(""), "no space");
    check("2 no space\n");
    /* What became of a transaction is never left out. */
    for (int i = 0; i < 2; i++) {
        log_begin(&line, &world.sink, LOG_LEVEL_WARNING, SLICE_OF("a1"));
        log_value(&line, "reason", SLICE_OF("x"));
        log_end(&line, &world.sink);
    }
    check("1 a1: reason=x\n1 a1: reason=x\n");
    at(5000 + LOGQUEUE_MINUTE - 1);
    check("");
    at(5000 + LOGQUEUE_MINUTE);
    check("1 no space, 2 more in 60 s\n");
    warn("c3", "no space");
    check("1 c3: no space\n");
    warn("c3", "no space");
    logqueue_sum_up(&world.queue, world.now);
    check("1 no space, 1 more in 60 s\n");
    assert_true(world.wake == LOGQUEUE_NEVER);
}

static void
trouble_in_json(void **state)
{
    (void)state;
    world.sink.format = LOG_FORMAT_JSON;
    logqueue_change(&world.queue, LOG_FORMAT_JSON, world.now);
    warn("a1", "no space");
    warn("", "no space");
    check("1 {\"id\": \"a1\", \"message\": \"no space\"}\n");
    at(5000 + LOGQUEUE_MINUTE);
    check("1 {\"message\": \"no space\", \"more\": 1}\n");
}

/* More different ones than are remembered: the oldest makes room. */
static void
the_oldest_repeat_is_forgotten(void **state)
{
    char text[32];

    (void)state;
    for (int i = 0; i < LOGQUEUE_REPEATS + 1; i++) {
        snprintf(text, sizeof(text), "trouble %d", i);
        at(world.now + 1);
        warn("", text);
        if (i == 0)
            warn("", text);
    }
    assert_non_null(strstr(buf_cstr(&world.written),
                           "1 trouble 0, 1 more in 60 s\n1 trouble 16\n"));
    buf_clear(&world.written);
    warn("", "trouble 1");
    warn("", "trouble 15");
    warn("", "trouble 16");
    check("");
    warn("", "trouble 0");
    check("1 trouble 1, 1 more in 60 s\n1 trouble 0\n");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(in_order_with_no_octet_lost),
        ROW(too_much_is_dropped_and_counted),
        ROW(connects_again_once_a_second),
        ROW(what_cannot_be_written_is_counted),
        ROW(trouble_once_a_minute),
        ROW(trouble_in_json),
        ROW(the_oldest_repeat_is_forgotten),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
