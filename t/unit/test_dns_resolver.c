/*
 * The resolver: what is sent where and when, and what those who wait get. The
 * wire is a recorder; answers are made here.
 */
#include "dns_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the plain way --------------------------------------------------------
 */

static void
asks_and_answers(void **state)
{
    struct dns_world *w = dns_world_new(2);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    assert_int_equal(w->sent_count, 1);
    assert_int_equal(w->sent[0].server, 0);
    assert_int_equal(w->sent[0].transport, DNS_UDP);
    assert_true(dns_sent_has_edns(&w->sent[0]));
    assert_false(w->askers[0].answered);
    assert_int_equal(dns_resolver_view(w->resolver).in_flight, 1);
    dns_world_reply(w, 0, OK, 7);
    assert_true(w->askers[0].answered);
    assert_int_equal(w->askers[0].status, DNS_FOUND);
    assert_int_equal(w->askers[0].address, 7);
    assert_int_equal(w->open, 0);
    assert_int_equal(w->measured, 1);
    assert_int_equal(dns_resolver_deadline(w->resolver), INT64_MAX);

    dns_world_ask(w, &w->askers[1], "a.example"); /* from the cache */
    assert_true(w->askers[1].answered);
    assert_int_equal(w->askers[1].address, 7);
    assert_int_equal(w->sent_count, 1);
    const struct dns_resolver_view view = dns_resolver_view(w->resolver);
    assert_int_equal(view.cached, 1);
    assert_int_equal(view.answered, 1);
    assert_int_equal(view.cache.entries, 1);
    dns_world_free(w);
}

static void
one_question_for_many(void **state)
{
    struct dns_world *w = dns_world_new(1);

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        dns_world_ask(w, &w->askers[i], "a.example");
    dns_waiter_leave(&w->askers[2].waiter);
    dns_waiter_leave(&w->askers[2].waiter); /* once more does nothing */
    assert_int_equal(w->sent_count, 1);
    dns_world_reply(w, 0, OK, 7);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(w->askers[i].answered, i != 2);
    dns_world_free(w);
}

static void
nobody_waits_any_more(void **state)
{
    struct dns_world *w = dns_world_new(1);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    dns_waiter_leave(&w->askers[0].waiter);
    dns_world_reply(w, 0, OK, 7);
    dns_world_ask(w, &w->askers[1], "a.example");
    assert_int_equal(w->askers[1].address, 7); /* it was kept */
    dns_world_free(w);
}

/* One that is answered leaves for another, and asks again at once. */
static void
answers_have_consequences(void **state)
{
    struct dns_world *w = dns_world_new(1);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    dns_world_ask(w, &w->askers[5], "a.example"); /* the last comes first */
    w->askers[5].leaves = &w->askers[0];
    w->askers[5].asks = "b.example";
    dns_world_reply(w, 0, OK, 7);
    assert_true(w->askers[5].answered);
    assert_false(w->askers[0].answered);
    assert_int_equal(w->sent_count, 2);
    dns_world_reply(w, 1, NXDOMAIN, 0);
    assert_int_equal(w->askers[6].status, DNS_NO_NAME);
    /* The same name once more, while it is being answered. */
    dns_world_ask(w, &w->askers[10], "c.example");
    w->askers[10].asks = "c.example";
    dns_world_reply(w, 2, OK, 9);
    assert_int_equal(w->askers[11].address, 9);
    dns_world_free(w);
}

static void
names_that_cannot_be(void **state)
{
    struct dns_world *w = dns_world_new(1);

    (void)state;
    dns_world_ask(w, &w->askers[0], "");
    dns_world_ask(w, &w->askers[1], "a..example");
    assert_int_equal(w->sent_count, 0);
    assert_int_equal(w->askers[0].status, DNS_NO_NAME);
    assert_int_equal(w->askers[1].status, DNS_NO_NAME);
    dns_world_free(w);
}

static void
no_servers(void **state)
{
    struct dns_world *w = dns_world_new(0);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    assert_true(w->askers[0].answered);
    assert_int_equal(w->askers[0].status, DNS_TROUBLE);
    dns_world_free(w);
}

/* ---- what goes wrong ------------------------------------------------------
 */

