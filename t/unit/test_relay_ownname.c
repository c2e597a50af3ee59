/*
 * A property: nothing leaves with a signature or a reverse-path that aligns
 * with an author of our family of domains (DMARC, relaxed), unless it is known
 * whose it is. The corpus is every spelling of From with every domain,
 * reverse-path, recipient and listener; whose names a spelling may be taken
 * for, and what aligns, is worked out here without the code that is tested.
 */
#include "relay_scripted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the corpus ---- */

/* `@` of `%` stands for the domain; evil.example is the other author. Those
 * with `names` may be taken for mail of the domain. */
static const struct {
    const char *header;
    bool names;
} spellings[] = {
    { "From: a@%\r\n", true },
    { "From: A <a@%>\r\n", true },
    { "FROM: <A@%>\r\n", true },
    { "From: =?utf-8?q?CEO?= <a@%> (x)\r\n", true },
    { "From:\r\n \"A, B\"\r\n <a@%>\r\n", true },
    { "From: a (x) @ (y) %\r\n", true },
    { "From: g: a@%;\r\n", true },
    { "From: g: x@evil.example, a@%;\r\n", true },
    { "From: x@evil.example, a@%\r\n", true },
    { "From: a@%, x@evil.example\r\n", true },
    { "From: <@evil.example:a@%>\r\n", true },
    { "From: <@%:x@evil.example>\r\n", true },
    { "From: Doe, J <a@%>,\r\n", true },
    { "From: a@% <a@%>\r\n", true },
    { "From: a@% <x@evil.example>\r\n", true },
    { "From: <a@%> <x@evil.example>\r\n", true },
    { "From: a@%.\r\n", true },
    { "From: x@evil.example@%\r\n", true },
    { "From: a@\"%\"\r\n", true },
    { "From: \"a@%\r\n", true },
    { "From: =?utf-8?q?a=40%?=\r\n", true },
    { "From: x@[192.0.2.1], a@%\r\n", true },
    { "From: a@%\r\nFrom: x@evil.example\r\n", true },
    { "From: x@evil.example\r\nfrom: a@%\r\n", true },
    { "From : a@%\r\nFrom: x@evil.example\r\n", true },
    { " fold\r\nFrom: a@%\r\n", true },
    { "no colon\r\nFrom: a@%\r\n", true },
    { "From a@% Thu\r\nFrom: x@evil.example\r\n", true },
    { "\xef\xbb\xbf"
      "From: a@%\r\n",
      true },
    { "From: \"a@%\" <x@evil.example>\r\n", false },
    { "From: x@evil.example (a@%)\r\n", false },
    { "Sender: a@%\r\nFrom: x@evil.example\r\n", false },
    { "To: a@%\r\n", false },
    { "From: <>\r\nReply-To: a@%\r\n", false },
};

static const char *const domains[] = { "example.org",      "EXAMPLE.org",
                                       "mail.example.org", "srs.example.org",
                                       "tab.example",      "a.tab.example",
                                       "other.k.example",  "srs2.example",
                                       "evil.example" };

/* {srs}: an address that we made; {old}: one that is too old. */
static const char *const senders[] = {
    "",
    "eve@evil.example",
    "eve@mail.evil.example",
    "ceo@example.org",
    "x@bounces.example.org",
    "x@tab.example",
    "x@b.tab.example",
    "x@k.example",
    "{srs}",
    "SRS0=AAAAAAAA=7G=evil.example=x@srs.example.org",
    "bob@srs.example.org",
    "postmaster",
    "x@[192.0.2.1]",
};

static const char *const recipients[] = {
    "fwd@public.example", "fwd@second.example", "both@public.example", "{srs}",
    "bob@example.org",
};

