/* A Postfix and a configuration for the tests of plan and misfits. */
#ifndef ADMIN_POSTFIX_H
#define ADMIN_POSTFIX_H

#include "conf.h"
#include "postconf.h"

/* Debian's services and values; `set` and `services` are put behind. The
 * texts live in the arena. */
struct postconf_texts admin_postfix(struct arena *arena, const char *services,
                                    const char *set);

/* The configuration after these commands, as postconf would print it. */
struct postconf_texts admin_run(const struct postconf_texts *before,
                                const struct postconf_commands *list,
                                struct arena *arena);

/* mx at 127.0.0.1:10025, submission at :10027, upstream :10026, socketmap
 * :10028, srs.example.org. */
struct conf admin_conf(struct arena *arena);

#endif
