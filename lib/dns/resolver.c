#include "hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASKED_LEAST = 3,           /* times a question is sent at least */
    LOST_MOST = 3,             /* questions lost in a row: no server is there */
    PROBE_EVERY = 1000,        /* milliseconds, while no server is there */
    FIRST_FOR = 5 * 60 * 1000, /* milliseconds that another server is first */
    BUCKETS = 1024,
};

enum {
    UNASKED,
    ASKED_BY_UDP,
    ASKED_BY_TCP,
    FAILED, /* refused, SERVFAIL, malformed, unreachable */
};

/* A question that is out. */
struct dns_flight {
    struct dns_resolver *resolver;
    struct dns_flight *chain;          /* of its bucket */
    struct dns_flight *sooner, *later; /* in the order of due */
    struct dns_waiter *waiters;
    uint64_t hash;
    int64_t began;
    int64_t due;   /* the next step, unless something happens before */
    unsigned next; /* server that is asked next */
    bool heard;    /* a server said something */
    struct dns_question question;
    char name[DNS_NAME_MAX];
    struct dns_exchange exchanges[];
};

struct dns_resolver {
    const struct dns_resolver_ops *ops;
    void *ctx;
    struct dns_cache *cache;
    struct dns_hash_key key;
    struct dns_flight *buckets[BUCKETS];
    struct dns_flight *soonest, *latest;
    struct arena arena; /* of the answer that is being given */
    unsigned servers;
    int64_t timeout, pace; /* of a question; between two times it is sent */
    size_t in_flight_most;
    unsigned first; /* server that is asked first, */
    int64_t first_since;
    bool plain[DNS_SERVERS_MAX]; /* answered only without EDNS */
    unsigned lost;               /* questions in a row */
    int64_t probed;
    bool closing;
    struct dns_resolver_view view;
};

struct dns_resolver *
dns_resolver_new(const struct dns_resolver_settings *settings,
                 const struct dns_resolver_ops *ops, void *ctx)
{
    struct dns_resolver *r = mem_alloc(sizeof(*r));

    r->ops = ops;
    r->ctx = ctx;
    r->cache =
        dns_cache_new(settings->entries, settings->octets, settings->key);
    dns_hash_key_from(settings->key, &r->key);
    r->servers = settings->servers < DNS_SERVERS_MAX ? settings->servers
                                                     : DNS_SERVERS_MAX;
    r->timeout = settings->timeout != 0 ? settings->timeout : 1;
    r->pace =
        r->timeout / (r->servers > ASKED_LEAST ? r->servers : ASKED_LEAST);
    if (r->pace == 0)
        r->pace = 1;
    r->in_flight_most = settings->in_flight;
    return r;
}

/* ---- flights in the table and in the order of time ----------------------- */

static void
unlink_due(struct dns_flight *f)
{
    struct dns_resolver *r = f->resolver;

    *(f->sooner != NULL ? &f->sooner->later : &r->soonest) = f->later;
    *(f->later != NULL ? &f->later->sooner : &r->latest) = f->sooner;
}

/* Nearly always this is the end of the list: every flight has the same pace. */
static void
link_due(struct dns_flight *f, int64_t due)
{
    struct dns_resolver *r = f->resolver;
    struct dns_flight *sooner = r->latest;

    f->due = due;
    while (sooner != NULL && sooner->due > due)
        sooner = sooner->sooner;
    f->sooner = sooner;
    f->later = sooner != NULL ? sooner->later : r->soonest;
    *(f->sooner != NULL ? &f->sooner->later : &r->soonest) = f;
    *(f->later != NULL ? &f->later->sooner : &r->latest) = f;
}

static struct dns_flight **
place_of(struct dns_resolver *r, const struct dns_question *question,
         uint64_t hash)
{
    struct dns_flight **place = &r->buckets[hash % BUCKETS];

    while (*place != NULL &&
           ((*place)->hash != hash ||
            !dns_question_equal(&(*place)->question, question)))
        place = &(*place)->chain;
    return place;
}

