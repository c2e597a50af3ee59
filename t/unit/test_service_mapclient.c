/* The socketmap client: each question has one answer, its own, in time. */
#include "service_maps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
    NOT_YET = 0
};

static int
set_up(void **state)
{
    static struct maps maps;

    maps_open(&maps);
    *state = &maps;
    return 0;
}

static int
tear_down(void **state)
{
    maps_close(*state);
    return 0;
}

/* A channel that is connected and has answered once. */
static void
use_one(struct maps *maps)
{
    struct maps_question q = { 0 };

    maps_ask(maps, &q, "first");
    maps_connected(maps, 0);
    maps_says(maps, 0, "9:NOTFOUND ,");
    assert_int_equal(q.answers, 1);
}

/* ---- one question ------------------------------------------------------- */

static const struct row {
    const char *name;
    const char *says;
    unsigned answers;
    enum table_status status;
    const char *value;
    unsigned channels; /* that are open afterwards */
} rows[] = {
    { "found", "11:OK x@b.test,", 1, TABLE_FOUND, "x@b.test", 1 },
    { "not found", "9:NOTFOUND ,", 1, TABLE_MISS, "", 1 },
    { "trouble", "8:TEMP bad,", 1, TABLE_ERROR, "TEMP bad", 1 },
    { "timeout", "9:TIMEOUT x,", 1, TABLE_ERROR, "TIMEOUT x", 1 },
    { "no value", "3:OK ,", 1, TABLE_ERROR, "OK ", 1 },
    { "no status", "0:,", 1, TABLE_ERROR, "", 1 },
    { "lower case", "11:ok x@b.test,", 1, TABLE_ERROR, "ok x@b.test", 1 },
    { "not all yet", "11:OK x@b.tes", NOT_YET, TABLE_FOUND, "", 1 },
    { "shorter than it says", "5:OK x@b.test,", 1, TABLE_ERROR, "", 0 },
    { "twice", "4:OK x,4:OK y,", 1, TABLE_ERROR, "", 0 },
    { "and a beginning", "4:OK x,5", 1, TABLE_ERROR, "", 0 },
    { "too long", "100001:", 1, TABLE_ERROR, "", 0 },
    { "zeros", "004:OK x,", 1, TABLE_ERROR, "", 0 },
    { "negative", "-4:OK x,", 1, TABLE_ERROR, "", 0 },
    { "garbage", "zzz", 1, TABLE_ERROR, "", 0 },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
says(void **state, bool bytewise)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        struct maps maps;
        struct maps_question q = { 0 };

        maps_open(&maps);
        *state = &maps;
        print_message("# %s\n", row->name);
        maps_ask(&maps, &q, "key");
        assert_string_equal(maps_sent(&maps, 0), "");
        maps_connected(&maps, 0);
        assert_string_equal(maps_sent(&maps, 0), "5:m key,");
        if (!bytewise)
            maps_says(&maps, 0, row->says);
        for (const char *c = row->says; bytewise && *c != '\0'; c++)
            if (maps.channels[0] != NULL)
                maps_says(&maps, 0, (const char[]){ *c, '\0' });
        if (!bytewise || row->channels != 0 || row->answers == NOT_YET) {
            assert_int_equal(q.answers, row->answers);
            assert_int_equal(q.status, row->status);
            assert_string_equal(q.value, row->value);
        }
        assert_int_equal(maps_count(&maps), row->channels);
        maps_at(&maps, 3000);
        assert_int_equal(q.answers, 1);
        maps_close(&maps);
    }
}

static void
whole(void **state)
{
    says(state, false);
}

static void
bytewise(void **state)
{
    says(state, true);
}

