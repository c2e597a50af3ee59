#include "lookup.h"

#include "daemon.h"
#include "mapclient.h"
#include "tablestats.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIME_FOUND = 60 * 1000, /* ms in the cache */
    TIME_MISS = 5 * 1000,
    CACHED_MAX = 10000,              /* answers */
    CACHED_OCTETS = 4 * 1024 * 1024, /* their size */
};

/* One link's turn: the answer is its own copy. */
struct waiter {
    TAILQ_ENTRY(waiter) next;
    struct link *link;
    enum table_status status;
    struct buf value;
};
TAILQ_HEAD(waiter_list, waiter);

/* A question that was asked once; as long as it waits for its answer, or the
 * answer is fresh, whoever asks the same shares it. */
struct question {
    struct map_question map; /* first: found by a cast */
    struct buf id;           /* server, map and key */
    struct buf spec;         /* of its table, until it is answered */
    struct waiter_list waiters;
    bool answered;
    enum table_status status;
    struct buf value;
    uint64_t asked; /* ms */
    uint64_t expires;
    TAILQ_ENTRY(question) age; /* of those answered */
};

struct lookups {
    struct daemon *daemon;
    struct mapclient *client;
    void *tree;                    /* of questions, by id */
    TAILQ_HEAD(, question) cached; /* the oldest first */
    size_t cached_count, cached_octets;
    struct waiter_list ready;
    struct later deliver;
};

static void on_answer(struct map_question *map, enum table_status status,
                      struct slice value);

static int
compare(const void *left, const void *right)
{
    const struct question *a = left, *b = right;
    size_t len = a->id.len < b->id.len ? a->id.len : b->id.len;
    int order = memcmp(a->id.ptr, b->id.ptr, len);

    if (order != 0)
        return order;
    return a->id.len < b->id.len ? -1 : a->id.len > b->id.len;
}

/* ---- delivery ---------------------------------------------------------- */

static void
on_deliver(struct later *later)
{
    struct lookups *lookups =
        (struct lookups *)((char *)later - offsetof(struct lookups, deliver));
    struct waiter_list ready = TAILQ_HEAD_INITIALIZER(ready);
    struct waiter *waiter;

    TAILQ_CONCAT(&ready, &lookups->ready, next);
    while ((waiter = TAILQ_FIRST(&ready)) != NULL) {
        struct table_answer answer = { waiter->status,
                                       buf_slice(&waiter->value) };
        TAILQ_REMOVE(&ready, waiter, next);
        link_looked_up(waiter->link, &answer);
        buf_free(&waiter->value);
        free(waiter);
    }
}

static void
make_ready(struct lookups *lookups, struct waiter *waiter,
           enum table_status status, struct slice value)
{
    waiter->status = status;
    if (!buf_try_append(&waiter->value, value))
        waiter->status = TABLE_ERROR;
    TAILQ_INSERT_TAIL(&lookups->ready, waiter, next);
    loop_later(&lookups->daemon->loop, &lookups->deliver);
}

/* ---- the cache --------------------------------------------------------- */

static size_t
size_of(const struct question *question)
{
    return sizeof(*question) + question->id.len + question->value.len;
}

static void
forget(struct lookups *lookups, struct question *question)
{
    if (question->answered) {
        TAILQ_REMOVE(&lookups->cached, question, age);
        lookups->cached_count--;
        lookups->cached_octets -= size_of(question);
    }
    tdelete(question, &lookups->tree, compare);
    buf_free(&question->id);
    buf_free(&question->spec);
    buf_free(&question->value);
    free(question);
}

static void
keep(struct lookups *lookups, struct question *question,
     enum table_status status, struct slice value)
{
    if (status == TABLE_ERROR || !buf_try_append(&question->value, value)) {
        forget(lookups, question);
        return;
    }
    question->answered = true;
    question->status = status;
    question->expires =
        clock_ms() + (status == TABLE_FOUND ? TIME_FOUND : TIME_MISS);
    TAILQ_INSERT_TAIL(&lookups->cached, question, age);
    lookups->cached_count++;
    lookups->cached_octets += size_of(question);
    while (lookups->cached_count > CACHED_MAX ||
           lookups->cached_octets > CACHED_OCTETS)
        forget(lookups, TAILQ_FIRST(&lookups->cached));
}

