#include "test_smtp.h"

/* ---- the command line -------------------------------------------------- */

static struct line {
    const char *name;
    struct slice line;
    enum smtp_verb verb;
    struct slice word, argument;
} lines[] = {
    { "EHLO", SLICE("EHLO a.example"), SMTP_EHLO, SLICE("EHLO"),
      SLICE("a.example") },
    { "HELO", SLICE("HELO a"), SMTP_HELO, SLICE("HELO"), SLICE("a") },
    { "MAIL", SLICE("MAIL FROM:<>"), SMTP_MAIL, SLICE("MAIL"),
      SLICE("FROM:<>") },
    { "odd case and blanks", SLICE("rcpt   to: u2@x"), SMTP_RCPT, SLICE("rcpt"),
      SLICE("to: u2@x") },
    { "blanks at both ends", SLICE(" \tDaTa \t"), SMTP_DATA, SLICE("DaTa"),
      SLICE("") },
    { "tab between", SLICE("NOOP\tx"), SMTP_NOOP, SLICE("NOOP"), SLICE("x") },
    { "RSET", SLICE("RSET"), SMTP_RSET, SLICE("RSET"), SLICE("") },
    { "VRFY", SLICE("VRFY a b"), SMTP_VRFY, SLICE("VRFY"), SLICE("a b") },
    { "HELP", SLICE("HELP"), SMTP_HELP, SLICE("HELP"), SLICE("") },
    { "QUIT", SLICE("quit"), SMTP_QUIT, SLICE("quit"), SLICE("") },
    { "XFORWARD", SLICE("XFORWARD A=b"), SMTP_XFORWARD, SLICE("XFORWARD"),
      SLICE("A=b") },
    { "BDAT", SLICE("BDAT 5 LAST"), SMTP_BDAT, SLICE("BDAT"), SLICE("5 LAST") },
    { "STARTTLS", SLICE("STARTTLS"), SMTP_UNKNOWN, SLICE("STARTTLS"),
      SLICE("") },
    { "XCLIENT", SLICE("XCLIENT ADDR=127.0.0.1"), SMTP_UNKNOWN,
      SLICE("XCLIENT"), SLICE("ADDR=127.0.0.1") },
    { "nothing", SLICE(""), SMTP_UNKNOWN, SLICE(""), SLICE("") },
    { "blanks", SLICE("  "), SMTP_UNKNOWN, SLICE(""), SLICE("") },
    { "longer than a verb", SLICE("DATAX"), SMTP_UNKNOWN, SLICE("DATAX"),
      SLICE("") },
    { "colon at the verb", SLICE("MAIL:x"), SMTP_UNKNOWN, SLICE("MAIL:x"),
      SLICE("") },
    { "HTTP", SLICE("POST / HTTP/1.1"), SMTP_FOREIGN, SLICE("POST"),
      SLICE("/ HTTP/1.1") },
    { "HTTP in lower case", SLICE("get /"), SMTP_FOREIGN, SLICE("get"),
      SLICE("/") },
    { "HTTP method alone", SLICE("GET"), SMTP_UNKNOWN, SLICE("GET"),
      SLICE("") },
    { "PROXY header", SLICE("PROXY TCP4 1.2.3.4 1.2.3.4 1 2"), SMTP_FOREIGN,
      SLICE("PROXY"), SLICE("TCP4 1.2.3.4 1.2.3.4 1 2") },
    { "TLS hello", SLICE("\x16\x03\x01\x02"), SMTP_FOREIGN,
      SLICE("\x16\x03\x01\x02"), SLICE("") },
};
enum {
    LINES = sizeof(lines) / sizeof(lines[0])
};

static void
split(void **state)
{
    const struct line *row = *state;
    struct slice line = exact(row->line);
    struct smtp_command command = smtp_command_parse(line);

    assert_int_equal(command.verb, row->verb);
    assert_slice(command.name, row->word);
    assert_slice(command.argument, row->argument);
    free((char *)line.ptr);
}

/* ---- MAIL -------------------------------------------------------------- */

