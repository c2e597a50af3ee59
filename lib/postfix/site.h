/*
 * One Postfix beside our configuration: which of its services is what to us,
 * and how each is told where we are. The table of wanted values (wanted.h) is
 * applied to a site by `setup` and compared with it by `check --postfix`.
 */
#ifndef ONWARD_POSTFIX_SITE_H
#define ONWARD_POSTFIX_SITE_H

#include "conf.h"
#include "postconf.h"

enum front_role {
    FRONT_MX,         /* strangers: port 25, or after postscreen */
    FRONT_SUBMISSION, /* the site's own users */
};
/* An smtpd service that strangers or users reach. */
struct front {
    struct postconf_service *service;
    enum front_role role;
};
enum {
    FRONTS_MAX = 64
};

struct site {
    const struct conf *conf;
    struct arena *arena;
    /* For `check` both are the same. For `setup`: without our changes, and the
     * copy that is being changed. */
    const struct postconf *before;
    struct postconf *postfix;
    struct slice queue_directory;
    struct front fronts[FRONTS_MAX];
    size_t front_count;
    struct postconf_service *back;      /* re-injection; NULL: not here */
    struct postconf_service *cleanup;   /* of the re-injection service */
    struct postconf_service *transport; /* smtp(8) to us, "onward/unix" */
};

/* Fills the services in; again after services were added to `postfix`. */
void site_look(struct site *site);

struct slice site_text(const struct site *site, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A parameter of main.cf without our changes, expanded. */
struct slice site_value(const struct site *site, const char *name);
/* What stands in main.cf, unexpanded; or the default in force. */
struct slice site_written(const struct site *site, const char *name);
/* A service's own option, or main.cf's. */
struct slice site_of(const struct site *site,
                     const struct postconf_service *service, const char *name);
uint64_t site_number(const struct site *site,
                     const struct postconf_service *service, const char *name);
bool site_has_option(const struct postconf_service *service, const char *name);
bool site_is_chrooted(const struct postconf_service *service);
/* The number of processes of a service: 0 is no limit. */
uint64_t site_limit(const struct site *site,
                    const struct postconf_service *service);

/* The listener to which the service's smtpd_proxy_filter leads; NULL: none. */
const struct conf_listener *
site_listener(const struct site *site, const struct postconf_service *service);
/* The first listener for a role, or the first that smtp(8) can reach, which
 * speaks to no unix socket. NULL: there is none. */
const struct conf_listener *site_listener_for(const struct site *site,
                                              enum front_role role);
const struct conf_listener *site_smtp_listener_for(const struct site *site,
                                                   enum front_role role);

/* The service that listens on an address of ours, under whatever spelling
 * (localhost, no host at all). NULL: none. */
struct postconf_service *site_service_at(const struct postconf *postconf,
                                         const struct conf_address *address);
/* Is it at a port of strangers or users: 25, 587, 465, after postscreen? */
bool site_is_front_port(const struct postconf_service *service);
bool site_is_loopback(struct slice host);

/* How smtpd is told to connect there: "127.0.0.1:10025", "unix:path", the path
 * relative to queue_directory where it is within. */
struct slice site_destination(const struct site *site,
                              const struct conf_address *address);
/* The same for smtp(8), which would look for MX records without brackets. */
struct slice site_nexthop(const struct site *site,
                          const struct conf_address *address);
/* "socketmap:inet:127.0.0.1:10028:recipient"; ptr NULL: no socketmap. */
struct slice site_map(const struct site *site, const char *name);
/* Is there a table in the list whose entries we do not see? */
bool site_has_table(struct slice list);
/* Does a text hold a word, in any case? */
bool site_mentions(struct slice text, struct slice word);

#endif
