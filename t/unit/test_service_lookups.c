/* Look-ups of sessions: shared, remembered for a while, bounded. */
#include "service_maps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct maps maps;
    struct lookups *lookups;
    unsigned later, observed;
};

struct asker {
    struct lookup lookup;
    unsigned answers;
    enum table_status status;
    char value[64];
};

static void
op_later(void *ctx)
{
    ((struct world *)ctx)->later++;
}

static void
op_observe(void *ctx, struct slice spec, enum table_status status,
           uint64_t milliseconds)
{
    (void)status;
    (void)milliseconds;
    assert_true(slice_equal(spec, maps_table.spec));
    ((struct world *)ctx)->observed++;
}

static const struct lookups_ops ops = { op_later, op_observe };

static int
set_up(void **state)
{
    static struct world world;

    world = (struct world){ .later = 0 };
    maps_open(&world.maps);
    world.lookups = lookups_new(world.maps.client, &ops, &world);
    *state = &world;
    return 0;
}

static int
tear_down(void **state)
{
    struct world *world = *state;

    lookups_free(world->lookups);
    maps_close(&world->maps);
    return 0;
}

static void
on_answer(struct lookup *lookup, const struct table_answer *answer)
{
    struct asker *asker = (struct asker *)lookup;
    struct slice value = slice_head(answer->value, sizeof(asker->value) - 1);

    asker->answers++;
    asker->status = answer->status;
    memcpy(asker->value, value.ptr != NULL ? value.ptr : "", value.len);
    asker->value[value.len] = '\0';
}

static void
ask(struct world *world, struct asker *asker, const char *key)
{
    struct table_query query = { &maps_table, slice_from(key) };
    unsigned answers = asker->answers;

    asker->lookup.on_answer = on_answer;
    lookups_ask(world->lookups, &asker->lookup, &query, world->maps.now);
    assert_int_equal(asker->answers, answers); /* not from within */
}

static void
one_question_for_all(void **state)
{
    struct world *world = *state;
    struct asker a = { 0 }, b = { 0 }, c = { 0 };

    ask(world, &a, "key");
    ask(world, &b, "key");
    maps_connected(&world->maps, 0);
    assert_string_equal(maps_sent(&world->maps, 0), "5:m key,");
    maps_says(&world->maps, 0, "4:OK x,");
    assert_string_equal(a.value, "x");
    assert_string_equal(b.value, "x");
    ask(world, &c, "key");
    assert_string_equal(maps_sent(&world->maps, 0), "");
    assert_int_equal(world->later, 1);
    lookups_deliver(world->lookups);
    assert_string_equal(c.value, "x");
    assert_int_equal(c.status, TABLE_FOUND);
    assert_int_equal(world->observed, 1);
}

/* Does the key have to be asked? The answer is then given. */
static bool
is_asked(struct world *world, const char *key, const char *says)
{
    struct asker a = { 0 };

    ask(world, &a, key);
    if (world->maps.channels[0] == NULL)
        fail_msg("there is no channel");
    bool asked = world->maps.channels[0]->sent.len != 0;
    if (asked)
        maps_says(&world->maps, 0, says);
    else
        lookups_deliver(world->lookups);
    assert_int_equal(a.answers, 1);
    return asked;
}

static void
connect_first(struct world *world)
{
    struct asker a = { 0 };

    ask(world, &a, "first");
    maps_connected(&world->maps, 0);
    maps_says(&world->maps, 0, "4:OK x,");
}

static void
each_has_its_time(void **state)
{
    struct world *world = *state;
    struct maps *maps = &world->maps;

    connect_first(world);
    assert_true(is_asked(world, "found", "4:OK x,"));
    assert_true(is_asked(world, "miss", "9:NOTFOUND ,"));
    assert_true(is_asked(world, "error", "6:TEMP x,"));
    assert_true(is_asked(world, "error", "6:TEMP x,"));
    maps_at(maps, 1000 + LOOKUPS_TIME_MISS - 1);
    assert_false(is_asked(world, "found", ""));
    assert_false(is_asked(world, "miss", ""));
    maps_at(maps, 1000 + LOOKUPS_TIME_MISS);
    assert_true(is_asked(world, "miss", "9:NOTFOUND ,"));
    maps_at(maps, 1000 + LOOKUPS_TIME_FOUND - 1);
    assert_false(is_asked(world, "found", ""));
    maps_at(maps, 1000 + LOOKUPS_TIME_FOUND);
    assert_true(is_asked(world, "found", "4:OK x,"));
    lookups_forget(world->lookups);
    assert_true(is_asked(world, "found", "4:OK x,"));
}

static void
the_oldest_is_forgotten(void **state)
{
    struct world *world = *state;
    char key[32];

    connect_first(world);
    for (int i = 0; i < LOOKUPS_ANSWERS; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        assert_true(is_asked(world, key, "9:NOTFOUND ,"));
    }
    assert_false(is_asked(world, "key0", ""));
    assert_true(is_asked(world, "one more", "9:NOTFOUND ,"));
    assert_true(is_asked(world, "key0", "9:NOTFOUND ,"));
    assert_false(is_asked(world, "key2", ""));
}

static void
the_size_is_bounded(void **state)
{
    struct world *world = *state;
    struct buf says = { 0 };
    char key[32];

    connect_first(world);
    buf_puts(&says, "50003:OK ");
    for (int i = 0; i < 50000; i++)
        buf_putc(&says, 'x');
    buf_puts(&says, ",");
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        assert_true(is_asked(world, key, buf_cstr(&says)));
    }
    assert_true(is_asked(world, "key0", "9:NOTFOUND ,"));
    assert_false(is_asked(world, "key99", ""));
    assert_false(is_asked(world, "key30", ""));
    buf_free(&says);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(one_question_for_all),
        ROW(each_has_its_time),
        ROW(the_oldest_is_forgotten),
        ROW(the_size_is_bounded),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
