#include "test_smtp.h"

#include "test_smtp_server.h"

#define EHLO_REPLY                                                             \
    "250-proxy.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"                 \
    "250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"                              \
    "250-ENHANCEDSTATUSCODES\r\n"                                              \
    "250 XFORWARD NAME ADDR PORT HELO IDENT PROTO SOURCE\r\n"
#define OK "250 2.0.0 Ok\r\n"
#define MAIL_OK "250 2.1.0 Ok\r\n"
#define RCPT_OK "250 2.1.5 Ok\r\n"
#define DATA_OK "354 End data with <CR><LF>.<CR><LF>\r\n"
#define QUEUED "250 2.0.0 Ok: queued as 1\r\n"
#define BYE "221 2.0.0 Bye\r\n"
#define UNKNOWN "502 5.5.1 Error: command not implemented\r\n"
#define BARE "500 5.5.2 Error: bare CR, LF or NUL in command\r\n"
#define HELO "HELO c\r\n"
#define HELO_OK "250 proxy.example\r\n"
#define BEGIN "HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"
#define BEGUN HELO_OK MAIL_OK RCPT_OK

static const struct smtp_server_limits limits = {
    .errors = 4,
    .recipients = 3,
    .size = 1000,
};

static struct row {
    const char *name;
    struct slice wire;
    const char *said; /* after the greeting */
    const char *events;
    const char *content;
} rows[] = {
    { "nothing", SLICE(""), "", "", "" },
    { "QUIT", SLICE("QUIT\r\n"), BYE, "q", "" },
    { "nothing is read after QUIT", SLICE("QUIT\r\nNOOP\r\n"), BYE, "q", "" },
    { "EHLO", SLICE("EHLO c.example\r\n"), EHLO_REPLY, "", "" },
    { "HELO", SLICE(HELO), HELO_OK, "", "" },
    { "EHLO without a name", SLICE("EHLO\r\nHELO \r\n"),
      "501 5.5.4 Syntax: EHLO hostname\r\n"
      "501 5.5.4 Syntax: HELO hostname\r\n",
      "", "" },
    { "EHLO with a control character", SLICE("EHLO a\x01\r\n"),
      "501 5.5.4 Syntax: EHLO hostname\r\n", "", "" },
    { "EHLO with Latin-1", SLICE("EHLO a\xE4\r\n"),
      "501 5.5.4 Syntax: EHLO hostname\r\n", "", "" },
    { "one message, pipelined",
      SLICE("EHLO c\r\nMAIL FROM:<a@b> SIZE=5\r\nRCPT TO:<c@d>\r\n"
            "DATA\r\nhello\r\n..x\r\n.\r\nQUIT\r\n"),
      EHLO_REPLY MAIL_OK RCPT_OK DATA_OK QUEUED BYE, "MRD.q",
      "hello\r\n.x\r\n" },
    { "two messages, the second in the segment of the dot",
      SLICE(BEGIN "DATA\r\na\r\n.\r\nMAIL FROM:<>\r\nrcpt   to: u2@x\r\n"
                  "data\r\nb\r\n.\r\n"),
      BEGUN DATA_OK QUEUED MAIL_OK RCPT_OK DATA_OK QUEUED, "MRD.MRD.",
      "a\r\nb\r\n" },
    { "empty message", SLICE(BEGIN "DATA\r\n.\r\n"), BEGUN DATA_OK QUEUED,
      "MRD.", "" },
    { "bare LF in content", SLICE(BEGIN "DATA\r\na\nb\r\n.\r\nNOOP\r\n"),
      BEGUN DATA_OK "550 5.6.0 Error: bare LF or NUL in message\r\n" OK, "MRD.",
      "a\nb\r\n" },
    { "the transaction is over after a refused end of content",
      SLICE(BEGIN "DATA\r\na\nb\r\n.\r\nRCPT TO:<c@d>\r\nDATA\r\n"),
      BEGUN DATA_OK "550 5.6.0 Error: bare LF or NUL in message\r\n"
                    "503 5.5.1 Error: need MAIL command\r\n"
                    "503 5.5.1 Error: need MAIL command\r\n",
      "MRD.", "a\nb\r\n" },
    { "smuggled commands stay content",
      SLICE(BEGIN "DATA\r\na\r\n.\r\r\nMAIL FROM:<evil@x>\r\n.\r\n"),
      BEGUN DATA_OK QUEUED, "MRD.", "a\r\n \r\nMAIL FROM:<evil@x>\r\n" },

    { "NOOP, VRFY, HELP, RSET",
      SLICE("NOOP x y\r\nVRFY a\x7f \"b\"\r\nVRFY\r\nHELP x\r\nRSET\r\n"),
      OK "252 2.0.0 a? \"b\"\r\n501 5.5.4 Syntax: VRFY address\r\n"
         "214 2.0.0 See RFC 5321\r\n" OK,
      "", "" },
    { "unknown commands",
      SLICE("STARTTLS\r\nXCLIENT ADDR=127.0.0.1 LOGIN=root\r\nAUTH x\r\n"),
      UNKNOWN UNKNOWN UNKNOWN, "", "" },
    { "empty line", SLICE("\r\n \r\nNOOP\r\n"),
      "500 5.5.2 Error: bad syntax\r\n500 5.5.2 Error: bad syntax\r\n" OK, "",
      "" },
    { "BDAT ends the session", SLICE(BEGIN "BDAT 6 LAST\r\nQUIT\r\n"),
      BEGUN UNKNOWN, "MRq", "" },
    { "HTTP", SLICE("POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL\r\n"),
      "500 5.5.1 Error: this is SMTP\r\n", "q", "" },
    { "TLS hello", SLICE("\x16\x03\x01\x02\x00\x01"),
      "500 5.5.1 Error: this is SMTP\r\n", "q", "" },
    { "PROXY header", SLICE("PROXY UNKNOWN\r\nEHLO x\r\n"),
      "500 5.5.1 Error: this is SMTP\r\n", "q", "" },
    { "RSET and DATA take no argument",
      SLICE(BEGIN "RSET x\r\nDATA x\r\nDATA\r\nm\r\n.\r\n"),
      BEGUN
      "501 5.5.4 Syntax: RSET\r\n501 5.5.4 Syntax: DATA\r\n" DATA_OK QUEUED,
      "MRD.", "m\r\n" },

    { "MAIL before HELO", SLICE("MAIL FROM:<a@b>\r\n"),
      "503 5.5.1 Error: send HELO/EHLO first\r\n", "", "" },
    { "RCPT and DATA before MAIL", SLICE(HELO "RCPT TO:<a@b>\r\nDATA\r\n"),
      HELO_OK "503 5.5.1 Error: need MAIL command\r\n"
              "503 5.5.1 Error: need MAIL command\r\n",
      "", "" },
    { "nested MAIL", SLICE(BEGIN "MAIL FROM:<a@b>\r\n"),
      BEGUN "503 5.5.1 Error: nested MAIL command\r\n", "MR", "" },
    { "DATA without a recipient",
      SLICE(HELO "MAIL FROM:<>\r\nDATA\r\nRCPT TO:<bad@d>\r\nDATA\r\n"),
      HELO_OK MAIL_OK "554 5.5.1 Error: no valid recipients\r\n"
                      "550 5.1.1 no such user\r\n"
                      "554 5.5.1 Error: no valid recipients\r\n",
      "MR", "" },
    { "content behind a DATA that is refused",
      SLICE(HELO "MAIL FROM:<>\r\nRCPT TO:<bad@d>\r\nDATA\r\nRSET\r\n"
                 "RCPT TO:<a@b>\r\n"),
      HELO_OK MAIL_OK "550 5.1.1 no such user\r\n"
                      "554 5.5.1 Error: no valid recipients\r\n" OK
                      "503 5.5.1 Error: need MAIL command\r\n",
      "MRr", "" },
    { "refused MAIL opens nothing",
      SLICE(HELO "MAIL FROM:<later@b>\r\nRCPT TO:<c@d>\r\n"),
      HELO_OK "451 4.3.0 later\r\n503 5.5.1 Error: need MAIL command\r\n", "M",
      "" },
    { "a bad recipient beside a good one",
      SLICE(BEGIN "RCPT TO:<bad@d>\r\nDATA\r\nm\r\n.\r\n"),
      BEGUN "550 5.1.1 no such user\r\n" DATA_OK QUEUED, "MRRD.", "m\r\n" },
    { "RSET ends the transaction", SLICE(BEGIN "RSET\r\nDATA\r\nRSET\r\n"),
      BEGUN OK "503 5.5.1 Error: need MAIL command\r\n" OK, "MRr", "" },
    { "HELO ends the transaction", SLICE(BEGIN "HELO d\r\nMAIL FROM:<>\r\n"),
      BEGUN HELO_OK MAIL_OK, "MRrM", "" },
    { "EHLO without a name does not", SLICE(BEGIN "EHLO\r\nDATA\r\n.\r\n"),
      BEGUN "501 5.5.4 Syntax: EHLO hostname\r\n" DATA_OK QUEUED, "MRD.", "" },
    { "QUIT in a transaction", SLICE(BEGIN "QUIT\r\n"), BEGUN BYE, "MRq", "" },

    { "syntax of MAIL",
      SLICE(HELO "MAIL\r\nMAIL FROM:<a@b> FOO\r\nMAIL FROM:<a@b> SIZE=-1\r\n"),
      HELO_OK "501 5.5.4 Syntax: MAIL FROM:<address>\r\n"
              "555 5.5.4 Unsupported option\r\n"
              "501 5.5.4 Bad parameter\r\n",
      "", "" },
    { "bad sender", SLICE(HELO "MAIL FROM:<a\x01@b>\r\n"),
      HELO_OK "501 5.1.7 Bad sender address syntax\r\n", "", "" },
    { "bad recipients",
      SLICE(HELO "MAIL FROM:<>\r\nRCPT TO:<>\r\nRCPT\r\nRCPT TO:<\xFF@b>\r\n"),
      HELO_OK MAIL_OK "501 5.1.3 Bad recipient address syntax\r\n"
                      "501 5.5.4 Syntax: RCPT TO:<address>\r\n"
                      "501 5.1.3 Bad recipient address syntax\r\n",
      "M", "" },
    { "SIZE at the limit", SLICE(HELO "MAIL FROM:<> SIZE=1000\r\n"),
      HELO_OK MAIL_OK, "M", "" },
    { "SIZE above the limit", SLICE(HELO "MAIL FROM:<> SIZE=1001\r\n"),
      HELO_OK "552 5.3.4 Message size exceeds limit\r\n", "", "" },
    { "too many recipients",
      SLICE(BEGIN "RCPT TO:<bad@d>\r\nRCPT TO:<e@d>\r\nRCPT TO:<f@d>\r\n"
                  "RCPT TO:<g@d>\r\nRCPT TO:<h@d>\r\nDATA\r\nm\r\n.\r\n"),
      BEGUN "550 5.1.1 no such user\r\n" RCPT_OK RCPT_OK
            "452 4.5.3 Error: too many recipients\r\n"
            "452 4.5.3 Error: too many recipients\r\n" DATA_OK QUEUED,
      "MRRRRD.", "m\r\n" },
    { "the count starts anew",
      SLICE(BEGIN "RCPT TO:<d@d>\r\nRCPT TO:<e@d>\r\nRSET\r\n"
                  "MAIL FROM:<>\r\nRCPT TO:<c@d>\r\n"),
      BEGUN RCPT_OK RCPT_OK OK MAIL_OK RCPT_OK, "MRRRrMR", "" },

    { "too many errors", SLICE("A\r\nB\r\nC\r\nD\r\nNOOP\r\n"),
      UNKNOWN UNKNOWN UNKNOWN UNKNOWN "421 4.7.0 Error: too many errors\r\n",
      "q", "" },
    { "our refusals count",
      SLICE(HELO "MAIL FROM:<>\r\nRCPT TO:<ours@d>\r\nRCPT TO:<ours@d>\r\n"
                 "RCPT TO:<ours@d>\r\nRCPT TO:<ours@d>\r\nNOOP\r\n"),
      HELO_OK MAIL_OK "550 5.7.1 refused\r\n550 5.7.1 refused\r\n"
                      "550 5.7.1 refused\r\n550 5.7.1 refused\r\n"
                      "421 4.7.0 Error: too many errors\r\n",
      "MRRRRq", "" },
    { "upstream's do not",
      SLICE(HELO "MAIL FROM:<>\r\nRCPT TO:<bad@d>\r\nRCPT TO:<bad@d>\r\n"
                 "RCPT TO:<bad@d>\r\nRCPT TO:<bad@d>\r\nNOOP\r\n"),
      HELO_OK MAIL_OK "550 5.1.1 no such user\r\n550 5.1.1 no such user\r\n"
                      "550 5.1.1 no such user\r\n550 5.1.1 no such user\r\n" OK,
      "MRRRR", "" },
    { "our own trouble does not",
      SLICE(HELO "MAIL FROM:<>\r\nRCPT TO:<later@d>\r\nRCPT TO:<later@d>\r\n"
                 "RCPT TO:<later@d>\r\nRCPT TO:<later@d>\r\nNOOP\r\n"),
      HELO_OK MAIL_OK "451 4.3.0 later\r\n451 4.3.0 later\r\n"
                      "451 4.3.0 later\r\n451 4.3.0 later\r\n" OK,
      "MRRRR", "" },

    { "bare LF", SLICE("NOOP\nNOOP\r\nNOOP\r\n"), BARE, "q", "" },
    { "bare CR", SLICE("NOOP\rNOOP\r\n"), BARE, "q", "" },
    { "bare CR first", SLICE("\rNOOP\r\n"), BARE, "q", "" },
    { "bare CR before CRLF", SLICE("NOOP\r\r\n"), BARE, "q", "" },
    { "NUL", SLICE("NOOP \0\r\n"), BARE, "q", "" },
    { "recipients split by CR",
      SLICE(HELO "MAIL FROM:<>\r\nRCPT TO:<b@d>\rRCPT TO:<evil@e>\r\n"),
      HELO_OK MAIL_OK BARE, "Mq", "" },
    { "recipients split by LF",
      SLICE(HELO "MAIL FROM:<>\r\nRCPT TO:<b@d>\nRCPT TO:<evil@e>\r\n"),
      HELO_OK MAIL_OK BARE, "Mq", "" },
    { "bare CR in a quoted local part",
      SLICE(HELO "MAIL FROM:<>\r\nRCPT TO:<\"a\rb\"@d>\r\n"),
      HELO_OK MAIL_OK BARE, "Mq", "" },
    { "PROXY header, version 2", SLICE("\r\n\r\n\0\r\nQUIT\n\x21\x11"),
      "500 5.5.2 Error: bad syntax\r\n500 5.5.2 Error: bad syntax\r\n" BARE,
      "q", "" },

    { "XFORWARD", SLICE("EHLO c\r\nXFORWARD NAME=a ADDR=1.2.3.4\r\n"),
      EHLO_REPLY OK, "", "" },
    { "XFORWARD, bad", SLICE(HELO "XFORWARD LOGIN=root\r\nXFORWARD\r\n"),
      HELO_OK "501 5.5.4 Bad XFORWARD attribute\r\n"
              "501 5.5.4 Bad XFORWARD attribute\r\n",
      "", "" },
    { "XFORWARD in a transaction", SLICE(BEGIN "XFORWARD NAME=a\r\n"),
      BEGUN "503 5.5.1 Error: MAIL transaction in progress\r\n", "MR", "" },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
check(const struct row *row, size_t piece)
{
    static const char greeting[] = "220 proxy.example ESMTP\r\n";
    struct driver d;

    driver_open(&d, &limits, NULL);
    driver_feed_in_pieces(&d, row->wire, piece);
    assert_slice(slice_head(buf_slice(&d.out), sizeof(greeting) - 1),
                 slice_from(greeting));
    assert_slice(slice_tail(buf_slice(&d.out), sizeof(greeting) - 1),
                 slice_from(row->said));
    assert_slice(buf_slice(&d.events), slice_from(row->events));
    assert_slice(buf_slice(&d.content), slice_from(row->content));
    driver_free(&d);
}

static void
whole(void **state)
{
    check(*state, SIZE_MAX);
}

static void
bytewise(void **state)
{
    check(*state, 1);
}

/* ---- long lines -------------------------------------------------------- */

static void
long_lines(void **state)
{
    static const struct {
        size_t length; /* of the line, with its CRLF */
        const char *said;
        bool closed;
    } lines[] = {
        { 4095, OK OK, false },
        { 4096, OK OK, false },
        { 4097, "500 5.5.2 Error: line too long\r\n" OK, false },
        { 4098, "500 5.5.2 Error: line too long\r\n" OK, false },
        { 65535, "500 5.5.2 Error: line too long\r\n" OK, false },
        { 65536, "500 5.5.2 Error: line too long\r\n" OK, false },
        { 65537, "421 4.7.0 Error: line too long\r\n", true },
        { 1048576, "421 4.7.0 Error: line too long\r\n", true },
    };
    static const size_t pieces[] = { SIZE_MAX, 4095, 4096, 4097, 65536, 100 };
    (void)state;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
            struct arena arena = { 0 };
            struct driver d;
            struct slice wire = padded(&arena, "NOOP ", 'x',
                                       lines[i].length - 7, "\r\nNOOP\r\n");
            driver_open(&d, &limits, NULL);
            buf_clear(&d.out);
            driver_feed_in_pieces(&d, wire, pieces[p]);
            assert_slice(buf_slice(&d.out), slice_from(lines[i].said));
            assert_int_equal(d.closed, lines[i].closed);
            driver_free(&d);
            arena_free(&arena);
        }
    }
}

