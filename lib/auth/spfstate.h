/* An evaluation under way: what its files share. */
#ifndef ONWARD_AUTH_SPFSTATE_H
#define ONWARD_AUTH_SPFSTATE_H

#include "spfmacro.h"
#include "spfrecord.h"

/* What the answer that comes next belongs to. */
enum spf_state {
    SPF_READY, /* no question: the next term is to be evaluated */
    SPF_ASKED_RECORD,
    SPF_ASKED_ADDRESS,   /* of the target of a, of a host of mx */
    SPF_ASKED_HOSTS,     /* of mx */
    SPF_ASKED_EXISTENCE, /* of the target of exists */
    SPF_ASKED_NAMES,     /* of the client */
    SPF_ASKED_PROOF,     /* the addresses of one of these names */
    SPF_OVER,
};

/* A record that is being evaluated: the first one, those included. */
struct spf_level {
    struct slice domain;
    struct spf_record record;
    struct slice rest;         /* terms that were not evaluated yet */
    enum spf_result qualifier; /* of the include term that led here */
    size_t path_len;           /* of spf.path, before that term */
};

/* Why the names of the client are wanted. */
enum spf_purpose {
    SPF_FOR_TARGET, /* ptr: one at or below the target */
    SPF_FOR_VALUE,  /* %{p}: the best one */
};

struct spf_name {
    struct slice name;
    enum {
        SPF_UNPROVEN, /* its addresses were not asked for */
        SPF_PROVEN,   /* the client's address is among them */
        SPF_FALSE,
    } proof;
};

struct spf {
    struct arena arena;
    size_t kept; /* octets of records in the arena */
    unsigned char address[16];
    struct spf_values values;
    struct slice identity; /* the domain as it was given */

    enum spf_state state;
    struct dns_question question;
    struct buf target; /* of the term that is being evaluated */
    struct spf_level levels[SPF_TERMS_MAX + 1];
    size_t depth; /* of the level that is being evaluated */

    struct spf_term term;
    bool is_void; /* the term asked for what there is not */

    struct slice hosts[SPF_NAMES_MAX]; /* of mx */
    size_t host_count, host_next;
    bool too_many_hosts;

    bool names_known;
    enum spf_purpose purpose;
    struct spf_name names[SPF_NAMES_MAX];
    size_t name_count, name_asked;

    struct buf path;
    struct spf_verdict verdict;
};

/* Set the question; the state says what its answer belongs to. */
void spf_ask(struct spf *spf, struct slice name, enum dns_type type,
             enum spf_state state);

/* The end: the result, and why. */
void spf_end(struct spf *spf, enum spf_result result, const char *problem,
             struct slice about);

/* The record has a result: that of the include term that led to it follows, or
 * the end. */
void spf_leave_level(struct spf *spf, enum spf_result result);

/* Append the octets of a stranger, printable and not too many. */
void spf_put_shown(struct slice text, struct buf *out);
struct slice spf_shown(struct spf *spf, struct slice text);

/* The term asked for what there is not. False: it was one too many, the
 * evaluation is over. */
bool spf_note_void(struct spf *spf);

/* One more term asks DNS. False: it was one too many. */
bool spf_count_term(struct spf *spf);

enum dns_type spf_address_type(const struct spf *spf);

/* The client's address is among the records of an answer of that type, or in
 * the network of one of them. */
bool spf_is_among(const struct spf *spf, const struct dns_answer *answer,
                  unsigned prefix4, unsigned prefix6);

struct spf_level *spf_level(struct spf *spf);

/* The answer to SPF_ASKED_RECORD. */
void spf_on_record(struct spf *spf, const struct dns_answer *answer);

/* ---- terms (spfterms.c) -------------------------------------------------- */

/* The term spf->term is next, or the record is at its end. */
void spf_evaluate_term(struct spf *spf);
void spf_end_of_record(struct spf *spf);
void spf_on_answer(struct spf *spf, const struct dns_answer *answer);

/* ---- names of the client (spfnames.c) ------------------------------------ */

enum spf_search {
    SPF_SEARCH_ASKS, /* a question is set, or the evaluation is over */
    SPF_SEARCH_FOUND,
    SPF_SEARCH_NONE,
};

/*
 * Look for a name of the client that its own addresses prove (5.5, 7.3): for
 * the target, or as the value of %{p}. Called again after each answer.
 */
enum spf_search spf_names_search(struct spf *spf);
void spf_names_on_answer(struct spf *spf, const struct dns_answer *answer);

#endif
