#include "test_smtp.h"

/*
 * What upstream says (<), whole and octet by octet, and what becomes of it. A
 * script says what we send when: the letters of `after_ready` are the steps
 * sent once the handshake is done, all at once.
 */
static struct row {
    const char *name;
    struct slice wire;
    const char *after_ready; /* X M R D . S Q */
    const char *events;      /* "ready MAIL=250 bad" */
    const char *said;
} rows[] = {
    { "greeting, EHLO", SLICE("220 up\r\n"), "", "", "EHLO me\r\n" },
    { "nothing", SLICE(""), "", "", "" },
    { "any 2xx greets", SLICE("299-a\r\n299 b\r\n"), "", "", "EHLO me\r\n" },
    { "greeting refused", SLICE("554 5.3.2 no\r\n"), "", "refused=554", "" },
    { "greeting deferred", SLICE("421 busy\r\n"), "", "refused=421", "" },
    { "greeting 354", SLICE("354 go\r\n"), "", "bad", "" },
    { "greeting garbage", SLICE("SSH-2.0-OpenSSH\r\n"), "", "bad", "" },
    { "greeting 1xx", SLICE("100 wait\r\n"), "", "bad", "" },
    { "greeting mixed", SLICE("220-a\r\n554 b\r\n"), "", "bad", "" },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static const char *const step_names[] = {
    "greeting", "EHLO", "HELO", "XFORWARD", "MAIL",
    "RCPT",     "DATA", "dot",  "RSET",     "QUIT",
};

static void
send_steps(struct smtp_client *client, const char *steps, struct buf *out)
{
    static const struct {
        char letter;
        enum smtp_step step;
        struct slice command;
    } commands[] = {
        { 'X', SMTP_STEP_XFORWARD, SLICE("XFORWARD NAME=a\r\n") },
        { 'M', SMTP_STEP_MAIL, SLICE("MAIL FROM:<>\r\n") },
        { 'R', SMTP_STEP_RCPT, SLICE("RCPT TO:<a@b>\r\n") },
        { 'D', SMTP_STEP_DATA, SLICE("DATA\r\n") },
        { 'S', SMTP_STEP_RSET, SLICE("RSET\r\n") },
        { 'Q', SMTP_STEP_QUIT, SLICE("QUIT\r\n") },
    };

    for (; *steps != '\0'; steps++) {
        if (*steps == '.')
            assert_true(smtp_client_expect(client, SMTP_STEP_DOT));
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
            if (commands[i].letter == *steps)
                assert_true(smtp_client_send(client, commands[i].step,
                                             commands[i].command, out));
    }
}

static void
note(struct buf *events, const char *what, unsigned code)
{
    if (events->len != 0)
        buf_putc(events, ' ');
    buf_puts(events, what);
    if (code != 0)
        buf_printf(events, "=%u", code);
}

/* Feeds in pieces; stops at the first event that ends the connection. */
static void
feed(struct smtp_client *client, struct slice wire, size_t piece,
     const char *after_ready, struct buf *events, struct buf *out)
{
    while (wire.len != 0) {
        struct slice part = exact(slice_head(wire, piece));
        struct slice in = part;
        wire = slice_tail(wire, piece);
        while (in.len != 0) {
            enum smtp_step step;
            struct smtp_reply reply;
            enum smtp_client_event event =
                smtp_client_take(client, &in, out, &step, &reply);
            switch (event) {
            case SMTP_CLIENT_MORE:
                assert_int_equal(in.len, 0);
                break;
            case SMTP_CLIENT_READY:
                note(events, "ready", 0);
                send_steps(client, after_ready, out);
                break;
            case SMTP_CLIENT_REPLY:
                note(events, step_names[step], reply.code);
                break;
            case SMTP_CLIENT_REFUSED:
                note(events, "refused", reply.code);
                free((char *)part.ptr);
                return;
            case SMTP_CLIENT_BAD:
                note(events, "bad", 0);
                /* and it stays so */
                in = SLICE_OF("250 ok\r\n");
                assert_int_equal(
                    smtp_client_take(client, &in, out, &step, &reply),
                    SMTP_CLIENT_BAD);
                free((char *)part.ptr);
                return;
            }
        }
        free((char *)part.ptr);
    }
}

static void
run(const struct row *row, size_t piece)
{
    struct smtp_client client;
    struct buf events = { 0 }, out = { 0 };

    smtp_client_open(&client, SLICE_OF("me"));
    feed(&client, row->wire, piece, row->after_ready, &events, &out);
    assert_slice(buf_slice(&events), slice_from(row->events));
    assert_slice(buf_slice(&out), slice_from(row->said));
    smtp_client_free(&client);
    buf_free(&events);
    buf_free(&out);
}

static void
whole(void **state)
{
    run(*state, SIZE_MAX);
}

static void
bytewise(void **state)
{
    run(*state, 1);
}

/* The rest of the handshake, in the order in which it would really come: one
 * piece for each of our turns. */
static struct turns {
    const char *name;
    const char *wires[4]; /* one for each time it is upstream's turn */
    const char *after_ready;
    const char *events;
    const char *said;
    /* In pieces what is unasked cannot be told from an answer to what we have
     * said meanwhile. */
    bool only_whole;
} turns[] = {
    { "ready",
      { "220 up\r\n", "250-up\r\n250-SIZE 5\r\n250 DSN\r\n" },
      "",
      "ready",
      "EHLO me\r\n",
      .only_whole = false },
    { "EHLO refused, HELO taken",
      { "220 up\r\n", "502 what\r\n", "250 up\r\n" },
      "",
      "ready",
      "EHLO me\r\nHELO me\r\n",
      .only_whole = false },
    { "EHLO and HELO refused",
      { "220 up\r\n", "502 what\r\n", "550 no\r\n" },
      "",
      "refused=550",
      "EHLO me\r\nHELO me\r\n",
      .only_whole = false },
    { "EHLO deferred",
      { "220 up\r\n", "421 bye\r\n" },
      "",
      "refused=421",
      "EHLO me\r\n",
      .only_whole = false },
    { "EHLO 354",
      { "220 up\r\n", "354 go\r\n" },
      "",
      "bad",
      "EHLO me\r\n",
      .only_whole = false },
    { "HELO 354",
      { "220 up\r\n", "500 no\r\n", "354 go\r\n" },
      "",
      "bad",
      "EHLO me\r\nHELO me\r\n",
      .only_whole = false },
    { "two greetings in one piece",
      { "220 up\r\n220 up\r\n" },
      "",
      "bad",
      "EHLO me\r\n",
      .only_whole = true },
    { "greeting and EHLO reply in one piece",
      { "220 up\r\n250 up\r\n" },
      "",
      "bad",
      "EHLO me\r\n",
      .only_whole = true },
    { "a second reply behind that of EHLO",
      { "220 up\r\n", "250 up\r\n250 Ok\r\n" },
      "M",
      "ready bad",
      "EHLO me\r\nMAIL FROM:<>\r\n",
      .only_whole = true },
    { "one transaction",
      { "220 up\r\n", "250 up\r\n",
        "250 x\r\n250 m\r\n550-r\r\n550 r\r\n354 go\r\n250 queued\r\n" },
      "XMRD.",
      "ready XFORWARD=250 MAIL=250 RCPT=550 DATA=354 dot=250",
      "EHLO me\r\nXFORWARD NAME=a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\n"
      "DATA\r\n",
      .only_whole = false },
    { "RSET and QUIT",
      { "220 up\r\n", "250 up\r\n", "250 r\r\n221 bye\r\n" },
      "SQ",
      "ready RSET=250 QUIT=221",
      "EHLO me\r\nRSET\r\nQUIT\r\n",
      .only_whole = false },
    { "a refused greeting with more behind it",
      { "554 no\r\n421 bye\r\n" },
      "",
      "refused=554",
      "",
      .only_whole = false },
    { "one reply too many",
      { "220 up\r\n", "250 up\r\n", "250 m\r\n250 again\r\n" },
      "M",
      "ready MAIL=250 bad",
      "EHLO me\r\nMAIL FROM:<>\r\n",
      .only_whole = false },
    { "the reply to the dot counts, what follows it does not",
      { "220 up\r\n", "250 up\r\n", "250 queued\r\n421 bye\r\n" },
      ".",
      "ready dot=250 bad",
      "EHLO me\r\n",
      .only_whole = false },
    { "2xx to DATA",
      { "220 up\r\n", "250 up\r\n", "250 Ok\r\n" },
      "D",
      "ready bad",
      "EHLO me\r\nDATA\r\n",
      .only_whole = false },
    { "refused DATA",
      { "220 up\r\n", "250 up\r\n", "554 no\r\n" },
      "D",
      "ready DATA=554",
      "EHLO me\r\nDATA\r\n",
      .only_whole = false },
    { "354 to MAIL",
      { "220 up\r\n", "250 up\r\n", "354 go\r\n" },
      "M",
      "ready bad",
      "EHLO me\r\nMAIL FROM:<>\r\n",
      .only_whole = false },
    { "354 to RCPT",
      { "220 up\r\n", "250 up\r\n", "250 a\r\n354 go\r\n" },
      "MR",
      "ready MAIL=250 bad",
      "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\n",
      .only_whole = false },
    { "354 to the dot",
      { "220 up\r\n", "250 up\r\n", "354 go\r\n" },
      ".",
      "ready bad",
      "EHLO me\r\n",
      .only_whole = false },
    { "199 to the dot",
      { "220 up\r\n", "250 up\r\n", "199 go\r\n" },
      ".",
      "ready bad",
      "EHLO me\r\n",
      .only_whole = false },
    { "999 to the dot",
      { "220 up\r\n", "250 up\r\n", "999 go\r\n" },
      ".",
      "ready bad",
      "EHLO me\r\n",
      .only_whole = false },
    { "half a reply to the dot",
      { "220 up\r\n", "250 up\r\n", "250 queued" },
      ".",
      "ready",
      "EHLO me\r\n",
      .only_whole = false },
    { "continuation and no more to the dot",
      { "220 up\r\n", "250 up\r\n", "250-queued\r\n" },
      ".",
      "ready",
      "EHLO me\r\n",
      .only_whole = false },
    { "mixed codes to the dot",
      { "220 up\r\n", "250 up\r\n", "250-queued\r\n550 not\r\n" },
      ".",
      "ready bad",
      "EHLO me\r\n",
      .only_whole = false },
    { "421 that nobody asked for",
      { "220 up\r\n", "250 up\r\n", "421 idle\r\n" },
      "",
      "ready bad",
      "EHLO me\r\n",
      .only_whole = false },
    { "one unasked octet",
      { "220 up\r\n", "250 up\r\n", "2" },
      "",
      "ready bad",
      "EHLO me\r\n",
      .only_whole = false },
    { "421 to MAIL is a reply",
      { "220 up\r\n", "250 up\r\n", "421 bye\r\n" },
      "M",
      "ready MAIL=421",
      "EHLO me\r\nMAIL FROM:<>\r\n",
      .only_whole = false },
};
enum {
    TURNS = sizeof(turns) / sizeof(turns[0])
};

static void
take_turns(const struct turns *row, size_t piece)
{
    struct smtp_client client;
    struct buf events = { 0 }, out = { 0 };

    smtp_client_open(&client, SLICE_OF("me"));
    for (size_t i = 0; i < 4 && row->wires[i] != NULL; i++)
        feed(&client, slice_from(row->wires[i]), piece, row->after_ready,
             &events, &out);
    assert_slice(buf_slice(&events), slice_from(row->events));
    assert_slice(buf_slice(&out), slice_from(row->said));
    smtp_client_free(&client);
    buf_free(&events);
    buf_free(&out);
}

static void
turns_whole(void **state)
{
    take_turns(*state, SIZE_MAX);
}

static void
turns_bytewise(void **state)
{
    take_turns(*state, 1);
}

static void
what_ehlo_offers(void **state)
{
    struct smtp_client client;
    struct buf events = { 0 }, out = { 0 };
    (void)state;

    smtp_client_open(&client, SLICE_OF("me"));
    feed(&client, SLICE_OF("220 up\r\n"), 1, "", &events, &out);
    assert_false(client.ready);
    assert_int_equal(smtp_client_pending(&client), 1);
    feed(&client, SLICE_OF("250-up\r\n250-SIZE 77\r\n250 XFORWARD ADDR\r\n"), 1,
         "", &events, &out);
    assert_true(client.ready);
    assert_int_equal(client.ehlo.keywords, SMTP_HAS_SIZE | SMTP_HAS_XFORWARD);
    assert_true(client.ehlo.size == 77);
    assert_int_equal(client.ehlo.xforward, 1 << XFORWARD_ADDR);
    assert_int_equal(smtp_client_pending(&client), 0);
    smtp_client_free(&client);
    buf_free(&events);
    buf_free(&out);
}

static void
resumed(void **state)
{
    struct smtp_ehlo ehlo = { .keywords = SMTP_HAS_DSN };
    struct smtp_client client;
    struct buf events = { 0 }, out = { 0 };
    (void)state;

    smtp_client_resume(&client, SLICE_OF("me"), &ehlo);
    assert_true(client.ready);
    assert_int_equal(client.ehlo.keywords, SMTP_HAS_DSN);
    send_steps(&client, "M", &out);
    assert_int_equal(smtp_client_pending(&client), 1);
    feed(&client, SLICE_OF("250 Ok\r\n"), 1, "", &events, &out);
    assert_slice(buf_slice(&events), SLICE_OF("MAIL=250"));
    /* the connection had been told to go away meanwhile */
    buf_clear(&events);
    feed(&client, SLICE_OF("421 idle\r\n"), 1, "", &events, &out);
    assert_slice(buf_slice(&events), SLICE_OF("bad"));
    smtp_client_free(&client);
    buf_free(&events);
    buf_free(&out);
}

/* The list of what is expected does not grow with the transactions. */
static void
long_lived(void **state)
{
    struct smtp_ehlo ehlo = { 0 };
    struct smtp_client client;
    struct buf events = { 0 }, out = { 0 };
    (void)state;

    smtp_client_resume(&client, SLICE_OF("me"), &ehlo);
    for (int i = 0; i < 1000; i++) {
        send_steps(&client, "MR", &out);
        feed(&client, SLICE_OF("250 a\r\n250 b\r\n"), SIZE_MAX, "", &events,
             &out);
        buf_clear(&out);
    }
    assert_int_equal(smtp_client_pending(&client), 0);
    assert_true(client.expected.cap <= 64);
    smtp_client_free(&client);
    buf_free(&events);
    buf_free(&out);
}

static void
memory_is_gone(void **state)
{
    (void)state;

    for (size_t n = 1;; n++) {
        struct smtp_ehlo ehlo = { 0 };
        struct smtp_client client;
        struct smtp_reply reply;
        enum smtp_step step;
        struct buf out = { 0 };
        struct slice in = SLICE("250 a\r\n");
        smtp_client_resume(&client, SLICE_OF("me"), &ehlo);
        mem_fail_nth(n);
        bool sent = smtp_client_send(&client, SMTP_STEP_MAIL,
                                     SLICE_OF("MAIL FROM:<>\r\n"), &out);
        enum smtp_client_event event = SMTP_CLIENT_MORE;
        if (sent)
            event = smtp_client_take(&client, &in, &out, &step, &reply);
        bool failed = mem_fail_nth(0) >= n;
        smtp_client_free(&client);
        buf_free(&out);
        assert_true(!failed ? event == SMTP_CLIENT_REPLY
                            : !sent || event == SMTP_CLIENT_BAD);
        if (!failed)
            return;
    }
}

int
main(void)
{
    struct CMUnitTest tests[2 * ROWS + 2 * TURNS + 4] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++) {
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, whole, NULL, NULL, &rows[i] };
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, bytewise, NULL, NULL, &rows[i] };
    }
    for (size_t i = 0; i < TURNS; i++) {
        tests[n++] = (struct CMUnitTest){ turns[i].name, turns_whole, NULL,
                                          NULL, &turns[i] };
        if (!turns[i].only_whole)
            tests[n++] = (struct CMUnitTest){ turns[i].name, turns_bytewise,
                                              NULL, NULL, &turns[i] };
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_ehlo_offers);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(resumed);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(long_lived);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(memory_is_gone);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("client", tests, n, NULL, NULL);
}
