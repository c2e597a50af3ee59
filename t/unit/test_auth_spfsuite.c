/*
 * The openspf suite for RFC 7208, which is not part of the tree: the directory
 * of suites is ONWARD_SUITES, else ../shared/suites. All of its cases have to
 * agree. unit/spfsuite.py makes our form of its YAML.
 */
#include "auth_spfcases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    CASES = 203
};

int
main(void)
{
    const char *suites = getenv("ONWARD_SUITES");
    struct spf_cases cases = { 0 };
    struct buf text = { 0 }, path = { 0 };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    buf_printf(&path, "%s/spf-rfc7208/rfc7208-tests.yml",
               suites != NULL ? suites : "../shared/suites");
    if (access(buf_cstr(&path), R_OK) != 0) {
        printf("1..0 # skip no %s (ONWARD_SUITES)\n", buf_cstr(&path));
        buf_free(&path);
        return 0;
    }
    struct buf command = { 0 };
    buf_printf(&command, "/usr/bin/python3 '%s/unit/spfsuite.py' '%s'",
               TEST_SOURCE, buf_cstr(&path));
    FILE *generated = popen(buf_cstr(&command), "r");
    if (generated == NULL)
        return 1;
    spf_cases_slurp(generated, &text);
    if (pclose(generated) != 0)
        return 1; /* python3-yaml is missing, or the suite is not as it was */
    spf_cases_read(buf_slice(&text), &cases);
    int failed = spf_cases_main("openspf", &cases);
    if (cases.count != CASES) {
        printf("# %zu cases, not %d\n", cases.count, CASES);
        failed = 1;
    }
    spf_cases_free(&cases);
    buf_free(&text);
    buf_free(&path);
    buf_free(&command);
    return failed;
}
