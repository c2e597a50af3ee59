/* The protocol of the socketmap server: order, bounds, deadlines. */
#include "service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct peer {
    struct map_peer peer; /* first: found by a cast */
    struct buf said;      /* to it */
    bool reads, room, closed;
    unsigned timer;
    struct buf key; /* that was asked for */
};

static struct mapserver server;
static struct log_sink log_sink;
static bool at_once; /* are answers given from within `ask`? */

static void
op_send(struct map_peer *peer, struct slice octets)
{
    buf_append(&((struct peer *)peer)->said, octets);
}

static bool
op_has_room(struct map_peer *peer)
{
    return ((struct peer *)peer)->room;
}

static void
op_read(struct map_peer *peer)
{
    ((struct peer *)peer)->reads = true;
}

static void
op_hold(struct map_peer *peer)
{
    ((struct peer *)peer)->reads = false;
}

static void
op_timer(struct map_peer *peer, unsigned milliseconds)
{
    ((struct peer *)peer)->timer = milliseconds;
}

static bool
op_ask(struct map_peer *peer, enum map_name name, struct slice key,
       struct buf *reply)
{
    struct peer *p = (struct peer *)peer;

    buf_clear(&p->key);
    buf_printf(&p->key, "%d ", name);
    buf_append(&p->key, key);
    if (at_once)
        buf_printf(reply, "OK %.*s", SLICE_ARG(key));
    return at_once;
}

static void
op_close(struct map_peer *peer)
{
    ((struct peer *)peer)->closed = true;
}

static const struct mapserver_ops ops = { op_send, op_has_room, op_read,
                                          op_hold, op_timer,    op_ask,
                                          op_close };

static int
set_up(void **state)
{
    (void)state;
    at_once = true;
    log_sink.level = LOG_LEVEL_ERROR;
    mapserver_init(&server, &ops, &log_sink);
    return 0;
}

static struct peer *
add(void)
{
    struct peer *p = mem_alloc(sizeof(*p));

    p->room = true;
    assert_true(mapserver_has_room(&server));
    mapserver_add(&server, &p->peer);
    return p;
}

/* Closed by now, or by this. */
static void
done(struct peer *p)
{
    if (!p->closed)
        mapserver_on_broken(&p->peer);
    assert_true(p->closed);
    buf_free(&p->said);
    buf_free(&p->key);
    free(p);
}

static void
says(struct peer *p, const char *octets)
{
    mapserver_on_octets(&p->peer, slice_from(octets));
}

static const struct row {
    const char *name, *says, *answer;
    bool closed;
} rows[] = {
    { "a request", "15:recipient a@b.c,", "8:OK a@b.c,", false },
    { "two", "11:recipient a,9:forward b,", "4:OK a,4:OK b,", false },
    { "no key", "7:reverse,", "34:PERM a request is NAME, blank, KEY,", false },
    { "the map domain", "12:domain b.exa,", "8:OK b.exa,", false },
    { "an empty key", "8:reverse ,", "3:OK ,", false },
    { "no such map", "9:nothing x,",
      "59:PERM there are the maps recipient, forward, reverse, domain,",
      false },
    { "capitals", "9:REVERSE x,",
      "59:PERM there are the maps recipient, forward, reverse, domain,",
      false },
    { "a beginning", "15:recipient", "", false },
    { "one and a half", "9:reverse x,9:rev", "4:OK x,", false },
    { "one and garbage", "9:reverse x,zzz", "4:OK x,", true },
    { "garbage", "GET / HTTP/1.0\r\n\r\n", "", true },
    { "too long", "100001:", "", true },
    { "endless", "99999999999", "", true },
    { "no comma", "9:reverse x;", "", true },
    { "negative", "-1:", "", true },
    { "zeros", "009:reverse x,", "", true },
};

static void
says_rows(bool bytewise)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer *p = add();

        print_message("# %s\n", rows[i].name);
        if (!bytewise)
            says(p, rows[i].says);
        for (const char *c = rows[i].says; bytewise && *c != '\0'; c++)
            says(p, (const char[]){ *c, '\0' });
        assert_string_equal(buf_cstr(&p->said), rows[i].answer);
        assert_int_equal(p->closed, rows[i].closed);
        done(p);
    }
}

static void
whole(void **state)
{
    (void)state;
    says_rows(false);
}

static void
bytewise(void **state)
{
    (void)state;
    says_rows(true);
}

