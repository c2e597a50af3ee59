/*
 * Memory runs out: of every allocation that a recorded message makes and whose
 * size or number a peer decides, the n-th fails, for all n. The client hears
 * 4xx or nothing, upstream never gets half a message, and nothing is
 * acknowledged that was not committed. (What leaks, LeakSanitizer says.)
 */
#include "relay_scripted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct row {
    const char *name;
    const char *listener;
    const char *conf;
    const char *rules; /* of upstream */
    const char *commands[8];
    size_t lines;  /* of the body */
    size_t fields; /* of the header, besides the usual */
} rows[] = {
    { .name = "a message that stays, in memory",
      .commands = { "MAIL FROM:<a@sender.example>",
                    "RCPT TO:<b@local.example>" },
      .lines = 3 },
    { .name = "one that leaves, signed, spooled",
      .conf = "limits = { message_memory = \"1K\"; };\n",
      .rules = "with DSN\n",
      .commands = { "XFORWARD NAME=mail.sender.example ADDR=192.0.2.7",
                    "MAIL FROM:<a@sender.example> SIZE=100000 BODY=8BITMIME "
                    "RET=HDRS ENVID=QQ314159",
                    "RCPT TO:<fwd.x@public.example> NOTIFY=FAILURE" },
      .lines = 3000 },
    { .name = "one alias that leaves and stays, in two transactions",
      .conf = "limits = { message_memory = \"1K\"; };\n"
              "forward = { local_domains = ( \"local.example\" ); aliases = ( "
              "{ match = \"both@public.example\"; to = ( \"me@private.example\""
              ", \"me@local.example\" ); }, { regex = \"^list-(.+)@public\"; "
              "to = ( \"both@public.example\", \"$1@other.example\" ); } ); "
              "};\n",
      .commands = { "MAIL FROM:<a@sender.example>",
                    "RCPT TO:<both@public.example>",
                    "RCPT TO:<list-x@public.example>",
                    "RCPT TO:<b@local.example>" },
      .lines = 30,
      .fields = 300 },
    { .name = "an envelope that is built again before DATA",
      .rules = "RCPT bad@* 550 5.1.1 no\n",
      .conf = "forward = { local_domains = ( \"local.example\" ); aliases = ( "
              "{ match = \"half@public.example\"; to = ( \"me@private.example\""
              ", \"bad@private.example\" ); }, { match = \"*@public.example\"; "
              "to = ( \"you@private.example\" ); } ); };\n",
      .commands = { "MAIL FROM:<a@sender.example>",
                    "RCPT TO:<fine@public.example>",
                    "RCPT TO:<half@public.example>" },
      .lines = 3 },
    { .name = "from our own users, completed and signed",
      .listener = "submission",
      .commands = { "MAIL FROM:<u@local.example>",
                    "RCPT TO:<x@elsewhere.example>" },
      .lines = 3 },
    { .name = "a sender that is too long, stored",
      .conf = "srs = { domain = \"srs.example\"; secret_file = "
              "\"@DIR@/secret\"; long_sender = \"store\"; };\n",
      .commands = { "MAIL FROM:<an-address-of-somebody-that-is-longer-than-"
                    "sixty-four-octets@sender.example>",
                    "RCPT TO:<fwd.x@public.example>" },
      .lines = 3 },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

struct result {
    size_t tries; /* allocations */
    bool accepted, refused;
    struct buf seen;
};

static void
make_message(const struct row *row, struct buf *out)
{
    buf_puts(out, "From: Alice <alice@local.example>\r\nSubject: x\r\n");
    for (size_t i = 0; i < row->fields; i++)
        buf_printf(out, "X-Field-%zu: value\r\n", i);
    buf_puts(out, "\r\n");
    for (size_t i = 0; i < row->lines; i++)
        buf_printf(out, "line %06zu of the body\r\n", i);
}

/* The code of the last reply to these octets; 0: none came. */
static unsigned
say(struct scripted *up, struct slice octets)
{
    struct world *world = up->world;
    unsigned code = 0;

    if (world->session == NULL || world->finished)
        return 0;
    buf_clear(&world->to_client);
    world_client_says(world, octets);
    scripted_serve(up);
    struct slice all = buf_slice(&world->to_client);
    while (all.len != 0) {
        struct slice line = slice_cut(&all, '\n');
        assert_true(line.len >= 4 && line.ptr[line.len - 1] == '\r');
        code = (unsigned)strtoul(line.ptr, NULL, 10);
    }
    return code;
}

/* A command: false if the message ends here, with a reply that may be. */
static bool
goes_on(struct scripted *up, const char *command, struct result *result)
{
    struct buf line = { 0 };

    buf_printf(&line, "%s\r\n", command);
    unsigned code = say(up, buf_slice(&line));
    buf_free(&line);
    /* Upstream's own refusal, of a recipient, is no trouble of ours. */
    if ((code >= 200 && code < 400) || code == 550)
        return true;
    if (code >= 500)
        print_message("# %s: %u\n", command, code);
    assert_true(code < 500);
    result->refused = true;
    return false;
}

static void
send_message(const struct row *row, struct scripted *up, struct result *result)
{
    struct buf message = { 0 };

    make_message(row, &message);
    up->content = buf_slice(&message);
    bool go = goes_on(up, "EHLO client.example", result);
    for (size_t i = 0; go && row->commands[i] != NULL; i++)
        go = goes_on(up, row->commands[i], result);
    if (go && goes_on(up, "DATA", result)) {
        /* Dots need no stuffing here. */
        say(up, buf_slice(&message));
        unsigned code = say(up, SLICE_OF(".\r\n"));
        assert_true(code < 500);
        result->accepted = code >= 200 && code < 300;
        result->refused = !result->accepted;
    }
    buf_append(&result->seen, buf_slice(&up->seen));
    assert_false(up->changed);
    buf_free(&message);
}

static void
run(struct world *world, const struct row *row, size_t n, struct result *result)
{
    struct scripted up = { .world = world };

    buf_puts(&up.rules, row->rules != NULL ? row->rules : "");
    mem_fail_nth(n);
    world_open(world, slice_from(row->listener != NULL ? row->listener : "mx"),
               RELAY_WELCOME);
    scripted_serve(&up);
    buf_clear(&world->to_client);
    send_message(row, &up, result);
    result->tries = mem_fail_nth(0);
    /* What is left of the session is still one: it says goodbye. */
    if (world->session != NULL && !world->finished)
        assert_int_equal(say(&up, SLICE_OF("QUIT\r\n")), 221);
    scripted_free(&up);
}

static void
once(const struct row *row, size_t n, struct result *result)
{
    struct world world;
    struct buf errors = { 0 };
    struct buf conf = { 0 };

    world_begin(&world);
    world_write(&world, "secret", SLICE_OF("0123456789abcdef\n"));
    world_key(&world, "srs.example", "s");
    world_key(&world, "local.example", "s");
    buf_puts(&conf, "dkim = { key_directory = \"@DIR@/dkim\"; };\n");
    buf_puts(&conf, row->conf != NULL ? row->conf : "");
    if (!world_load(&world, buf_slice(&conf), &errors)) {
        print_message("# %s\n", buf_cstr(&errors));
        fail();
    }
    *result = (struct result){ 0 };
    run(&world, row, n, result);
    assert_true(world_end(&world));
    buf_free(&errors);
    buf_free(&conf);
}

static void
every_allocation(void **state)
{
    const struct row *row = *state;
    struct result whole, result;
    size_t refused = 0;

    once(row, SIZE_MAX, &whole);
    assert_true(whole.accepted);
    assert_true(whole.tries > 10);
    for (size_t n = 1; n <= whole.tries; n++) {
        once(row, n, &result);
        /* Acknowledged: then upstream has all of it, and no less. */
        if (result.accepted &&
            !slice_equal(buf_slice(&result.seen), buf_slice(&whole.seen))) {
            print_message("# allocation %zu: accepted, but upstream has\n%.*s",
                          n, SLICE_ARG(buf_slice(&result.seen)));
            fail();
        }
        refused += result.accepted ? 0 : 1;
        buf_free(&result.seen);
    }
    printf("# %s: %zu allocations, %zu times not accepted\n", row->name,
           whole.tries, refused);
    buf_free(&whole.seen);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS] = { 0 };

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, every_allocation, NULL,
                                        NULL, (void *)(uintptr_t)&rows[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
