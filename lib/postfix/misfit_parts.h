/* Between the parts of the misfits. */
#ifndef ONWARD_POSTFIX_MISFIT_PARTS_H
#define ONWARD_POSTFIX_MISFIT_PARTS_H

#include "misfit.h"
#include "plan_parts.h"

struct search {
    const struct conf *conf;
    const struct postconf *postconf;
    struct slice directory;
    const struct misfit_sink *sink;
    struct arena arena;
    struct front fronts[FRONTS_MAX]; /* all, whether they lead to us or not */
    size_t front_count;
    const struct postconf_service *back; /* NULL: not in this Postfix */
    struct slice queue_directory;
};

void misfit_report(struct search *search, enum misfit_severity severity,
                   const char *file, struct slice setting,
                   struct slice sentence, struct slice command);
/* A finding about main.cf's `name`, or an option of a service. The command
 * is "postconf ..." without the -c, or empty. */
void misfit_main(struct search *search, enum misfit_severity severity,
                 const char *name, struct slice sentence, struct slice command);
void misfit_option(struct search *search, enum misfit_severity severity,
                   const struct postconf_service *service, const char *name,
                   struct slice sentence, struct slice command);
/* The command is to set that option to that value. */
void misfit_set(struct search *search, enum misfit_severity severity,
                const struct postconf_service *service, const char *name,
                const char *value, struct slice sentence);
struct slice misfit_text(struct search *search, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Does what comes in there come to us? */
bool misfit_leads_to_us(const struct search *search,
                        const struct postconf_service *service);
/* Is there a table in the list whose entries we do not see? */
bool misfit_has_table(struct slice list);
/* An option of a service, or what main.cf says. */
struct slice misfit_of(const struct search *search,
                       const struct postconf_service *service,
                       const char *name);

void misfit_fronts(struct search *search); /* misfit_fronts.c */
void misfit_back(struct search *search);   /* misfit_back.c */
void misfit_signed(struct search *search); /* misfit_signed.c */
void misfit_site(struct search *search);   /* misfit_site.c */

#endif