static void
one_at_a_time_in_order(void **state)
{
    struct peer *p = add();

    (void)state;
    at_once = false;
    says(p, "9:reverse a,9:forward b,9:rev");
    assert_string_equal(buf_cstr(&p->key), "2 a");
    assert_false(p->reads);
    assert_int_equal(p->timer, 0);
    mapserver_on_time(&p->peer); /* late: not its fault */
    mapserver_on_answer(&p->peer, SLICE_OF("OK 1"));
    assert_string_equal(buf_cstr(&p->key), "1 b");
    mapserver_on_answer(&p->peer, SLICE_OF("OK 2"));
    assert_string_equal(buf_cstr(&p->said), "4:OK 1,4:OK 2,");
    assert_true(p->reads);
    assert_int_equal(p->timer, MAPSERVER_REQUEST_TIME);
    says(p, "erse c,");
    assert_string_equal(buf_cstr(&p->key), "2 c");
    done(p);
}

static void
half_closed_gets_its_answers(void **state)
{
    struct peer *p = add();

    (void)state;
    at_once = false;
    says(p, "9:reverse a,9:forward b,");
    mapserver_on_ended(&p->peer);
    assert_false(p->closed);
    mapserver_on_answer(&p->peer, SLICE_OF("OK 1"));
    assert_false(p->closed);
    mapserver_on_answer(&p->peer, SLICE_OF("OK 2"));
    assert_true(p->closed);
    assert_string_equal(buf_cstr(&p->said), "4:OK 1,4:OK 2,");
    done(p);
}

static void
an_answer_after_the_end_is_dropped(void **state)
{
    struct peer *p = add();

    (void)state;
    at_once = false;
    says(p, "9:reverse a,");
    mapserver_on_broken(&p->peer);
    assert_true(p->closed);
    mapserver_on_answer(&p->peer, SLICE_OF("OK 1"));
    assert_string_equal(buf_cstr(&p->said), "");
    done(p);
}

static void
a_drip_does_not_prolong(void **state)
{
    struct peer *p = add();

    (void)state;
    assert_int_equal(p->timer, MAPSERVER_IDLE_TIME);
    says(p, "9:");
    assert_int_equal(p->timer, MAPSERVER_REQUEST_TIME);
    p->timer = 77; /* is left as it runs */
    says(p, "r");
    assert_int_equal(p->timer, 77);
    says(p, "everse a,1");
    assert_int_equal(p->timer, MAPSERVER_REQUEST_TIME);
    mapserver_on_time(&p->peer);
    done(p);
}

static void
answers_have_to_be_read(void **state)
{
    struct peer *p = add();

    (void)state;
    p->room = false;
    says(p, "9:reverse a,");
    assert_string_equal(buf_cstr(&p->said), "");
    assert_false(p->reads);
    assert_int_equal(p->timer, MAPSERVER_REQUEST_TIME);
    p->room = true;
    mapserver_on_sent(&p->peer);
    assert_string_equal(buf_cstr(&p->said), "4:OK a,");
    assert_true(p->reads);
    done(p);
}

/* All connections there may be, each with as much of a request as it can. */
static void
what_all_have_sent_is_bounded(void **state)
{
    static struct peer *peers[MAPSERVER_PEERS];
    struct buf most = { 0 };
    size_t open = 0, kept = 0;

    (void)state;
    buf_puts(&most, "99999:");
    while (most.len < 99000)
        buf_putc(&most, 'x');
    for (size_t i = 0; i < MAPSERVER_PEERS; i++)
        peers[i] = add();
    assert_false(mapserver_has_room(&server));
    for (size_t i = 0; i < MAPSERVER_PEERS; i++) {
        says(peers[i], buf_cstr(&most));
        open += !peers[i]->closed;
        kept += peers[i]->peer.input.len;
    }
    assert_true(kept <= MAPSERVER_ALL + open * MAPSERVER_EACH);
    assert_in_range(open, 150, 250);
    for (size_t i = 0; i < MAPSERVER_PEERS; i++)
        done(peers[i]);
    assert_int_equal(server.kept, 0);
    buf_free(&most);
}

static void
the_longest_silent_makes_room(void **state)
{
    struct peer *a = add(), *b = add(), *c = add();

    (void)state;
    at_once = false;
    says(a, "9:reverse a,");
    at_once = true;
    says(b, "9:reverse b,");
    assert_true(mapserver_make_room(&server));
    assert_true(c->closed);
    assert_true(mapserver_make_room(&server));
    assert_true(b->closed);
    assert_false(mapserver_make_room(&server)); /* a waits for an answer */
    mapserver_close(&server);
    assert_true(a->closed);
    done(a);
    done(b);
    done(c);
}

#define ROW(test) cmocka_unit_test_setup(test, set_up)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(whole),
        ROW(bytewise),
        ROW(one_at_a_time_in_order),
        ROW(half_closed_gets_its_answers),
        ROW(an_answer_after_the_end_is_dropped),
        ROW(a_drip_does_not_prolong),
        ROW(answers_have_to_be_read),
        ROW(what_all_have_sent_is_bounded),
        ROW(the_longest_silent_makes_room),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
