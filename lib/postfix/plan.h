/*
 * Putting Onward in front of a Postfix, and taking it out again: which
 * postconf commands that takes, and why each is there.
 *
 * What is remembered between the two is a text: every changed item with what
 * it was before and what we made of it. A plan begins by undoing that in
 * thought, works out what is wanted from there, and compares with what there
 * is. So a second run finds nothing to do, a changed onward.conf only changes
 * what differs, and removal gives back the values of before.
 */
#ifndef ONWARD_POSTFIX_PLAN_H
#define ONWARD_POSTFIX_PLAN_H

#include "conf.h"
#include "postconf.h"

enum plan_goal {
    PLAN_APPLY,
    PLAN_REMOVE
};

struct plan_input {
    enum plan_goal goal;
    const struct conf *conf; /* PLAN_APPLY */
    struct postconf_texts postfix;
    struct slice state; /* of the last time; empty: none */
};

struct plan {
    struct arena arena;
    struct postconf_commands commands;
    const char **why;    /* one for each command; may have several lines */
    struct buf refusals; /* a line each: then there are no commands */
    struct buf notes;    /* a line each */
    struct buf state;    /* to be kept; empty: nothing is changed any more */
};

/* False: see refusals. plan_free in any case. */
bool plan_make(const struct plan_input *input, struct plan *plan);
void plan_free(struct plan *plan);

/* The commands with their reasons, as a script. directory: for -c, or empty. */
void plan_print(const struct plan *plan, struct slice directory,
                struct buf *out);

#endif