static struct dns_flight *
flight_new(struct dns_resolver *r, const struct dns_question *question,
           uint64_t hash, int64_t now)
{
    struct dns_flight *f =
        mem_try(sizeof(*f) + r->servers * sizeof(f->exchanges[0]));

    if (f == NULL)
        return NULL;
    f->resolver = r;
    f->hash = hash;
    f->began = now;
    f->next = r->first;
    memcpy(f->name, question->name.ptr, question->name.len);
    f->question.name = (struct slice){ f->name, question->name.len };
    f->question.type = question->type;
    for (unsigned i = 0; i < r->servers; i++)
        f->exchanges[i] = (struct dns_exchange){ .server = i, .flight = f };
    f->chain = r->buckets[hash % BUCKETS];
    r->buckets[hash % BUCKETS] = f;
    link_due(f, now + r->pace);
    r->view.in_flight++;
    return f;
}

/* Out of the table: a question that is asked from now on is a new one. */
static void
flight_remove(struct dns_flight *f)
{
    struct dns_resolver *r = f->resolver;

    *place_of(r, &f->question, f->hash) = f->chain;
    unlink_due(f);
    r->view.in_flight--;
    for (unsigned i = 0; i < r->servers; i++)
        if (f->exchanges[i].state != UNASKED)
            r->ops->close(r->ctx, &f->exchanges[i]);
}

/* ---- sending ------------------------------------------------------------- */

static void
set_due(struct dns_flight *f, int64_t now)
{
    const int64_t end = f->began + f->resolver->timeout;
    const int64_t next = now + f->resolver->pace;

    unlink_due(f);
    link_due(f, next < end ? next : end);
}

static bool
send_to(struct dns_exchange *exchange, enum dns_transport transport)
{
    struct dns_flight *f = exchange->flight;
    struct dns_resolver *r = f->resolver;
    unsigned char packet[DNS_QUERY_MAX];

    if (exchange->state == UNASKED) {
        exchange->id = r->ops->new_id(r->ctx);
        exchange->plain = r->plain[exchange->server];
    }
    exchange->state = transport == DNS_TCP ? ASKED_BY_TCP : ASKED_BY_UDP;
    const size_t len = dns_packet_write(
        exchange->id, &f->question,
        exchange->plain ? DNS_WITHOUT_EDNS : DNS_WITH_EDNS, packet);
    if (r->ops->send(r->ctx, exchange, transport,
                     (struct slice){ (const char *)packet, len }))
        return true;
    exchange->state = FAILED;
    return false;
}

static bool
is_waiting(const struct dns_flight *f)
{
    for (unsigned i = 0; i < f->resolver->servers; i++)
        if (f->exchanges[i].state == ASKED_BY_UDP ||
            f->exchanges[i].state == ASKED_BY_TCP)
            return true;
    return false;
}

/* The next server that was not asked. False: there is none that takes it. */
static bool
send_next(struct dns_flight *f)
{
    for (unsigned i = 0; i < f->resolver->servers; i++) {
        struct dns_exchange *exchange = &f->exchanges[f->next];

        f->next = (f->next + 1) % f->resolver->servers;
        if (exchange->state == UNASKED && send_to(exchange, DNS_UDP))
            return true;
    }
    return false;
}

/* The next server that keeps silent is asked again. TCP does so by itself. */
static void
send_again(struct dns_flight *f)
{
    for (unsigned i = 0; i < f->resolver->servers; i++) {
        struct dns_exchange *exchange = &f->exchanges[f->next];

        f->next = (f->next + 1) % f->resolver->servers;
        if (exchange->state == ASKED_BY_UDP && send_to(exchange, DNS_UDP))
            return;
    }
}

/* ---- the end of a question ----------------------------------------------- */

static void
count(struct dns_resolver *r, enum dns_status status)
{
    switch (status) {
    case DNS_FOUND:
        r->view.answered++;
        break;
    case DNS_NO_DATA:
    case DNS_NO_NAME:
        r->view.none++;
        break;
    case DNS_TROUBLE:
        r->view.trouble++;
        break;
    }
}