static void
bare_in_a_long_line(void **state)
{
    static const char *const tails[] = { "\rx\r\n", "\nx\r\n" };
    (void)state;

    for (size_t length = 4090; length < 4100; length++) {
        for (size_t t = 0; t < 2; t++) {
            for (size_t piece = 1; piece < 9999; piece += 9000) {
                struct arena arena = { 0 };
                struct driver d;
                struct slice wire =
                    padded(&arena, "NOOP ", 'x', length, tails[t]);
                driver_open(&d, &limits, NULL);
                buf_clear(&d.out);
                driver_feed_in_pieces(&d, wire, piece);
                assert_slice(buf_slice(&d.out), SLICE_OF(BARE));
                driver_free(&d);
                arena_free(&arena);
            }
        }
    }
}

static void
many_commands(void **state)
{
    struct driver d;
    (void)state;

    driver_open(&d, &limits, NULL);
    for (int i = 0; i < 10000; i++)
        driver_feed(&d, SLICE_OF("NOOP\r\n"));
    assert_false(d.closed);
    assert_int_equal(d.server.errors, 0);
    driver_free(&d);
}

/* What upstream refuses costs memory until the transaction ends. */
static void
refused_recipients_are_bounded(void **state)
{
    struct driver d;
    size_t events;
    (void)state;

    driver_open(&d, &limits, NULL);
    driver_feed(&d, SLICE_OF(BEGIN));
    for (int i = 0; i < 3000; i++)
        driver_feed(&d, SLICE_OF("RCPT TO:<bad@d>\r\n"));
    events = d.events.len;
    assert_int_equal(events, 2 + 1000);
    assert_true(slice_ends_nocase(
        buf_slice(&d.out),
        SLICE_OF("452 4.5.3 Error: too many recipients\r\n")));
    driver_feed(&d, SLICE_OF("DATA\r\nm\r\n.\r\n"));
    assert_true(slice_ends_nocase(buf_slice(&d.out), SLICE_OF(QUEUED)));
    driver_free(&d);
}