static void
answers_are_in_time(void **state)
{
    struct maps *maps = *state;
    struct maps_question q = { 0 };

    maps_ask(maps, &q, "key");
    maps_connected(maps, 0);
    for (int i = 0; i < 19; i++) {
        maps_at(maps, maps->now + 100);
        maps_says(maps, 0, i == 0 ? "50:OK " : "x");
    }
    assert_int_equal(q.answers, 0);
    maps_at(maps, 2999);
    assert_int_equal(q.answers, 0);
    maps_at(maps, 3000);
    assert_int_equal(q.answers, 1);
    assert_int_equal(q.status, TABLE_ERROR);
    assert_int_equal(maps_count(maps), 0);
    assert_int_equal(maps->warnings, 1);
}

/* ---- one after the other ------------------------------------------------ */

/* The asker asks again from within the answer, as a client of the socketmap
 * server that pipelines makes it do. The channel that ran out of time is not
 * what its question goes out on: it is closed, and would answer the first. */
static void
asks_again_when_late(void **state)
{
    struct maps *maps = *state;
    struct maps_question third = { .key = "third" };
    struct maps_question second = { .key = "second", .then = &third };
    struct maps_question first = { .then = &second };

    maps_ask(maps, &first, "first");
    maps_connected(maps, 0);
    maps_at(maps, 3000);
    assert_int_equal(first.status, TABLE_ERROR);
    assert_int_equal(second.answers, 0);
    assert_null(maps->channels[0]);
    assert_int_equal(maps->opened, 2);
    maps_connected(maps, 1);
    assert_string_equal(maps_sent(maps, 1), "8:m second,");
    maps_says(maps, 1, "4:OK b,");
    assert_string_equal(second.value, "b");
    assert_string_equal(maps_sent(maps, 1), "7:m third,");
    maps_at(maps, 5000);
    assert_int_equal(third.answers, 1);
    assert_int_equal(third.status, TABLE_ERROR);
    assert_int_equal(maps_count(maps), 0);
}

static void
asks_again_when_lost(void **state)
{
    struct maps *maps = *state;
    struct maps_question second = { .key = "second" };
    struct maps_question first = { .then = &second };

    maps_ask(maps, &first, "first");
    maps_connected(maps, 0);
    maps_says(maps, 0, "zzz");
    assert_int_equal(first.status, TABLE_ERROR);
    assert_null(maps->channels[0]);
    maps_connected(maps, 1);
    maps_says(maps, 1, "4:OK b,");
    assert_string_equal(second.value, "b");
}

static void
old_answers_are_not_taken(void **state)
{
    struct maps *maps = *state;
    struct maps_question q = { 0 }, r = { 0 };

    use_one(maps);
    /* It was said again, and is not read yet when the next is asked. */
    maps->channels[0]->unread = true;
    maps_ask(maps, &q, "second");
    assert_null(maps->channels[0]);
    assert_int_equal(maps->opened, 2);
    maps_connected(maps, 1);
    maps_says(maps, 1, "4:OK b,");
    assert_string_equal(q.value, "b");
    /* It is read while nothing is asked. */
    maps_says(maps, 1, "4:OK b,");
    assert_null(maps->channels[1]);
    maps_ask(maps, &r, "third");
    assert_int_equal(maps->opened, 3);
    maps_lost(maps, 2);
    assert_int_equal(r.status, TABLE_ERROR);
}

static void
retries_once_on_a_used_channel(void **state)
{
    struct maps *maps = *state;
    struct maps_question q = { 0 };

    use_one(maps);
    maps_ask(maps, &q, "second");
    assert_string_equal(maps_sent(maps, 0), "8:m second,");
    maps_lost(maps, 0);
    assert_int_equal(q.answers, 0);
    maps_connected(maps, 1);
    assert_string_equal(maps_sent(maps, 1), "8:m second,");
    maps_lost(maps, 1);
    assert_int_equal(q.answers, 1);
    assert_int_equal(q.status, TABLE_ERROR);
    assert_int_equal(maps->opened, 2);
}