static const struct sort {
    const char *listener;
    const char *xforward;
} sorts[] = {
    { "mx", "XFORWARD NAME=mail.evil.example ADDR=192.0.2.66 "
            "HELO=mx.example.org SOURCE=REMOTE\r\n" },
    { "mx", "" },
    { "submission", "XFORWARD ADDR=192.0.2.66 SOURCE=REMOTE\r\n" },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct slice configuration =
    SLICE("forward = { local_domains = ( \"example.org\", "
          "\"texthash:@DIR@/domains\" ); aliases = ( "
          "{ match = \"fwd@public.example\"; to = ( \"me@private.example\" ); "
          "}, { match = \"fwd@second.example\"; to = ( "
          "\"you@private.example\" ); }, { match = \"both@public.example\"; "
          "to = ( \"me@private.example\", \"bob@example.org\" ); } ); };\n"
          "srs = { domain = \"srs.example.org\"; secret_file = "
          "\"@DIR@/secret\"; domain_map = ( { from = \"second.example\"; "
          "to = \"srs2.example\"; } ); };\n"
          "dkim = { key_directory = \"@DIR@/dkim\"; };\n");

/* ---- what aligns ---- */

/* All names here are below a top domain of one label. */
static struct slice
owner_of(struct slice domain)
{
    size_t last = slice_find_last(domain, '.');

    if (last == domain.len)
        return domain;
    size_t before = slice_find_last(slice_head(domain, last), '.');
    return before == last ? domain : slice_tail(domain, before + 1);
}

static bool
aligns(struct slice a, struct slice b)
{
    return a.len != 0 && slice_equal_nocase(owner_of(a), owner_of(b));
}

static struct slice
domain_of(struct slice address)
{
    return slice_tail(address, slice_find_last(address, '@') + 1);
}

/* ---- one message ---- */

struct run {
    struct world *world;
    struct buf srs; /* an address that we made */
    unsigned sent, refused, unlent, signed_ours;
};

static void
say(struct scripted *up, struct slice octets)
{
    world_client_says(up->world, octets);
    scripted_serve(up);
}

static void
put_expanded(const struct run *run, const char *text, struct buf *out)
{
    if (strcmp(text, "{srs}") == 0)
        buf_append(out, buf_slice(&run->srs));
    else
        buf_puts(out, text);
}

/* Each transaction that left: may it have what it has? */
static void
judge(struct run *run, struct slice seen, bool names, struct slice author,
      struct slice sender, bool users, const char *what)
{
    struct slice mail = { 0 };
    bool elsewhere = false;

    while (seen.len != 0) {
        struct slice line = slice_cut(&seen, '\n');
        if (slice_starts_nocase(line, SLICE_OF("MAIL FROM:<"))) {
            mail = slice_head(slice_tail(line, 11),
                              slice_find_last(slice_tail(line, 11), '>'));
            elsewhere = false;
        } else if (slice_starts_nocase(line, SLICE_OF("RCPT"))) {
            elsewhere = elsewhere || slice_find(line, '@') == line.len ||
                        memmem(line.ptr, line.len, "@example.org", 12) == NULL;
            if (!elsewhere)
                continue;
            run->sent++;
            /* The sender's own name is lent by nobody, where it does not
             * align; of users it is theirs. */
            bool own = users && slice_equal(mail, sender);
            if (names && !own && aligns(domain_of(mail), author))
                fail_msg("%s: left with MAIL FROM:<%.*s>", what,
                         SLICE_ARG(mail));
            if (names && !users && mail.len == 0)
                fail_msg("%s: left with the null reverse-path", what);
            run->unlent += names && slice_equal(mail, sender) && !users;
        } else if (elsewhere) {
            struct slice words = line;
            while (words.len != 0) {
                struct slice word = slice_cut(&words, ' ');
                if (!slice_starts_nocase(word, SLICE_OF("dkim=")))
                    continue;
                struct slice d = slice_tail(word, 5);
                bool own = users && (sender.len == 0 ||
                                     aligns(domain_of(sender), author));
                run->signed_ours++;
                if (names && !own && aligns(d, author))
                    fail_msg("%s: left with d=%.*s", what, SLICE_ARG(d));
            }
        }
    }
}

static void
send_one(struct run *run, size_t spelling, struct slice author,
         const char *from, const char *to, const struct sort *sort)
{
    struct scripted up = { .world = run->world };
    struct buf content = { 0 }, line = { 0 }, sender = { 0 }, what = { 0 };
    bool users = strcmp(sort->listener, "submission") == 0;
    bool names = spellings[spelling].names &&
                 !slice_equal(author, SLICE_OF("evil.example"));

    for (const char *c = spellings[spelling].header; *c != '\0'; c++)
        if (*c == '%')
            buf_append(&content, author);
        else
            buf_putc(&content, *c);
    buf_printf(&what, "%.*s%s, from %s to %s", SLICE_ARG(buf_slice(&content)),
               sort->listener, from, to);
    buf_puts(&content, "Subject: x\r\n\r\nbody\r\n");
    up.content = buf_slice(&content);
    put_expanded(run, from, &sender);
    world_open(run->world, slice_from(sort->listener), RELAY_WELCOME);
    say(&up, SLICE_OF("EHLO client.example\r\n"));
    say(&up, slice_from(sort->xforward));
    buf_puts(&line, "MAIL FROM:<");
    buf_append(&line, buf_slice(&sender));
    buf_puts(&line, ">\r\nRCPT TO:<");
    put_expanded(run, to, &line);
    buf_puts(&line, ">\r\nDATA\r\n");
    say(&up, buf_slice(&line));
    buf_clear(&run->world->to_client);
    buf_clear(&line);
    buf_append(&line, buf_slice(&content));
    buf_puts(&line, ".\r\n");
    if (run->world->session != NULL && !run->world->finished)
        say(&up, buf_slice(&line));
    assert_false(up.changed);
    run->refused +=
        run->world->to_client.len != 0 && run->world->to_client.ptr[0] == '5';
    judge(run, buf_slice(&up.seen), names, author, buf_slice(&sender), users,
          buf_cstr(&what));
    relay_on_client_lost(run->world->session, run->world->now);
    relay_free(run->world->session);
    run->world->session = NULL;
    run->world->finished = false;
    free(run->world->counters[0].reasons);
    run->world->counters[0].reasons = NULL;
    run->world->shared.srs_guesses = (struct srs_guesses){ 0 };
    for (unsigned i = 0; i < WORLD_UPSTREAMS; i++) {
        run->world->up[i].state = WORLD_CLOSED;
        buf_clear(&run->world->up[i].sent);
    }
    buf_clear(&run->world->to_client);
    buf_clear(&run->world->from_client);
    buf_clear(&run->world->log);
    buf_clear(&run->world->effects);
    up.content = (struct slice){ 0 };
    scripted_free(&up);
    buf_free(&content);
    buf_free(&line);
    buf_free(&sender);
    buf_free(&what);
}

/* ---- all ---- */

static void
prepare(struct world *world, struct run *run)
{
    static const char *const keys[] = { "srs.example.org", "srs2.example",
                                        "example.org", "k.example",
                                        "tab.example" };
    struct buf errors = { 0 };

    world_begin(world);
    world_write(world, "domains", SLICE_OF("tab.example x\n"));
    world_write(world, "secret", SLICE_OF("0123456789abcdef\n"));
    for (size_t i = 0; i < COUNT(keys); i++)
        world_key(world, keys[i], "s1");
    if (!world_load(world, configuration, &errors))
        fail_msg("%s", buf_cstr(&errors));
    *run = (struct run){ .world = world };
    assert_int_equal(srs_forward(world->conf->srs.srs, world->now.wall,
                                 SLICE_OF("v@bank.example"),
                                 SLICE_OF("srs.example.org"), &run->srs),
                     SRS_OK);
    buf_free(&errors);
}

static void
nothing_aligns(void **state)
{
    struct world world;
    struct run run;

    (void)state;
    prepare(&world, &run);
    for (size_t i = 0; i < COUNT(spellings); i++)
        for (size_t d = 0; d < COUNT(domains); d++)
            for (size_t f = 0; f < COUNT(senders); f++)
                for (size_t r = 0; r < COUNT(recipients); r++)
                    for (size_t s = 0; s < COUNT(sorts); s++)
                        send_one(&run, i, slice_from(domains[d]), senders[f],
                                 recipients[r], &sorts[s]);
    /* It was not refused altogether. */
    assert_true(run.sent > 5000);
    assert_true(run.refused > 1000);
    assert_true(run.unlent > 1000);
    assert_true(run.signed_ours > 1000);
    buf_free(&run.srs);
    assert_true(world_end(&world));
}

/* Strangers of names that are not ours are forwarded as ever. */
static void
strangers_as_ever(void **state)
{
    struct world world;
    struct run run;

    (void)state;
    prepare(&world, &run);
    unsigned sent = 0;
    for (size_t i = 0; i < 13; i++) {
        send_one(&run, i, SLICE_OF("evil.example"), "eve@evil.example",
                 "fwd@public.example", &sorts[0]);
        send_one(&run, i, SLICE_OF("evil.example"), "", "fwd@second.example",
                 &sorts[0]);
        sent += 2;
    }
    assert_int_equal(run.sent, sent);
    assert_int_equal(run.signed_ours, sent);
    assert_int_equal(run.refused, 0);
    buf_free(&run.srs);
    assert_true(world_end(&world));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_aligns),
        cmocka_unit_test(strangers_as_ever),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
