#include "senders.h"

#include "senderstore.h"

#include <stdlib.h>

enum {
    DAY = 86400
};

struct senders {
    struct loop *loop;
    struct senderstore *store; /* NULL: not wanted, or it cannot be opened */
};

struct sender_job {
    uv_work_t request;
    struct senders *senders;
    struct senderstore *store;
    struct relay_store_query query; /* its slices live as long */
    void (*on_stored)(void *ctx, const struct table_answer *answer);
    void *ctx;
    int64_t now, keep_seconds;
    enum table_status status;
    struct buf value, why;
};

struct senders *
senders_open(struct loop *loop, const struct conf *conf)
{
    struct senders *senders = mem_alloc(sizeof(*senders));

    senders->loop = loop;
    senders_reopen(senders, conf);
    return senders;
}

void
senders_reopen(struct senders *senders, const struct conf *conf)
{
    struct buf why = { 0 };

    /* Once open it stays so: sessions of an older configuration use it. */
    if (senders->store != NULL || !conf->srs.enabled ||
        conf->srs.long_sender != CONF_LONG_STORE)
        return;
    senders->store =
        senderstore_open(conf->state_directory, SENDERSTORE_ROOM, &why);
    if (senders->store == NULL)
        loop_log(senders->loop, LOG_LEVEL_ERROR, "store of long senders: %.*s",
                 SLICE_ARG(buf_slice(&why)));
    buf_free(&why);
}

static void
on_thread(uv_work_t *request)
{
    struct sender_job *job = request->data;
    const struct relay_store_query *query = &job->query;

    if (job->store == NULL) {
        buf_puts(&job->why, "not open");
        job->status = TABLE_ERROR;
        return;
    }
    switch (query->what) {
    case RELAY_STORE_FIND:
        job->status =
            senderstore_get(job->store, query->key, &job->value, &job->why);
        break;
    case RELAY_STORE_ROOM:
        job->status = senderstore_has_room(job->store, query->key, job->now,
                                           job->keep_seconds, &job->why);
        break;
    case RELAY_STORE_PUT:
        job->status = senderstore_put(job->store, query->key, query->sender,
                                      job->now, job->keep_seconds, &job->why);
        break;
    }
}

static void
on_done(uv_work_t *request, int status)
{
    struct sender_job *job = request->data;
    struct table_answer answer = { job->status, buf_slice(&job->value) };

    (void)status; /* we never cancel */
    if (job->status == TABLE_ERROR)
        loop_log(job->senders->loop, LOG_LEVEL_WARNING,
                 "store of long senders: %.*s",
                 SLICE_ARG(buf_slice(&job->why)));
    else if (job->query.what != RELAY_STORE_FIND && job->status == TABLE_MISS)
        loop_log(job->senders->loop, LOG_LEVEL_WARNING,
                 "store of long senders: full; a sender goes out as long as "
                 "it is");
    job->on_stored(job->ctx, &answer);
    buf_free(&job->value);
    buf_free(&job->why);
    free(job);
}

void
senders_ask(struct senders *senders, const struct relay_store_query *query,
            const struct conf *conf,
            void (*on_stored)(void *ctx, const struct table_answer *answer),
            void *ctx)
{
    struct sender_job *job = mem_alloc(sizeof(*job));

    *job = (struct sender_job){ .senders = senders,
                                .store = senders->store,
                                .query = *query,
                                .on_stored = on_stored,
                                .ctx = ctx,
                                .now = clock_now().wall };
    job->keep_seconds = senders_keep_seconds(conf);
    job->request.data = job;
    uv_queue_work(&senders->loop->uv, &job->request, on_thread, on_done);
}

struct senderstore *
senders_store(const struct senders *senders)
{
    return senders->store;
}

int64_t
senders_keep_seconds(const struct conf *conf)
{
    /* As long as an address made from it may come back, a day of clock skew
     * and the day in which a use is not written down included. */
    return ((int64_t)conf->srs.max_age_days + 3) * DAY;
}

void
senders_close(struct senders *senders)
{
    senderstore_close(senders->store);
    free(senders);
}
