/*
 * A resolver between askers that come and go and servers that answer, fail,
 * lie or keep silent, in any order: who waits is answered once, within the
 * time; few packets leave for a question; nothing stays open; bounds hold.
 */
#include "dns.h"

#include <stdlib.h>
#include <string.h>

enum {
    SERVERS = 3,
    TIMEOUT = 3000,
    IN_FLIGHT = 8,
    ENTRIES = 10,
    OCTETS = 8000,
    ASKERS = 64,
    EXCHANGES = IN_FLIGHT * SERVERS,
};

struct asker {
    struct dns_waiter waiter;
    bool waits;
    int64_t since;
};

struct exchange {
    struct dns_exchange *exchange; /* NULL: free */
    enum dns_transport transport;
    unsigned char packet[DNS_QUERY_MAX];
    size_t len;
};

struct world {
    struct dns_resolver *resolver;
    struct asker askers[ASKERS];
    struct exchange exchanges[EXCHANGES];
    struct slice input;
    int64_t now;
    unsigned open, packets, questions;
    uint16_t id;
};

static void
require(bool ok)
{
    if (!ok)
        abort();
}

static unsigned
next(struct world *w)
{
    const struct slice s = w->input;

    w->input = slice_tail(s, 1);
    return s.len != 0 ? (unsigned char)s.ptr[0] : 0;
}

static bool
on_send(void *ctx, struct dns_exchange *exchange, enum dns_transport transport,
        struct slice packet)
{
    struct world *w = ctx;
    struct exchange *place = exchange->wire;

    for (size_t i = 0; place == NULL && i < EXCHANGES; i++)
        if (w->exchanges[i].exchange == NULL)
            place = &w->exchanges[i];
    require(place != NULL);
    if (exchange->wire == NULL)
        w->open++;
    exchange->wire = place;
    place->exchange = exchange;
    place->transport = transport;
    place->len = packet.len;
    memcpy(place->packet, packet.ptr, packet.len);
    w->packets++;
    return (w->id & 15) != 3; /* sometimes it cannot */
}

static void
on_close(void *ctx, struct dns_exchange *exchange)
{
    struct world *w = ctx;
    struct exchange *place = exchange->wire;

    require(place->exchange == exchange);
    place->exchange = NULL;
    w->open--;
}

static void ask(struct world *w, unsigned n, unsigned name);

static void
on_answered(void *ctx, struct dns_waiter *waiter,
            const struct dns_answer *answer)
{
    struct world *w = ctx;
    struct asker *asker = (struct asker *)waiter;

    require(asker->waits && waiter->flight == NULL);
    require((answer->status == DNS_FOUND) == (answer->count != 0));
    asker->waits = false;
    const unsigned what = next(w);
    if (what % 4 == 1)
        ask(w, what / 4, next(w));
    if (what % 4 == 2) {
        dns_waiter_leave(&w->askers[what / 4].waiter);
        w->askers[what / 4].waits = false;
    }
}

static void
on_measured(void *ctx, enum dns_status status, int64_t took)
{
    (void)ctx;
    (void)status;
    require(took >= 0);
}

static uint16_t
random_id(void *ctx)
{
    struct world *w = ctx;

    return w->id += 40503;
}

static void
ask(struct world *w, unsigned n, unsigned name)
{
    static const struct slice names[] = { SLICE("a.b"),   SLICE("c.d"),
                                          SLICE("e.f"),   SLICE("g"),
                                          SLICE("h.i.j"), SLICE(""),
                                          SLICE("k..l"),  SLICE("m n.o") };
    static const enum dns_type types[] = { DNS_A, DNS_TXT, DNS_MX, DNS_PTR };
    struct asker *asker = &w->askers[n % ASKERS];
    const struct dns_question question = { names[name % 8],
                                           types[name / 8 % 4] };
    struct dns_answer answer;

    if (asker->waits)
        return;
    w->questions++;
    asker->since = w->now;
    asker->waits = true;
    if (dns_resolver_ask(w->resolver, &question, w->now, &asker->waiter,
                         &answer)) {
        require((answer.status == DNS_FOUND) == (answer.count != 0));
        asker->waits = false;
    }
}