static void
does_not_retry_on_a_new_channel(void **state)
{
    struct maps *maps = *state;
    struct maps_question q = { 0 };

    maps_ask(maps, &q, "first");
    maps_connected(maps, 0);
    maps_lost(maps, 0);
    assert_int_equal(q.answers, 1);
    assert_int_equal(maps->opened, 1);
}

static void
does_not_retry_what_was_answered_in_part(void **state)
{
    struct maps *maps = *state;
    struct maps_question q = { 0 };

    use_one(maps);
    maps_ask(maps, &q, "second");
    maps_says(maps, 0, "5:O");
    maps_lost(maps, 0);
    assert_int_equal(q.answers, 1);
    assert_int_equal(q.status, TABLE_ERROR);
}

/* ---- many --------------------------------------------------------------- */

static void
four_channels_at_most(void **state)
{
    struct maps *maps = *state;
    struct maps_question q[9] = { 0 };

    for (size_t i = 0; i < 9; i++)
        maps_ask(maps, &q[i], "key");
    assert_int_equal(maps->opened, 1); /* one connects at a time */
    for (unsigned i = 0; i < maps->opened; i++)
        maps_connected(maps, i);
    assert_int_equal(maps->opened, MAPCLIENT_CHANNELS);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < MAPCLIENT_CHANNELS; i++)
            maps_says(maps, i, "4:OK x,");
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(q[i].answers, 1);
    assert_int_equal(q[8].answers, 0);
    maps_says(maps, 0, "4:OK x,");
    assert_int_equal(q[8].answers, 1);
    assert_int_equal(maps->opened, MAPCLIENT_CHANNELS);
}

static void
refused_is_told_at_once(void **state)
{
    struct maps *maps = *state;
    struct maps_question q = { 0 }, r = { 0 };

    maps->refuses = true;
    maps_ask(maps, &q, "key");
    assert_int_equal(q.answers, 0); /* not from within */
    maps_at(maps, maps->now);
    assert_int_equal(q.answers, 1);
    maps->refuses = false;
    maps_ask(maps, &q, "key");
    maps_ask(maps, &r, "key");
    maps_lost(maps, 0);
    assert_int_equal(q.answers, 2);
    assert_int_equal(r.answers, 1);
    assert_int_equal(maps->now, 1000);
}

static void
on_last_answer(struct map_question *question, enum table_status status,
               struct slice value, uint64_t now)
{
    struct maps *maps = question->ctx;

    (void)status;
    (void)value;
    (void)now;
    mapclient_close(maps->client);
}

/* The process stops with its last query. */
static void
closed_from_within_the_last_answer(void **state)
{
    struct maps *maps = *state;
    struct table_query query = { &maps_table, SLICE("key") };
    struct map_question q = { .ctx = maps, .on_answer = on_last_answer };

    use_one(maps);
    mapclient_ask(maps->client, &q, &query, maps->now);
    maps_says(maps, 0, "4:OK x,");
    assert_int_equal(maps_count(maps), 0);
    assert_true(maps->wake == MAPCLIENT_NEVER);
}

static void
unused_channels_are_closed(void **state)
{
    struct maps *maps = *state;

    use_one(maps);
    maps_at(maps, 1000 + MAPCLIENT_IDLE_TIME - 1);
    assert_int_equal(maps_count(maps), 1);
    maps_at(maps, 1000 + MAPCLIENT_IDLE_TIME);
    assert_int_equal(maps_count(maps), 0);
    assert_true(maps->wake == MAPCLIENT_NEVER);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(bytewise),
        ROW(answers_are_in_time),
        ROW(asks_again_when_late),
        ROW(asks_again_when_lost),
        ROW(old_answers_are_not_taken),
        ROW(retries_once_on_a_used_channel),
        ROW(does_not_retry_on_a_new_channel),
        ROW(does_not_retry_what_was_answered_in_part),
        ROW(four_channels_at_most),
        ROW(refused_is_told_at_once),
        ROW(closed_from_within_the_last_answer),
        ROW(unused_channels_are_closed),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
