/* The pool of upstream connections: reuse, hand-over, deadlines. */
#include "service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct conn {
    struct upstream up; /* first: found by a cast */
    bool reads, quiet, present, unsent, said_quit;
    unsigned timer;
};

static struct {
    struct pool pool;
    struct log_sink log;
    unsigned dialled, closed;
    bool refuses;
} world;

/* What the users heard last. */
static struct {
    unsigned opened, lost;
    enum relay_lost how;
    struct buf octets;
    struct upstream *handed;
} heard;

static struct upstream *
op_dial(void *ctx, const struct conf_address *address, bool *failed)
{
    struct conn *conn = mem_alloc(sizeof(*conn));

    (void)ctx;
    (void)address;
    conn->quiet = conn->present = true;
    world.dialled++;
    *failed = world.refuses;
    return &conn->up;
}

static void
op_quit(struct upstream *up)
{
    ((struct conn *)up)->said_quit = true;
}

static void
op_read(struct upstream *up)
{
    ((struct conn *)up)->reads = true;
}

static void
op_hold(struct upstream *up)
{
    ((struct conn *)up)->reads = false;
}

static bool
op_is_quiet(const struct upstream *up)
{
    return ((const struct conn *)up)->quiet;
}

static bool
op_is_present(const struct upstream *up)
{
    return ((const struct conn *)up)->present;
}

static bool
op_has_unsent(const struct upstream *up)
{
    return ((const struct conn *)up)->unsent;
}

static void
op_timer(struct upstream *up, unsigned milliseconds)
{
    ((struct conn *)up)->timer = milliseconds;
}

static void
op_close(struct upstream *up)
{
    world.closed++;
    free(up);
}

static const struct pool_ops ops = { op_dial,       op_quit,     op_read,
                                     op_hold,       op_is_quiet, op_is_present,
                                     op_has_unsent, op_timer,    op_close };

static void
on_open(struct upstream *up)
{
    (void)up;
    heard.opened++;
}

static void
on_octets(struct upstream *up, struct slice octets)
{
    (void)up;
    buf_append(&heard.octets, octets);
}

static void
on_lost(struct upstream *up, enum relay_lost how)
{
    (void)up;
    heard.lost++;
    heard.how = how;
}

static void
on_sent(struct upstream *up)
{
    (void)up;
}

static void
on_handed(struct upstream *up, struct upstream *free)
{
    assert_int_equal(up->outbound, free->outbound);
    assert_ptr_equal(up->owner, free->owner);
    heard.handed = free;
}

static const struct upstream_user session = { on_open, on_octets, on_lost,
                                              on_sent, on_handed };
static const struct upstream_user probe = { on_open, on_octets, on_lost,
                                            on_sent, NULL };

static const struct conf_address here = { .text = SLICE("127.0.0.1:25") };
static const struct conf_address there = { .text = SLICE("127.0.0.1:26") };
static const struct smtp_ehlo ehlo;
static int owners[8];

static int
set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    memset(&heard, 0, sizeof(heard));
    world.log.level = LOG_LEVEL_ERROR;
    pool_init(&world.pool, &ops, NULL, &world.log);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    pool_abandon(&world.pool);
    assert_int_equal(world.closed, world.dialled);
    buf_free(&heard.octets);
    return 0;
}

static struct upstream *
dial(const struct conf_address *address, const struct upstream_user *user,
     enum relay_dial how, unsigned number)
{
    struct pool_wish wish = { .address = address,
                              .connect_timeout = 5000,
                              .how = how,
                              .user = user,
                              .owner = &owners[number],
                              .outbound = number };
    return pool_dial(&world.pool, &wish, 1);
}

static struct upstream *
session_dials(unsigned number)
{
    return dial(&here, &session, RELAY_DIAL_ANY, number);
}

static struct upstream *
greeted(unsigned number)
{
    struct upstream *up = session_dials(number);

    pool_on_connected(up, 2);
    pool_on_octets(up, SLICE_OF("220 x\r\n"));
    assert_int_equal(up->state, UPSTREAM_OPEN);
    return up;
}