static void
silence(void **state)
{
    struct dns_world *w = dns_world_new(2);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    dns_world_wait(w, 999);
    assert_int_equal(w->sent_count, 1);
    dns_world_wait(w, 1);
    assert_int_equal(w->sent_count, 2);
    assert_int_equal(w->sent[1].server, 1);
    dns_world_wait(w, 1000);
    assert_int_equal(w->sent_count, 3);
    assert_int_equal(w->sent[2].server, 0);
    assert_memory_equal(w->sent[2].packet, w->sent[0].packet, w->sent[0].len);
    dns_world_wait(w, 999);
    assert_false(w->askers[0].answered);
    dns_world_wait(w, 1);
    assert_int_equal(w->askers[0].status, DNS_TROUBLE);
    assert_int_equal(w->sent_count, 3);
    assert_int_equal(w->open, 0);
    dns_world_free(w);
}

static void
a_late_answer_of_the_first(void **state)
{
    struct dns_world *w = dns_world_new(2);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    dns_world_wait(w, 1500);
    dns_world_reply(w, 0, OK, 7);
    assert_int_equal(w->askers[0].address, 7);
    dns_world_free(w);
}

/* Five servers are asked within the time as well. */
static void
many_servers(void **state)
{
    struct dns_world *w = dns_world_new(5);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    dns_world_wait(w, 2999);
    assert_int_equal(w->sent_count, 5);
    assert_int_equal(w->sent[4].server, 4);
    dns_world_wait(w, 1);
    assert_true(w->askers[0].answered);
    dns_world_free(w);
}

static void
who_answers_is_asked_first(void **state)
{
    struct dns_world *w = dns_world_new(2);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    dns_world_wait(w, 1000);
    dns_world_reply(w, 1, OK, 7);
    dns_world_ask(w, &w->askers[1], "b.example");
    assert_int_equal(w->sent[2].server, 1);
    dns_world_reply(w, 2, OK, 7);
    dns_world_wait(w, 6 * 60 * 1000); /* and the first again after a while */
    dns_world_ask(w, &w->askers[2], "c.example");
    assert_int_equal(w->sent[3].server, 0);
    dns_world_free(w);
}

static void
a_failure_is_followed_by_the_next(void **state)
{
    struct dns_world *w = dns_world_new(2);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    dns_world_reply(w, 0, SERVFAIL, 0);
    assert_int_equal(w->sent_count, 2);
    assert_int_equal(w->sent[1].server, 1);
    assert_false(w->askers[0].answered);
    dns_resolver_on_failed(w->resolver, w->sent[1].exchange, DNS_UDP, w->now);
    assert_int_equal(w->askers[0].status, DNS_TROUBLE);
    dns_world_free(w);
}

static void
a_failure_while_another_may_answer(void **state)
{
    struct dns_world *w = dns_world_new(2);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    dns_world_wait(w, 1000);
    dns_world_reply(w, 1, SERVFAIL, 0);
    assert_false(w->askers[0].answered);
    dns_world_reply(w, 0, OK, 7);
    assert_int_equal(w->askers[0].address, 7);
    dns_world_free(w);
}

static void
nothing_can_be_sent(void **state)
{
    struct dns_world *w = dns_world_new(2);

    (void)state;
    w->refuses = 1;
    dns_world_ask(w, &w->askers[0], "a.example");
    assert_int_equal(w->sent[0].server, 1);
    w->refuses = 3;
    dns_world_ask(w, &w->askers[1], "b.example");
    assert_true(w->askers[1].answered);
    assert_int_equal(w->askers[1].status, DNS_TROUBLE);
    dns_world_free(w);
}

static void
a_truncated_answer(void **state)
{
    struct dns_world *w = dns_world_new(1);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    dns_world_reply(w, 0, TRUNCATED, 0);
    assert_int_equal(w->sent_count, 2);
    assert_int_equal(w->sent[1].transport, DNS_TCP);
    dns_world_wait(w, 1500); /* TCP repeats itself */
    assert_int_equal(w->sent_count, 2);
    dns_world_reply(w, 1, OK, 7);
    assert_int_equal(w->askers[0].address, 7);
    dns_world_free(w);
}

/* The same answer by UDP twice, and one that is truncated by TCP too. */
static void
truncated_once_more(void **state)
{
    struct dns_world *w = dns_world_new(1);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    dns_world_reply(w, 0, TRUNCATED, 0);
    dns_world_reply(w, 0, TRUNCATED, 0);
    assert_int_equal(w->sent_count, 2);
    dns_world_reply(w, 1, TRUNCATED, 0);
    assert_int_equal(w->askers[0].status, DNS_TROUBLE);
    dns_world_free(w);
}

static void
without_edns(void **state)
{
    struct dns_world *w = dns_world_new(1);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    dns_world_reply(w, 0, FORMERR, 0);
    assert_int_equal(w->sent_count, 2);
    assert_false(dns_sent_has_edns(&w->sent[1]));
    dns_world_reply(w, 1, OK, 7);
    assert_int_equal(w->askers[0].address, 7);
    dns_world_ask(w, &w->askers[1], "b.example"); /* that is remembered */
    assert_false(dns_sent_has_edns(&w->sent[2]));
    dns_world_reply(w, 2, FORMERR, 0);
    assert_int_equal(w->askers[1].status, DNS_TROUBLE);
    dns_world_free(w);
}

