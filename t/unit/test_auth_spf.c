/* SPF, rule by rule: data/auth/spf.cases, or the file that is named. */
#include "auth_spfcases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

int
main(int argc, char **argv)
{
    struct spf_cases cases = { 0 };
    struct buf text = { 0 };
    FILE *file = fopen(argc > 1 ? argv[1] : TEST_DATA "/auth/spf.cases", "r");

    cmocka_set_message_output(CM_OUTPUT_TAP);
    if (file == NULL)
        return 1;
    spf_cases_slurp(file, &text);
    fclose(file);
    spf_cases_read(buf_slice(&text), &cases);
    const int failed = spf_cases_main("spf", &cases);
    spf_cases_free(&cases);
    buf_free(&text);
    return failed;
}
