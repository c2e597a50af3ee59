/*
 * One request to the socketmap server, worked out: where a table or the store
 * of long senders has to be asked it waits for the answer, without holding up
 * anything else.
 */
#ifndef ONWARD_MAPQUERY_H
#define ONWARD_MAPQUERY_H

#include "expand.h"
#include "service.h"
#include <uv.h>
#include "senderstore.h"

struct daemon;

enum map_name {
    MAP_RECIPIENT,
    MAP_FORWARD,
    MAP_REVERSE,
};

/* "recipient", "forward" or "reverse"; false: none of them. */
bool mapquery_name(struct slice text, enum map_name *name);

/* Embedded in what the asker keeps. All zeroes but for daemon, client, timer
 * and on_answer before the first use. */
struct mapquery {
    struct daemon *daemon;
    struct mapclient *client;
    uv_timer_t *timer; /* the asker's; ours while a query runs */
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

#endif
