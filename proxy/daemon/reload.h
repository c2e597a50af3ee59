/*
 * A new configuration while the process runs. It is loaded on the thread pool
 * and put in force as a whole; sessions keep the one they began with. A bad one
 * changes nothing (I8), and each of its errors is a log line.
 *
 * Tables, keys and configurations are counted without locks. So while a load
 * runs beside the loop no configuration is freed: those that are out of force
 * wait in a list until their last session has ended and no load runs.
 */
#ifndef ONWARD_RELOAD_H
#define ONWARD_RELOAD_H

#include "cli.h"
#include "loop.h"
#include "notify.h"
#include "tablestats.h"

enum reload_scope {
    RELOAD_TABLES, /* files of tables were replaced */
    RELOAD_ALL,    /* SIGHUP */
};

struct reload {
    struct loop *loop;
    const struct cli *cli;
    const struct notify *notify;
    struct tablestats *tables;
    const bool *stopping;
    /* Another configuration is in force. */
    void (*on_change)(void *ctx, const struct conf *before,
                      enum reload_scope scope);
    void *ctx;
    struct conf *conf; /* in force: whoever keeps it takes a reference */
    uv_work_t request;
    bool running;
    bool again; /* another SIGHUP came meanwhile */
    struct conf *loaded;
    struct buf errors, warnings;
    struct conf **retired; /* out of force, each with our reference */
    size_t retired_count;
    /* For /metrics and status. */
    int64_t succeeded; /* seconds since 1970; the start counts */
    uint64_t successes, failures;
    bool failing; /* the last one failed */
};

/* What is above conf is set by the caller. */
void reload_init(struct reload *reload, struct conf *conf, int64_t now);

void reload_start(struct reload *reload); /* SIGHUP */

/* Every second: swap tables whose file was replaced, opened on the thread pool
 * too; free what is retired. */
void reload_tick(struct reload *reload);

/* At the end, when no load runs and no session is left. */
void reload_free(struct reload *reload);

#endif
