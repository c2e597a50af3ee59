/* An evaluation under way, and the walk up the tree (RFC 9989, 4.10): what the
 * files of DMARC share. */
#ifndef ONWARD_AUTH_DMARCWALK_H
#define ONWARD_AUTH_DMARCWALK_H

#include "dmarcrecord.h"

enum {
    DMARC_LABEL = sizeof("_dmarc.") - 1,
    DMARC_NAME_MAX = 253,
};

/* What a name was found to have. */
enum dmarc_found {
    DMARC_FOUND_NOTHING,
    DMARC_FOUND_RECORD,
    DMARC_FOUND_TROUBLE,
};

struct dmarc_known {
    struct slice name; /* without _dmarc; part of author or an identifier */
    enum dmarc_found found;
    struct dmarc_record record;
};

/* What is asked for. */
enum dmarc_question {
    DMARC_ASK_NOTHING,
    DMARC_ASK_RECORD,
    DMARC_ASK_EXISTENCE, /* of the author's domain (3.2.13) */
};

enum dmarc_existence {
    DMARC_EXISTENCE_UNKNOWN, /* not asked for */
    DMARC_EXISTS,
    DMARC_EXISTS_NOT,
    DMARC_EXISTENCE_TROUBLE,
};

/*
 * Answers are kept by name, and each step evaluates anew from what is known,
 * up to the first name that is not: so there is no half-way state to be in.
 */
struct dmarc {
    enum dmarc_extent extent;
    struct dmarc_known *known;
    size_t known_count, known_room;
    enum dmarc_existence existence;
    enum dmarc_question asked;
    struct slice asked_name;
    char name[DMARC_LABEL + DMARC_NAME_MAX + 1];
    struct dns_question question;
    struct dmarc_identifier *identifiers;
    size_t identifier_count;
    bool is_identified;
    bool no_memory;
    bool strict_dkim, strict_spf;
    struct dmarc_verdict verdict;
};

enum dmarc_walked {
    DMARC_WALK_ASKS, /* a question is set */
    DMARC_WALK_TROUBLE,
    DMARC_WALK_DONE,
};

/* The records on the way up, the longest name first. */
struct dmarc_walk {
    const struct dmarc_known *records[DMARC_WALK_MAX];
    size_t count;
};

struct slice dmarc_without_dot(struct slice s);
struct slice dmarc_last_labels(struct slice name, size_t n);

/* A name that DNS can hold, with _dmarc before it. */
bool dmarc_is_askable(struct slice name);

/* Set the question. */
void dmarc_ask(struct dmarc *dmarc, enum dmarc_question asked,
               struct slice name);
void dmarc_take_answer(struct dmarc *dmarc, const struct dns_answer *answer);

/* What was found at a name; NULL: it was not asked for. */
const struct dmarc_known *dmarc_find_known(const struct dmarc *dmarc,
                                           struct slice name);

enum dmarc_walked dmarc_walk_up(struct dmarc *dmarc, struct slice start,
                                struct dmarc_walk *walk);

/* The organizational domain (4.10.2). */
struct slice dmarc_organization_of(struct slice start,
                                   const struct dmarc_walk *walk);

#endif
