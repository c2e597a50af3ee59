#include "mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct row {
    const char *name;
    struct slice content;
    const char *names; /* of the fields, each with a blank behind it */
    size_t length;     /* of the header */
    bool complete;
    unsigned oddities;
} rows[] = {
    { "two fields", SLICE("A: 1\r\nB: 2\r\n\r\nbody\r\n"), "A B ", 14, true,
      0 },
    { "folded", SLICE("A: 1\r\n x\r\n\ty\r\nB: 2\r\n\r\n"), "A B ", 22, true,
      0 },
    { "a fold of white space only", SLICE("A: 1\r\n \r\nB: 2\r\n\r\n"), "A B ",
      17, true, 0 },
    { "no body", SLICE("A: 1\r\n\r\n"), "A ", 8, true, 0 },
    { "no empty line", SLICE("A: 1\r\nB: 2\r\n"), "A B ", 12, false, 0 },
    { "last line without its end", SLICE("A: 1\r\nB: 2"), "A B ", 10, false,
      0 },
    { "empty line first", SLICE("\r\nA: 1\r\n"), "", 2, true, 0 },
    { "nothing", SLICE(""), "", 0, false, 0 },
    { "empty value", SLICE("A:\r\n\r\n"), "A ", 6, true, 0 },
    { "punctuation in a name", SLICE("A;b=c/d!: 1\r\n\r\n"), "A;b=c/d! ", 15,
      true, 0 },
    { "blank before the colon", SLICE("A \t: 1\r\n\r\n"), "A ", 10, true,
      MAIL_BLANK_BEFORE_COLON },
    { "line without a colon ends it", SLICE("A: 1\r\nnonsense\r\nB: 2\r\n\r\n"),
      "A ", 6, false, MAIL_NO_COLON },
    { "words before the colon end it", SLICE("A: 1\r\nx y: 2\r\n\r\n"), "A ", 6,
      false, MAIL_NO_COLON },
    { "line that begins with a colon", SLICE("A: 1\r\n: 2\r\n\r\n"), "A ", 6,
      false, MAIL_NO_COLON },
    { "blanks and then a colon is a fold", SLICE("A: 1\r\n : 2\r\n\r\n"), "A ",
      14, true, 0 },
    { "begins with a fold", SLICE(" x: 1\r\nA: 1\r\n\r\n"), "", 0, false,
      MAIL_LEADING_FOLD },
    { "begins with a tab", SLICE("\tx\r\n\r\n"), "", 0, false,
      MAIL_LEADING_FOLD },
    { "byte-order mark",
      SLICE("\xef\xbb\xbf"
            "From: a@b\r\n\r\n"),
      "", 0, false, MAIL_BYTE_ORDER_MARK },
    { "mbox line", SLICE("From a@b Mon\r\nA: 1\r\n\r\n"), "A ", 22, true,
      MAIL_MBOX_FROM },
    { "quoted mbox line", SLICE(">From a@b\r\nA: 1\r\n\r\n"), "A ", 19, true,
      MAIL_MBOX_FROM },
    { "two mbox lines", SLICE("From a\r\nfrom b\r\nA: 1\r\n\r\n"), "A ", 24,
      true, MAIL_MBOX_FROM },
    { "mbox line and then a fold", SLICE("From a\r\n x\r\n\r\n"), "", 8, false,
      MAIL_MBOX_FROM | MAIL_LEADING_FOLD },
    { "mbox line later is no field", SLICE("A: 1\r\nFrom a@b\r\n\r\n"), "A ", 6,
      false, MAIL_NO_COLON },
    { "8-bit name", SLICE("A: 1\r\n\xc3\xa4: 2\r\n\r\n"), "A ", 6, false,
      MAIL_BAD_NAME },
    { "control character in a name", SLICE("A: 1\r\nB\x01: 2\r\n\r\n"), "A ", 6,
      false, MAIL_BAD_NAME },
    { "8-bit value", SLICE("A: \xc3\xa4\r\n\r\n"), "A ", 9, true, 0 },
    { "form feed", SLICE("A: \f\r\n\r\n"), "A ", 8, true, MAIL_FORM_FEED },
    { "vertical tab in a fold", SLICE("A: \r\n \v\r\n\r\n"), "A ", 11, true,
      MAIL_FORM_FEED },
    { "bare LF is no line end", SLICE("A: 1\nB: 2\n\n\r\n\r\n"), "A ", 15, true,
      0 },
    { "bare CR is no line end", SLICE("A: 1\rB: 2\r\n\r\n"), "A ", 13, true,
      0 },
    { "CR CR LF", SLICE("A: 1\r\r\n\r\n"), "A ", 9, true, 0 },
    { "NUL in a value", SLICE("A: \0x\r\n\r\n"), "A ", 9, true, 0 },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
index_row(void **state)
{
    const struct row *row = *state;
    struct mail_header header = { 0 };
    struct buf names = { 0 };

    /* A copy of its own size, so that a sanitizer sees a read behind it. */
    char *copy = malloc(row->content.len + 1);
    memcpy(copy, row->content.ptr, row->content.len);
    copy = realloc(copy, row->content.len + (row->content.len == 0));
    assert_true(
        mail_header_index((struct slice){ copy, row->content.len }, &header));
    for (size_t i = 0; i < header.count; i++) {
        struct mail_field field = mail_header_field(&header, i);
        buf_append(&names, field.name);
        buf_putc(&names, ' ');
        assert_ptr_equal(field.name.ptr, field.raw.ptr);
        assert_true(field.body.ptr + field.body.len <=
                    field.raw.ptr + field.raw.len);
        assert_true(field.body.ptr[-1] == ':');
    }
    assert_string_equal(buf_cstr(&names), row->names);
    assert_int_equal(header.length, row->length);
    assert_int_equal(header.complete, row->complete);
    assert_int_equal(header.oddities, row->oddities);
    mail_header_free(&header);
    buf_free(&names);
    free(copy);
}

static void
parts_of_a_field(void **state)
{
    static const struct slice content =
        SLICE("Subject : a\r\n b \r\nTO:c\r\n\r\n");
    struct mail_header header = { 0 };

    (void)state;
    assert_true(mail_header_index(content, &header));
    assert_int_equal(header.count, 2);
    assert_true(
        slice_equal(mail_header_field(&header, 0).name, SLICE_OF("Subject")));
    assert_true(slice_equal(mail_header_field(&header, 0).raw,
                            SLICE_OF("Subject : a\r\n b \r\n")));
    assert_true(
        slice_equal(mail_header_field(&header, 0).body, SLICE_OF(" a\r\n b ")));
    assert_true(slice_equal(mail_header_field(&header, 1).body, SLICE_OF("c")));
    mail_header_free(&header);
}

static void
finding(void **state)
{
    static const struct slice content =
        SLICE("a: 1\r\nB: 2\r\nA : 3\r\naa: 4\r\n\r\n");
    struct mail_header header = { 0 };
    struct mail_field field = { 0 };

    (void)state;
    assert_true(mail_header_index(content, &header));
    assert_int_equal(mail_header_count(&header, SLICE_OF("A")), 2);
    assert_int_equal(mail_header_count(&header, SLICE_OF("C")), 0);
    assert_true(mail_header_find(&header, SLICE_OF("A"), 0, &field));
    assert_true(slice_equal(field.raw, SLICE_OF("a: 1\r\n")));
    assert_true(mail_header_find(&header, SLICE_OF("a"), 1, &field));
    assert_true(slice_equal(field.raw, SLICE_OF("A : 3\r\n")));
    assert_false(mail_header_find(&header, SLICE_OF("a"), 2, &field));
    mail_header_free(&header);
}

/* 102,400 octets pass, one more does not: cleanup's limit. */
static void
huge_field(void **state)
{
    (void)state;
    for (size_t size = 102400; size <= 102401; size++) {
        struct mail_header header = { 0 };
        struct buf content = { 0 };
        buf_puts(&content, "A: ");
        while (content.len < size - 2)
            buf_puts(&content, content.len < size - 5 ? "\r\n x" : "y");
        content.len = size - 2;
        buf_puts(&content, "\r\n\r\n");
        assert_true(mail_header_index(buf_slice(&content), &header));
        assert_int_equal(mail_header_field(&header, 0).raw.len, size);
        assert_int_equal(header.oddities & MAIL_HUGE_FIELD,
                         size > 102400 ? MAIL_HUGE_FIELD : 0);
        mail_header_free(&header);
        buf_free(&content);
    }
}

static void
linear_time(void **state)
{
    static const char *const units[] = { "A: x\r\n", " x\r\n", "\r", "A",
                                         "\r\r\n ",  ":",      "\t" };

    (void)state;
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        struct mail_header header = { 0 };
        struct buf content = { 0 };
        buf_puts(&content, "B: ");
        while (content.len < 1024 * 1024)
            buf_puts(&content, units[u]);
        clock_t start = clock();
        assert_true(mail_header_index(buf_slice(&content), &header));
        /* A few milliseconds; quadratic would be minutes. */
        assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
        mail_header_free(&header);
        buf_free(&content);
    }
}