/* ---- what the caller sees ---------------------------------------------- */

static void
busy_until_answered(void **state)
{
    struct smtp_server server;
    struct smtp_request request;
    struct arena arena = { 0 };
    struct buf out = { 0 }, content = { 0 };
    struct slice in = SLICE("HELO c\r\nMAIL FROM:<a@b> BODY=8BITMIME\r\n"
                            "NOOP\r\n");
    struct smtp_reply ok = { 250, SLICE("2.1.0 Ok") };
    (void)state;

    smtp_server_open(&server, SLICE_OF("p"), &limits, NULL, &out);
    assert_int_equal(
        smtp_server_take(&server, &in, &arena, &request, &out, &content),
        SMTP_SERVER_MAIL);
    assert_slice(request.mail.reverse_path.text, SLICE_OF("a@b"));
    assert_true(request.mail.eight_bit);
    assert_int_equal(in.len, 6);
    size_t said = out.len;
    assert_int_equal(
        smtp_server_take(&server, &in, &arena, &request, &out, &content),
        SMTP_SERVER_BUSY);
    assert_int_equal(in.len, 6);
    assert_int_equal(out.len, said);
    assert_int_equal(server.state, SMTP_SERVER_READY);
    smtp_server_reply(&server, &ok, SMTP_REPLY_UPSTREAM, &out);
    assert_int_equal(server.state, SMTP_SERVER_ENVELOPE);
    assert_int_equal(
        smtp_server_take(&server, &in, &arena, &request, &out, &content),
        SMTP_SERVER_MORE);
    assert_int_equal(in.len, 0);
    smtp_server_free(&server);
    arena_free(&arena);
    buf_free(&out);
    buf_free(&content);
}

