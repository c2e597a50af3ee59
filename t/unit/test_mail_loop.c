/* The loop mark: written, read, recognized, and told from one another by
 * nobody without the key. */
#include "mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static const struct slice secret = SLICE("0123456789abcdef");
static const struct slice alias = SLICE("fwd.shop@public.example");

/* The mark of `alias` with the number 0x1234, worked out with other programs:
 *   printf 'onward-loop-mark\0fwd.shop@public.example' |
 *       openssl dgst -sha256 -hmac 0123456789abcdef     (its first 16 octets)
 *   openssl enc -aes-128-ecb -nopad -K KEY              (of each block)
 * A message may meet a newer Onward. */
#define MARK "fe535d9e-7e99a8dfa3fd5c93"

static enum mail_loop_status
find(struct slice content, struct slice of)
{
    struct mail_header header = { 0 };
    struct mail_loop_marks marks;
    struct mail_loop_key key;

    assert_true(mail_header_index(content, &header));
    assert_true(mail_loop_collect(&header, &marks));
    assert_true(mail_loop_key_make(secret, of, &key));
    enum mail_loop_status status = mail_loop_find(&marks, &key);
    mail_header_free(&header);
    return status;
}

/* ---- reading ----------------------------------------------------------- */

static struct row {
    const char *name;
    struct slice content;
    bool found;
} rows[] = {
    { "no header", SLICE("\r\nbody\r\n"), false },
    { "the mark", SLICE("X-Onward-Loop: " MARK "\r\n\r\n"), true },
    { "the name in any case", SLICE("x-onward-loop: " MARK "\r\n\r\n"), true },
    { "the mark without a blank", SLICE("X-Onward-Loop:" MARK "\r\n\r\n"),
      true },
    { "the mark, folded by somebody",
      SLICE("X-Onward-Loop:\r\n " MARK "\t \r\n\r\n"), true },
    { "the second mark is ours",
      SLICE("X-Onward-Loop: 00000000-0000000000000000\r\n"
            "X-Onward-Loop: " MARK "\r\n\r\n"),
      true },
    { "a broken one above it",
      SLICE("X-Onward-Loop: x\r\nX-Onward-Loop: " MARK "\r\n\r\n"), true },
    { "more than the mark", SLICE("X-Onward-Loop: " MARK "0\r\n\r\n"), false },
    { "two marks in one field",
      SLICE("X-Onward-Loop: " MARK " " MARK "\r\n\r\n"), false },
    { "an empty mark", SLICE("X-Onward-Loop:\r\n\r\n"), false },
    { "the mark in another field", SLICE("X-Loop: " MARK "\r\n\r\n"), false },
    { "the mark in the body", SLICE("A: b\r\n\r\nX-Onward-Loop: " MARK "\r\n"),
      false },
    { "a mark of the form without salt",
      SLICE("X-Onward-Loop: 8a9987500362c39d\r\n\r\n"), false },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
is_read(void **state)
{
    const struct row *row = *state;

    assert_int_equal(find(row->content, alias),
                     row->found ? MAIL_LOOP_FOUND : MAIL_LOOP_NONE);
}

/* Any other octet in its place, and the mark is not the alias's. */
static void
every_octet_counts(void **state)
{
    struct buf content = { 0 };
    size_t at = strlen("X-Onward-Loop: ");

    (void)state;
    buf_puts(&content, "X-Onward-Loop: " MARK "\r\n\r\n");
    for (size_t i = at; i < at + strlen(MARK); i++) {
        char was = content.ptr[i];
        for (const char *c = "0123456789abcdefgG-/:@` "; *c != '\0'; c++) {
            content.ptr[i] = *c;
            assert_int_equal(find(buf_slice(&content), alias),
                             *c == was ? MAIL_LOOP_FOUND : MAIL_LOOP_NONE);
        }
        content.ptr[i] = was;
    }
    for (char *c = content.ptr + at; *c != '\r'; c++)
        *c = *c >= 'a' ? (char)(*c - 'a' + 'A') : *c;
    assert_int_equal(find(buf_slice(&content), alias), MAIL_LOOP_FOUND);
    buf_free(&content);
}

static void
whose_it_is(void **state)
{
    static const struct slice content =
        SLICE("X-Onward-Loop: " MARK "\r\n\r\n");

    (void)state;
    assert_int_equal(find(content, SLICE_OF("Fwd.Shop@PUBLIC.example")),
                     MAIL_LOOP_FOUND);
    assert_int_equal(find(content, SLICE_OF("fwd.shoq@public.example")),
                     MAIL_LOOP_NONE);
    assert_int_equal(find(content, SLICE_OF("")), MAIL_LOOP_NONE);
}

/* ---- writing ----------------------------------------------------------- */

static void
print(struct slice of, struct slice with, uint64_t unique, struct buf *out)
{
    struct mail_loop_key key;

    buf_clear(out);
    assert_true(mail_loop_key_make(with, of, &key));
    assert_true(mail_loop_print(&key, unique, out));
}

static void
is_printed(void **state)
{
    struct buf out = { 0 };

    (void)state;
    print(alias, secret, 0x1234, &out);
    assert_string_equal(buf_cstr(&out), "X-Onward-Loop: " MARK "\r\n");
    buf_free(&out);
}

/* Two marks of one alias share no more than chance lets them. */
static void
no_two_are_alike(void **state)
{
    enum {
        COUNT = 1000
    };
    static char seen[COUNT][25];
    struct buf out = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        print(alias, secret, 0x1234 + i, &out);
        assert_int_equal(out.len, 15 + 25 + 2);
        memcpy(seen[i], out.ptr + 15, 25);
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(seen[k], seen[i], 8);
            assert_memory_not_equal(seen[k] + 9, seen[i] + 9, 16);
        }
        buf_puts(&out, "\r\n");
        assert_int_equal(find(buf_slice(&out), alias), MAIL_LOOP_FOUND);
    }
    print(alias, SLICE_OF("0123456789abcdeg"), 0x1234, &out);
    buf_puts(&out, "\r\n");
    assert_int_equal(find(buf_slice(&out), alias), MAIL_LOOP_NONE);
    buf_free(&out);
}