static void
note_lost(struct dns_resolver *r, int64_t now)
{
    if (++r->lost < LOST_MOST)
        return;
    r->lost = LOST_MOST;
    r->view.down = true;
    r->probed = now;
}

static void
note_heard(struct dns_flight *f)
{
    f->heard = true;
    f->resolver->lost = 0;
    f->resolver->view.down = false;
}

static struct dns_waiter *
first_waiter(struct dns_flight *f)
{
    struct dns_waiter *waiter = f->waiters;

    if (waiter != NULL)
        dns_waiter_leave(waiter);
    return waiter;
}

static void
finish(struct dns_flight *f, const struct dns_answer *answer, int64_t now)
{
    struct dns_resolver *r = f->resolver;
    struct dns_waiter *waiter;

    flight_remove(f);
    count(r, answer->status);
    if (!f->heard)
        note_lost(r, now);
    if (!r->view.down && !r->closing)
        dns_cache_put(r->cache, &f->question, answer, now);
    r->ops->measured(r->ctx, answer->status, now - f->began);
    while ((waiter = first_waiter(f)) != NULL)
        r->ops->answered(r->ctx, waiter, answer);
    free(f);
}

static void
finish_in_trouble(struct dns_flight *f, int64_t now)
{
    const struct dns_answer trouble = { .status = DNS_TROUBLE };

    finish(f, &trouble, now);
}

/* An exchange has failed: the next server, at once. */
static void
go_on(struct dns_flight *f, int64_t now)
{
    if (send_next(f))
        set_due(f, now);
    else if (!is_waiting(f))
        finish_in_trouble(f, now);
}

/* ---- asking -------------------------------------------------------------- */

static void
wait_for(struct dns_flight *f, struct dns_waiter *waiter)
{
    *waiter = (struct dns_waiter){ .next = f->waiters, .flight = f };
    if (f->waiters != NULL)
        f->waiters->previous = waiter;
    f->waiters = waiter;
}

void
dns_waiter_leave(struct dns_waiter *waiter)
{
    struct dns_flight *f = waiter->flight;

    if (f == NULL)
        return;
    *(waiter->previous != NULL ? &waiter->previous->next : &f->waiters) =
        waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    *waiter = (struct dns_waiter){ 0 };
}

/* May a question go out? While no server is there, one a second. */
static bool
may_go_out(struct dns_resolver *r, int64_t now)
{
    if (r->servers == 0 || r->closing || r->view.in_flight >= r->in_flight_most)
        return false;
    if (!r->view.down)
        return true;
    if (now - r->probed < PROBE_EVERY)
        return false;
    r->probed = now;
    return true;
}

static struct dns_flight *
take_off(struct dns_resolver *r, const struct dns_question *question,
         uint64_t hash, int64_t now)
{
    if (!may_go_out(r, now))
        return NULL;
    if (r->first != 0 && now - r->first_since > FIRST_FOR)
        r->first = 0;
    struct dns_flight *f = flight_new(r, question, hash, now);
    if (f == NULL || send_next(f))
        return f;
    flight_remove(f);
    free(f);
    note_lost(r, now);
    return NULL;
}

bool
dns_resolver_ask(struct dns_resolver *r, const struct dns_question *question,
                 int64_t now, struct dns_waiter *waiter,
                 struct dns_answer *answer)
{
    *answer = (struct dns_answer){ .status = DNS_NO_NAME };
    if (!dns_name_is_askable(question->name))
        return true;
    if (dns_cache_get(r->cache, question, now, answer)) {
        r->view.cached++;
        return true;
    }
    const uint64_t hash = dns_hash(&r->key, question);
    struct dns_flight *f = *place_of(r, question, hash);
    if (f == NULL)
        f = take_off(r, question, hash, now);
    if (f == NULL) {
        answer->status = DNS_TROUBLE;
        r->view.trouble++;
        return true;
    }
    wait_for(f, waiter);
    return false;
}

