/* Between the parts of the plan, and for the misfits. */
#ifndef ONWARD_POSTFIX_PLAN_PARTS_H
#define ONWARD_POSTFIX_PLAN_PARTS_H

#include "plan.h"

/* ---- the services where mail comes in (plan_fronts.c) ---- */

enum front_role {
    FRONT_MX,         /* strangers: port 25, or behind postscreen */
    FRONT_SUBMISSION, /* the site's own users */
};
struct front {
    struct postconf_service *service;
    enum front_role role;
};
enum {
    FRONTS_MAX = 64
};

/* All smtpd services that strangers or users reach; not those on loopback
 * that another filter re-injects to, nor our own. */
size_t fronts_find(const struct postconf *postconf, const struct conf *conf,
                   struct front fronts[FRONTS_MAX]);

/* The listener for a role; NULL: there is none. */
const struct conf_listener *fronts_listener(const struct conf *conf,
                                            enum front_role role);

/* The same for smtp(8), which speaks to no unix socket. */
const struct conf_listener *fronts_smtp_listener(const struct conf *conf,
                                                 enum front_role role);

/* The service that listens on an address of ours, under whatever spelling
 * (localhost, no host at all). NULL: none. */
struct postconf_service *fronts_at(const struct postconf *postconf,
                                   const struct conf_address *address);

/* How Postfix is told to connect there: "127.0.0.1:10025", "unix:path", the
 * path relative to queue_directory where it is within. */
struct slice fronts_destination(const struct conf_address *address,
                                struct slice queue_directory,
                                struct arena *arena);
/* The same for smtp(8), which would look for MX records: "[127.0.0.1]:10025".
 */
struct slice fronts_nexthop(const struct conf_address *address,
                            struct slice queue_directory, struct arena *arena);
/* Does a value of smtpd_proxy_filter lead to that address? */
bool fronts_leads_to(struct slice filter, const struct conf_address *address,
                     struct slice queue_directory);

bool fronts_is_loopback(struct slice host);

/* The number of processes of a service: 0 is no limit. */
uint64_t fronts_limit(const struct postconf *postconf,
                      const struct postconf_service *service);

/* ---- the re-injection service (plan_back.c) ---- */

struct back_option {
    const char *name;
    const char *value;
    const char *why;
};
extern const struct back_option back_options[]; /* ends with name NULL */

/* Does the site use maps of its own, which must go on working behind us? */
bool back_keeps_mappings(const struct postconf *postconf);
/* The value for receive_override_options. */
const char *back_overrides(const struct postconf *postconf);
/* Options whose value depends on the site: 0 limits are none. */
uint64_t back_message_size(const struct postconf *postconf);

/* ---- what is remembered (plan_state.c) ---- */

/* Undo, in `postconf`, what the state says. What was changed by others since
 * is left alone, but for our elements of lists; notes says so. False: the
 * text is damaged; *line is its line. */
bool state_undo(struct slice state, struct postconf *postconf,
                struct buf *notes, unsigned *line);
/* What these commands change. before: what was in force without them. */
void state_print(const struct postconf_commands *commands,
                 const struct postconf *before, struct buf *out);

#endif