/* ---- many -------------------------------------------------------------- */

static void
at_most_64(void **state)
{
    struct buf content = { 0 };
    struct mail_header header = { 0 };
    struct mail_loop_marks marks;

    (void)state;
    for (int i = 0; i < MAIL_LOOP_MARKS_MAX - 1; i++)
        buf_puts(&content,
                 i % 2 == 0 ? "X-ONWARD-LOOP:\r\n"
                            : "X-Onward-Loop: 01234567-0123456789abcdef\r\n");
    buf_puts(&content, "X-Onward-Loop: " MARK "\r\n");
    assert_int_equal(find(buf_slice(&content), alias), MAIL_LOOP_FOUND);
    buf_puts(&content, "X-Onward-Loop:\r\n");
    assert_true(mail_header_index(buf_slice(&content), &header));
    assert_false(mail_loop_collect(&header, &marks));
    mail_header_free(&header);
    buf_free(&content);
}

/* A thousand aliases and all the marks there may be, of a megabyte. */
static void
many_aliases(void **state)
{
    struct buf content = { 0 };
    struct mail_header header = { 0 };
    struct mail_loop_marks marks;
    struct mail_loop_key key;
    char name[32];

    (void)state;
    for (int i = 0; i < MAIL_LOOP_MARKS_MAX; i++) {
        buf_puts(&content, "X-Onward-Loop:");
        for (int k = 0; k < 16000; k++)
            buf_putc(&content, ' ');
        buf_puts(&content, "01234567-0123456789abcdef\r\n");
    }
    clock_t start = clock();
    assert_true(mail_header_index(buf_slice(&content), &header));
    assert_true(mail_loop_collect(&header, &marks));
    for (int i = 0; i < 1000; i++) {
        int len = snprintf(name, sizeof(name), "u%d@public.example", i);
        assert_true(mail_loop_key_make(
            secret, (struct slice){ name, (size_t)len }, &key));
        assert_int_equal(mail_loop_find(&marks, &key), MAIL_LOOP_NONE);
    }
    double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
    print_message("# %.1f ms\n", ms);
    assert_true(ms < 4000); /* 10 ms; each look-up by itself: minutes */
    mail_header_free(&header);
    buf_free(&content);
}

/* ---- addresses in a log ------------------------------------------------ */

static void
address_token(void **state)
{
    char token[MAIL_ADDRESS_TOKEN], other[MAIL_ADDRESS_TOKEN];

    (void)state;
    assert_true(mail_address_token(secret, alias, token));
    assert_memory_equal(token, "5da2bf89fc27ac42", sizeof(token));
    assert_true(
        mail_address_token(secret, SLICE_OF("FWD.shop@public.Example"), other));
    assert_memory_equal(token, other, sizeof(token));
    assert_true(
        mail_address_token(secret, SLICE_OF("fwd.shop@public.exampl"), other));
    assert_memory_not_equal(token, other, sizeof(token));
}

int
main(void)
{
    struct CMUnitTest tests[7 + ROWS] = {
        cmocka_unit_test(every_octet_counts),
        cmocka_unit_test(whose_it_is),
        cmocka_unit_test(is_printed),
        cmocka_unit_test(no_two_are_alike),
        cmocka_unit_test(at_most_64),
        cmocka_unit_test(many_aliases),
        cmocka_unit_test(address_token),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[7 + i] =
            (struct CMUnitTest){ rows[i].name, is_read, NULL, NULL, &rows[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
