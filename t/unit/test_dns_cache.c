/* The cache of answers: times, bounds, and what has to go. */
#include "dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const unsigned char key[16] = "0123456789abcdef";

static struct dns_question
question_of(char name[32], unsigned n)
{
    snprintf(name, 32, "n%u.example", n);
    return (struct dns_question){ slice_from(name), DNS_TXT };
}

static void
put(struct dns_cache *cache, unsigned n, int64_t now)
{
    const struct dns_record record = { .text = SLICE("v=spf1 -all") };
    const struct dns_answer answer = { DNS_FOUND, &record, 1, 600, false };
    char name[32];
    const struct dns_question question = question_of(name, n);

    dns_cache_put(cache, &question, &answer, now);
}

static bool
has(struct dns_cache *cache, unsigned n, int64_t now)
{
    struct dns_answer answer;
    char name[32];
    const struct dns_question question = question_of(name, n);

    return dns_cache_get(cache, &question, now, &answer);
}

static void
gives_what_was_put(void **state)
{
    struct dns_cache *cache = dns_cache_new(100, 1 << 20, key);
    const struct dns_record records[] = {
        { .preference = 10, .name = SLICE("a.example") },
        { .preference = 20, .name = SLICE("") },
    };
    const struct dns_answer put_in = { DNS_FOUND, records, 2, 60, true };
    char name[] = "mx.example";
    struct dns_question question = { slice_from(name), DNS_MX };
    struct dns_answer answer;

    (void)state;
    dns_cache_put(cache, &question, &put_in, 1000);
    memset(name, '-', sizeof(name) - 1); /* it keeps copies */
    question.name = SLICE_OF("mx.example");
    assert_true(dns_cache_get(cache, &question, 1000, &answer));
    assert_int_equal(answer.status, DNS_FOUND);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.ttl, 60);
    assert_true(answer.alias);
    assert_int_equal(answer.records[0].preference, 10);
    assert_true(slice_equal(answer.records[0].name, SLICE_OF("a.example")));
    assert_int_equal(answer.records[1].name.len, 0);
    question.type = DNS_TXT;
    assert_false(dns_cache_get(cache, &question, 1000, &answer));
    dns_cache_free(cache);
}

/* ---- how long -------------------------------------------------------------
 */

static const struct row {
    const char *name;
    enum dns_status status;
    uint32_t ttl;
    int64_t kept; /* milliseconds */
} rows[] = {
    { "records live for their TTL", DNS_FOUND, 60, 60000 },
    { "at least a second", DNS_FOUND, 0, 1000 },
    { "at most an hour", DNS_FOUND, 1000000, 3600000 },
    { "no name, as the zone says", DNS_NO_NAME, 30, 30000 },
    { "at most five minutes", DNS_NO_NAME, 86400, 300000 },
    { "no data, the same", DNS_NO_DATA, 86400, 300000 },
    { "without a SOA a second", DNS_NO_DATA, 0, 1000 },
    { "trouble five seconds", DNS_TROUBLE, 0, 5000 },
    { "whatever its TTL", DNS_TROUBLE, 4000, 5000 },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
lives(void **state)
{
    const struct row *row = *state;
    struct dns_cache *cache = dns_cache_new(100, 1 << 20, key);
    const struct dns_question question = { SLICE("x.example"), DNS_A };
    const struct dns_record record = { .address = { 192, 0, 2, 1 } };
    struct dns_answer answer = { row->status, &record, row->status == DNS_FOUND,
                                 row->ttl, false };

    dns_cache_put(cache, &question, &answer, 500);
    assert_true(dns_cache_get(cache, &question, 500 + row->kept - 1, &answer));
    assert_int_equal(answer.status, row->status);
    assert_int_equal(answer.ttl, 1); /* what is left */
    assert_false(dns_cache_get(cache, &question, 500 + row->kept, &answer));
    assert_int_equal(dns_cache_size(cache).entries, 0);
    dns_cache_free(cache);
}

static void
the_newest_counts(void **state)
{
    struct dns_cache *cache = dns_cache_new(100, 1 << 20, key);
    const struct dns_question question = { SLICE("x.example"), DNS_A };
    const struct dns_answer trouble = { .status = DNS_TROUBLE };
    const struct dns_answer none = { .status = DNS_NO_NAME, .ttl = 60 };
    struct dns_answer answer;

    (void)state;
    dns_cache_put(cache, &question, &trouble, 0);
    dns_cache_put(cache, &question, &none, 0);
    assert_int_equal(dns_cache_size(cache).entries, 1);
    assert_true(dns_cache_get(cache, &question, 10000, &answer));
    assert_int_equal(answer.status, DNS_NO_NAME);
    dns_cache_free(cache);
}

/* ---- how much -------------------------------------------------------------
 */

static void
entries_are_bounded(void **state)
{
    struct dns_cache *cache = dns_cache_new(50, 1 << 20, key);

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        put(cache, i, i);
        assert_true(dns_cache_size(cache).entries <= 50);
        assert_true(has(cache, i, i));
    }
    assert_int_equal(dns_cache_size(cache).entries, 50);
    dns_cache_free(cache);
}

