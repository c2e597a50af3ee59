#include "dns_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool
record_sent(void *ctx, struct dns_exchange *exchange,
            enum dns_transport transport, struct slice packet)
{
    struct dns_world *w = ctx;
    struct dns_sent *sent = &w->sent[w->sent_count];

    if (exchange->wire == NULL) {
        exchange->wire = w;
        w->open++;
    }
    if ((w->refuses & 1u << exchange->server) != 0)
        return false;
    assert_true(w->sent_count < DNS_SENT_MAX);
    sent->exchange = exchange;
    sent->server = exchange->server;
    sent->transport = transport;
    sent->len = packet.len;
    memcpy(sent->packet, packet.ptr, packet.len);
    w->sent_count++;
    return true;
}

static void
record_close(void *ctx, struct dns_exchange *exchange)
{
    struct dns_world *w = ctx;

    assert_ptr_equal(exchange->wire, w);
    w->open--;
    for (size_t i = 0; i < w->sent_count; i++)
        if (w->sent[i].exchange == exchange)
            w->sent[i].exchange = NULL;
}

static void
record_answered(void *ctx, struct dns_waiter *waiter,
                const struct dns_answer *answer)
{
    struct dns_asker *asker = (struct dns_asker *)waiter;

    (void)ctx;
    assert_false(asker->answered);
    assert_null(waiter->flight);
    asker->answered = true;
    asker->status = answer->status;
    if (answer->status == DNS_FOUND)
        asker->address = answer->records[0].address[3];
    if (asker->leaves != NULL)
        dns_waiter_leave(&asker->leaves->waiter);
    if (asker->asks != NULL)
        dns_world_ask(asker->world, asker + 1, asker->asks);
}

static void
record_measured(void *ctx, enum dns_status status, int64_t took)
{
    struct dns_world *w = ctx;

    (void)status;
    assert_true(took >= 0);
    w->measured++;
}

static uint16_t
next_id(void *ctx)
{
    struct dns_world *w = ctx;

    return w->id += 257;
}

static const struct dns_resolver_ops ops = {
    .send = record_sent,
    .close = record_close,
    .answered = record_answered,
    .measured = record_measured,
    .new_id = next_id,
};

struct dns_world *
dns_world_new(unsigned servers)
{
    const struct dns_resolver_settings settings = {
        .servers = servers,
        .timeout = 3000,
        .in_flight = 1000,
        .entries = 1000,
        .octets = 1 << 20,
        .key = "0123456789abcde",
    };
    struct dns_world *w = calloc(1, sizeof(*w));

    w->now = 1000000;
    w->resolver = dns_resolver_new(&settings, &ops, w);
    return w;
}

void
dns_world_free(struct dns_world *w)
{
    dns_resolver_free(w->resolver);
    assert_int_equal(w->open, 0);
    free(w);
}

void
dns_world_ask(struct dns_world *w, struct dns_asker *asker, const char *name)
{
    const struct dns_question question = { slice_from(name), DNS_A };
    struct dns_answer answer;

    asker->world = w;
    if (!dns_resolver_ask(w->resolver, &question, w->now, &asker->waiter,
                          &answer))
        return;
    asker->answered = true;
    asker->status = answer.status;
    if (answer.status == DNS_FOUND)
        asker->address = answer.records[0].address[3];
}

/* Time passes, with every deadline on the way. */
static void
wait_until(struct dns_world *w, int64_t until)
{
    while (dns_resolver_deadline(w->resolver) <= until) {
        const int64_t due = dns_resolver_deadline(w->resolver);

        w->now = due > w->now ? due : w->now;
        dns_resolver_on_deadline(w->resolver, w->now);
        assert_true(dns_resolver_deadline(w->resolver) > w->now);
    }
    w->now = until;
}

void
dns_world_wait(struct dns_world *w, int64_t milliseconds)
{
    wait_until(w, w->now + milliseconds);
}

/* Answer what was sent: with these flags, and with an address if it is not
 * 0. */
void
dns_world_reply(struct dns_world *w, size_t i, const char *flags,
                unsigned char address)
{
    const struct dns_sent *sent = &w->sent[i];
    struct buf packet = { 0 };
    size_t end = 12;

    assert_non_null(sent->exchange);
    while (sent->packet[end] != 0)
        end += 1u + sent->packet[end];
    buf_append(&packet, (struct slice){ (const char *)sent->packet, 2 });
    buf_append(&packet, (struct slice){ flags, 2 });
    buf_append(&packet, SLICE_OF("\0\1\0"));
    buf_putc(&packet, address != 0);
    buf_append(&packet, SLICE_OF("\0\0\0\0"));
    buf_append(&packet,
               (struct slice){ (const char *)sent->packet + 12, end + 5 - 12 });
    if (address != 0) {
        buf_append(&packet, SLICE_OF("\xC0\x0C\0\1\0\1\0\0\0\x3c\0\4\xC0\0\2"));
        buf_putc(&packet, (char)address);
    }
    dns_resolver_on_packet(w->resolver, sent->exchange, sent->transport,
                           buf_slice(&packet), w->now);
    buf_free(&packet);
}

bool
dns_sent_has_edns(const struct dns_sent *sent)
{
    return sent->packet[11] == 1;
}
