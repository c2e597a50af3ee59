#include "lookups.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

TAILQ_HEAD(lookup_list, lookup);

/* A question that was asked once; as long as it waits for its answer, or the
 * answer is fresh, whoever asks the same shares it. */
struct shared {
    struct map_question question;
    struct lookups *lookups;
    struct buf id;   /* server, map and key */
    struct buf spec; /* of its table, until it is answered */
    struct lookup_list waiting;
    enum {
        SHARED_ASKED,
        SHARED_CACHED,
    } state;
    enum table_status status;
    struct buf value;
    uint64_t asked; /* ms */
    uint64_t expires;
    TAILQ_ENTRY(shared) age; /* SHARED_CACHED */
};

struct lookups {
    struct mapclient *client;
    const struct lookups_ops *ops;
    void *ctx;
    void *tree;                  /* of struct shared, by id */
    TAILQ_HEAD(, shared) cached; /* the oldest first */
    size_t cached_count, cached_octets;
    struct lookup_list ready; /* answered, for lookups_deliver */
};

static int
compare(const void *left, const void *right)
{
    const struct shared *a = left, *b = right;
    size_t len = a->id.len < b->id.len ? a->id.len : b->id.len;
    int order = memcmp(a->id.ptr, b->id.ptr, len);

    if (order != 0)
        return order;
    return a->id.len < b->id.len ? -1 : a->id.len > b->id.len;
}

/* ---- the cache --------------------------------------------------------- */

static size_t
size_of(const struct shared *shared)
{
    return sizeof(*shared) + shared->id.len + shared->value.len;
}

static void
forget(struct shared *shared)
{
    struct lookups *lookups = shared->lookups;

    if (shared->state == SHARED_CACHED) {
        TAILQ_REMOVE(&lookups->cached, shared, age);
        lookups->cached_count--;
        lookups->cached_octets -= size_of(shared);
    }
    tdelete(shared, &lookups->tree, compare);
    buf_free(&shared->id);
    buf_free(&shared->spec);
    buf_free(&shared->value);
    free(shared);
}

static void
keep(struct shared *shared, enum table_status status, struct slice value,
     uint64_t now)
{
    struct lookups *lookups = shared->lookups;

    if (status == TABLE_ERROR || !buf_try_append(&shared->value, value)) {
        forget(shared);
        return;
    }
    shared->state = SHARED_CACHED;
    shared->status = status;
    shared->expires =
        now + (status == TABLE_FOUND ? LOOKUPS_TIME_FOUND : LOOKUPS_TIME_MISS);
    TAILQ_INSERT_TAIL(&lookups->cached, shared, age);
    lookups->cached_count++;
    lookups->cached_octets += size_of(shared);
    while (lookups->cached_count > LOOKUPS_ANSWERS ||
           lookups->cached_octets > LOOKUPS_OCTETS)
        forget(TAILQ_FIRST(&lookups->cached));
}

/* The asked ones first: they may ask the same again, and find it cached. */
static void
on_answer(struct map_question *question, enum table_status status,
          struct slice value, uint64_t now)
{
    struct shared *shared = question->ctx;
    struct lookups *lookups = shared->lookups;
    struct lookup_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
    struct table_answer answer = { status, value };
    struct lookup *lookup;

    lookups->ops->observe(lookups->ctx, buf_slice(&shared->spec), status,
                          now - shared->asked);
    buf_free(&shared->spec);
    TAILQ_CONCAT(&waiting, &shared->waiting, next);
    keep(shared, status, value, now);
    while ((lookup = TAILQ_FIRST(&waiting)) != NULL) {
        TAILQ_REMOVE(&waiting, lookup, next);
        lookup->on_answer(lookup, &answer);
    }
}

/* ---- asking ------------------------------------------------------------- */

