#include "test_dkim.h"

#include <openssl/evp.h>

/* ---- bodies: any pieces, the same hash --------------------------------- */

static struct row {
    const char *name;
    struct slice body;
    struct slice canonical;
} rows[] = {
    { "empty body", SLICE(""), SLICE("") },
    { "empty lines only", SLICE("\r\n\r\n\r\n"), SLICE("") },
    { "white space only", SLICE(" \t\r\n\t \r\n"), SLICE("") },
    { "white space without a line end", SLICE(" "), SLICE("") },
    { "RFC 6376, 3.4.5", SLICE(" C \r\nD \t E\r\n\r\n\r\n"),
      SLICE(" C\r\nD E\r\n") },
    { "line without a line end", SLICE("a"), SLICE("a\r\n") },
    { "white space at the end of a line", SLICE("a \t \r\nb\t\r\n"),
      SLICE("a\r\nb\r\n") },
    { "white space at the start is one blank", SLICE("\t\ta\r\n  b\r\n"),
      SLICE(" a\r\n b\r\n") },
    { "a lone tab is a blank", SLICE("a\tb\r\n"), SLICE("a b\r\n") },
    { "empty lines inside stay", SLICE("a\r\n\r\n \r\nb\r\n\r\n"),
      SLICE("a\r\n\r\n\r\nb\r\n") },
    { "empty lines at the start stay", SLICE("\r\n\r\na\r\n"),
      SLICE("\r\n\r\na\r\n") },
    { "last line of white space without its end", SLICE("a\r\n \t"),
      SLICE("a\r\n") },
    { "bare CR is an octet", SLICE("a\rb \r c\r\n"), SLICE("a\rb \r c\r\n") },
    { "bare CR before CRLF", SLICE("a\r\r\n"), SLICE("a\r\r\n") },
    { "CR at the very end", SLICE("a \r"), SLICE("a \r\r\n") },
    { "CR alone", SLICE("\r"), SLICE("\r\r\n") },
    { "bare LF is an octet", SLICE("a \nb\n\n"), SLICE("a \nb\n\n\r\n") },
    { "LF first", SLICE("\n\r\n"), SLICE("\n\r\n") },
    { "white space between CR and LF", SLICE("a\r \n\r\n"),
      SLICE("a\r \n\r\n") },
    { "VT, FF and NBSP are no white space",
      SLICE("a\v\r\nb\f \r\n\xc2\xa0\r\n"),
      SLICE("a\v\r\nb\f\r\n\xc2\xa0\r\n") },
    { "NUL is an octet", SLICE("a\0 \0\r\n\0"), SLICE("a\0 \0\r\n\0\r\n") },
    { "the changes at the end of a block of 64",
      SLICE("0123456789012345678901234567890123456789012345678901234567890"
            "ab  c\r\n0123456789012345678901234567890123456789012345678901"
            "0123456789\t\r\n0123456789012345678901234567890123456789 \r\n"),
      SLICE("0123456789012345678901234567890123456789012345678901234567890"
            "ab c\r\n0123456789012345678901234567890123456789012345678901"
            "0123456789\r\n0123456789012345678901234567890123456789\r\n") },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
body_row(void **state)
{
    const struct row *row = *state;
    unsigned char want[32];
    unsigned char got[32];

    assert_int_equal(EVP_Digest(row->canonical.ptr, row->canonical.len, want,
                                NULL, EVP_sha256(), NULL),
                     1);
    for (size_t piece = 1; piece <= row->body.len + 1; piece++) {
        hash_body(row->body, piece, got);
        assert_memory_equal(got, want, 32);
    }
}

/* ---- the messages of t/data/dkim --------------------------------------- */

static void
check_vector(struct slice line)
{
    static const size_t pieces[] = { 1,  2,    3,    7,    63,      64,
                                     65, 4095, 4096, 4097, SIZE_MAX };
    struct slice file = slice_cut(&line, '\t');
    struct slice want = slice_cut(&line, '\t');
    struct slice length = slice_cut(&line, '\t');
    struct buf path = { 0 };
    struct buf message = { 0 };
    uint64_t body_len = 0;

    buf_printf(&path, DKIM_DATA "msgs/%.*s", SLICE_ARG(file));
    read_file(buf_cstr(&path), &message);
    assert_true(slice_to_u64(length, &body_len));
    struct slice body =
        slice_tail(buf_slice(&message), message.len - (size_t)body_len);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        unsigned char hash[32];
        char text[64];
        hash_body(body, pieces[i], hash);
        EVP_EncodeBlock((unsigned char *)text, hash, 32);
        if (!slice_equal(slice_from(text), want))
            fail_msg("%.*s in pieces of %zu: %s", SLICE_ARG(file), pieces[i],
                     text);
    }
    buf_free(&path);
    buf_free(&message);
}