static struct mail {
    const char *argument;
    enum smtp_argument_error error;
    const char *path, *params;
    uint64_t size;
    bool eight_bit, utf8;
    const char *envid, *ret; /* NULL: absent */
} mails[] = {
    { "FROM:<a@b>", SMTP_ARGUMENT_OK, "a@b", "", 0, false, false, NULL, NULL },
    { "from : <a@b>", SMTP_ARGUMENT_OK, "a@b", "", 0, false, false, NULL,
      NULL },
    { "FROM:\ta@b  SIZE=7 \t BODY=8BITMIME  ", SMTP_ARGUMENT_OK, "a@b",
      "SIZE=7 BODY=8BITMIME", 7, true, false, NULL, NULL },
    { "FROM:<> size=00012 body=7bit", SMTP_ARGUMENT_OK, "",
      "size=00012 body=7bit", 12, false, false, NULL, NULL },
    { "FROM:<a@b> SMTPUTF8 RET=hdrs ENVID=abc+2B1", SMTP_ARGUMENT_OK, "a@b",
      "SMTPUTF8 RET=hdrs ENVID=abc+2B1", 0, false, true, "abc+2B1", "hdrs" },
    { "FROM:<a@b> AUTH=<>", SMTP_ARGUMENT_OK, "a@b", "AUTH=<>", 0, false, false,
      NULL, NULL },
    { "FROM:<a@b> AUTH=alice+40local.example SIZE=100", SMTP_ARGUMENT_OK, "a@b",
      "AUTH=alice+40local.example SIZE=100", 100, false, false, NULL, NULL },
    { "FROM:<a@b> SIZE=18446744073709551615", SMTP_ARGUMENT_OK, "a@b",
      "SIZE=18446744073709551615", UINT64_MAX, false, false, NULL, NULL },
    { "FROM:<\"a b\"@c> SIZE=1", SMTP_ARGUMENT_OK, "\"a b\"@c", "SIZE=1", 1,
      false, false, NULL, NULL },
};
enum {
    MAILS = sizeof(mails) / sizeof(mails[0])
};

static struct slice
optional(const char *text)
{
    return slice_from(text);
}

static void
mail_ok(void **state)
{
    const struct mail *row = *state;
    struct arena arena = { 0 };
    struct slice argument = exact(slice_from(row->argument));
    struct smtp_mail mail;

    assert_int_equal(smtp_mail_parse(argument, &arena, &mail), row->error);
    free((char *)argument.ptr); /* all of it is the arena's now */
    assert_slice(mail.reverse_path.text, slice_from(row->path));
    assert_slice(mail.params, slice_from(row->params));
    assert_true(mail.size == row->size);
    assert_int_equal(mail.eight_bit, row->eight_bit);
    assert_int_equal(mail.utf8, row->utf8);
    assert_slice(mail.envid, optional(row->envid));
    assert_slice(mail.ret, optional(row->ret));
    assert_int_equal(mail.envid.ptr == NULL, row->envid == NULL);
    assert_int_equal(mail.ret.ptr == NULL, row->ret == NULL);
    arena_free(&arena);
}

static struct refusal {
    const char *argument;
    enum smtp_argument_error error;
} bad_mails[] = {
    { "", SMTP_ARGUMENT_SYNTAX },
    { "FROM", SMTP_ARGUMENT_SYNTAX },
    { "<a@b>", SMTP_ARGUMENT_SYNTAX },
    { "TO:<a@b>", SMTP_ARGUMENT_SYNTAX },
    { "FROM=<a@b>", SMTP_ARGUMENT_SYNTAX },
    { "FROM:", SMTP_ARGUMENT_BAD_PATH },
    { "FROM: SIZE=1", SMTP_ARGUMENT_BAD_PATH },
    { "FROM:<a@b>SIZE=1", SMTP_ARGUMENT_BAD_PATH },
    { "FROM:<a@b> SIZE", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> SIZE=", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> SIZE=-1", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> SIZE=1x", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> SIZE=18446744073709551616", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> SIZE=12345678901234567890123", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> SIZE=00000000000000000000001", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> SIZE=1 size=2", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> BODY=9BIT", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> BODY", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> BODY=BINARYMIME", SMTP_ARGUMENT_UNSUPPORTED },
    { "FROM:<a@b> SMTPUTF8=1", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> RET=ALL", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> RET", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> ENVID=a+zz", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> ENVID=a+4", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> ENVID=\xC3\xA4", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> ENVID", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> AUTH", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> AUTH=+", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> =1", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> -X=1", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> X\x01", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> ENVID=a\x7f", SMTP_ARGUMENT_BAD_PARAM },
    { "FROM:<a@b> NOTIFY=NEVER", SMTP_ARGUMENT_UNSUPPORTED },
    { "FROM:<a@b> REQUIRETLS", SMTP_ARGUMENT_UNSUPPORTED },
    { "FROM:<a@b> XVERP", SMTP_ARGUMENT_UNSUPPORTED },
    { "FROM:<a@b> A B C D E F G H I J K L M N O P Q R S T U",
      SMTP_ARGUMENT_BAD_PARAM },
};
enum {
    BAD_MAILS = sizeof(bad_mails) / sizeof(bad_mails[0])
};

static void
mail_refused(void **state)
{
    const struct refusal *row = *state;
    struct arena arena = { 0 };
    struct slice argument = exact(slice_from(row->argument));
    struct smtp_mail mail;

    assert_int_equal(smtp_mail_parse(argument, &arena, &mail), row->error);
    free((char *)argument.ptr);
    arena_free(&arena);
}