static void
who_the_client_is(void **state)
{
    struct driver d;
    (void)state;

    driver_open(&d, &limits, NULL);
    driver_feed(&d, SLICE_OF("EHLO one\r\n"));
    assert_true(d.server.esmtp);
    driver_feed(&d, SLICE_OF("HELO  two.example \r\n"));
    assert_false(d.server.esmtp);
    assert_slice(buf_slice(&d.server.helo), SLICE_OF("two.example"));
    driver_free(&d);
}

/* As Postfix does it, but not before the next command: until then they say
 * whose the transaction was. */
static void
xforward_is_forgotten(void **state)
{
    static const char *const ends[] = {
        "DATA\r\n.\r\n",
        "RSET\r\n",
        "EHLO d\r\n",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct driver d;
        driver_open(&d, &limits, NULL);
        driver_feed(&d, SLICE_OF("EHLO c\r\nXFORWARD NAME=a\r\n"
                                 "MAIL FROM:<>\r\nRCPT TO:<c@d>\r\n"));
        assert_slice(buf_slice(&d.server.xforward.value[XFORWARD_NAME]),
                     SLICE_OF("a"));
        driver_feed(&d, slice_from(ends[i]));
        assert_slice(buf_slice(&d.server.xforward.value[XFORWARD_NAME]),
                     SLICE_OF("a"));
        driver_feed(&d, SLICE_OF("MAIL FROM:<>\r\n"));
        assert_true(xforward_is_empty(&d.server.xforward));
        driver_free(&d);
    }
}

