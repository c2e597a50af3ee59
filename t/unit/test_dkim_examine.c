#include "test_dkim.h"

static struct row {
    const char *name;
    struct slice header;
    const char *word; /* NULL: may be signed */
} rows[] = {
    { "plain", SLICE("From: a@b\r\n\r\n"), NULL },
    { "no From", SLICE("To: a@b\r\n\r\n"), "no-from" },
    { "two From", SLICE("From: a@b\r\nFrom: a@b\r\n\r\n"), "several-from" },
    { "unreadable From", SLICE("From: a@[1.2.3.4]\r\n\r\n"),
      "from-unreadable" },
    { "From in two domains", SLICE("From: a@b, c@d\r\n\r\n"), "from-disagree" },
    { "no colon", SLICE("From: a@b\r\nx\r\n\r\n"), "odd-header" },
    { "colon first", SLICE("From: a@b\r\n: x\r\n\r\n"), "odd-header" },
    { "fold first", SLICE(" x\r\nFrom: a@b\r\n\r\n"), "odd-header" },
    { "blank before a colon", SLICE("From: a@b\r\nX : y\r\n\r\n"),
      "odd-header" },
    { "byte-order mark", SLICE("\xef\xbb\xbfTo: x\r\nFrom: a@b\r\n\r\n"),
      "odd-header" },
    { "mbox line", SLICE("From x\r\nFrom: a@b\r\n\r\n"), "odd-header" },
    { "8-bit name", SLICE("From: a@b\r\n\xe4: x\r\n\r\n"), "odd-header" },
    { "form feed in a signed field", SLICE("From: a@b\r\nSubject: \f\r\n\r\n"),
      "form-feed" },
    { "vertical tab in From", SLICE("From: \va@b\r\n\r\n"), "form-feed" },
    { "form feed in another field", SLICE("From: a@b\r\nX-A: \f\r\n\r\n"),
      NULL },
    { "Latin-1 in Subject", SLICE("From: a@b\r\nSubject: \xe4\r\n\r\n"), NULL },
    { "a name with a semicolon", SLICE("From: a@b\r\nA;b: x\r\n\r\n"), NULL },
    { "header only", SLICE("From: a@b\r\n"), NULL },
    { "value on the next line", SLICE("From:\r\n a@b\r\n\r\n"), NULL },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
check(struct slice message, const char *word)
{
    struct mail_header header = { 0 };

    assert_true(mail_header_index(message, &header));
    const char *got = dkim_examine(&header, &dkim_default_headers);
    mail_header_free(&header);
    assert_string_equal(got != NULL ? got : "-", word != NULL ? word : "-");
}

static void
examine_row(void **state)
{
    const struct row *row = *state;

    check(row->header, row->word);
}

static void
huge_field(void **state)
{
    struct buf header = { 0 };

    (void)state;
    buf_puts(&header, "From: a@b\r\nX: ");
    while (header.len < 102450)
        buf_puts(&header, "xxxxxxxxxx\r\n ");
    buf_puts(&header, "\r\n\r\n");
    check(buf_slice(&header), "huge-field");
    buf_free(&header);
}

/* A field beyond the names that are to be signed may hold what it wants. */
static void
form_feed_by_list(void **state)
{
    static const struct slice one[] = { SLICE("From") };
    const struct dkim_names names = { one, 1 };
    struct mail_header header = { 0 };

    (void)state;
    assert_true(mail_header_index(SLICE_OF("From: a@b\r\nSubject: \f\r\n\r\n"),
                                  &header));
    assert_null(dkim_examine(&header, &names));
    mail_header_free(&header);
}

/* expect.tsv: file, hash, length, domain, word. */
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
        struct mail_header header = { 0 };
        struct arena arena = { 0 };
        struct buf path = { 0 };
        struct buf message = { 0 };
        struct slice domain = { 0 };
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        struct slice file = slice_cut(&line, '\t');
        slice_cut(&line, '\t');
        slice_cut(&line, '\t');
        struct slice want = slice_cut(&line, '\t');
        buf_printf(&path, DKIM_DATA "msgs/%.*s", SLICE_ARG(file));
        read_file(buf_cstr(&path), &message);
        assert_true(mail_header_index(buf_slice(&message), &header));
        const char *word = dkim_examine(&header, &dkim_default_headers);
        if (!slice_equal(line, slice_from(word != NULL ? word : "-")))
            fail_msg("%.*s: %s", SLICE_ARG(file), word);
        enum mail_from_status from = mail_from_domain(&header, &arena, &domain);
        if (!slice_equal(want, SLICE_OF("?")) &&
            !slice_equal(want, from == MAIL_FROM_OK ? domain : SLICE_OF("-")))
            fail_msg("%.*s: author %.*s", SLICE_ARG(file), SLICE_ARG(domain));
        mail_header_free(&header);
        arena_free(&arena);
        buf_free(&path);
        buf_free(&message);
        count++;
    }
    assert_int_equal(count, 64);
    buf_free(&lines);
}

static void
names(void **state)
{
    static const char *const never[] = {
        "Return-Path",
        "received",
        "Delivered-To",
        "Bcc",
        "RESENT-BCC",
        "Content-Length",
        "X-Foo",
        "x-onward-loop",
        "Authentication-Results",
        "ARC-Seal",
        "DKIM-Signature",
        "DKIM2-Signature",
        "To;x",
        "Message-Instance",
        "",
        "a b",
        "a:b",
        "\xc3\xa4",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        assert_false(dkim_name_may_be_signed(slice_from(never[i])));
    for (size_t i = 0; i < dkim_default_headers.count; i++)
        assert_true(dkim_name_may_be_signed(dkim_default_headers.names[i]));
    for (size_t i = 0; i < dkim_default_oversign.count; i++)
        assert_true(dkim_name_may_be_signed(dkim_default_oversign.names[i]));
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 4] = { 0 };
    size_t count = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[count++] = (struct CMUnitTest){ rows[i].name, examine_row, NULL,
                                              NULL, &rows[i] };
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(huge_field);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(form_feed_by_list);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(vectors);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(names);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
