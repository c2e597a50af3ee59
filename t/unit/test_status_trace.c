/*
 * Which lines of a log are one message's. Each row is a small log; its lines
 * begin with a letter that says to which story they belong ("a", "b"), or "-"
 * for nobody's.
 */
#include "status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FRONT "Nov 24 10:26:01 mx postfix/front/smtpd[11]: "
#define BACK "Nov 24 10:26:01 mx postfix/reinject/smtpd[12]: "
#define QMGR "Nov 24 10:26:01 mx postfix/qmgr[13]: "
#define SMTP "Nov 24 10:26:01 mx postfix/smtp[14]: "
#define BOUNCE "Nov 24 10:26:01 mx postfix/bounce[15]: "
#define OURS "Nov 24 10:26:01 mx onward[16]: "
#define ISO "2026-11-24T10:26:01+0000 mx "

#define SENT(session, orig, id)                                                \
    OURS session ": client=h[192.0.2.1], listener=mx, from=<a@s.example>, "    \
                 "orig_to=<" orig                                              \
                 ">, to=<me@p.example>, size=9, status=sent, "                 \
                 "reply=\"250 2.0.0 Ok: queued as " id "\"\n"
#define REFUSED(session, orig, reply)                                          \
    OURS session ": client=h[192.0.2.1], listener=mx, from=<>, orig_to=<" orig \
                 ">, status=rejected, reason=srs-hash, reply=\"" reply "\"\n"
#define ACCEPT(orig, id)                                                       \
    FRONT "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as " id          \
          "; from=<a@s.example> to=<" orig "> proto=ESMTP helo=<c>\n"
#define QUOTED(orig, reply)                                                    \
    FRONT "warning: proxy 127.0.0.1:10025 rejected \"RCPT TO:<" orig           \
          ">\": \"" reply "\"\n"