static void
forged_answers(void **state)
{
    struct dns_world *w = dns_world_new(1);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    w->sent[0].packet[1] ^= 1; /* another id */
    dns_world_reply(w, 0, OK, 66);
    w->sent[0].packet[1] ^= 1;
    w->sent[0].packet[13] ^= 1; /* another name */
    dns_world_reply(w, 0, OK, 66);
    w->sent[0].packet[13] ^= 1;
    dns_resolver_on_packet(w->resolver, w->sent[0].exchange, DNS_UDP,
                           SLICE_OF("nonsense"), w->now);
    dns_resolver_on_packet(w->resolver, w->sent[0].exchange, DNS_TCP,
                           SLICE_OF("nonsense"), w->now);
    assert_false(w->askers[0].answered);
    dns_world_reply(w, 0, OK, 7);
    assert_int_equal(w->askers[0].address, 7);
    dns_world_free(w);
}

/* ---- bounds ---------------------------------------------------------------
 */

static void
questions_out_are_bounded(void **state)
{
    struct dns_world *w = dns_world_new(1);
    char name[32];

    (void)state;
    for (unsigned i = 0; i < 1100; i++) {
        snprintf(name, sizeof(name), "n%u.example", i);
        dns_world_ask(w, &w->askers[i], name);
    }
    assert_int_equal(dns_resolver_view(w->resolver).in_flight, 1000);
    assert_int_equal(w->sent_count, 1000);
    for (unsigned i = 0; i < 1100; i++)
        assert_int_equal(w->askers[i].answered, i >= 1000);
    dns_world_ask(w, &w->askers[1100], "n5.example"); /* that is out already */
    assert_false(w->askers[1100].answered);
    dns_world_reply(w, 5, OK, 7);
    assert_int_equal(w->askers[1100].address, 7);
    dns_world_ask(w, &w->askers[1101],
                  "x.example"); /* and there is room for one */
    assert_int_equal(w->sent_count, 1001);
    dns_world_wait(w, 3000);
    for (unsigned i = 0; i < 1100; i++)
        assert_true(w->askers[i].answered);
    assert_int_equal(dns_resolver_view(w->resolver).in_flight, 0);
    dns_world_free(w);
}

static void
the_end_answers_all(void **state)
{
    struct dns_world *w = dns_world_new(1);
    struct dns_asker *last = &w->askers[0];

    (void)state;
    dns_world_ask(w, last, "a.example");
    last->asks = "b.example"; /* there is no more asking then */
    dns_resolver_free(w->resolver);
    assert_int_equal(last->status, DNS_TROUBLE);
    assert_int_equal(w->askers[1].status, DNS_TROUBLE);
    assert_int_equal(w->open, 0);
    free(w);
}

/* ---- no server is there ---------------------------------------------------
 */

/* Three questions that nobody answers. */
static struct dns_world *
world_down(void)
{
    struct dns_world *w = dns_world_new(2);

    dns_world_ask(w, &w->askers[0], "a.example");
    dns_world_ask(w, &w->askers[1], "b.example");
    dns_world_ask(w, &w->askers[2], "c.example");
    dns_world_wait(w, 2999);
    assert_false(dns_resolver_view(w->resolver).down);
    dns_world_wait(w, 1);
    assert_true(dns_resolver_view(w->resolver).down);
    return w;
}

static void
trouble_at_once(void **state)
{
    struct dns_world *w = world_down();
    const size_t sent = w->sent_count;

    (void)state;
    dns_world_ask(w, &w->askers[10], "d.example");
    assert_true(w->askers[10].answered);
    assert_int_equal(w->askers[10].status, DNS_TROUBLE);
    assert_int_equal(w->sent_count, sent);
    dns_world_wait(w, 1000);
    dns_world_ask(w, &w->askers[11],
                  "d.example"); /* it was not kept; the probe */
    dns_world_ask(w, &w->askers[12], "e.example");
    assert_false(w->askers[11].answered);
    assert_int_equal(w->askers[12].status, DNS_TROUBLE);
    assert_int_equal(w->sent_count, sent + 1);
    dns_world_wait(w, 1000);
    dns_world_ask(w, &w->askers[13], "e.example"); /* one a second */
    assert_false(w->askers[13].answered);
    dns_world_wait(w, 3000);
    assert_int_equal(w->askers[11].status, DNS_TROUBLE);
    assert_true(dns_resolver_view(w->resolver).down);
    dns_world_free(w);
}

