/*
 * The running process: what its parts share. One of these exists, made by
 * command_serve; everything in it belongs to the loop's thread, except where a
 * job on the pool was given its own piece.
 */
#ifndef ONWARD_DAEMON_H
#define ONWARD_DAEMON_H

#include "cli.h"
#include "conn.h"
#include "http.h"
#include "process.h"
#include "link.h"
#include "listener.h"
#include "logsink.h"
#include "maplookups.h"
#include "maplisten.h"
#include "notify.h"
#include "reload.h"
#include "senders.h"
#include "signer.h"
#include "stats.h"
#include "tick.h"
#include "upstreams.h"

struct daemon {
    struct loop loop;
    const struct cli *cli;

    struct conf *conf; /* in force: new sessions take a reference */
    struct relay_shared shared;

    struct listener *listeners;
    size_t listener_count;
    struct link_list links; /* all sessions */
    size_t link_count;

    struct upstreams upstreams;
    struct maplookups lookups;
    struct maplisten *maplisten; /* NULL: off */
    struct senders *senders;
    struct http *http; /* NULL: off */
    struct stats *stats;
    struct logsink *logsink;
    struct notify notify;
    struct reload reload;
    struct descriptors descriptors;
    struct signer signer;

    uv_signal_t hangup, terminate, interrupt;
    uv_timer_t drain;    /* timeouts.drain */
    uv_timer_t retry;    /* of listeners that paused */
    struct probe *probe; /* under way, or NULL */

    int64_t started;  /* seconds since 1970 */
    bool secret_kept; /* shared.secret is that of hostsecret.h */
    bool serving;     /* the listeners are open */
    bool stopping;    /* SIGTERM came */
    bool ended;       /* and nothing is left to wait for */
    int exit_status;
    struct ticker ticker;
};

/* Where there is no SRS secret: the one of this host (hostsecret.h). */
void daemon_keep_secret(struct daemon *daemon);

/* A session is gone; while stopping, the last one ends the process. */
void daemon_link_gone(struct daemon *daemon);

#endif
