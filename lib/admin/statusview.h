/*
 * What the process knows about itself at one moment, and how that is told:
 * metrics (metrics.h), health (health.h), the page (page.h), and here the JSON
 * of GET /status and the screen of `onward status`. The process fills the view
 * on its loop; everything made of it is a pure function.
 */
#ifndef ONWARD_ADMIN_STATUSVIEW_H
#define ONWARD_ADMIN_STATUSVIEW_H

#include "relay.h"

enum {
    ADMIN_BUCKETS = 16,
    ADMIN_MINUTES = 60,
    ADMIN_RECENT = 20,
};

/* counts[i]: observations up to bounds[i] and above the bound before; the last
 * one: those above all bounds. */
struct admin_histogram {
    const double *bounds; /* static, ascending */
    size_t bound_count;   /* at most ADMIN_BUCKETS - 1 */
    uint64_t counts[ADMIN_BUCKETS];
    double sum;
};
void admin_observe(struct admin_histogram *histogram, double value);
uint64_t admin_observed(const struct admin_histogram *histogram);
/* The bound below which a share (0.5) of the observations lies; -1: there are
 * none, or it lies above all bounds. */
double admin_quantile(const struct admin_histogram *histogram, double share);

/* Seconds and octets. */
extern const double admin_seconds_bounds[];
extern const size_t admin_seconds_bound_count;
extern const double admin_lookup_bounds[]; /* of a table: from 10 us */
extern const size_t admin_lookup_bound_count;
extern const double admin_octets_bounds[];
extern const size_t admin_octets_bound_count;

struct admin_listener {
    struct slice name, address;
    enum conf_role role;
    uint64_t active;
    const struct relay_counters *counters;
};

struct admin_table {
    struct slice spec;
    const char *use;  /* "aliases" */
    uint64_t entries; /* of a socketmap 0 */
    int64_t written;  /* seconds since 1970; 0: not a file */
    bool stale;       /* its file is newer, or gone */
    bool failing;     /* the last look-up ended in an error */
};

/* Look-ups in a table since the process started. */
struct admin_lookups {
    struct slice spec;
    uint64_t hit, miss, error;
    bool failing;                     /* the last one was an error */
    uint64_t reloads, reloads_failed; /* of its file */
    struct admin_histogram seconds;
};

struct admin_key {
    struct slice domain, selector;
    enum dkim_algorithm algorithm;
    enum dkim_key_state state;
};

struct admin_minute {
    int64_t minute; /* since 1970 */
    uint64_t results[RELAY_RESULTS];
};

/* Addresses are masked before they come in here. */
struct admin_recent {
    int64_t at;
    char id[16], listener[32], from[72], to[72], reason[32];
    enum relay_result result;
    uint64_t octets;
    size_t recipients;
};

struct admin_view {
    struct slice version, revision, openssl; /* revision may be empty */
    int64_t now, started;                    /* seconds since 1970 */
    uint64_t pid;
    bool draining;

    const struct admin_listener *listeners;
    size_t listener_count;

    struct slice upstream; /* its address */
    bool upstream_known;   /* it was tried at all */
    bool upstream_up;
    uint64_t upstream_tried_ms; /* ago */

    const struct admin_table *tables;
    size_t table_count;
    const struct admin_key *keys;
    size_t key_count;
    bool keys_stale;

    int64_t config_loaded;
    bool config_failed; /* the last reload */
    uint64_t reloads, reloads_failed;

    uint64_t spool_used, spool_limit;
    uint64_t log_dropped;
    struct admin_histogram upstream_seconds, sign_seconds, message_octets;
    const struct admin_lookups *lookups;
    size_t lookup_count;

    const struct admin_minute *minutes; /* ADMIN_MINUTES, oldest first */
    const struct admin_recent *recent;  /* newest first */
    size_t recent_count;

    double cpu_seconds;
    uint64_t resident_octets, open_fds, max_fds;
};

/* "accepted", "rejected"... */
const char *admin_result_word(enum relay_result result);

/* "a...@sender.example", "<>": enough to recognize, too little to collect. */
void admin_mask(struct slice address, char *out, size_t size);

/* All counters added up; reasons too, in memory of the arena. */
struct relay_counters admin_total(const struct admin_view *view,
                                  struct arena *arena);

/* "1,204"; "12d 4h". */
void admin_put_number(struct buf *out, uint64_t number);
void admin_put_age(struct buf *out, int64_t seconds);

/* Transactions of the last `minutes` whole minutes and the one under way. */
struct admin_minute admin_last(const struct admin_view *view, size_t minutes);

/* One JSON document. */
void admin_status_json(const struct admin_view *view, struct buf *out);
/* One screen of text. */
void admin_status_text(const struct admin_view *view, struct buf *out);

#endif
