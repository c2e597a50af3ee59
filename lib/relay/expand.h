/*
 * One recipient, resolved: reversed if it is an SRS address of ours, expanded
 * if it is an alias, and for what leaves, the reverse-path it leaves with
 * (lib/README, section 4). Where a table or the store has to be asked, it stops
 * and goes on with the answer.
 */
#ifndef ONWARD_RELAY_EXPAND_H
#define ONWARD_RELAY_EXPAND_H

#include "addresses.h"
#include "outcome.h"
#include "relay.h"

/* What is known about the sender of a transaction, worked out once. */
enum expand_sender {
    EXPAND_SENDER_UNKNOWN,
    EXPAND_SENDER_OURS, /* never rewritten */
    EXPAND_SENDER_FOREIGN,
    EXPAND_SENDER_FORGED, /* at an SRS domain of ours, but not made by us */
};

enum expand_status {
    EXPAND_DONE,
    EXPAND_ASK,   /* `query` has to be looked up */
    EXPAND_STORE, /* `store` has to be done */
    EXPAND_BUSY,  /* call again, without an answer, in a few ms */
};

enum {
    EXPAND_DEPTH = 10
};

struct expand_item {
    struct slice address; /* of the path; first: see addresses.h */
    struct smtp_path path;
    const struct expand_item *parent; /* whose target this is */
    struct expand_item *next;         /* still to do, in order */
    unsigned depth;                   /* aliases on the way */
    unsigned reversals;               /* SRS reversals on the way */
    bool rewritten;                   /* it is not what the client named */
    bool identity;                    /* its own target: a copy that stays */
    bool is_target;                   /* an item of this address is one */
};

struct expand_counts {
    bool srs_tried;      /* an SRS address of ours was judged */
    enum srs_status srs; /* with this result */
    bool srs_rewritten;  /* the sender got an SRS address */
    bool srs_stored;     /* or a token */
    bool sender_guessed; /* the sender had an SRS address with a bad hash */
};

struct expand {
    /* Arguments, set before the first step. */
    const struct conf *conf;
    enum conf_role role; /* of the listener: are its senders our users? */
    struct arena *arena;
    const struct smtp_path *recipient;
    const struct smtp_path *reverse_path;
    enum expand_sender *sender; /* kept by the caller */
    int64_t now;
    struct srs_guesses *guesses; /* bad SRS addresses so far; NULL: none */

    /* Results, after EXPAND_DONE. */
    enum relay_fate fate;
    enum outcome outcome;    /* when fate is RELAY_REFUSE */
    struct smtp_reply reply; /* then */
    bool not_null;   /* genuine SRS address, sender not null: refuse at DATA */
    bool from_alias; /* an alias answered: it gets a loop mark */
    struct slice detail; /* for the log: the address that failed */
    struct relay_target *targets;
    size_t target_count;
    struct relay_step *steps;
    size_t step_count;
    struct expand_counts counts;

    /* Questions. */
    struct table_query query;
    struct relay_store_query store;

    /* Where it stands. */
    enum expand_stage {
        EXPAND_NEXT,
        EXPAND_SRS,
        EXPAND_TOKEN,
        EXPAND_ALIAS,
        EXPAND_SUBMITTER,
        EXPAND_LOCAL,
        EXPAND_SENDER,
        EXPAND_MAP,
        EXPAND_REWRITE,
        EXPAND_STORED,
        EXPAND_FINISHED,
    } stage;
    struct expand_item *ahead; /* items still to be resolved, in order */
    struct addresses met;      /* items, the first of each address */
    size_t items;
    struct expand_item *item;
    struct alias_cursor cursor;
    struct slice srs_domain;
    struct slice rewritten;
    size_t target_room, step_room;
    bool discarded, reversed;
};

/* Begin; the arguments above are set. What the arena holds lives as long as
 * the results are looked at. */
void expand_start(struct expand *e);

/* It is done, or will not be gone on with. The results stay. */
void expand_end(struct expand *e);

/* Go on; answer: NULL, or what was asked for. */
enum expand_status expand_step(struct expand *e,
                               const struct table_answer *answer);

/* ---- between expand.c and rewrite.c ---- */

void expand_refuse(struct expand *e, enum outcome outcome);
/* Is the domain one of local_domains? *ours is set when EXPAND_DONE comes back
 * and the stage has not become EXPAND_FINISHED. */
enum expand_status expand_find_local(struct expand *e, struct slice domain,
                                     const struct table_answer *answer,
                                     bool *ours);
enum expand_status expand_find_srs_domain(struct expand *e,
                                          const struct table_answer *answer);
enum expand_status expand_judge_submitter(struct expand *e,
                                          const struct table_answer *answer);
enum expand_status expand_judge_sender(struct expand *e,
                                       const struct table_answer *answer);
void expand_rewrite_sender(struct expand *e);
void expand_on_stored(struct expand *e, const struct table_answer *answer);

#endif