static void
back_again(void **state)
{
    struct dns_world *w = world_down();

    (void)state;
    dns_world_wait(w, 1000);
    dns_world_ask(w, &w->askers[10], "d.example");
    dns_world_reply(w, w->sent_count - 1, SERVFAIL, 0); /* a word is enough */
    assert_false(dns_resolver_view(w->resolver).down);
    dns_world_ask(w, &w->askers[11], "e.example");
    assert_false(w->askers[11].answered);
    dns_world_reply(w, w->sent_count - 1, OK, 7);
    assert_int_equal(w->askers[11].address, 7);
    dns_world_free(w);
}

static void
what_is_kept_is_good_meanwhile(void **state)
{
    struct dns_world *w = dns_world_new(1);

    (void)state;
    dns_world_ask(w, &w->askers[0], "a.example");
    dns_world_reply(w, 0, OK, 7);
    dns_world_ask(w, &w->askers[1], "b.example");
    dns_world_ask(w, &w->askers[2], "c.example");
    dns_world_ask(w, &w->askers[3], "d.example");
    dns_world_wait(w, 3000);
    assert_true(dns_resolver_view(w->resolver).down);
    dns_world_ask(w, &w->askers[4], "a.example");
    assert_int_equal(w->askers[4].address, 7);
    dns_world_free(w);
}

/* A name whose servers are dead is not a name server of ours that is. */
static void
in_a_row(void **state)
{
    struct dns_world *w = dns_world_new(1);
    char name[32];

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "n%u.example", i);
        dns_world_ask(w, &w->askers[2 * i], name);
        if (i % 2 != 0) {
            dns_world_ask(w, &w->askers[2 * i + 1], "x.example");
            dns_world_reply(w, w->sent_count - 1, NXDOMAIN, 0);
        }
        dns_world_wait(w, 3000);
        assert_false(dns_resolver_view(w->resolver).down);
    }
    dns_world_free(w);
}

static void
refused_by_all(void **state)
{
    struct dns_world *w = dns_world_new(2);

    (void)state;
    w->refuses = 3;
    dns_world_ask(w, &w->askers[0], "a.example");
    dns_world_ask(w, &w->askers[1], "b.example");
    assert_false(dns_resolver_view(w->resolver).down);
    dns_world_ask(w, &w->askers[2], "c.example");
    assert_true(dns_resolver_view(w->resolver).down);
    w->refuses = 0;
    dns_world_wait(w, 1000);
    dns_world_ask(w, &w->askers[3], "d.example");
    dns_world_reply(w, 0, OK, 7);
    assert_int_equal(w->askers[3].address, 7);
    assert_false(dns_resolver_view(w->resolver).down);
    dns_world_free(w);
}

static void
memory_is_gone(void **state)
{
    struct dns_world *w = dns_world_new(1);

    (void)state;
    mem_fail_nth(1);
    dns_world_ask(w, &w->askers[0], "a.example");
    mem_fail_nth(0);
    assert_int_equal(w->askers[0].status, DNS_TROUBLE);
    dns_world_ask(w, &w->askers[1], "a.example");
    assert_false(w->askers[1].answered);
    dns_world_free(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_and_answers),
        cmocka_unit_test(one_question_for_many),
        cmocka_unit_test(nobody_waits_any_more),
        cmocka_unit_test(answers_have_consequences),
        cmocka_unit_test(names_that_cannot_be),
        cmocka_unit_test(no_servers),
        cmocka_unit_test(silence),
        cmocka_unit_test(a_late_answer_of_the_first),
        cmocka_unit_test(many_servers),
        cmocka_unit_test(who_answers_is_asked_first),
        cmocka_unit_test(a_failure_is_followed_by_the_next),
        cmocka_unit_test(a_failure_while_another_may_answer),
        cmocka_unit_test(nothing_can_be_sent),
        cmocka_unit_test(a_truncated_answer),
        cmocka_unit_test(truncated_once_more),
        cmocka_unit_test(without_edns),
        cmocka_unit_test(forged_answers),
        cmocka_unit_test(questions_out_are_bounded),
        cmocka_unit_test(the_end_answers_all),
        cmocka_unit_test(trouble_at_once),
        cmocka_unit_test(back_again),
        cmocka_unit_test(what_is_kept_is_good_meanwhile),
        cmocka_unit_test(in_a_row),
        cmocka_unit_test(refused_by_all),
        cmocka_unit_test(memory_is_gone),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