static struct row {
    const char *name;
    const char *what;
    const char *log;
} rows[] = {
    { "a message, by its queue id", "D25FAACDBA2",
      "a" BACK "D25FAACDBA2: client=h[192.0.2.1]\n"
      "a" ACCEPT("fwd@p.example", "D25FAACDBA2") "a" SENT(
          "45DRlj", "fwd@p.example",
          "D25FAACDBA2") "a" QMGR "D25FAACDBA2: from=<SRS0=x@srs.example>\n"
                         "a" SMTP "D25FAACDBA2: to=<me@p.example>, status=sent "
                         "(250 Ok)\n"
                         "a" QMGR "D25FAACDBA2: removed\n"
                         "-" QMGR "D25FAACDBA3: removed\n" },
    { "by the session", "45DRlj",
      "a" BACK "D25FAACDBA2: client=h[192.0.2.1]\n"
      "a" ACCEPT("fwd@p.example", "D25FAACDBA2") "a" SENT(
          "45DRlj", "fwd@p.example",
          "D25FAACDBA2") "-" SENT("45DRlk", "fwd@p.example", "D25FAACDBA3") },
    { "a session of two messages", "45DRlj",
      "a" SENT("45DRlj", "one@p.example", "D25FAACDBA2") "b" SENT(
          "45DRlj", "two@p.example",
          "D25FAACDBA3") "a" QMGR "D25FAACDBA2: removed\n"
                         "b" QMGR "D25FAACDBA3: removed\n" },
    { "by an address, in any case", "FWD@p.EXAMPLE",
      "a" BACK "D25FAACDBA2: client=h[192.0.2.1]\n"
      "a" SENT("45DRlj", "fwd@p.example", "D25FAACDBA2") "-" SENT(
          "45DRlk", "xfwd@p.example",
          "D25FAACDBA3") "-" SENT("45DRlk", "fwd@p.example.org",
                                  "D25FAACDBA4") },
    { "long queue ids", "4jYhRp1R75z1fWt6",
      "a" BACK "4jYhRp1R75z1fWt6: client=h[192.0.2.1]\n"
      "a" ACCEPT("fwd@p.example", "4jYhRp1R75z1fWt6") "a" SENT(
          "4LnXWj", "fwd@p.example",
          "4jYhRp1R75z1fWt6") "-" QMGR "4jYhRp1R75z1fWt7: removed\n"
                              "a" QMGR "4jYhRp1R75z1fWt6: removed\n" },
    { "a message that became several", "ONEONE",
      "a" BACK "ONEONE: client=h[192.0.2.1]\n"
      "a" BACK "TWOTWO: client=h[192.0.2.1]\n"
      "a" OURS "4LnXWl: client=h[192.0.2.1], status=sent, "
      "queued=ONEONE,TWOTWO, reply=\"250 2.0.0 Ok: queued as TWOTWO\"\n"
      "a" ACCEPT("fwd@p.example", "TWOTWO") "a" QMGR "ONEONE: removed\n"
                                            "a" QMGR "TWOTWO: removed\n" },
    { "told 451, and partly delivered all the same", "ONEONE",
      "a" OURS "4LnXWl: client=h[192.0.2.1], status=deferred, reason=partly, "
      "queued=ONEONE, reply=\"451 4.4.2 Partly delivered, try again\"\n"
      "a" QMGR "ONEONE: removed\n" },
    { "a bounce that comes home", "AAAAAA",
      "a" SENT(
          "4LnXWm", "fwd@p.example",
          "AAAAAA") "a" SMTP
                    "AAAAAA: to=<me@p.example>, status=bounced (said: 550 no)\n"
                    "a" BOUNCE
                    "AAAAAA: sender non-delivery notification: BBBBBB\n"
                    "a" QMGR "BBBBBB: from=<>, size=1 (queue active)\n"
                    "a" BACK "CCCCCC: client=unknown[127.0.0.1]\n"
                    "a" SMTP "BBBBBB: to=<SRS0=x@srs.example>, status=sent "
                    "(250 2.0.0 Ok: "
                    "queued as CCCCCC)\n"
                    "a" SENT("4LnXWq", "SRS0=x@srs.example",
                             "CCCCCC") "a" SMTP "CCCCCC: to=<a@s.example>, "
                                       "status=sent (250 Ok)\n" },
    { "the same, asked by its end", "CCCCCC",
      "a" SENT("4LnXWm", "fwd@p.example",
               "AAAAAA") "a" BOUNCE
                         "AAAAAA: sender non-delivery notification: BBBBBB\n"
                         "a" SMTP "BBBBBB: to=<SRS0=x@srs.example>, "
                         "status=sent (250 2.0.0 Ok: "
                         "queued as CCCCCC)\n"
                         "a" SMTP
                         "CCCCCC: to=<a@s.example>, status=sent (250 Ok)\n" },
    { "a recipient that is refused", "4LnXWn",
      "-" QUOTED("SRS0=y@srs.example", "550 5.7.1 Invalid SRS address") "-" REFUSED("4LnXWm", "SRS0=y@srs.example", "550 5.7.1 Invalid SRS address") "-" QUOTED("other@srs.example", "550 5.7.1 Invalid SRS address") "a" QUOTED(
          "SRS0=y@srs.example",
          "550 5.7.1 Invalid SRS "
          "address") "a" REFUSED("4"
                                 "L"
                                 "n"
                                 "X"
                                 "W"
                                 "n",
                                 "S"
                                 "R"
                                 "S"
                                 "0"
                                 "="
                                 "y"
                                 "@"
                                 "s"
                                 "r"
                                 "s"
                                 "."
                                 "e"
                                 "x"
                                 "a"
                                 "m"
                                 "p"
                                 "l"
                                 "e",
                                 "5"
                                 "5"
                                 "0"
                                 " "
                                 "5"
                                 "."
                                 "7"
                                 "."
                                 "1"
                                 " "
                                 "I"
                                 "n"
                                 "v"
                                 "a"
                                 "l"
                                 "i"
                                 "d"
                                 " "
                                 "S"
                                 "R"
                                 "S"
                                 " "
                                 "a"
                                 "d"
                                 "d"
                                 "r"
                                 "e"
                                 "s"
                                 "s") "-" QUOTED("SRS0=y@srs.example",
                                                 "550 5.7.1 Invalid SRS "
                                                 "address") "-" REFUSED("4LnXW"
                                                                        "p",
                                                                        "SRS0="
                                                                        "y@srs."
                                                                        "exampl"
                                                                        "e",
                                                                        "550 "
                                                                        "5.7.1 "
                                                                        "Invali"
                                                                        "d SRS "
                                                                        "addres"
                                                                        "s") },
    { "by its address: each refusal a story", "SRS0=y@srs.example",
      "a" QUOTED("SRS0=y@srs.example", "550 5.7.1 Invalid SRS address") "a" REFUSED(
          "4LnXWm", "SRS0=y@srs.example",
          "550 5.7.1 Invalid SRS address") "b" QUOTED("SRS0=y@srs.example",
                                                      "550 5.7.1 Invalid SRS "
                                                      "address") "b" REFUSED("4"
                                                                             "L"
                                                                             "n"
                                                                             "X"
                                                                             "W"
                                                                             "n",
                                                                             "S"
                                                                             "R"
                                                                             "S"
                                                                             "0"
                                                                             "="
                                                                             "y"
                                                                             "@"
                                                                             "s"
                                                                             "r"
                                                                             "s"
                                                                             "."
                                                                             "e"
                                                                             "x"
                                                                             "a"
                                                                             "m"
                                                                             "p"
                                                                             "l"
                                                                             "e",
                                                                             "5"
                                                                             "5"
                                                                             "0"
                                                                             " "
                                                                             "5"
                                                                             "."
                                                                             "7"
                                                                             "."
                                                                             "1"
                                                                             " "
                                                                             "I"
                                                                             "n"
                                                                             "v"
                                                                             "a"
                                                                             "l"
                                                                             "i"
                                                                             "d"
                                                                             " "
                                                                             "S"
                                                                             "R"
                                                                             "S"
                                                                             " "
                                                                             "a"
                                                                             "d"
                                                                             "d"
                                                                             "r"
                                                                             "e"
                                                                             "s"
                                                                             "s") },
    { "a message refused at its end: Postfix' line is the later one", "4LnXWn",
      "a" OURS "4LnXWn: from=<a@s.example>, orig_to=<one@p.example>,"
      "<fwd@p.example>, status=rejected, reason=loop, reply=\"554 5.4.6 Mail "
      "forwarding loop\"\n"
      "a" FRONT "proxy-reject: END-OF-MESSAGE: 554 5.4.6 Mail forwarding loop; "
      "from=<a@s.example> to=<fwd@p.example> proto=ESMTP helo=<c>\n" },
    { "a bounce that we refused", "BBBBBB",
      "a" OURS "4LnXWn: from=<>, orig_to=<SRS0=z@srs.example>, "
      "status=rejected, reply=\"550 5.1.6 Expired SRS address\"\n"
      "a" SMTP "BBBBBB: to=<SRS0=z@srs.example>, status=bounced (host h said: "
      "550 5.1.6 Expired SRS address (in reply to RCPT TO command))\n"
      "a" QMGR "BBBBBB: removed\n" },
    { "a reply with a quote in it", "4LnXWn",
      "a" QUOTED("old@p.example", "550 5.1.6 gone \"for good\"") "a" REFUSED(
          "4LnXWn", "old@p.example", "550 5.1.6 gone \\\"for good\\\"") },
    { "the null reverse-path", "<>",
      "a" REFUSED("4LnXWn", "old@p.example", "550 5.1.6 gone") "-" SENT(
          "45DRlk", "xfwd@p.example", "D25FAACDBA3") },
    { "a log in JSON", "fwd@p.example",
      "a" BACK "AAAAAA: client=h[192.0.2.1]\n"
      "a" OURS "{\"id\": \"4LnXWn\", \"from\": \"a@s.example\", \"orig_to\": "
      "[\"fwd@p.example\"], \"status\": \"sent\", \"reply\": \"250 2.0.0 Ok: "
      "queued as AAAAAA\"}\n" },
    { "JSON, by the session", "4LnXWn",
      "a" OURS "{\"id\": \"4LnXWn\", \"status\": \"sent\", \"queued\": "
      "\"ONEONE,TWOTWO\", \"reply\": \"250 2.0.0 Ok: queued as TWOTWO\"}\n"
      "a" QMGR "ONEONE: removed\n" },
    { "JSON, refused", "4LnXWn",
      "a" QUOTED(
          "old@p.example",
          "550 5.1.6 gone") "a" OURS
                            "{\"id\": \"4LnXWn\", \"from\": \"\", \"orig_to\": "
                            "[\"x@p.example\", \"old@p.example\"], \"status\": "
                            "\"rejected\", "
                            "\"reply\": \"550 5.1.6 gone\"}\n" },
    { "as journalctl prints it", "AAAAAA",
      "a" ISO "postfix/reinject/smtpd[12]: AAAAAA: client=h[192.0.2.1]\n"
      "a" ISO "onward[16]: 4LnXWn: status=sent, reply=\"250 queued as "
      "AAAAAA\"\n"
      "--- Boot 0123456789abcdef ---\n" },
    { "what is none of ours", "AAAAAA",
      "-" ISO "sshd[12]: AAAAAA: client=h[192.0.2.1]\n"
      "-no colon at all\n"
      "-]: \n"
      "-" QMGR "\n"
      "-\n" },
    { "words that look like ids", "warning",
      "-" FRONT "warning: hostname does not resolve\n" },
};