static void
xforward_stays_otherwise(void **state)
{
    struct driver d;
    (void)state;

    driver_open(&d, &limits, NULL);
    driver_feed(&d, SLICE_OF("EHLO c\r\nXFORWARD NAME=a\r\nNOOP\r\n"
                             "MAIL FROM:<later@x>\r\nMAIL FROM:<>\r\n"
                             "RCPT TO:<bad@d>\r\nXFORWARD NAME=b\r\n"));
    assert_slice(buf_slice(&d.server.xforward.value[XFORWARD_NAME]),
                 SLICE_OF("a"));
    driver_free(&d);
}

static void
what_ehlo_offers(void **state)
{
    struct smtp_ehlo upstream = { .keywords = SMTP_HAS_8BITMIME };
    struct driver d;
    (void)state;

    driver_open(&d, &limits, &upstream);
    driver_feed(&d, SLICE_OF("EHLO c\r\n"));
    struct slice said = buf_slice(&d.out);
    slice_cut(&said, '\n');
    assert_slice(said, SLICE_OF("250-proxy.example\r\n250-PIPELINING\r\n"
                                "250-8BITMIME\r\n"
                                "250-ENHANCEDSTATUSCODES\r\n"
                                "250 XFORWARD NAME ADDR PORT HELO IDENT "
                                "PROTO SOURCE\r\n"));
    driver_free(&d);
}

