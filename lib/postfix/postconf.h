/*
 * A Postfix configuration as postconf(1) prints it, and the postconf commands
 * that make one configuration out of another.
 *
 * main.cf is a list of parameters, master.cf a list of services with options.
 * Both are plain values in an arena: a copy can be changed, and
 * postconf_commands says how to get there.
 */
#ifndef ONWARD_POSTFIX_POSTCONF_H
#define ONWARD_POSTFIX_POSTCONF_H

#include "base.h"

struct postconf_pair {
    struct slice name, value;
};
struct postconf_list {
    struct postconf_pair *pairs;
    size_t count, room;
};

struct postconf_service {
    struct slice id; /* "smtp/inet" */
    struct slice name, type;
    struct slice is_private, unprivileged, chroot, wakeup, limit;
    struct slice command;         /* "smtpd" */
    struct postconf_list options; /* -o, as written */
    struct slice arguments;       /* all others */
};

/* What the postconf commands print. */
struct postconf_texts {
    struct slice services; /* -M */
    struct slice options;  /* -P -x: "smtp/inet/NAME = VALUE" */
    struct slice set;      /* -n: what stands in main.cf, as written */
    struct slice values;   /* -x: every parameter, expanded */
    struct slice defaults; /* -d */
    /* What postmap -q said to postfix_questions: "yes TAB TABLE TAB KEY" or
     * "no TAB ..." on a line; questions without an answer are absent. */
    struct slice answers;
};

struct postconf {
    struct arena *arena;
    struct postconf_service *services;
    size_t service_count, service_room;
    struct postconf_list set;
    struct postconf_list options, values, defaults;
    struct slice answers;
    /* Parameters that were changed in this copy, and what holds for them
     * instead of `values`. */
    struct postconf_list changed;
};

/* False: a line of the services is none; *bad is that line. */
bool postconf_parse(const struct postconf_texts *texts, struct arena *arena,
                    struct postconf *parsed, struct slice *bad);

/* One line of master.cf, as -M takes it. */
bool postconf_parse_service(struct slice line, struct arena *arena,
                            struct postconf_service *service);
void postconf_print_service(const struct postconf_service *service,
                            struct buf *out);

/* One that can be changed without changing the other. */
struct postconf postconf_copy(const struct postconf *from);

/* ---- looking ---- */

const struct postconf_pair *postconf_find(const struct postconf_list *list,
                                          struct slice name);
struct postconf_service *postconf_service(const struct postconf *postconf,
                                          struct slice id);
/* What main.cf means, expanded; of a changed one as far as is known. */
struct slice postconf_value(const struct postconf *postconf, const char *name);
/* What a service takes: its own option, or what main.cf says. */
struct slice postconf_of(const struct postconf *postconf,
                         const struct postconf_service *service,
                         const char *name);
/* Does this Postfix have the parameter at all? */
bool postconf_knows(const struct postconf *postconf, const char *name);
/* "smtp_x = yes", "5s": the simple types of main.cf. */
bool postconf_is_yes(struct slice value);
bool postconf_seconds(struct slice value, char unit, uint64_t *seconds);

/* Elements of a list: separated by commas and blanks, {} hold together. */
bool postconf_next(struct slice *list, struct slice *element);
/* Is a literal name among the elements? Case does not matter. */
bool postconf_lists(struct slice list, struct slice name);

/* ---- changing ---- */

void postconf_put(struct postconf_list *list, struct arena *arena,
                  struct slice name, struct slice value);
void postconf_drop(struct postconf_list *list, struct slice name);
/* Parameters of main.cf; the drop form makes it the default again, which is
 * `in_force`. */
void postconf_put_main(struct postconf *postconf, struct slice name,
                       struct slice value);
void postconf_drop_main(struct postconf *postconf, struct slice name,
                        struct slice in_force);
void postconf_put_service(struct postconf *postconf,
                          const struct postconf_service *service);
void postconf_drop_service(struct postconf *postconf, struct slice id);

/* ---- commands ---- */

enum postconf_verb {
    POSTCONF_MAIN,         /* -e NAME = VALUE */
    POSTCONF_MAIN_DROP,    /* -X NAME */
    POSTCONF_OPTION,       /* -P SERVICE/TYPE/NAME=VALUE */
    POSTCONF_OPTION_DROP,  /* -PX */
    POSTCONF_LIMIT,        /* -F SERVICE/TYPE/process_limit=N */
    POSTCONF_SERVICE,      /* -M SERVICE/TYPE=LINE */
    POSTCONF_SERVICE_DROP, /* -MX */
};

struct postconf_command {
    enum postconf_verb verb;
    struct slice target; /* "relay_domains", "smtp/inet/NAME", "smtp/inet" */
    struct slice value;
    bool had;             /* it was there before, */
    struct slice earlier; /* with this value */
};
struct postconf_commands {
    struct postconf_command *commands;
    size_t count, room;
};

/* How to make `to` of `from`; new services first, dropped ones last. */
void postconf_commands(const struct postconf *from, const struct postconf *to,
                       struct arena *arena, struct postconf_commands *commands);

/* The flag and the argument: "-P", "smtp/inet/NAME=VALUE". */
const char *postconf_flag(enum postconf_verb verb);
void postconf_argument(const struct postconf_command *command,
                       struct buf *argument);
/* As for a shell: "postconf -c DIR -e 'NAME = VALUE'"; directory empty: none.
 */
void postconf_print(const struct postconf_command *command,
                    struct slice directory, struct buf *out);
/* In single quotes where a shell needs them. */
void postconf_quote(struct slice word, struct buf *out);

#endif
