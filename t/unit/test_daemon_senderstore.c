/* The store of long senders: what is kept, what gives way, what survives. */
#include "senderstore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    DAY = 86400,
    KEEP = 24 * DAY,
    NOW = 1767225600
};

static char directory[64];

static struct senderstore *
open_store(size_t room)
{
    struct buf why = { 0 };
    struct senderstore *store =
        senderstore_open(slice_from(directory), room, &why);

    if (store == NULL)
        fail_msg("%s", buf_cstr(&why));
    buf_free(&why);
    return store;
}

static enum table_status
put(struct senderstore *store, const char *key, const char *sender, int64_t now)
{
    struct buf why = { 0 };
    enum table_status status = senderstore_put(
        store, slice_from(key), slice_from(sender), now, KEEP, &why);

    buf_free(&why);
    return status;
}

static bool
holds(struct senderstore *store, const char *key, const char *sender)
{
    struct buf found = { 0 }, why = { 0 };
    bool ok =
        senderstore_get(store, slice_from(key), &found, &why) == TABLE_FOUND &&
        slice_equal(buf_slice(&found), slice_from(sender));

    buf_free(&found);
    buf_free(&why);
    return ok;
}

static int
begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/senders.XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int
end(void **state)
{
    char command[96];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

static void
keeps_what_it_is_given(void **state)
{
    struct senderstore *store = open_store(10);

    (void)state;
    assert_false(holds(store, "one", "a@b.example"));
    assert_int_equal(put(store, "one", "a@b.example", NOW), TABLE_FOUND);
    assert_int_equal(put(store, "two", "c@d.example", NOW), TABLE_FOUND);
    assert_true(holds(store, "one", "a@b.example"));
    assert_true(holds(store, "two", "c@d.example"));
    assert_false(holds(store, "three", ""));
    senderstore_close(store);
}

static void
keeps_it_over_a_restart(void **state)
{
    struct senderstore *store = open_store(10);

    (void)state;
    assert_int_equal(put(store, "one", "a@b.example", NOW), TABLE_FOUND);
    senderstore_close(store);
    store = open_store(10);
    assert_true(holds(store, "one", "a@b.example"));
    senderstore_close(store);
}

static void
never_gives_one_key_to_two_senders(void **state)
{
    struct senderstore *store = open_store(10);

    (void)state;
    assert_int_equal(put(store, "one", "a@b.example", NOW), TABLE_FOUND);
    assert_int_equal(put(store, "one", "x@y.example", NOW), TABLE_ERROR);
    assert_true(holds(store, "one", "a@b.example"));
    senderstore_close(store);
}

static void
a_flood_drives_nobody_out(void **state)
{
    struct senderstore *store = open_store(4);
    char key[16];

    (void)state;
    assert_int_equal(put(store, "used", "a@b.example", NOW), TABLE_FOUND);
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof(key), "flood%d", i);
        assert_int_equal(put(store, key, "f@flood.example", NOW + DAY),
                         i < 3 ? TABLE_FOUND : TABLE_MISS);
    }
    assert_true(holds(store, "used", "a@b.example"));
    assert_false(holds(store, "flood3", "f@flood.example"));
    /* Whoever is in it can be used on. */
    assert_int_equal(put(store, "used", "a@b.example", NOW + 2 * DAY),
                     TABLE_FOUND);
    senderstore_close(store);
}

static void
what_nobody_used_gives_way_in_time(void **state)
{
    struct senderstore *store = open_store(2);

    (void)state;
    assert_int_equal(put(store, "old", "a@b.example", NOW), TABLE_FOUND);
    assert_int_equal(put(store, "used", "c@d.example", NOW), TABLE_FOUND);
    assert_int_equal(put(store, "used", "c@d.example", NOW + 20 * DAY),
                     TABLE_FOUND);
    /* On the last day of its time it is still there. */
    assert_int_equal(put(store, "new", "e@f.example", NOW + KEEP), TABLE_MISS);
    assert_true(holds(store, "old", "a@b.example"));
    assert_int_equal(put(store, "new", "e@f.example", NOW + KEEP + 1),
                     TABLE_FOUND);
    assert_false(holds(store, "old", "a@b.example"));
    assert_true(holds(store, "used", "c@d.example"));
    assert_true(holds(store, "new", "e@f.example"));
    senderstore_close(store);
}

/* Asked before it is put, and nothing is written by asking. */
static void
knows_whether_there_is_room(void **state)
{
    struct senderstore *store = open_store(2);
    struct buf why = { 0 };
    static const struct {
        const char *key;
        int64_t now;
        enum table_status status;
    } rows[] = {
        { "new", NOW, TABLE_MISS },
        { "new", NOW + KEEP, TABLE_MISS },
        { "new", NOW + KEEP + 1, TABLE_FOUND },
        { "old", NOW, TABLE_FOUND },
        { "used", NOW, TABLE_FOUND },
    };

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            senderstore_has_room(store, SLICE_OF("old"), NOW, KEEP, &why),
            TABLE_FOUND);
    assert_false(holds(store, "old", "a@b.example"));
    assert_int_equal(put(store, "old", "a@b.example", NOW), TABLE_FOUND);
    assert_int_equal(
        senderstore_has_room(store, SLICE_OF("new"), NOW, KEEP, &why),
        TABLE_FOUND);
    assert_int_equal(put(store, "used", "c@d.example", NOW + DAY), TABLE_FOUND);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(senderstore_has_room(store, slice_from(rows[i].key),
                                              rows[i].now, KEEP, &why),
                         rows[i].status);
        if (i < 3)
            assert_true(holds(store, "old", "a@b.example"));
    }
    assert_int_equal(why.len, 0);
    senderstore_close(store);
}

static void
says_why_it_cannot_be_opened(void **state)
{
    struct buf why = { 0 };

    (void)state;
    assert_null(senderstore_open(SLICE_OF("/nonexistent"), 10, &why));
    assert_non_null(strstr(buf_cstr(&why), "/nonexistent/senders.lmdb: No such "
                                           "file or directory"));
    buf_free(&why);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_what_it_is_given, begin, end),
        cmocka_unit_test_setup_teardown(keeps_it_over_a_restart, begin, end),
        cmocka_unit_test_setup_teardown(never_gives_one_key_to_two_senders,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_flood_drives_nobody_out, begin, end),
        cmocka_unit_test_setup_teardown(what_nobody_used_gives_way_in_time,
                                        begin, end),
        cmocka_unit_test_setup_teardown(knows_whether_there_is_room, begin,
                                        end),
        cmocka_unit_test(says_why_it_cannot_be_opened),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
