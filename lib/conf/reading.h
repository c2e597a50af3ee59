/*
 * One reading of a configuration: the tree, looked at through the table of
 * settings. conf_reading_check reports everything about names, types and
 * ranges; after that conf_get gives every setting a proper value, the default
 * in place of what was wrong, so that the other checks can go on.
 */
#ifndef ONWARD_CONF_READING_H
#define ONWARD_CONF_READING_H

#include "schema.h"
#include "tree.h"

struct conf_reading {
    const struct conf_inputs *inputs;
    struct arena *arena; /* that of the configuration to be */
    const struct conf_node *root;
    struct problems *errors;
    struct problems *warnings;
    bool postfix_known;
    struct slice postfix[CONF_POSTFIX_NAMES];
};

enum conf_origin {
    FROM_DEFAULT,
    FROM_POSTFIX,
    FROM_FILE
};

struct conf_got {
    enum conf_origin origin;
    const struct conf_node *node; /* NULL: not written */
    uint64_t number; /* counts; milliseconds; octets; index of a choice */
    bool truth;
    struct slice text; /* strings, and what was written of the others */
};

void conf_reading_postfix(struct conf_reading *r, struct slice output);
void conf_reading_check(struct conf_reading *r);

/* A setting by its name in the table; those of lists ("listeners[].name") in
 * `group`, the others with group NULL. */
struct conf_got conf_get(const struct conf_reading *r,
                         const struct conf_node *group, const char *name);

/* The node of a setting, NULL if it is not written. */
const struct conf_node *conf_written(const struct conf_reading *r,
                                     const char *name);

/* Is a setting of the group missing, and not only misspelt (that was reported
 * as such)? name as in the table. */
bool conf_is_missing(const struct conf_node *group, const char *name);

/* The string of an element of a list, once conf_reading_check has seen it;
 * false if it is none. */
bool conf_element(const struct conf_node *element, struct slice *text);

/* An error at a node; member: a setting in it that is missing, or NULL. */
void conf_error(const struct conf_reading *r, const struct conf_node *node,
                const char *member, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* An error or warning about a setting by name, where it is written, else at
 * its group. */
void conf_error_setting(const struct conf_reading *r, const char *name,
                        const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void conf_warn_setting(const struct conf_reading *r, const char *name,
                       const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* problem_quote in the arena of the reading. */
const char *conf_quote(const struct conf_reading *r, struct slice text);

#endif