/* Reads the log the way the command does. */
static void
tell(const char *what, struct slice log, struct buf *out, bool *cut)
{
    struct trace *trace = trace_new(slice_from(what));
    bool learnt = true;

    trace_start(trace);
    for (struct slice rest = log; rest.len != 0;)
        trace_pair(trace, slice_cut(&rest, '\n'));
    while (learnt) {
        learnt = false;
        trace_start(trace);
        for (struct slice rest = log; rest.len != 0;)
            if (trace_learn(trace, slice_cut(&rest, '\n')))
                learnt = true;
    }
    trace_start(trace);
    for (struct slice rest = log; rest.len != 0;)
        trace_collect(trace, slice_cut(&rest, '\n'));
    trace_print(trace, out, cut);
    trace_free(trace);
}

/* What should be printed: the texts of each story's lines. */
static void
expect(const char *log, struct buf *want)
{
    size_t count = 0;

    for (char story = 'a'; story <= 'b'; story++) {
        bool any = false;
        for (struct slice rest = slice_from(log); rest.len != 0;) {
            struct slice line = slice_cut(&rest, '\n');
            if (line.ptr[0] != story)
                continue;
            if (!any)
                buf_printf(want, "%smessage %zu\n", count > 0 ? "\n" : "",
                           count + 1);
            count += !any;
            any = true;
            const char *text =
                memmem(line.ptr, line.len, "]: ", 3); /* of the row: there */
            buf_puts(want, "      ");
            buf_append(want, slice_tail(line, (size_t)(text - line.ptr) + 3));
            buf_putc(want, '\n');
        }
    }
}

