#include "relay_scripted.h"

#include <stdio.h>
#include <string.h>

/* The rule "STEP WHAT REPLY" that fits; else the usual reply. */
static struct slice
reply_to(const struct scripted *up, const char *step, struct slice what,
         const char *usual)
{
    struct slice rules = buf_slice(&up->rules);

    while (rules.len != 0) {
        struct slice rule = slice_cut(&rules, '\n');
        struct slice name = slice_cut(&rule, ' ');
        struct slice pattern = slice_cut(&rule, ' ');
        if (slice_equal(name, slice_from(step)) && world_matches(pattern, what))
            return rule;
    }
    return slice_from(usual);
}

static bool
has_rule(const struct scripted *up, const char *wanted)
{
    struct slice rules = buf_slice(&up->rules);

    while (rules.len != 0)
        if (slice_equal(slice_cut(&rules, '\n'), slice_from(wanted)))
            return true;
    return false;
}

static void
say(struct scripted *up, const struct scripted_connection *c,
    struct slice reply)
{
    struct buf octets = { 0 };

    buf_append(&octets, reply);
    buf_puts(&octets, "\r\n");
    world_upstream_says(up->world, c->slot, buf_slice(&octets));
    buf_free(&octets);
}

static void
say_ehlo(struct scripted *up, const struct scripted_connection *c)
{
    say(up, c, SLICE_OF("250-up"));
    say(up, c, SLICE_OF("250-PIPELINING"));
    say(up, c, SLICE_OF("250-ENHANCEDSTATUSCODES"));
    say(up, c, SLICE_OF("250-8BITMIME"));
    if (!has_rule(up, "without SMTPUTF8"))
        say(up, c, SLICE_OF("250-SMTPUTF8"));
    if (has_rule(up, "with DSN"))
        say(up, c, SLICE_OF("250-DSN"));
    say(up, c, SLICE_OF("250 XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT"));
}

/* "MAIL FROM:<a@b> ..." gives a@b. */
static struct slice
path_of(struct slice line)
{
    line = slice_tail(line, slice_find(line, '<') + 1);
    return slice_head(line, slice_find_last(line, '>'));
}

static void
on_command(struct scripted *up, struct scripted_connection *c,
           struct slice line)
{
    struct slice rest = line;
    struct slice verb = slice_cut(&rest, ' ');
    struct slice reply = SLICE("250 2.0.0 Ok");

    buf_append(&c->verbs, verb);
    buf_putc(&c->verbs, ' ');
    if (slice_equal(verb, SLICE_OF("EHLO"))) {
        say_ehlo(up, c);
        return;
    }
    if (slice_equal(verb, SLICE_OF("RSET"))) {
        buf_clear(&c->envelope);
    } else if (slice_equal(verb, SLICE_OF("DATA"))) {
        reply = reply_to(up, "DATA", SLICE_OF(""), "354 go on");
        c->in_content = reply.ptr[0] == '3';
    } else if (slice_equal(verb, SLICE_OF("MAIL"))) {
        buf_clear(&c->envelope);
        buf_clear(&up->sender);
        buf_append(&up->sender, path_of(line));
        reply = reply_to(up, "MAIL", path_of(line), "250 2.1.0 Ok");
    } else if (slice_equal(verb, SLICE_OF("RCPT"))) {
        reply = reply_to(up, "RCPT", path_of(line), "250 2.1.5 Ok");
    }
    if (reply.ptr[0] == '2' && (slice_equal(verb, SLICE_OF("MAIL")) ||
                                slice_equal(verb, SLICE_OF("RCPT")))) {
        buf_append(&c->envelope, line);
        buf_putc(&c->envelope, '\n');
    }
    say(up, c, reply);
}

/* The value of d= in a field that begins here. */
static struct slice
signing_domain(struct slice field)
{
    while (field.len > 3 &&
           (field.ptr[0] > ' ' || field.ptr[1] != 'd' || field.ptr[2] != '='))
        field = slice_tail(field, 1);
    field = slice_tail(field, 3);
    return slice_head(field, slice_find(field, ';'));
}

/* "dkim=D loop" for what stands above the message as the client sent it. */
static void
name_fields(struct scripted *up, struct slice fields)
{
    const char *before = "+ ";

    while (fields.len != 0) {
        struct slice here = fields;
        struct slice line = slice_cut(&fields, '\n');
        struct slice name = slice_head(line, slice_find(line, ':'));
        if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
            continue;
        buf_puts(&up->seen, before);
        before = " ";
        if (slice_equal(name, SLICE_OF("X-Onward-Loop")))
            buf_puts(&up->seen, "loop");
        else if (slice_equal(name, SLICE_OF("DKIM-Signature")))
            buf_printf(&up->seen, "dkim=%.*s", SLICE_ARG(signing_domain(here)));
        else
            buf_append(&up->seen, name);
    }
    if (before[0] == ' ')
        buf_putc(&up->seen, '\n');
}

