/* Each outcome has a word of its own in the log, and one that stays. */
#include "srs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
words(void **state)
{
    static const struct {
        enum srs_status status;
        const char *word;
    } rows[] = {
        { SRS_OK, "ok" },
        { SRS_NULL_SENDER, "srs-null" },
        { SRS_OUR_DOMAIN, "srs-ours" },
        { SRS_NOT_SRS, "srs-none" },
        { SRS_SYNTAX, "srs-malformed" },
        { SRS_TOO_LONG, "srs-too-long" },
        { SRS_HASH_SHORT, "srs-short" },
        { SRS_HASH_BAD, "srs-hash" },
        { SRS_EXPIRED, "srs-expired" },
        { SRS_NO_MEMORY, "srs-internal" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(srs_status_word(rows[i].status), rows[i].word);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(words) };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