/* Without the lines of time, host and program. */
static void
strip(struct slice told, struct buf *out)
{
    while (told.len != 0) {
        struct slice line = slice_cut(&told, '\n');
        if (line.len > 2 && line.ptr[0] == ' ' && line.ptr[2] != ' ')
            continue;
        buf_append(out, line);
        buf_putc(out, '\n');
    }
}

static void
finds(void **state)
{
    const struct row *row = *state;
    struct buf log = { 0 }, told = { 0 }, got = { 0 }, want = { 0 };
    bool cut;

    for (struct slice rest = slice_from(row->log); rest.len != 0;) {
        buf_append(&log, slice_tail(slice_cut(&rest, '\n'), 1));
        buf_putc(&log, '\n');
    }
    tell(row->what, buf_slice(&log), &told, &cut);
    strip(buf_slice(&told), &got);
    expect(row->log, &want);
    assert_string_equal(buf_cstr(&got), buf_cstr(&want));
    assert_false(cut);
    buf_free(&log);
    buf_free(&told);
    buf_free(&got);
    buf_free(&want);
}

static void
hostile_octets_are_shown(void **state)
{
    struct buf told = { 0 };
    bool cut;

    (void)state;
    tell("AAAAAA", SLICE_OF(QMGR "AAAAAA: from=<\033[2J\a\x9b\r@x>, \xff\n"),
         &told, &cut);
    for (size_t i = 0; i < told.len; i++)
        assert_true(told.ptr[i] == '\n' || !ascii_is_control(told.ptr[i]));
    assert_true(utf8_is_valid(buf_slice(&told)));
    buf_free(&told);
}

/* More than may be kept: said, not swallowed. */
static void
too_much_is_said(void **state)
{
    struct buf log = { 0 }, told = { 0 };
    size_t count = 0;
    bool cut;

    (void)state;
    for (unsigned i = 0; i < TRACE_IDS_MAX + 10; i++)
        buf_printf(&log, SENT("45DRlj", "a@p.example", "A%05u"), i);
    tell("a@p.example", buf_slice(&log), &told, &cut);
    assert_true(cut);
    for (struct slice rest = buf_slice(&told); rest.len != 0;)
        count +=
            slice_starts_nocase(slice_cut(&rest, '\n'), SLICE_OF("message "));
    assert_true(count >= TRACE_IDS_MAX);
    buf_free(&told);

    buf_clear(&log);
    for (unsigned i = 0; i < TRACE_LINES_MAX + 10; i++)
        buf_printf(&log, QMGR "AAAAAA: line %u\n", i);
    tell("AAAAAA", buf_slice(&log), &told, &cut);
    assert_true(cut);
    buf_free(&log);
    buf_free(&told);
}

enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

int
main(void)
{
    struct CMUnitTest tests[ROWS + 2] = { 0 };
    size_t n = 0;

    for (; n < ROWS; n++)
        tests[n] =
            (struct CMUnitTest){ rows[n].name, finds, NULL, NULL, &rows[n] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(hostile_octets_are_shown);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(too_much_is_said);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
