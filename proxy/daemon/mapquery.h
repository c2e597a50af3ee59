/*
 * One request to the socketmap server, worked out: where a table or the store
 * of long senders has to be asked it waits for the answer, without holding up
 * anything else.
 */
#ifndef ONWARD_MAPQUERY_H
#define ONWARD_MAPQUERY_H

#include "expand.h"
#include "senders.h"
#include "service.h"
#include "senderstore.h"

enum {
    MAPQUERY_BUSY_TIME = 5 /* ms until a locked table is tried again */
};

/* What all queries of a server use. */
struct mapquery_needs {
    struct loop *loop;
    struct conf *const *conf; /* in force */
    struct relay_shared *shared;
    struct senders *senders;
    struct mapclient *client;
};

/* Embedded in what the asker keeps. All zeroes but for needs, try_later and
 * on_answer before the first use. */
struct mapquery {
    const struct mapquery_needs *needs;
    /* mapquery_try_again is to be called MAPQUERY_BUSY_TIME later. */
    void (*try_later)(struct mapquery *query);
    /* Once, also from within mapquery_start. reply: "OK x", "NOTFOUND "...;
     * it lives for the call. */
    void (*on_answer)(struct mapquery *query, struct slice reply);

    /* Its own. */
    enum map_name name;
    struct slice key;
    struct conf *conf;
    struct arena arena;
    int64_t now;
    uint64_t deadline;
    struct smtp_path path;
    struct expand expand;
    enum expand_sender sender;
    struct alias_cursor cursor;
    struct map_question question;
    struct {
        uv_work_t request;
        struct senderstore *store;
        struct relay_store_query query;
        int64_t keep_seconds;
        enum table_status status;
        struct buf value, why;
    } job;
};

/* key is copied. */
void mapquery_start(struct mapquery *query, enum map_name name,
                    struct slice key);
void mapquery_try_again(struct mapquery *query);

#endif