static void
on_answer(struct map_question *map, enum table_status status,
          struct slice value)
{
    struct question *question = (struct question *)map;
    struct lookups *lookups = map->ctx;
    struct waiter *waiter;

    tablestats_looked_up(stats_tables(lookups->daemon->stats),
                         buf_slice(&question->spec), status,
                         (clock_ms() - question->asked) * 1000000);
    buf_free(&question->spec);
    while ((waiter = TAILQ_FIRST(&question->waiters)) != NULL) {
        TAILQ_REMOVE(&question->waiters, waiter, next);
        make_ready(lookups, waiter, status, value);
    }
    keep(lookups, question, status, value);
}

static void
put_id(const struct table_query *query, struct buf *id)
{
    buf_append(id, query->table->path);
    buf_putc(id, '\0');
    buf_append(id, query->table->name);
    buf_putc(id, '\0');
    buf_append(id, query->key);
}

static struct question *
find(struct lookups *lookups, const struct table_query *query)
{
    struct question probe = { 0 };
    struct question *found = NULL;
    void *node;

    put_id(query, &probe.id);
    node = tfind(&probe, &lookups->tree, compare);
    buf_free(&probe.id);
    if (node != NULL)
        found = *(struct question **)node;
    if (found != NULL && found->answered && found->expires <= clock_ms()) {
        forget(lookups, found);
        found = NULL;
    }
    return found;
}

static struct question *
add(struct lookups *lookups, const struct table_query *query)
{
    struct question *question = mem_alloc(sizeof(*question));

    TAILQ_INIT(&question->waiters);
    question->map.on_answer = on_answer;
    question->map.ctx = lookups;
    question->asked = clock_ms();
    put_id(query, &question->id);
    buf_append(&question->spec, query->table->spec);
    if (tsearch(question, &lookups->tree, compare) == NULL) {
        buf_free(&question->id);
        buf_free(&question->spec);
        free(question);
        return NULL;
    }
    return question;
}

void
lookups_ask(struct lookups *lookups, const struct table_query *query,
            struct link *link)
{
    struct question *question = find(lookups, query);
    struct waiter *waiter = mem_alloc(sizeof(*waiter));
    bool is_new = question == NULL;

    link_job_started(link);
    waiter->link = link;
    if (is_new)
        question = add(lookups, query);
    if (question == NULL) {
        make_ready(lookups, waiter, TABLE_ERROR, (struct slice){ 0 });
    } else if (question->answered) {
        make_ready(lookups, waiter, question->status,
                   buf_slice(&question->value));
    } else {
        TAILQ_INSERT_TAIL(&question->waiters, waiter, next);
        /* May answer at once, with an error; that too is delivered later. */
        if (is_new)
            mapclient_ask(lookups->client, &question->map, query);
    }
}

/* ---- its life ---------------------------------------------------------- */

struct lookups *
lookups_open(struct daemon *daemon)
{
    struct lookups *lookups = mem_alloc(sizeof(*lookups));

    lookups->daemon = daemon;
    TAILQ_INIT(&lookups->cached);
    TAILQ_INIT(&lookups->ready);
    lookups->deliver.run = on_deliver;
    lookups->client = mapclient_open(daemon);
    return lookups;
}

void
lookups_forget(struct lookups *lookups)
{
    struct question *question;

    while ((question = TAILQ_FIRST(&lookups->cached)) != NULL)
        forget(lookups, question);
}

void
lookups_close(struct lookups *lookups)
{
    mapclient_close(lookups->client); /* no link is left to wait */
}

void
lookups_free(struct lookups *lookups)
{
    lookups_forget(lookups);
    mapclient_free(lookups->client);
    free(lookups);
}