static void
on_message(struct scripted *up, struct scripted_connection *c,
           struct slice content)
{
    struct slice sent = up->content;
    char number[16];

    snprintf(number, sizeof(number), "%u", ++up->dots);
    struct slice reply =
        reply_to(up, "DOT", slice_from(number), "250 2.0.0 Ok: queued as UP");
    if (reply.ptr[0] == '2') {
        buf_append(&up->seen, buf_slice(&c->envelope));
        /* Invariant I3, in each case of each file. */
        if (!slice_ends_nocase(content, sent) ||
            !slice_equal(slice_tail(content, content.len - sent.len), sent))
            up->changed = true;
        else
            name_fields(up, slice_head(content, content.len - sent.len));
    }
    say(up, c, reply);
}

/* One command or one message; false: none is complete. */
static bool
serve_one(struct scripted *up, struct scripted_connection *c)
{
    struct buf *sent = &up->world->up[c->slot].sent;
    struct slice all = buf_slice(sent);
    struct buf copy = { 0 };

    if (c->in_content) {
        size_t at = 0;
        while (at + 5 <= all.len && memcmp(all.ptr + at, "\r\n.\r\n", 5) != 0)
            at++;
        if (at + 5 > all.len)
            return false;
        buf_append(&copy, slice_head(all, at + 2));
        buf_drop(sent, at + 5);
        c->in_content = false;
        on_message(up, c, buf_slice(&copy));
    } else {
        size_t at = slice_find(all, '\r');
        if (at == all.len)
            return false;
        buf_append(&copy, slice_head(all, at));
        buf_drop(sent, at + 2);
        on_command(up, c, buf_slice(&copy));
    }
    buf_free(&copy);
    return true;
}

static void
accept_connections(struct scripted *up)
{
    for (unsigned i = 0; i < WORLD_UPSTREAMS; i++) {
        if (up->world->up[i].state != WORLD_DIALLED ||
            up->connection_count == SCRIPTED_CONNECTIONS)
            continue;
        for (unsigned k = 0; k < up->connection_count; k++)
            if (up->connections[k].slot == i)
                up->connections[k].open = false;
        buf_clear(&up->world->up[i].sent);
        struct scripted_connection *c =
            &up->connections[up->connection_count++];
        c->slot = i;
        c->open = true;
        say(up, c, SLICE_OF("220 up ESMTP"));
    }
}

/* A store of one sender is enough for these cases. */
static void
answer_store(struct scripted *up)
{
    struct world *world = up->world;
    struct slice effects = buf_slice(&world->effects);
    bool room = false;

    if (!world->asked)
        return;
    while (effects.len != 0) {
        struct slice line = slice_cut(&effects, '\n');
        room = slice_starts_nocase(line, SLICE_OF("room "));
        if (slice_starts_nocase(line, SLICE_OF("stored "))) {
            buf_clear(&up->stored);
            buf_append(&up->stored, slice_tail(line, 7));
        }
    }
    struct table_answer answer = { room || up->stored.len != 0 ? TABLE_FOUND
                                                               : TABLE_MISS,
                                   buf_slice(&up->stored) };
    world->asked = false;
    relay_on_stored(world->session, &answer, world->now);
    world_settle(world);
}

void
scripted_serve(struct scripted *up)
{
    for (bool moved = true; moved;) {
        moved = false;
        answer_store(up);
        accept_connections(up);
        buf_clear(&up->world->effects);
        for (unsigned i = 0; i < up->connection_count; i++) {
            struct scripted_connection *c = &up->connections[i];
            if (c->open && up->world->up[c->slot].state == WORLD_CLOSED)
                c->open = false;
            while (c->open && serve_one(up, c))
                moved = true;
        }
    }
}

void
scripted_free(struct scripted *up)
{
    buf_free(&up->rules);
    buf_free(&up->seen);
    buf_free(&up->sender);
    buf_free(&up->stored);
    for (unsigned i = 0; i < SCRIPTED_CONNECTIONS; i++) {
        buf_free(&up->connections[i].verbs);
        buf_free(&up->connections[i].envelope);
    }
}