static void
what_is_released_is_used_again(void **state)
{
    struct upstream *a = greeted(0), *b = greeted(1);

    (void)state;
    assert_int_equal(((struct conn *)a)->timer, 0);
    pool_release(a, &ehlo, 2000);
    pool_release(b, &ehlo, 2000);
    assert_int_equal(((struct conn *)a)->timer, 2000);
    assert_int_equal(pool_unused(&world.pool), 2);
    struct upstream *c = session_dials(2);
    assert_ptr_equal(c, b); /* the one used last */
    assert_int_equal(c->notice, UPSTREAM_REUSED);
    assert_int_equal(c->outbound, 2);
    assert_ptr_equal(c->owner, &owners[2]);
    assert_int_equal(((struct conn *)c)->timer, 0);
    assert_int_equal(world.dialled, 2);
    /* Time is up for the other. */
    pool_on_time(a, 3000);
    assert_true(((struct conn *)a)->said_quit);
    assert_int_equal(a->state, UPSTREAM_LEAVING);
    pool_on_ended(a);
    assert_int_equal(world.closed, 1);
    assert_int_equal(heard.lost, 0);
}

static void
what_is_not_good_is_not_used(void **state)
{
    struct upstream *a = greeted(0), *b = greeted(1), *c = greeted(2);

    (void)state;
    pool_release(a, &ehlo, 2000);
    pool_release(b, &ehlo, 2000);
    ((struct conn *)b)->quiet = false; /* 421, not read yet */
    assert_ptr_equal(session_dials(3), a);
    assert_int_equal(world.closed, 1);
    /* To another address, for who wants a new one, of what said something. */
    pool_release(c, &ehlo, 2000);
    dial(&there, &session, RELAY_DIAL_ANY, 4);
    assert_int_equal(world.dialled, 4);
    pool_on_octets(c, SLICE_OF("421 x\r\n"));
    assert_int_equal(world.closed, 2);
    pool_release(a, &ehlo, 2000);
    dial(&here, &session, RELAY_DIAL_FRESH, 5);
    assert_int_equal(world.dialled, 5);
    assert_int_equal(a->state, UPSTREAM_LEAVING);
}

static void
what_cannot_be_kept_quits(void **state)
{
    struct upstream *a = greeted(0), *b = greeted(1), *c = greeted(2);
    struct upstream *d = greeted(3);

    (void)state;
    pool_release(a, NULL, 2000); /* an envelope is open on it */
    pool_release(b, &ehlo, 0);
    ((struct conn *)c)->unsent = true;
    pool_release(c, &ehlo, 2000);
    pool_stop(&world.pool);
    pool_release(d, &ehlo, 2000);
    assert_int_equal(world.pool.count[UPSTREAM_LEAVING], 4);
    pool_on_time(a, 3000);
    assert_int_equal(world.closed, 1);
}

/* The one that waits gets what becomes free, as the outbound that it waits
 * with; what it waited for is the next one's, greeting and all. */
static void
handed_over(void **state)
{
    struct upstream *a = greeted(1), *b = session_dials(2);
    struct upstream *other = dial(&there, &session, RELAY_DIAL_ANY, 3);
    struct upstream *last = session_dials(4);

    (void)state;
    pool_on_connected(other, 2);
    pool_on_connected(b, 2);
    pool_release(a, &ehlo, 2000);
    assert_ptr_equal(heard.handed, a);
    assert_int_equal(a->outbound, 2);
    assert_ptr_equal(a->owner, &owners[2]);
    assert_int_equal(a->notice, UPSTREAM_REUSED);
    assert_int_equal(b->state, UPSTREAM_SPARE);
    assert_null(b->user);
    assert_false(((struct conn *)b)->reads);
    assert_int_equal(((struct conn *)b)->timer, 2000);
    /* The next one: still connecting. Its timer goes on. */
    pool_release(a, &ehlo, 1000);
    assert_int_equal(a->outbound, 4);
    assert_int_equal(last->state, UPSTREAM_SPARE_CONNECTING);
    assert_int_equal(((struct conn *)last)->timer, 5000);
    /* Both are taken before another is dialled. */
    assert_ptr_equal(session_dials(5), b);
    assert_int_equal(b->notice, UPSTREAM_GREETS);
    assert_true(((struct conn *)b)->reads);
    assert_ptr_equal(session_dials(6), last);
    assert_int_equal(last->notice, UPSTREAM_NOTHING);
    assert_int_equal(world.dialled, 4);
    pool_on_connected(last, 3);
    assert_int_equal(last->state, UPSTREAM_GREETING);
    /* Whoever has heard something keeps what it has. */
    pool_on_octets(b, SLICE_OF("220 "));
    pool_on_octets(last, SLICE_OF("220 "));
    pool_release(a, &ehlo, 2000);
    assert_int_equal(a->state, UPSTREAM_IDLE);
}

