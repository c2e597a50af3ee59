/*
 * What the process knows about itself at one moment, and how that is told:
 * metrics (metrics.h), health (health.h), the page (page.h), and here the JSON
 * of GET /status and the screen of `onward status`. The process fills the view
 * on its loop; everything made of it is a pure function.
 */
#ifndef ONWARD_STATUS_VIEW_H
#define ONWARD_STATUS_VIEW_H

#include "relay.h"

enum {
    STATUS_BUCKETS = 16,
    STATUS_MINUTES = 60,
    STATUS_RECENT = 20,
};

/* counts[i]: observations up to bounds[i] and above the bound before; the last
 * one: those above all bounds. */
struct status_histogram {
    const double *bounds; /* static, ascending */
    size_t bound_count;   /* at most STATUS_BUCKETS - 1 */
    uint64_t counts[STATUS_BUCKETS];
    double sum;
};
void status_observe(struct status_histogram *histogram, double value);
uint64_t status_observed(const struct status_histogram *histogram);
/* The bound below which a share (0.5) of the observations lies; -1: there are
 * none, or it lies above all bounds. */
double status_quantile(const struct status_histogram *histogram, double share);

/* Seconds and octets. */
extern const double status_seconds_bounds[];
extern const size_t status_seconds_bound_count;
extern const double status_lookup_bounds[]; /* of a table: from 10 us */
extern const size_t status_lookup_bound_count;
extern const double status_octets_bounds[];
extern const size_t status_octets_bound_count;

struct status_listener {
    struct slice name, address;
    enum conf_role role;
    uint64_t active;
    const struct relay_counters *counters;
};

struct status_table {
    struct slice spec;
    const char *use;  /* "aliases" */
    uint64_t entries; /* of a socketmap 0 */
    int64_t written;  /* seconds since 1970; 0: not a file */
    bool stale;       /* its file is newer, or gone */
    bool failing;     /* the last look-up ended in an error */
};

/* Look-ups in a table since the process started. */
struct status_lookups {
    struct slice spec;
    uint64_t hit, miss, error;
    bool failing;                     /* the last one was an error */
    uint64_t reloads, reloads_failed; /* of its file */
    struct status_histogram seconds;
};

struct status_key {
    struct slice domain, selector;
    enum dkim_algorithm algorithm;
    enum dkim_key_state state;
};

struct status_minute {
    int64_t minute; /* since 1970 */
    uint64_t results[RELAY_RESULTS];
};

/* Addresses are masked before they come in here. */
struct status_recent {
    int64_t at;
    char id[16], listener[32], from[72], to[72], reason[32];
    enum relay_result result;
    uint64_t octets;
    size_t recipients;
};

struct status_view {
    struct slice version, revision, openssl; /* revision may be empty */
    int64_t now, started;                    /* seconds since 1970 */
    uint64_t pid;
    bool draining;

    const struct status_listener *listeners;
    size_t listener_count;

    struct slice upstream; /* its address */
    bool upstream_known;   /* it was tried at all */
    bool upstream_up;
    uint64_t upstream_tried_ms; /* ago */

    const struct status_table *tables;
    size_t table_count;
    const struct status_key *keys;
    size_t key_count;
    bool keys_stale;

    int64_t config_loaded;
    bool config_failed; /* the last reload */
    uint64_t reloads, reloads_failed;

    uint64_t spool_used, spool_limit;
    uint64_t log_dropped;
    struct status_histogram upstream_seconds, sign_seconds, message_octets;
    const struct status_lookups *lookups;
    size_t lookup_count;

    const struct status_minute *minutes; /* STATUS_MINUTES, oldest first */
    const struct status_recent *recent;  /* newest first */
    size_t recent_count;

    double cpu_seconds;
    uint64_t resident_octets, open_fds, max_fds;
};

/* "accepted", "rejected"... */
const char *status_result_word(enum relay_result result);

/* "a...@sender.example", "<>": enough to recognize, too little to collect. */
void status_mask(struct slice address, char *out, size_t size);

/* All counters added up; reasons too, in memory of the arena. */
struct relay_counters status_total(const struct status_view *view,
                                   struct arena *arena);

/* "1,204"; "12d 4h". */
void status_put_number(struct buf *out, uint64_t number);
void status_put_age(struct buf *out, int64_t seconds);

/* Transactions of the last `minutes` whole minutes and the one under way. */
struct status_minute status_last(const struct status_view *view,
                                 size_t minutes);

/* One JSON document. */
void status_json(const struct status_view *view, struct buf *out);
/* One screen of text. */
void status_text(const struct status_view *view, struct buf *out);

#endif
