/* What a line of the log is about, whatever strangers wrote into it: `trace`
 * reads keys and values. */
#include "base.h"
#include "traceline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FRONT "Nov 24 10:26:01 mx postfix/front/smtpd[11]: "
#define SMTP "Nov 24 10:26:01 mx postfix/smtp[14]: "
#define CLEANUP "Nov 24 10:26:01 mx postfix/cleanup[15]: "
#define OURS "Nov 24 10:26:01 mx onward[16]: 4kT9zP: client=h[192.0.2.1], "
#define JSON                                                                   \
    "Nov 24 10:26:01 mx onward[16]: {\"id\": \"4kT9zP\", \"client\": "         \
    "\"h[192.0.2.1]\", "
#define TAIL " proto=ESMTP helo=<c>"

static struct row {
    const char *name;
    const char *line;
    const char *what; /* an address or a queue id */
    bool about;
} rows[] = {
    /* Onward, text */
    { "from", OURS "from=<a@s.example>, status=sent", "a@s.example", true },
    { "the second of a list",
      OURS "orig_to=<a@b.example>,<c@d.example>, size=1", "C@D.example", true },
    { "srs", OURS "srs=<SRS0=x=y=s.example=a@srs.example>, size=1",
      "SRS0=x=y=s.example=a@srs.example", true },
    { "the null path", OURS "from=<>, orig_to=<a@b.example>", "", true },
    { "an escaped address",
      OURS "from=<\\x{22}a\\x{20}b\\x{22}@s.example>, status=sent",
      "\"a b\"@s.example", true },
    { "an address in a reply",
      OURS "from=<a@s.example>, status=rejected, reply=\"450 4.1.2 "
           "<me@private.example>: Recipient address rejected\"",
      "me@private.example", false },
    { "a field in a reply",
      OURS "status=rejected, reply=\"550 x\\\", to=<me@private.example>, "
           "y=\\\"\"",
      "me@private.example", false },
    { "a field in an address, as it is escaped",
      OURS "from=<\\x{22}x\\x{3e},\\x{20}to=\\x{3c}ceo@x.example\\x{3e}\\x{22}"
           "@evil.example>, status=rejected",
      "ceo@x.example", false },
    { "a field in an address, of a log that is older",
      OURS
      "from=<\"x>, to=<ceo@x.example>, y=\\\"\"@evil.example>, status=sent",
      "ceo@x.example", false },
    { "the id of what was taken",
      OURS "status=sent, reply=\"250 2.0.0 Ok: queued as A0C25A7E440\"",
      "A0C25A7E440", true },
    { "the ids of what became several",
      OURS "status=deferred, queued=A0C25A7E440,A0C25A7E441, reply=\"451 x\"",
      "A0C25A7E441", true },
    { "an id in a sender",
      OURS "from=<\"queued as A0C25A7E440\"@evil.example>, status=sent, "
           "reply=\"250 2.0.0 Ok: queued as B0C25A7E440\"",
      "A0C25A7E440", false },
    { "an id in a refusal",
      OURS "status=rejected, reply=\"550 5.1.1 <\\\"queued as A0C25A7E440\\\""
           "@x.example>: unknown\"",
      "A0C25A7E440", false },
    { "fields in a client's name",
      "Nov 24 10:26:01 mx onward[16]: 4kT9zP: client=\"a, queued=A0C25A7E440, "
      "to=<ceo@x.example>[192.0.2.1]\", status=sent",
      "A0C25A7E440", false },

    /* Onward, JSON */
    { "json: from", JSON "\"from\": \"a@s.example\"}", "a@s.example", true },
    { "json: of a list", JSON "\"to\": [\"a@b.example\",\"c@d.example\"]}",
      "c@d.example", true },
    { "json: an escaped address",
      JSON "\"from\": \"\\\"a b\\u202e\\\"@s.example\"}",
      "\"a b\xe2\x80\xae\"@s.example", true },
    { "json: a key, not an address", JSON "\"from\": \"a@s.example\"}", "from",
      false },
    { "json: an address in quotes inside an address",
      JSON "\"from\": \"\\\"ceo@x.example\\\"@evil.example\"}", "ceo@x.example",
      false },
    { "json: a member inside an address",
      JSON "\"from\": \"\\\", \\\"to\\\": [\\\"ceo@x.example\\\"]\"}",
      "ceo@x.example", false },
    { "json: an address in a reply",
      JSON "\"status\": \"rejected\", \"reply\": \"ceo@x.example\"}",
      "ceo@x.example", false },
    { "json: the id of what was taken",
      JSON
      "\"status\": \"sent\", \"reply\": \"250 Ok: queued as A0C25A7E440\"}",
      "A0C25A7E440", true },
    { "json: the ids of what became several",
      JSON "\"status\": \"sent\", \"queued\": \"A0C25A7E440,A0C25A7E441\"}",
      "A0C25A7E441", true },
    { "json: an id in an address",
      JSON
      "\"from\": \"\\\"queued as A0C25A7E440\\\", \\\"queued\\\": "
      "\\\"A0C25A7E440\\\"\", \"status\": \"rejected\", \"reply\": \"550\"}",
      "A0C25A7E440", false },

    /* Postfix */
    { "a delivery",
      SMTP "A0C25A7E440: to=<a@b.example>, orig_to=<c@d.example>, "
           "relay=none, status=deferred (x)",
      "c@d.example", true },
    { "an address in what the next hop said",
      SMTP "A0C25A7E440: to=<a@b.example>, relay=x, status=bounced (host x "
           "said: 550 to=<ceo@x.example> no)",
      "ceo@x.example", false },
    { "a field in a quoted local part",
      SMTP "A0C25A7E440: to=<\"x>, orig_to=<ceo@x.example>\"@evil.example>, "
           "relay=x",
      "ceo@x.example", false },
    { "what a proxy accepted",
      FRONT "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as "
            "A0C25A7E440; from=<a@b.example> to=<c@d.example>" TAIL,
      "c@d.example", true },
    { "its id",
      FRONT "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as "
            "A0C25A7E440; from=<a@b.example> to=<c@d.example>" TAIL,
      "A0C25A7E440", true },
    { "an id in a sender that was accepted",
      FRONT "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as "
            "B0C25A7E440; from=<\"queued as A0C25A7E440\"@evil.example> "
            "to=<c@d.example>" TAIL,
      "A0C25A7E440", false },
    { "a refused recipient",
      FRONT "NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 "
            "<c@d.example>: no; from=<a@b.example> to=<c@d.example>" TAIL,
      "c@d.example", true },
    { "with commas, as postscreen writes it",
      "Nov 24 10:26:01 mx postfix/postscreen[1]: NOQUEUE: reject: RCPT from "
      "[192.0.2.1]:1: 550 5.3.2 x; from=<a@b.example>, to=<c@d.example>, "
      "proto=ESMTP, helo=<c>",
      "c@d.example", true },
    { "fields in a recipient that was refused",
      FRONT
      "NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 <\"; "
      "from=<ceo@x.example> to=<d@x.example> proto=SMTP\"@e.example>: no; "
      "from=<a@b.example> to=<\"; from=<ceo@x.example> to=<d@x.example> "
      "proto=SMTP\"@e.example>" TAIL,
      "ceo@x.example", false },
    { "fields in a header that a check writes",
      CLEANUP "A0C25A7E440: warning: header Subject: y; from=<ceo@x.example> "
              "to=<d@x.example> from h[192.0.2.1]; from=<a@b.example> "
              "to=<c@d.example>" TAIL,
      "ceo@x.example", false },
    { "and the true ones behind it",
      CLEANUP "A0C25A7E440: warning: header Subject: y; from=<ceo@x.example> "
              "to=<d@x.example> from h[192.0.2.1]; from=<a@b.example> "
              "to=<c@d.example>" TAIL,
      "c@d.example", true },
    { "a Message-ID", CLEANUP "A0C25A7E440: message-id=<x> to=<ceo@x.example>",
      "x", false },
    { "an id in a Message-ID",
      CLEANUP "B0C25A7E440: message-id=<queued as A0C25A7E440>", "A0C25A7E440",
      false },
    { "what the next hop took",
      SMTP "A0C25A7E440: to=<a@b.example>, relay=x, status=sent (250 2.0.0 Ok: "
           "queued as C0C25A7E440)",
      "C0C25A7E440", true },
    { "a bounce",
      "Nov 24 10:26:01 mx postfix/bounce[1]: A0C25A7E440: sender non-delivery "
      "notification: B0C25A7E440",
      "B0C25A7E440", true },
    { "whose client was behind a proxy",
      FRONT "A0C25A7E440: client=h[192.0.2.1], orig_queue_id=B0C25A7E440, "
            "orig_client=x[192.0.2.2]",
      "B0C25A7E440", true },
    { "a refused command, by its path",
      FRONT "warning: proxy 127.0.0.1:10025 rejected \"RCPT TO:<c@d.example> "
            "NOTIFY=NEVER\": \"550 5.7.1 no\"",
      "c@d.example", true },
    { "a path inside the path of a refused command",
      FRONT "warning: proxy 127.0.0.1:10025 rejected \"RCPT TO:<\" "
            "<ceo@x.example>\"@e.example>\": \"550 5.7.1 no\"",
      "ceo@x.example", false },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
is_about(void **state)
{
    const struct row *row = *state;
    struct slice what = slice_from(row->what);
    struct trace_line line;
    bool about = false;

    assert_true(trace_line_parse(slice_from(row->line), &line));
    for (size_t i = 0; i < line.link_count; i++)
        about = about || slice_equal(line.links[i], what);
    about = about || trace_line_has_address(&line, what);
    assert_int_equal(about, row->about);
}

/* ---- refusals: ours, and Postfix' line that quotes it ------------------- */

static struct pair {
    const char *name, *ours, *theirs;
    bool one;
} pairs[] = {
    { "a command",
      OURS "orig_to=<c@d.example>, status=rejected, reply=\"550 5.7.1 no\"",
      FRONT "warning: proxy 127.0.0.1:10025 rejected \"RCPT "
            "TO:<c@d.example>\": \"550 5.7.1 no\"",
      true },
    { "a command, in JSON",
      JSON "\"orig_to\": \"c@d.example\", \"reply\": \"550 5.7.1 no\"}",
      FRONT "warning: proxy 127.0.0.1:10025 rejected \"RCPT "
            "TO:<c@d.example>\": \"550 5.7.1 no\"",
      true },
    { "a quoted local part",
      OURS
      "orig_to=<\\x{22}a\\x{20}b\\x{22}@d.example>, reply=\"550 5.7.1 no\"",
      FRONT "warning: proxy 127.0.0.1:10025 rejected \"RCPT TO:<\"a "
            "b\"@d.example>\": \"550 5.7.1 no\"",
      true },
    { "a message",
      OURS "orig_to=<c@d.example>, status=rejected, reply=\"550 5.6.0 no\"",
      FRONT "proxy-reject: END-OF-MESSAGE: 550 5.6.0 no; from=<a@b.example> "
            "to=<c@d.example>" TAIL,
      true },
    { "by smtp(8)",
      OURS "orig_to=<c@d.example>, status=rejected, reply=\"550 5.6.0 no\"",
      SMTP "A0C25A7E440: to=<c@d.example>, relay=x, status=bounced (host x "
           "said: 550 5.6.0 no (in reply to end of DATA command))",
      true },
    { "another's words",
      OURS "orig_to=<c@d.example>, status=rejected, reply=\"550 5.6.0 no\"",
      FRONT "proxy-reject: END-OF-MESSAGE: 550 5.6.1 no; from=<a@b.example> "
            "to=<c@d.example>" TAIL,
      false },
    { "the words in a sender",
      OURS "orig_to=<c@d.example>, status=rejected, reply=\"550 5.6.0 no\"",
      FRONT
      "proxy-reject: END-OF-MESSAGE: 451 4.3.0 x; from=<\"said: 550 5.6.0 "
      "no\"@b.example> to=<c@d.example>" TAIL,
      false },
    { "another recipient",
      OURS "orig_to=<c@d.example>, status=rejected, reply=\"550 5.6.0 no\"",
      FRONT
      "proxy-reject: END-OF-MESSAGE: 550 5.6.0 no; from=<c@d.example.net> "
      "to=<b@d.example>" TAIL,
      false },
};
enum {
    PAIRS = sizeof(pairs) / sizeof(pairs[0])
};

static void
is_quoted(void **state)
{
    const struct pair *pair = *state;
    struct slice recipients, reply;
    struct trace_line ours, theirs;

    assert_true(trace_line_parse(slice_from(pair->ours), &ours));
    assert_true(trace_line_parse(slice_from(pair->theirs), &theirs));
    assert_true(trace_line_is_refusal(&ours, &recipients, &reply));
    assert_true(trace_line_quotes_refusal(&theirs));
    assert_int_equal(trace_line_quotes(&theirs, &ours, recipients, reply),
                     pair->one);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + PAIRS] = { 0 };

    for (size_t i = 0; i < ROWS; i++)
        tests[i] =
            (struct CMUnitTest){ rows[i].name, is_about, NULL, NULL, &rows[i] };
    for (size_t i = 0; i < PAIRS; i++)
        tests[ROWS + i] = (struct CMUnitTest){ pairs[i].name, is_quoted, NULL,
                                               NULL, &pairs[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
