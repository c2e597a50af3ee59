/* Netstrings and what a socketmap says, whole and octet by octet. */
#include "table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct row {
    const char *name;
    struct slice wire;
    enum netstring_status status;
    struct slice payload;
    size_t left; /* octets behind it */
} rows[] = {
    { "nothing", SLICE(""), NETSTRING_MORE, SLICE(""), 0 },
    { "a netstring", SLICE("5:hello,"), NETSTRING_DONE, SLICE("hello"), 0 },
    { "an empty one", SLICE("0:,"), NETSTRING_DONE, SLICE(""), 0 },
    { "two of them", SLICE("2:ab,3:cde,"), NETSTRING_DONE, SLICE("ab"), 6 },
    { "any octets", SLICE("4:\0,\n\xFF,"), NETSTRING_DONE, SLICE("\0,\n\xFF"),
      0 },
    { "only a length", SLICE("12"), NETSTRING_MORE, SLICE(""), 0 },
    { "no comma yet", SLICE("5:hello"), NETSTRING_MORE, SLICE(""), 0 },
    { "another octet for the comma", SLICE("5:hello;"), NETSTRING_BAD,
      SLICE(""), 0 },
    { "too short a length", SLICE("4:hello,"), NETSTRING_BAD, SLICE(""), 0 },
    { "no length", SLICE(":hello,"), NETSTRING_BAD, SLICE(""), 0 },
    { "a letter for the length", SLICE("x"), NETSTRING_BAD, SLICE(""), 0 },
    { "a sign", SLICE("-1:,"), NETSTRING_BAD, SLICE(""), 0 },
    { "a blank", SLICE(" 1:a,"), NETSTRING_BAD, SLICE(""), 0 },
    { "a leading zero", SLICE("05:hello,"), NETSTRING_BAD, SLICE(""), 0 },
    { "as long as allowed", SLICE("20:01234567890123456789,"), NETSTRING_DONE,
      SLICE("01234567890123456789"), 0 },
    { "one longer, told by its length alone", SLICE("21"), NETSTRING_BAD,
      SLICE(""), 0 },
    { "a length that runs over", SLICE("18446744073709551617:a,"),
      NETSTRING_BAD, SLICE(""), 0 },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0]),
    MAX = 20
};

static void
whole(void **state)
{
    const struct row *row = *state;
    struct slice in = row->wire, payload = { 0 };

    assert_int_equal(netstring_take(&in, MAX, &payload), row->status);
    if (row->status == NETSTRING_DONE) {
        assert_true(slice_equal(payload, row->payload));
        assert_int_equal(in.len, row->left);
    } else {
        assert_ptr_equal(in.ptr, row->wire.ptr);
        assert_int_equal(in.len, row->wire.len);
    }
}

/* More octets never turn one verdict into another. */
static void
bytewise(void **state)
{
    const struct row *row = *state;
    enum netstring_status status = NETSTRING_MORE;
    struct slice payload = { 0 };

    for (size_t n = 0; n <= row->wire.len && status == NETSTRING_MORE; n++) {
        struct slice in = slice_head(row->wire, n);
        status = netstring_take(&in, MAX, &payload);
        if (status == NETSTRING_DONE)
            assert_int_equal(in.len, 0);
    }
    assert_int_equal(status, row->status);
    if (status == NETSTRING_DONE)
        assert_true(slice_equal(payload, row->payload));
}

static void
prints_what_it_reads(void **state)
{
    struct buf out = { 0 };

    (void)state;
    netstring_print(SLICE_OF("hello"), &out);
    netstring_print(SLICE_OF(""), &out);
    socketmap_request(SLICE_OF("alias"), SLICE_OF("a@b.example"), &out);
    assert_string_equal(buf_cstr(&out), "5:hello,0:,17:alias a@b.example,");
    buf_free(&out);
}

static void
answers(void **state)
{
    static const struct {
        struct slice payload;
        enum table_status status;
        struct slice value;
    } answer_rows[] = {
        { SLICE("OK a@b.example"), TABLE_FOUND, SLICE("a@b.example") },
        { SLICE("OK a, b  c"), TABLE_FOUND, SLICE("a, b  c") },
        { SLICE("NOTFOUND "), TABLE_MISS, SLICE("") },
        { SLICE("NOTFOUND"), TABLE_MISS, SLICE("") },
        { SLICE("TEMP no database"), TABLE_ERROR, SLICE("TEMP no database") },
        { SLICE("TIMEOUT slow"), TABLE_ERROR, SLICE("TIMEOUT slow") },
        { SLICE("PERM bad map"), TABLE_ERROR, SLICE("PERM bad map") },
        { SLICE("OK "), TABLE_ERROR, SLICE("OK ") },
        { SLICE("OK"), TABLE_ERROR, SLICE("OK") },
        { SLICE("ok a"), TABLE_ERROR, SLICE("ok a") },
        { SLICE("OKAY a"), TABLE_ERROR, SLICE("OKAY a") },
        { SLICE(""), TABLE_ERROR, SLICE("") },
        { SLICE("NOTFOUNDX"), TABLE_ERROR, SLICE("NOTFOUNDX") },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(answer_rows) / sizeof(answer_rows[0]); i++) {
        struct table_answer answer = socketmap_answer(answer_rows[i].payload);
        assert_int_equal(answer.status, answer_rows[i].status);
        assert_true(slice_equal(answer.value, answer_rows[i].value));
    }
}

int
main(void)
{
    struct CMUnitTest tests[2 * ROWS + 2] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++) {
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, whole, NULL, NULL, &rows[i] };
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, bytewise, NULL, NULL, &rows[i] };
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(prints_what_it_reads);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(answers);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