static void
put_id(const struct table_query *query, struct buf *id)
{
    buf_append(id, query->table->path);
    buf_putc(id, '\0');
    buf_append(id, query->table->name);
    buf_putc(id, '\0');
    buf_append(id, query->key);
}

static struct shared *
find(struct lookups *lookups, const struct table_query *query, uint64_t now)
{
    struct shared probe = { 0 };
    struct shared *found = NULL;
    void *node;

    put_id(query, &probe.id);
    node = tfind(&probe, &lookups->tree, compare);
    buf_free(&probe.id);
    if (node != NULL)
        found = *(struct shared **)node;
    if (found != NULL && found->state == SHARED_CACHED &&
        found->expires <= now) {
        forget(found);
        found = NULL;
    }
    return found;
}

/* NULL: no memory. */
static struct shared *
add(struct lookups *lookups, const struct table_query *query, uint64_t now)
{
    struct shared *shared = mem_alloc(sizeof(*shared));

    TAILQ_INIT(&shared->waiting);
    shared->lookups = lookups;
    shared->question.on_answer = on_answer;
    shared->question.ctx = shared;
    shared->asked = now;
    put_id(query, &shared->id);
    buf_append(&shared->spec, query->table->spec);
    if (tsearch(shared, &lookups->tree, compare) == NULL) {
        buf_free(&shared->id);
        buf_free(&shared->spec);
        free(shared);
        return NULL;
    }
    return shared;
}

static void
make_ready(struct lookups *lookups, struct lookup *lookup,
           enum table_status status, struct slice value)
{
    lookup->status =
        buf_try_append(&lookup->value, value) ? status : TABLE_ERROR;
    if (TAILQ_EMPTY(&lookups->ready))
        lookups->ops->later(lookups->ctx);
    TAILQ_INSERT_TAIL(&lookups->ready, lookup, next);
}

void
lookups_ask(struct lookups *lookups, struct lookup *lookup,
            const struct table_query *query, uint64_t now)
{
    struct shared *shared = find(lookups, query, now);
    bool is_new = shared == NULL;

    lookup->value = (struct buf){ 0 };
    if (is_new)
        shared = add(lookups, query, now);
    if (shared == NULL) {
        make_ready(lookups, lookup, TABLE_ERROR, (struct slice){ 0 });
        return;
    }
    switch (shared->state) {
    case SHARED_CACHED:
        make_ready(lookups, lookup, shared->status, buf_slice(&shared->value));
        return;
    case SHARED_ASKED:
        TAILQ_INSERT_TAIL(&shared->waiting, lookup, next);
        if (is_new)
            mapclient_ask(lookups->client, &shared->question, query, now);
        return;
    }
}

void
lookups_deliver(struct lookups *lookups)
{
    struct lookup_list ready = TAILQ_HEAD_INITIALIZER(ready);
    struct lookup *lookup;

    TAILQ_CONCAT(&ready, &lookups->ready, next);
    while ((lookup = TAILQ_FIRST(&ready)) != NULL) {
        struct buf value = lookup->value;
        struct table_answer answer = { lookup->status, buf_slice(&value) };
        TAILQ_REMOVE(&ready, lookup, next);
        lookup->on_answer(lookup, &answer);
        buf_free(&value);
    }
}

/* ---- its life ----------------------------------------------------------- */

struct lookups *
lookups_new(struct mapclient *client, const struct lookups_ops *ops, void *ctx)
{
    struct lookups *lookups = mem_alloc(sizeof(*lookups));

    lookups->client = client;
    lookups->ops = ops;
    lookups->ctx = ctx;
    TAILQ_INIT(&lookups->cached);
    TAILQ_INIT(&lookups->ready);
    return lookups;
}

void
lookups_forget(struct lookups *lookups)
{
    while (!TAILQ_EMPTY(&lookups->cached))
        forget(TAILQ_FIRST(&lookups->cached));
}

void
lookups_free(struct lookups *lookups)
{
    lookups_forget(lookups);
    free(lookups);
}