void
dns_resolver_free(struct dns_resolver *r)
{
    if (r == NULL)
        return;
    r->closing = true;
    while (r->soonest != NULL)
        finish_in_trouble(r->soonest, r->soonest->began);
    dns_cache_free(r->cache);
    arena_free(&r->arena);
    free(r);
}

/* ---- events -------------------------------------------------------------- */

static void
on_answer(struct dns_exchange *exchange, const struct dns_answer *answer,
          int64_t now)
{
    struct dns_flight *f = exchange->flight;
    struct dns_resolver *r = f->resolver;

    if (exchange->plain)
        r->plain[exchange->server] = true;
    /* Somebody before it in turn keeps silent. */
    if (exchange->server != r->first &&
        f->exchanges[r->first].state == ASKED_BY_UDP) {
        r->first = exchange->server;
        r->first_since = now;
    }
    finish(f, answer, now);
}

static void
send_again_as(struct dns_exchange *exchange, enum dns_transport transport,
              int64_t now)
{
    if (send_to(exchange, transport))
        set_due(exchange->flight, now);
    else
        go_on(exchange->flight, now);
}

static void
fail(struct dns_exchange *exchange, int64_t now)
{
    exchange->state = FAILED;
    go_on(exchange->flight, now);
}

void
dns_resolver_on_packet(struct dns_resolver *r, struct dns_exchange *exchange,
                       enum dns_transport transport, struct slice packet,
                       int64_t now)
{
    struct dns_flight *f = exchange->flight;
    struct dns_answer answer;

    if (exchange->state != (transport == DNS_TCP ? ASKED_BY_TCP : ASKED_BY_UDP))
        return;
    assert(f->resolver == r);
    const enum dns_reading reading =
        dns_packet_read(packet, exchange->id, &f->question, &r->arena, &answer);
    if (reading != DNS_READ_FOREIGN)
        note_heard(f);
    switch (reading) {
    case DNS_READ_ANSWER:
        on_answer(exchange, &answer, now);
        break;
    case DNS_READ_TRUNCATED:
        if (transport == DNS_TCP)
            fail(exchange, now);
        else
            send_again_as(exchange, DNS_TCP, now);
        break;
    case DNS_READ_NO_EDNS:
        if (exchange->plain) {
            fail(exchange, now);
        } else {
            exchange->plain = true;
            send_again_as(exchange, transport, now);
        }
        break;
    case DNS_READ_TROUBLE:
        fail(exchange, now);
        break;
    case DNS_READ_FOREIGN:
        /* By UDP somebody else may have sent it. */
        if (transport == DNS_TCP)
            fail(exchange, now);
        break;
    }
    arena_reset(&r->arena);
}

void
dns_resolver_on_failed(struct dns_resolver *r, struct dns_exchange *exchange,
                       enum dns_transport transport, int64_t now)
{
    if (exchange->state != (transport == DNS_TCP ? ASKED_BY_TCP : ASKED_BY_UDP))
        return;
    assert(exchange->flight->resolver == r);
    fail(exchange, now);
}

void
dns_resolver_on_deadline(struct dns_resolver *r, int64_t now)
{
    while (r->soonest != NULL && r->soonest->due <= now) {
        struct dns_flight *f = r->soonest;

        if (now - f->began >= r->timeout) {
            finish_in_trouble(f, now);
            continue;
        }
        set_due(f, now);
        if (!send_next(f))
            send_again(f);
        if (!is_waiting(f))
            finish_in_trouble(f, now);
    }
}

int64_t
dns_resolver_deadline(const struct dns_resolver *r)
{
    return r->soonest != NULL ? r->soonest->due : INT64_MAX;
}

struct dns_resolver_view
dns_resolver_view(const struct dns_resolver *r)
{
    struct dns_resolver_view view = r->view;

    view.cache = dns_cache_size(r->cache);
    return view;
}