static void
no_memory(void **state)
{
    struct mail_header header = { 0 };
    struct buf content = { 0 };
    size_t n = 0;
    bool ok = false;

    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_puts(&content, "A: 1\r\n");
    while (!ok) {
        mem_fail_nth(++n);
        ok = mail_header_index(buf_slice(&content), &header);
        mem_fail_nth(0);
        if (!ok)
            assert_null(header.places);
    }
    assert_true(n > 3);
    assert_int_equal(header.count, 1000);
    mail_header_free(&header);
    buf_free(&content);
}

/* A field of 4 octets costs 16 beside them, and their number has an end. */
static void
many_fields(void **state)
{
    struct mail_header header = { 0 };
    struct buf content = { 0 };

    (void)state;
    assert_int_equal(sizeof(struct mail_field_place), 16);
    for (int i = 0; i < MAIL_FIELDS_MAX; i++)
        buf_puts(&content, "a:\r\n");
    size_t end = content.len;
    buf_puts(&content, "\r\n");
    assert_true(mail_header_index(buf_slice(&content), &header));
    assert_int_equal(header.count, MAIL_FIELDS_MAX);
    assert_int_equal(header.oddities, 0);
    assert_true(header.complete);
    mail_header_free(&header);

    content.len = end;
    buf_puts(&content, "b:\r\n\r\n");
    assert_true(mail_header_index(buf_slice(&content), &header));
    assert_int_equal(header.count, MAIL_FIELDS_MAX);
    assert_int_equal(header.oddities, MAIL_MANY_FIELDS);
    assert_false(header.complete);
    mail_header_free(&header);
    buf_free(&content);
}

static struct length_row {
    const char *name;
    struct slice content;
    size_t length;
} length_rows[] = {
    { "nothing yet", SLICE(""), 0 },
    { "in the middle", SLICE("A: 1\r\nB"), 0 },
    { "half of the empty line", SLICE("A: 1\r\n\r"), 0 },
    { "just complete", SLICE("A: 1\r\n\r\n"), 8 },
    { "with body", SLICE("A: 1\r\n\r\nb\r\n\r\n"), 8 },
    { "empty line first", SLICE("\r\nA: 1\r\n\r\n"), 2 },
    { "bare LFs", SLICE("A: 1\n\nx"), 0 },
};

static void
header_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(length_rows) / sizeof(length_rows[0]); i++)
        if (mail_header_length(length_rows[i].content) != length_rows[i].length)
            fail_msg("%s", length_rows[i].name);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 7] = { 0 };
    size_t count = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[count++] = (struct CMUnitTest){ rows[i].name, index_row, NULL,
                                              NULL, &rows[i] };
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(parts_of_a_field);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(finding);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(huge_field);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(linear_time);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(no_memory);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(many_fields);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(header_length);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
