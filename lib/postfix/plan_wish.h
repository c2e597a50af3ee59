/* What a Postfix with Onward in front should look like. */
#ifndef ONWARD_POSTFIX_PLAN_WISH_H
#define ONWARD_POSTFIX_PLAN_WISH_H

#include "plan_parts.h"

struct wish {
    const struct conf *conf;
    const struct postconf *before; /* without us */
    struct postconf *wanted;       /* a copy of it, which is changed */
    struct arena *arena;
    struct postconf_list whys; /* by target */
    struct buf *refusals, *notes;

    struct front fronts[FRONTS_MAX]; /* of `wanted`, that lead to us */
    size_t front_count;
    struct slice content_filter; /* that port 25 had */
};

void wish_make(struct wish *wish);

/* ---- between the parts ---- */

void wish_main(struct wish *wish, const char *name, struct slice value,
               const char *why);
void wish_option(struct wish *wish, struct postconf_service *service,
                 const char *name, struct slice value, const char *why);
void wish_why(struct wish *wish, struct slice target, struct slice why);

/* A copy in the arena of printed text. */
struct slice wish_text(struct wish *wish, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct slice wish_queue_directory(const struct wish *wish);
/* "socketmap:inet:127.0.0.1:10028:recipient", or empty. */
struct slice wish_map(struct wish *wish, const char *name);

void wish_fronts(struct wish *wish);  /* plan_wish_fronts.c */
void wish_back(struct wish *wish);    /* plan_wish_back.c */
void wish_domains(struct wish *wish); /* plan_wish_domains.c */

#endif