/* ---- RCPT -------------------------------------------------------------- */

static struct rcpt {
    const char *argument;
    const char *path, *params, *notify, *orcpt;
} rcpts[] = {
    { "TO:<a@b>", "a@b", "", NULL, NULL },
    { "to: u2@local.example", "u2@local.example", "", NULL, NULL },
    { "TO:<postmaster>", "postmaster", "", NULL, NULL },
    { "TO:<a@b> NOTIFY=never", "a@b", "NOTIFY=never", "never", NULL },
    { "TO:<a@b>  NOTIFY=SUCCESS,failure,DELAY ORCPT=rfc822;u@orig.example",
      "a@b", "NOTIFY=SUCCESS,failure,DELAY ORCPT=rfc822;u@orig.example",
      "SUCCESS,failure,DELAY", "rfc822;u@orig.example" },
    { "TO:<a@b> ORCPT=utf-8;\\x{43f}@local.example", "a@b",
      "ORCPT=utf-8;\\x{43f}@local.example", NULL,
      "utf-8;\\x{43f}@local.example" },
    { "TO:<a@b> ORCPT=utf-8;\xC3\xA4@b", "a@b", "ORCPT=utf-8;\xC3\xA4@b", NULL,
      "utf-8;\xC3\xA4@b" },
};
enum {
    RCPTS = sizeof(rcpts) / sizeof(rcpts[0])
};

static void
rcpt_ok(void **state)
{
    const struct rcpt *row = *state;
    struct arena arena = { 0 };
    struct slice argument = exact(slice_from(row->argument));
    struct smtp_rcpt rcpt;

    assert_int_equal(smtp_rcpt_parse(argument, &arena, &rcpt),
                     SMTP_ARGUMENT_OK);
    free((char *)argument.ptr);
    assert_slice(rcpt.forward_path.text, slice_from(row->path));
    assert_slice(rcpt.params, slice_from(row->params));
    assert_slice(rcpt.notify, optional(row->notify));
    assert_slice(rcpt.orcpt, optional(row->orcpt));
    assert_int_equal(rcpt.notify.ptr == NULL, row->notify == NULL);
    assert_int_equal(rcpt.orcpt.ptr == NULL, row->orcpt == NULL);
    arena_free(&arena);
}

static struct refusal bad_rcpts[] = {
    { "", SMTP_ARGUMENT_SYNTAX },
    { "FROM:<a@b>", SMTP_ARGUMENT_SYNTAX },
    { "TO:<>", SMTP_ARGUMENT_BAD_PATH },
    { "TO:<user>", SMTP_ARGUMENT_BAD_PATH },
    { "TO:<a@b> NOTIFY", SMTP_ARGUMENT_BAD_PARAM },
    { "TO:<a@b> NOTIFY=", SMTP_ARGUMENT_BAD_PARAM },
    { "TO:<a@b> NOTIFY=NEVER,DELAY", SMTP_ARGUMENT_BAD_PARAM },
    { "TO:<a@b> NOTIFY=DELAY,", SMTP_ARGUMENT_BAD_PARAM },
    { "TO:<a@b> NOTIFY=,DELAY", SMTP_ARGUMENT_BAD_PARAM },
    { "TO:<a@b> NOTIFY=SOON", SMTP_ARGUMENT_BAD_PARAM },
    { "TO:<a@b> ORCPT", SMTP_ARGUMENT_BAD_PARAM },
    { "TO:<a@b> ORCPT=a@b", SMTP_ARGUMENT_BAD_PARAM },
    { "TO:<a@b> ORCPT=rfc822;", SMTP_ARGUMENT_BAD_PARAM },
    { "TO:<a@b> ORCPT=;a@b", SMTP_ARGUMENT_BAD_PARAM },
    { "TO:<a@b> ORCPT=rfc822;\xC3\xA4@b", SMTP_ARGUMENT_BAD_PARAM },
    { "TO:<a@b> ORCPT=utf-8;\xff@b", SMTP_ARGUMENT_BAD_PARAM },
    { "TO:<a@b> SIZE=1", SMTP_ARGUMENT_UNSUPPORTED },
};
enum {
    BAD_RCPTS = sizeof(bad_rcpts) / sizeof(bad_rcpts[0])
};

static void
rcpt_refused(void **state)
{
    const struct refusal *row = *state;
    struct arena arena = { 0 };
    struct slice argument = exact(slice_from(row->argument));
    struct smtp_rcpt rcpt;

    assert_int_equal(smtp_rcpt_parse(argument, &arena, &rcpt), row->error);
    free((char *)argument.ptr);
    arena_free(&arena);
}

/* ---- xtext and ORCPT --------------------------------------------------- */