static void
closing(void **state)
{
    static const struct {
        const char *wire;
        const char *said;
    } moments[] = {
        { "", "421 4.3.2 Service shutting down\r\n" },
        { BEGIN, "421 4.3.2 Service shutting down\r\n" },
        { "QUIT\r\n", "" },
        { BEGIN "DATA\r\nhalf", "" }, /* inside of content: nothing */
    };
    (void)state;

    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        struct driver d;
        driver_open(&d, &limits, NULL);
        driver_feed(&d, slice_from(moments[i].wire));
        buf_clear(&d.out);
        smtp_server_close(&d.server, SLICE_OF("4.3.2 Service shutting down"),
                          &d.out);
        assert_slice(buf_slice(&d.out), slice_from(moments[i].said));
        assert_int_equal(d.server.state, SMTP_SERVER_CLOSED);
        driver_feed(&d, SLICE_OF("NOOP\r\n"));
        assert_slice(buf_slice(&d.out), slice_from(moments[i].said));
        driver_free(&d);
    }
}

static void
closing_instead_of_an_answer(void **state)
{
    struct smtp_server server;
    struct smtp_request request;
    struct arena arena = { 0 };
    struct buf out = { 0 }, content = { 0 };
    struct slice in = SLICE("HELO c\r\nMAIL FROM:<a@b>\r\n");
    (void)state;

    smtp_server_open(&server, SLICE_OF("p"), &limits, NULL, &out);
    smtp_server_take(&server, &in, &arena, &request, &out, &content);
    assert_true(server.busy);
    buf_clear(&out);
    smtp_server_close(&server, SLICE_OF("4.4.2 Error: timeout exceeded"), &out);
    assert_slice(buf_slice(&out),
                 SLICE_OF("421 4.4.2 Error: timeout exceeded\r\n"));
    assert_false(server.busy);
    in = SLICE_OF("NOOP\r\n");
    assert_int_equal(
        smtp_server_take(&server, &in, &arena, &request, &out, &content),
        SMTP_SERVER_QUIT);
    smtp_server_free(&server);
    arena_free(&arena);
    buf_free(&out);
    buf_free(&content);
}

