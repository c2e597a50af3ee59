/* Rows of broken configurations, and what checks one: all of its errors, in
 * order, with file, line, setting and cure. */
#ifndef CONF_ROWS_H
#define CONF_ROWS_H

#include "conf_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* One line, so that what follows begins in line 2. */
#define LISTENER                                                               \
    "listeners = ( { name = \"mx\"; address = \"127.0.0.1:10025\"; "           \
    "role = \"inbound\"; } );\n"
#define SRS                                                                    \
    "srs = { domain = \"srs.example.org\"; secret_file = \"@DIR@/secret\";\n"

enum {
    ERRORS_MAX = 8
};

struct row {
    const char *name;
    const char *text;
    /* The beginning of each line; "N: " is short for "@DIR@/test.conf:N: ". */
    const char *errors[ERRORS_MAX];
};

/* The line that row->errors[i] is the beginning of. */
static inline void
wanted(const char *error, struct buf *out)
{
    if (ascii_is_digit(error[0]))
        buf_printf(out, "%s/test.conf:", conf_dir);
    expand(out, error, conf_dir);
}

static inline void
check_row(void **state)
{
    const struct row *row = *state;
    struct buf errors = { 0 };
    struct buf warnings = { 0 };
    struct conf *conf = load_text(row->text, NULL, &errors, &warnings);
    struct slice rest = buf_slice(&errors);
    size_t i = 0;

    assert_null(conf);
    while (rest.len != 0) {
        struct slice line = slice_cut(&rest, '\n');
        struct buf want = { 0 };
        if (line.len == 0 || line.ptr[0] == ' ')
            continue;
        if (i == ERRORS_MAX || row->errors[i] == NULL)
            fail_msg("one error too many: %.*s", SLICE_ARG(line));
        wanted(row->errors[i], &want);
        if (!slice_equal(slice_head(line, want.len), buf_slice(&want)))
            fail_msg("%.*s\nwanted: %s", SLICE_ARG(line), buf_cstr(&want));
        buf_free(&want);
        i++;
    }
    if (i < ERRORS_MAX && row->errors[i] != NULL)
        fail_msg("missing: %s", row->errors[i]);
    buf_free(&errors);
    buf_free(&warnings);
}

static inline int
check_rows(const struct row *rows, size_t count)
{
    struct CMUnitTest *tests = mem_alloc(count * sizeof(*tests));

    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, check_row, NULL, NULL,
                                        (void *)(uintptr_t)&rows[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = _cmocka_run_group_tests("tests", tests, count, make_files,
                                         remove_files);
    free(tests);
    return failed;
}

#endif
