/* SPF and memory: what an evaluation takes while it waits, records that are
 * long, memory that is gone. */
#include "auth_spfcases.h"

#include "spfstate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct spf_client client = {
    .address = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1 },
    .helo = SLICE("mail.example"),
    .local = SLICE("a"),
    .domain = SLICE("r0.example"),
};

/* A chain of `count` records of about `octets` octets, each of which includes
 * the next; the last one passes. */
static struct dns_zone *
chain(unsigned count, size_t octets)
{
    struct buf text = { 0 }, errors = { 0 };

    for (unsigned i = 0; i < count; i++) {
        buf_printf(&text, "r%u.example TXT \"v=spf1", i);
        for (size_t n = 0; n + 13 < octets; n += 13)
            buf_puts(&text, " ip4:10.1.2.3");
        if (i + 1 < count)
            buf_printf(&text, " include:r%u.example -all\"\n", i + 1);
        else
            buf_puts(&text, " +all\"\n");
    }
    struct dns_zone *zone =
        dns_zone_read(buf_slice(&text), SLICE_OF("chain"), &errors);
    assert_non_null(zone);
    buf_free(&text);
    return zone;
}

static enum spf_result
result_of(unsigned count, size_t octets)
{
    struct dns_zone *zone = chain(count, octets);
    struct spf *spf = spf_case_run(zone, &client);
    const enum spf_result result = spf_verdict(spf)->result;

    spf_free(spf);
    dns_zone_free(zone);
    return result;
}

static void
long_records(void **state)
{
    (void)state;
    assert_int_equal(result_of(1, 30000), SPF_PASS);
    assert_int_equal(result_of(11, 2000), SPF_PASS);
    assert_int_equal(result_of(1, 40000), SPF_PERMERROR);
    assert_int_equal(result_of(5, 8000), SPF_PERMERROR);
}

/* A session that waits for its first answer: the contract allows 4 KiB for
 * everything that it waits with. */
static void
small_while_it_waits(void **state)
{
    (void)state;
    assert_true(sizeof(struct spf) <= 2304);
}

/* Each request for memory fails once: no result, or temperror, or, where it
 * did not matter, the right one. */
static void
memory_is_gone(void **state)
{
    struct dns_zone *zone = chain(3, 900);
    unsigned failed = 0;

    (void)state;
    for (size_t nth = 1; nth < 40; nth++) {
        struct dns_answer answer;

        mem_fail_nth(nth);
        struct spf *spf = spf_new(&client);
        if (spf == NULL) {
            failed++;
            continue;
        }
        const struct dns_question *question = spf_step(spf, NULL);
        while (question != NULL) {
            dns_zone_answer(zone, question, &answer);
            question = spf_step(spf, &answer);
        }
        const bool was_asked = mem_fail_nth(0) >= nth;
        const enum spf_result result = spf_verdict(spf)->result;
        assert_int_equal(result, was_asked ? SPF_TEMPERROR : SPF_PASS);
        failed += was_asked;
        spf_free(spf);
    }
    mem_fail_nth(0);
    assert_true(failed >= 3);
    dns_zone_free(zone);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_records),
        cmocka_unit_test(small_while_it_waits),
        cmocka_unit_test(memory_is_gone),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