static void
vectors(void **state)
{
    struct buf lines = { 0 };
    size_t count = 0;

    (void)state;
    read_file(DKIM_DATA "expect.tsv", &lines);
    struct slice rest = buf_slice(&lines);
    while (rest.len != 0) {
        struct slice line = slice_cut(&rest, '\n');
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        check_vector(line);
        count++;
    }
    assert_int_equal(count, 64);
    buf_free(&lines);
}

/* ---- fields ------------------------------------------------------------ */

static struct field_row {
    const char *name;
    struct slice raw;
    struct slice relaxed;
} field_rows[] = {
    { "RFC 6376, 3.4.5: A", SLICE("A: X\r\n"), SLICE("a:X\r\n") },
    { "RFC 6376, 3.4.5: B", SLICE("B : Y\t\r\n\tZ  \r\n"), SLICE("b:Y Z\r\n") },
    { "name in lower case, value as it is", SLICE("SubJect: AbC\r\n"),
      SLICE("subject:AbC\r\n") },
    { "no blank behind the colon", SLICE("Subject:x\r\n"),
      SLICE("subject:x\r\n") },
    { "value on the next line", SLICE("Subject:\r\n \t x\r\n"),
      SLICE("subject:x\r\n") },
    { "empty value", SLICE("Subject:\r\n"), SLICE("subject:\r\n") },
    { "value of white space", SLICE("Subject: \t\r\n \r\n"),
      SLICE("subject:\r\n") },
    { "fold without white space before it", SLICE("S: a\r\n b\r\n"),
      SLICE("s:a b\r\n") },
    { "bare CR stays", SLICE("S: a\rb \r\r\n"), SLICE("s:a\rb \r\r\n") },
    { "VT and FF stay", SLICE("S: a\v \f\r\n"), SLICE("s:a\v \f\r\n") },
    { "without CRLF", SLICE("S: a "), SLICE("s:a\r\n") },
    { "a colon in the value", SLICE("S: a : b\r\n"), SLICE("s:a : b\r\n") },
};
enum {
    FIELD_ROWS = sizeof(field_rows) / sizeof(field_rows[0])
};

static void
field_row(void **state)
{
    const struct field_row *row = *state;
    struct buf out = { 0 };

    dkim_relax_field(row->raw, &out);
    assert_int_equal(out.len, row->relaxed.len);
    assert_memory_equal(out.ptr, row->relaxed.ptr, out.len);
    buf_free(&out);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + FIELD_ROWS + 1] = { 0 };
    size_t count = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[count++] =
            (struct CMUnitTest){ rows[i].name, body_row, NULL, NULL, &rows[i] };
    for (size_t i = 0; i < FIELD_ROWS; i++)
        tests[count++] = (struct CMUnitTest){ field_rows[i].name, field_row,
                                              NULL, NULL, &field_rows[i] };
    tests[count++] = (struct CMUnitTest){ "all messages, in any pieces",
                                          vectors, NULL, NULL, NULL };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
