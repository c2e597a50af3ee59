/* A Postfix and a configuration for the tests of plan and findings. */
#ifndef POSTFIX_SITE_H
#define POSTFIX_SITE_H

#include "conf.h"
#include "postfix.h"

/* Debian's services and values; `set` and `services` are put behind. The
 * texts live in the arena. */
struct postconf_texts postfix_site_texts(struct arena *arena,
                                         const char *services, const char *set);

/* The configuration after these commands, as postconf would print it. */
struct postconf_texts postfix_site_run(const struct postconf_texts *before,
                                       const struct postconf_commands *list,
                                       struct arena *arena);

/* mx at 127.0.0.1:10025, submission at :10027, upstream :10026, socketmap
 * :10028, srs.example.org. */
struct conf postfix_site_conf(struct arena *arena);

#endif