static void
octets_are_bounded(void **state)
{
    struct dns_cache *cache = dns_cache_new(100000, 100000, key);
    size_t most = 0;

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        put(cache, i, i);
        const struct dns_cache_size size = dns_cache_size(cache);
        assert_true(size.octets <= 100000);
        most = size.entries > most ? size.entries : most;
    }
    assert_true(most > 200); /* it is used, too */
    dns_cache_free(cache);
}

static void
one_answer_does_not_fill_it(void **state)
{
    struct dns_cache *cache = dns_cache_new(1000, 64000, key);
    const struct dns_question question = { SLICE("big.example"), DNS_TXT };
    char *octets = calloc(1, 5000);
    struct dns_record record = { .text = { octets, 5000 } };
    struct dns_answer answer = { DNS_FOUND, &record, 1, 600, false };

    (void)state;
    put(cache, 1, 0);
    dns_cache_put(cache, &question, &answer, 0);
    assert_false(dns_cache_get(cache, &question, 0, &answer));
    assert_true(has(cache, 1, 0));
    record.text.len = 3000;
    answer = (struct dns_answer){ DNS_FOUND, &record, 1, 600, false };
    dns_cache_put(cache, &question, &answer, 0);
    assert_true(dns_cache_get(cache, &question, 0, &answer));
    free(octets);
    dns_cache_free(cache);
}

static void
no_room_at_all(void **state)
{
    struct dns_cache *none = dns_cache_new(0, 1 << 20, key);
    struct dns_cache *tiny = dns_cache_new(100, 10, key);

    (void)state;
    put(none, 1, 0);
    put(tiny, 1, 0);
    assert_false(has(none, 1, 0));
    assert_false(has(tiny, 1, 0));
    dns_cache_free(none);
    dns_cache_free(tiny);
}

static void
memory_is_gone(void **state)
{
    struct dns_cache *cache = dns_cache_new(50, 1 << 20, key);

    (void)state;
    put(cache, 1, 0);
    mem_fail_nth(1);
    put(cache, 1, 0);
    mem_fail_nth(0);
    assert_false(has(cache, 1, 0)); /* the old one is not right any more */
    put(cache, 1, 0);
    assert_true(has(cache, 1, 0));
    dns_cache_free(cache);
}

/* Names of every day stay while thousands come once and are not seen again. */
static void
a_flood_passes(void **state)
{
    struct dns_cache *cache = dns_cache_new(1000, 1 << 20, key);
    unsigned kept = 0;

    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        put(cache, i, 0);
        has(cache, i, 0);
    }
    for (unsigned i = 0; i < 1400; i++)
        put(cache, 100000 + i, 1);
    for (unsigned i = 0; i < 500; i++)
        kept += has(cache, i, 2);
    assert_int_equal(kept, 500);
    dns_cache_free(cache);
}

/* What has expired goes before what was not used. */
static void
the_expired_go_first(void **state)
{
    struct dns_cache *cache = dns_cache_new(2, 1 << 20, key);
    const struct dns_question question = { SLICE("x.example"), DNS_A };
    const struct dns_answer trouble = { .status = DNS_TROUBLE };
    struct dns_answer answer;

    (void)state;
    dns_cache_put(cache, &question, &trouble, 0);
    assert_true(dns_cache_get(cache, &question, 0, &answer)); /* used */
    put(cache, 1, 0);
    put(cache, 2, 10000);
    assert_true(has(cache, 1, 10000));
    assert_true(has(cache, 2, 10000));
    dns_cache_free(cache);
}

/* Against a plain list of what was put, in a thousand random steps. */
static void
never_says_what_was_not_put(void **state)
{
    struct dns_cache *cache = dns_cache_new(20, 1 << 20, key);
    int64_t put_at[64];
    uint32_t seed = 1;

    (void)state;
    for (size_t i = 0; i < 64; i++)
        put_at[i] = -1000000000;
    for (int64_t now = 0; now < 3000000; now += 300) {
        seed = seed * 1664525 + 1013904223;
        const unsigned n = seed >> 26;

        if (((seed >> 10) & 1) != 0) {
            put(cache, n, now);
            put_at[n] = now;
        } else if (has(cache, n, now)) {
            assert_true(now - put_at[n] < 600000);
        }
        assert_true(dns_cache_size(cache).entries <= 20);
    }
    dns_cache_free(cache);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 16] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[n++] = (struct CMUnitTest){ rows[i].name, lives, NULL, NULL,
                                          (void *)&rows[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(gives_what_was_put);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_newest_counts);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(entries_are_bounded);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(octets_are_bounded);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(one_answer_does_not_fill_it);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_room_at_all);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(memory_is_gone);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_flood_passes);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_expired_go_first);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(never_says_what_was_not_put);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("cache", tests, n, NULL, NULL);
}
