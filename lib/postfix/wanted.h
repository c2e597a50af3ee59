/*
 * What we want of a Postfix: one table of rows (wanted.c). `setup` applies
 * them (apply.c), `check --postfix` reports those that do not hold
 * (findings.c), and the examples are what `setup` prints. A new finding is a
 * new row.
 */
#ifndef ONWARD_POSTFIX_WANTED_H
#define ONWARD_POSTFIX_WANTED_H

#include "findings.h"
#include "site.h"

/* Where a row is looked at: each of these is a place. */
enum scope {
    SCOPE_LISTENER,  /* each listener of ours */
    SCOPE_FRONT,     /* each smtpd in front of us, or that should be */
    SCOPE_MAIN,      /* main.cf */
    SCOPE_PICKUP,    /* pickup(8): mail by sendmail(1) */
    SCOPE_BACK,      /* the smtpd that takes mail back from us */
    SCOPE_CLEANUP,   /* cleanup(8) after it */
    SCOPE_TRANSPORT, /* smtp(8) to us */
    SCOPE_SMTP,      /* main.cf for smtp(8), and each smtp(8) that differs */
};
/* A place, and a row that is looked at there. */
struct place {
    const struct site *site;
    const struct wanted *row;
    struct postconf_service *service;     /* NULL: main.cf */
    enum front_role role;                 /* of a front */
    const struct conf_listener *listener; /* SCOPE_LISTENER */
    struct slice value;                   /* in force there */
};

enum setup_does {
    SETUP_LEAVES, /* only `check --postfix` looks at it */
    SETUP_SETS,   /* the value is written, whatever is in force */
    SETUP_MENDS,  /* the value is written where the row does not hold */
    SETUP_NOTES,  /* the finding is a note of `setup` too */
};

enum cure {
    CURE_NONE,
    CURE_SET,   /* the wanted value, by postconf */
    CURE_DROP,  /* the parameter away, by postconf */
    CURE_SETUP, /* onward setup --apply */
};

/* A row that does not hold. */
struct judgement {
    enum finding_severity severity;
    struct slice wanted;   /* ptr NULL: nothing to be written */
    struct slice setting;  /* empty: the row's place and name */
    struct slice sentence; /* what is wrong */
    struct slice command;  /* empty: the row's cure */
    struct slice note;     /* not empty: `setup` says it too */
    struct slice refusal;  /* not empty: `setup` must not go on, and why */
    enum cure cure;
};

typedef bool wanted_condition(const struct place *p);
typedef bool wanted_judge(const struct place *p, struct judgement *j);

struct wanted {
    enum scope scope;
    const char *name;
    enum setup_does setup;
    enum finding_severity severity; /* when it does not hold */
    enum cure cure;
    /* The wanted value: a text, or worked out; ptr NULL: nothing is lacking. */
    const char *value;
    struct slice (*work_out)(const struct place *p);
    /* Is the row for this place at all? NULL: yes. */
    wanted_condition *concerns;
    /* Does a value do as well as the wanted one? NULL: nothing else does. */
    bool (*is_enough)(struct slice value);
    /* In the place of is_enough, for what needs more than the value: false
     * if the row holds; else *j, which has the row's own values, is
     * completed. */
    wanted_judge *judge;
    const char *why;      /* for `setup`; NULL: it speaks for itself */
    const char *sentence; /* when it does not hold; % is the value */
};
extern const struct wanted wanted_rows[]; /* ends with name NULL */

enum {
    PLACES_MAX = 256
};
/* The places of a row, with the values in force. */
size_t wanted_places(const struct site *site, const struct wanted *row,
                     struct place places[PLACES_MAX]);
/* Has this Postfix the parameter, and is the row for this place? */
bool wanted_concerns(const struct place *p);
struct slice wanted_value(const struct place *p);
/* True: the row does not hold there. */
bool wanted_differs(const struct place *p, struct judgement *j);
/* "smtp/inet/smtpd_proxy_filter", "relay_domains" */
struct slice wanted_setting(const struct place *p);
/* The command that mends it, with -c DIRECTORY unless that is empty; empty:
 * there is none. */
struct slice wanted_command(const struct place *p, const struct judgement *j,
                            struct slice directory);

/* ---- what rows are made of --------------------------------------------- */

/* judge_fronts.c */
wanted_condition front_is_mx, front_is_submission, front_leads_to_us;
struct slice front_filter(const struct place *p);
struct slice front_timeout(const struct place *p);
struct slice front_recipients(const struct place *p);
wanted_judge front_verifies_recipients, front_refuses_ours,
    own_hosts_are_strangers, back_is_a_front, pickup_comes_from_elsewhere;
wanted_judge listener_collides, map_collides, listener_has_no_sender,
    front_filter_is_wrong, front_timeout_is_short, front_socket_is_outside,
    front_map_is_outside, front_knows_no_aliases, front_is_hasty,
    front_has_milters, front_content_filter_is_lost, front_cleanup_is_lost,
    rules_are_unknown;
/* judge_back.c */
struct slice back_log_name(const struct place *p);
struct slice back_overrides(const struct place *p);
struct slice back_content_filter(const struct place *p);
struct slice back_message_size(const struct place *p);
struct slice back_cleanup(const struct place *p);
struct slice back_process_limit(const struct place *p);
wanted_judge back_is_missing, back_is_exposed, back_loops, back_gives_up,
    back_judges_recipients, back_maps_addresses, back_runs_milters,
    back_has_no_room, back_has_few_processes, fronts_exceed_sessions,
    back_scans_after_us;
/* judge_domains.c */
struct slice srs_relay_domains(const struct place *p);
struct slice srs_relay_recipients(const struct place *p);
struct slice srs_routes(const struct place *p);
struct slice pickup_filter(const struct place *p);
wanted_judge srs_domain_is_unknown, srs_addresses_are_refused,
    srs_domain_has_no_route, mail_domain_circles, alias_domain_is_unknown,
    relay_domains_are_open, local_domain_is_unknown, maps_are_postsrsd,
    milters_are_opendkim, pickup_passes_us, bare_newlines_pass;
/* judge_signed.c */
wanted_condition we_sign, cleanup_checks_content;
wanted_judge cleanup_checks, cleanup_drops_signed;

#endif