/* What came in on an exchange: octets of the input, mostly after the head and
 * the question that belong there. */
static void
deliver(struct world *w, const struct exchange *place)
{
    const unsigned how = next(w);
    const struct slice tail = slice_head(w->input, next(w));
    struct buf packet = { 0 };

    w->input = slice_tail(w->input, tail.len);
    if (how != 255) {
        const char flags[] = { (char)(0x80 | (how & 0x82)),
                               (char)(0x80 | how % 6), 0, 1 };
        size_t end = 12;

        while (place->packet[end] != 0)
            end += 1u + place->packet[end];
        buf_append(&packet, (struct slice){ (const char *)place->packet, 2 });
        buf_append(&packet, (struct slice){ flags, sizeof(flags) });
        buf_append(&packet, slice_head(tail, 6));
        while (packet.len < 12)
            buf_putc(&packet, '\0');
        buf_append(&packet,
                   (struct slice){ (const char *)place->packet + 12, end - 7 });
        buf_append(&packet, slice_tail(tail, 6));
    } else {
        buf_append(&packet, tail);
    }
    dns_resolver_on_packet(w->resolver, place->exchange, place->transport,
                           buf_slice(&packet), w->now);
    buf_free(&packet);
}

static void
pass_time(struct world *w, int64_t until)
{
    while (dns_resolver_deadline(w->resolver) <= until) {
        w->now = dns_resolver_deadline(w->resolver);
        dns_resolver_on_deadline(w->resolver, w->now);
        require(dns_resolver_deadline(w->resolver) > w->now);
    }
    w->now = until;
}

static void
check(const struct world *w)
{
    const struct dns_resolver_view view = dns_resolver_view(w->resolver);

    require(view.in_flight <= IN_FLIGHT);
    require(view.cache.entries <= ENTRIES && view.cache.octets <= OCTETS);
    require(w->open <= EXCHANGES);
    /* Each server: by UDP, once more without EDNS, by TCP, once more without
     * EDNS; and repetitions. */
    require(w->packets <= w->questions * (4 * SERVERS + 3));
    for (size_t i = 0; i < ASKERS; i++)
        require(!w->askers[i].waits || w->now - w->askers[i].since <= TIMEOUT);
}

static void
step(struct world *w)
{
    const unsigned what = next(w);
    struct exchange *place = &w->exchanges[what / 8 % EXCHANGES];

    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        ask(w, what / 4, next(w));
        break;
    case 3:
        dns_waiter_leave(&w->askers[what / 4].waiter);
        w->askers[what / 4].waits = false;
        break;
    case 4:
        pass_time(w, w->now + 8 * next(w));
        break;
    case 5:
        if (place->exchange != NULL)
            dns_resolver_on_failed(w->resolver, place->exchange,
                                   place->transport, w->now);
        break;
    default:
        if (place->exchange != NULL)
            deliver(w, place);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dns_resolver_ops ops = { on_send, on_close, on_answered,
                                                 on_measured, random_id };
    struct world w = { .input = { (const char *)data, size }, .now = 100000 };
    const struct dns_resolver_settings settings = {
        .servers = next(&w) % (SERVERS + 1),
        .timeout = TIMEOUT,
        .in_flight = IN_FLIGHT,
        .entries = ENTRIES,
        .octets = OCTETS,
        .key = "0123456789abcde",
    };

    w.resolver = dns_resolver_new(&settings, &ops, &w);
    while (w.input.len != 0) {
        step(&w);
        check(&w);
    }
    pass_time(&w, w.now + TIMEOUT);
    check(&w);
    for (size_t i = 0; i < ASKERS; i++)
        require(!w.askers[i].waits);
    require(w.open == 0);
    dns_resolver_free(w.resolver);
    return 0;
}
