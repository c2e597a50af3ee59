/*
 * Content that is in a file goes upstream from there, without a copy, where it
 * has no dots to double: whatever pieces the socket takes, and wherever in a
 * line they end, upstream has the message, whole and no other.
 */
#include "relay_scripted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    SIZE = 700 * 1000
};

static const struct row {
    const char *name;
    const char *line;  /* over and over */
    const char *among; /* once, in the middle */
    const char *recipient;
    unsigned messages; /* upstream: one for each envelope */
    bool from_file;
} rows[] = {
    { "lines", "a line that is neither short nor long", NULL, "b@local.example",
      1, true },
    { "empty lines", "", NULL, "b@local.example", 1, true },
    { "a line of one octet: a piece may end between CR and LF", "x", NULL,
      "b@local.example", 1, true },
    { "dots within lines", "a. b.. ...", NULL, "b@local.example", 1, true },
    { "one line that begins with a dot", "a line", "..hidden",
      "b@local.example", 1, false },
    { "every line begins with a dot", "..", NULL, "b@local.example", 1, false },
    { "signed", "a line", NULL, "fwd.x@public.example", 1, true },
    { "for two envelopes", "a line", NULL, "both@public.example", 2, true },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

/* As it is on the wire. */
static void
make_message(const struct row *row, struct buf *out)
{
    buf_puts(out, "From: Alice <alice@local.example>\r\nSubject: x\r\n\r\n");
    while (out->len < SIZE / 2)
        buf_printf(out, "%s\r\n", row->line);
    if (row->among != NULL)
        buf_printf(out, "%s\r\n", row->among);
    while (out->len < SIZE)
        buf_printf(out, "%s\r\n", row->line);
}

static void
say(struct scripted *up, struct slice octets, const char *reply)
{
    struct world *world = up->world;

    buf_clear(&world->to_client);
    world_client_says(world, octets);
    scripted_serve(up);
    if (reply != NULL)
        assert_true(slice_starts_nocase(buf_slice(&world->to_client),
                                        slice_from(reply)));
}

static void
command(struct scripted *up, const char *verb, const char *argument,
        const char *reply)
{
    struct buf line = { 0 };

    buf_printf(&line, "%s%s\r\n", verb, argument);
    say(up, buf_slice(&line), reply);
    buf_free(&line);
}

static void
load(struct world *world)
{
    struct buf errors = { 0 };

    world_begin(world);
    world_write(world, "secret", SLICE_OF("0123456789abcdef\n"));
    world_key(world, "srs.example", "s");
    if (!world_load(
            world,
            SLICE_OF("dkim = { key_directory = \"@DIR@/dkim\"; };\n"
                     "limits = { message_memory = \"1K\"; };\n"
                     "forward = { local_domains = ( \"local.example\" ); "
                     "aliases = ( { match = \"both@public.example\"; to = ( "
                     "\"me@private.example\", \"me@local.example\" ); }, "
                     "{ match = \"fwd.*@public.example\"; to = ( "
                     "\"me@private.example\" ); } ); };\n"),
            &errors)) {
        print_message("# %s\n", buf_cstr(&errors));
        fail();
    }
    buf_free(&errors);
}

static void
send_message(struct scripted *up, const struct row *row, const char *reply)
{
    command(up, "MAIL FROM:<a@sender.example>", "", "250");
    buf_clear(&up->world->effects);
    command(up, "RCPT TO:", row->recipient, "250");
    command(up, "DATA", "", "354");
    say(up, up->content, NULL);
    say(up, SLICE_OF(".\r\n"), reply);
}

static void
arrives_whole(void **state)
{
    const struct row *row = *state;
    struct world world;
    struct scripted up = { .world = &world };
    struct buf message = { 0 };
    char recipient[100];

    snprintf(recipient, sizeof(recipient), "<%s>", row->recipient);
    struct row with = *row;
    with.recipient = recipient;
    make_message(row, &message);
    up.content = buf_slice(&message);
    load(&world);
    world_open(&world, SLICE_OF("mx"), RELAY_WELCOME);
    scripted_serve(&up);
    command(&up, "EHLO client.example", "", "250");
    send_message(&up, &with, "250");
    assert_int_equal(up.dots, row->messages);
    assert_false(up.changed);
    if (row->from_file)
        assert_true(world.file_octets > SIZE / 4);
    else
        assert_int_equal(world.file_octets, 0);
    /* Upstream has it: another message may be written there. */
    assert_int_equal(world.shared.spool.files.count, 1);
    buf_free(&message);
    scripted_free(&up);
    assert_true(world_end(&world));
}

/* Who refuses may not have read it all, or may not be what read it: what was
 * lent to the kernel is not written over. */
static void
refused_is_not_used_again(void **state)
{
    const struct row row = { .line = "a line",
                             .recipient = "<b@local.example>" };
    struct world world;
    struct scripted up = { .world = &world };
    struct buf message = { 0 };

    (void)state;
    buf_puts(&up.rules, "DOT 1 451 4.3.0 no\n");
    make_message(&row, &message);
    up.content = buf_slice(&message);
    load(&world);
    world_open(&world, SLICE_OF("mx"), RELAY_WELCOME);
    scripted_serve(&up);
    command(&up, "EHLO client.example", "", "250");
    send_message(&up, &row, "451");
    assert_true(world.file_octets > SIZE / 4);
    assert_int_equal(world.shared.spool.files.count, 0);
    buf_free(&message);
    scripted_free(&up);
    assert_true(world_end(&world));
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 1] = { 0 };

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, arrives_whole, NULL, NULL,
                                        (void *)(uintptr_t)&rows[i] };
    tests[ROWS] =
        (struct CMUnitTest)cmocka_unit_test(refused_is_not_used_again);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