static void
xtext(void **state)
{
    struct buf every = { 0 }, printed = { 0 }, parsed = { 0 };
    (void)state;

    for (int c = 0; c < 256; c++)
        buf_putc(&every, (char)c);
    smtp_xtext_print(buf_slice(&every), &printed);
    for (size_t i = 0; i < printed.len; i++)
        assert_in_range(printed.ptr[i], 33, 126);
    assert_true(smtp_xtext_parse(buf_slice(&printed), &parsed));
    assert_slice(buf_slice(&parsed), buf_slice(&every));

    buf_clear(&printed);
    smtp_xtext_print(SLICE_OF("a+b=c d"), &printed);
    assert_slice(buf_slice(&printed), SLICE_OF("a+2Bb+3Dc+20d"));

    static const char *const bad[] = { "+",     "+4",        "+4g", "a b",
                                       "a\x7f", "a\xC3\xA4", "a\t", "++2B" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf_clear(&parsed);
        buf_putc(&parsed, '!');
        assert_false(smtp_xtext_parse(slice_from(bad[i]), &parsed));
        assert_slice(buf_slice(&parsed), SLICE_OF("!"));
    }
    buf_free(&every);
    buf_free(&printed);
    buf_free(&parsed);
}

static void
orcpt(void **state)
{
    static const struct {
        const char *address, *printed;
    } pairs[] = {
        { "a@b.example", "rfc822;a@b.example" },
        { "a+b=c@d", "rfc822;a+2Bb+3Dc@d" },
        { "\"a b\"@d", "rfc822;\"a+20b\"@d" },
        { "пр@d", "utf-8;\\x{43F}\\x{440}@d" },
        { "\xC3\xA4+=\\ @d", "utf-8;\\x{E4}\\x{2B}\\x{3D}\\x{5C}\\x{20}@d" },
        { "\xF0\x9F\x93\xA7@d", "utf-8;\\x{1F4E7}@d" },
    };
    struct arena arena = { 0 };
    (void)state;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct buf out = { 0 }, argument = { 0 };
        struct smtp_rcpt rcpt;
        smtp_orcpt_print(slice_from(pairs[i].address), &out);
        assert_slice(buf_slice(&out), slice_from(pairs[i].printed));
        /* and our own parser takes it */
        buf_printf(&argument, "TO:<a@b> ORCPT=%.*s", SLICE_ARG(out));
        assert_int_equal(smtp_rcpt_parse(buf_slice(&argument), &arena, &rcpt),
                         SMTP_ARGUMENT_OK);
        assert_slice(rcpt.orcpt, buf_slice(&out));
        buf_free(&out);
        buf_free(&argument);
    }
    arena_free(&arena);
}

/* Which allocation fails does not matter: 4xx, never a bad path. */
static void
memory_is_gone(void **state)
{
    static const struct slice argument =
        SLICE("TO:<\"a b\"@c> NOTIFY=NEVER ORCPT=rfc822;a@b");
    (void)state;

    for (size_t n = 1;; n++) {
        struct arena arena = { 0 };
        struct smtp_rcpt rcpt;
        /* so that each copy needs a block of its own */
        arena_alloc(&arena, 1000);
        mem_fail_nth(n);
        enum smtp_argument_error error =
            smtp_rcpt_parse(argument, &arena, &rcpt);
        bool failed = mem_fail_nth(0) >= n;
        arena_free(&arena);
        assert_int_equal(error,
                         failed ? SMTP_ARGUMENT_NO_MEMORY : SMTP_ARGUMENT_OK);
        if (!failed) {
            assert_true(n > 1);
            return;
        }
    }
}

int
main(void)
{
    struct CMUnitTest
        tests[LINES + MAILS + BAD_MAILS + RCPTS + BAD_RCPTS + 3] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < LINES; i++)
        tests[n++] =
            (struct CMUnitTest){ lines[i].name, split, NULL, NULL, &lines[i] };
    for (size_t i = 0; i < MAILS; i++)
        tests[n++] = (struct CMUnitTest){ mails[i].argument, mail_ok, NULL,
                                          NULL, &mails[i] };
    for (size_t i = 0; i < BAD_MAILS; i++)
        tests[n++] = (struct CMUnitTest){ bad_mails[i].argument, mail_refused,
                                          NULL, NULL, &bad_mails[i] };
    for (size_t i = 0; i < RCPTS; i++)
        tests[n++] = (struct CMUnitTest){ rcpts[i].argument, rcpt_ok, NULL,
                                          NULL, &rcpts[i] };
    for (size_t i = 0; i < BAD_RCPTS; i++)
        tests[n++] = (struct CMUnitTest){ bad_rcpts[i].argument, rcpt_refused,
                                          NULL, NULL, &bad_rcpts[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(xtext);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(orcpt);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(memory_is_gone);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("command", tests, n, NULL, NULL);
}
