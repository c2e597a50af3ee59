/*
 * Who claims to be of our family of domains: the authors that From may be taken
 * to name, and the reverse-path. Tables of local_domains may have to be asked:
 * then it stops and goes on with the answer, as expand.h does.
 */
#ifndef ONWARD_RELAY_KIN_H
#define ONWARD_RELAY_KIN_H

#include "expand.h"

struct kin {
    /* Arguments, set before the first step. */
    const struct conf *conf;
    enum conf_role role;
    struct arena *arena;
    const struct mail_header *header;
    struct slice text; /* of the header, as it came */
    const struct smtp_path *reverse_path;

    /* Results, after EXPAND_DONE. */
    enum outcome outcome; /* OUTCOME_NONE, or why there is no result */
    struct mail_claims claims;
    struct slice author; /* the first one of our family; empty: none */
    bool author_ours;
    /* Where there is such an author: is the reverse-path null, of our family,
     * or aligned with one of them? */
    bool sender_ours;
    /* On outbound listeners: a table holds the reverse-path's domain, or a
     * parent of it that is below the author's. */
    bool sender_lives_below;

    /* Questions. */
    struct table_query query;

    /* Where it stands. */
    enum kin_stage {
        KIN_READ,
        KIN_AUTHORS,
        KIN_SENDER,
        KIN_BELOW,
        KIN_FINISHED,
    } stage;
    bool ours[MAIL_CLAIMS_MAX];
    size_t claim;
    struct slice sender; /* its domain in A-labels */
    struct slice at;     /* the name that is being asked for; empty: none yet */
    struct alias_cursor cursor;
};

/* Go on; answer: NULL, or what was asked for. Never EXPAND_STORE. */
enum expand_status kin_step(struct kin *kin, const struct table_answer *answer);

#endif
