/* Secret files. */
#include "srs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define S16 "0123456789abcdef"
#define S256 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16 S16

enum {
    MAX = 3
};

static struct row {
    const char *name;
    struct slice text;
    size_t count; /* 0: refused */
    struct slice secrets[MAX];
    unsigned line; /* of the error */
} rows[] = {
    { "one line", SLICE(S16 "\n"), 1, { SLICE(S16) }, 0 },
    { "without a final LF", SLICE(S16), 1, { SLICE(S16) }, 0 },
    { "CRLF", SLICE(S16 "\r\n"), 1, { SLICE(S16) }, 0 },
    { "CR in the middle stays",
      SLICE("0123456\r89abcdef\n"),
      1,
      { SLICE("0123456\r89abcdef") },
      0 },
    { "blanks count",
      SLICE(" 123456789abcde \n"),
      1,
      { SLICE(" 123456789abcde ") },
      0 },
    { "a number sign is no comment",
      SLICE("#" S16 "\n"),
      1,
      { SLICE("#" S16) },
      0 },
    { "order is kept, empty lines are skipped",
      SLICE("\n" S16 "1\n\r\n\n" S16 "2\n" S16 "3\n\n"),
      3,
      { SLICE(S16 "1"), SLICE(S16 "2"), SLICE(S16 "3") },
      0 },
    { "256 octets", SLICE(S256 "\n"), 1, { SLICE(S256) }, 0 },
    { "octets above 127",
      SLICE("\xff\xfe" S16 "\n"),
      1,
      { SLICE("\xff\xfe" S16) },
      0 },
    { "257 octets", SLICE(S256 "x\n"), 0, { SLICE("") }, 1 },
    { "15 octets", SLICE(S16 "\n\n0123456789abcde\n"), 0, { SLICE("") }, 3 },
    { "CR does not count", SLICE("0123456789abcde\r\n"), 0, { SLICE("") }, 1 },
    { "a NUL", SLICE(S16 "\0" S16 "\n"), 0, { SLICE("") }, 1 },
    { "empty", SLICE(""), 0, { SLICE("") }, 0 },
    { "only empty lines", SLICE("\n\r\n"), 0, { SLICE("") }, 2 },
    { "too many",
      SLICE(S16 "\n" S16 "\n" S16 "\n" S16 "\n"),
      0,
      { SLICE("") },
      4 },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
is_read(void **state)
{
    const struct row *row = *state;
    struct slice secrets[MAX];
    size_t count = 99;
    unsigned line = 99;
    const char *why = NULL;

    bool ok = srs_secrets_parse(row->text, secrets, MAX, &count, &line, &why);
    assert_int_equal(ok, row->count != 0);
    if (!ok) {
        assert_int_equal(line, row->line);
        assert_non_null(why);
        return;
    }
    assert_int_equal(count, row->count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(secrets[i].len, row->secrets[i].len);
        assert_memory_equal(secrets[i].ptr, row->secrets[i].ptr,
                            secrets[i].len);
    }
}

int
main(void)
{
    struct CMUnitTest tests[ROWS] = { 0 };

    for (size_t i = 0; i < ROWS; i++)
        tests[i] =
            (struct CMUnitTest){ rows[i].name, is_read, NULL, NULL, &rows[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