static void
not_handed_over(void **state)
{
    struct upstream *a = greeted(1);
    struct upstream *p = dial(&here, &probe, RELAY_DIAL_FRESH, 0);
    struct upstream *f = dial(&here, &session, RELAY_DIAL_FRESH, 2);

    (void)state;
    pool_on_connected(p, 2);
    pool_on_connected(f, 2);
    pool_release(a, &ehlo, 2000);
    assert_null(heard.handed);
    assert_int_equal(a->state, UPSTREAM_IDLE);
    assert_int_equal(session_dials(3)->notice, UPSTREAM_REUSED);
    struct upstream *w = session_dials(4);
    ((struct conn *)a)->quiet = false; /* it has just said 421 */
    pool_release(a, &ehlo, 2000);
    assert_null(heard.handed);
    assert_int_equal(w->state, UPSTREAM_CONNECTING);
}

static void
spare_ones_end(void **state)
{
    struct upstream *a = greeted(1), *b = session_dials(2);

    (void)state;
    pool_release(a, &ehlo, 500);
    assert_int_equal(b->state, UPSTREAM_SPARE_CONNECTING);
    pool_on_connected(b, 5);
    assert_int_equal(b->state, UPSTREAM_SPARE);
    assert_int_equal(((struct conn *)b)->timer, 500);
    assert_int_equal(heard.opened, 1); /* a alone */
    ((struct conn *)b)->present = false;
    session_dials(3);
    assert_int_equal(world.closed, 1);
    assert_int_equal(world.dialled, 3);
}

static void
losses_are_told(void **state)
{
    struct upstream *a = greeted(1), *b = session_dials(2);
    struct upstream *c = session_dials(3), *d = greeted(4);

    (void)state;
    pool_on_refused(b, RELAY_LOST_REFUSED, 7);
    assert_int_equal(heard.how, RELAY_LOST_REFUSED);
    assert_false(world.pool.up);
    assert_int_equal(world.pool.contacted, 7);
    pool_on_time(c, 8);
    assert_int_equal(heard.how, RELAY_LOST_TIMEOUT);
    pool_on_ended(a);
    assert_int_equal(heard.how, RELAY_LOST_CLOSED);
    /* Broken: what it had to say is heard first. */
    pool_on_broken(d);
    assert_int_equal(((struct conn *)d)->timer, POOL_BROKEN_TIME);
    buf_clear(&heard.octets);
    pool_on_octets(d, SLICE_OF("421 x\r\n"));
    assert_int_equal(heard.octets.len, 7);
    pool_on_broken(d);
    pool_on_time(d, 9);
    assert_int_equal(heard.lost, 4);
    assert_int_equal(world.closed, 4);
    world.refuses = true;
    struct upstream *e = session_dials(5);
    assert_int_equal(e->notice, UPSTREAM_FAILED);
    assert_int_equal(heard.lost, 4); /* the notice tells */
    pool_drop(e);
}

/* Descriptors are short: what is nobody's goes at once. */
static void
shed(void **state)
{
    struct upstream *a = greeted(1), *b = greeted(2), *c = session_dials(3);

    (void)state;
    pool_release(a, &ehlo, 2000); /* c has it */
    pool_quit(b);
    assert_int_equal(c->state, UPSTREAM_SPARE_CONNECTING);
    assert_int_equal(pool_unused(&world.pool), 2);
    pool_shed(&world.pool);
    assert_int_equal(pool_unused(&world.pool), 0);
    assert_int_equal(world.closed, 2);
    assert_int_equal(a->state, UPSTREAM_OPEN);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(what_is_released_is_used_again),
        ROW(what_is_not_good_is_not_used),
        ROW(what_cannot_be_kept_quits),
        ROW(handed_over),
        ROW(not_handed_over),
        ROW(spare_ones_end),
        ROW(losses_are_told),
        ROW(shed),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