/* Whichever allocation fails: a 4xx for a command or the end of the session,
 * and the session after it works. */
static void
memory_is_gone(void **state)
{
    static const char dialogue[] =
        "EHLO c\r\nXFORWARD NAME=a ADDR=1.2.3.4\r\n"
        "MAIL FROM:<\"a b\"@c> SIZE=5 BODY=8BITMIME\r\n"
        "RCPT TO:<\"d e\"@f> NOTIFY=NEVER\r\nDATA\r\nhello\r\n..\r\n.\r\n"
        "MAIL FROM:<>\r\nRCPT TO:<d@e>\r\nRSET\r\nQUIT\r\n";
    (void)state;

    for (size_t n = 1;; n++) {
        struct driver d;
        driver_open(&d, &limits, NULL);
        buf_clear(&d.out);
        mem_fail_nth(n);
        driver_feed_in_pieces(&d, slice_from(dialogue), 7);
        bool failed = mem_fail_nth(0) >= n;
        struct slice said = buf_slice(&d.out);
        bool refused = false;
        while (said.len != 0) {
            struct slice line = slice_cut(&said, '\n');
            refused |= slice_starts_nocase(
                line, SLICE_OF("451 4.3.0 Temporary internal failure"));
            assert_false(slice_starts_nocase(line, SLICE_OF("501")));
            assert_false(slice_starts_nocase(line, SLICE_OF("555")));
        }
        assert_int_equal(refused || slice_find(buf_slice(&d.events), '!') !=
                                        d.events.len,
                         failed);
        assert_true(d.closed);
        driver_free(&d);
        if (!failed) {
            assert_true(n > 5);
            return;
        }
    }
}

int
main(void)
{
    struct CMUnitTest tests[2 * ROWS + 12] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++) {
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, whole, NULL, NULL, &rows[i] };
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, bytewise, NULL, NULL, &rows[i] };
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(long_lines);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(bare_in_a_long_line);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(many_commands);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(refused_recipients_are_bounded);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(busy_until_answered);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(who_the_client_is);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(xforward_is_forgotten);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(xforward_stays_otherwise);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_ehlo_offers);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(closing);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(closing_instead_of_an_answer);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(memory_is_gone);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("server", tests, n, NULL, NULL);
}
