/*
 * What rules and table values have in common: targets, replies, and the
 * address they are asked for. Only lib/table includes this.
 */
#ifndef ONWARD_TABLE_ENTRIES_H
#define ONWARD_TABLE_ENTRIES_H

#include "table.h"

enum {
    ALIAS_LOCAL_MAX = 64
}; /* RFC 5321, 4.5.3.1.1 */

/* table_get, counted. */
enum table_status table_get_metered(const struct table_meter *meter,
                                    const struct table *table, struct slice key,
                                    struct buf *value, unsigned *line);

/* ---- the address that is looked for ------------------------------------ */

struct alias_subject {
    struct slice local;       /* unquoted, as written */
    struct slice local_lower; /* the same in lower case */
    struct slice domain;      /* lower-case A-labels, or a literal */
    struct slice written;     /* domain as written, in lower case; empty where
                               * it is the same */
};

/* False: memory is gone. */
bool alias_subject_make(const struct smtp_path *address, struct arena *arena,
                        struct alias_subject *subject);

/* An ASCII lower-case copy. False: memory is gone. */
bool alias_try_lower(struct slice s, struct arena *arena, struct slice *lower);

/* What came from the sender and goes into a target may not route on its own:
 * Postfix rewrites user%domain and domain!user, and it trusts us. */
bool alias_text_is_plain(struct slice text);

/*
 * A path from what a rule or table made. HIT; BAD_CAPTURE: it is no address,
 * or its local part is too long; ERROR: memory is gone.
 */
enum alias_status alias_path_make(struct slice local, struct slice domain,
                                  struct arena *arena, struct smtp_path *path);

/* ---- values of tables -------------------------------------------------- */

struct alias_value {
    enum alias_action action;
    struct slice reply;
    struct smtp_path *targets; /* "@other" has an empty local part */
    size_t target_count;
};

/*
 * Read "a@b, c@d", "@other", "reject:550 5.1.6 text", "defer:..." or
 * "discard:". NULL: good. Else what is wrong with *culprit, as the rest of a
 * sentence ("is not an address"). Everything is in the arena or in value.
 */
const char *alias_value_parse(struct slice value, struct arena *arena,
                              struct alias_value *result,
                              struct slice *culprit);

/* table_alias_problem with the part that is wrong. */
const char *alias_entry_problem(struct slice key, struct slice value,
                                struct arena *arena, struct slice *culprit);

/* Is this the target of an alias? Same results. */
const char *alias_target_problem(struct slice text, struct arena *arena,
                                 struct smtp_path *path);

/* Does the reply fit the action? NULL: yes. */
const char *alias_reply_problem(enum alias_action action, struct slice reply);

/* ---- rules ------------------------------------------------------------- */

/* Does the rule answer for this address? HIT (targets made), NONE, ERROR or
 * BAD_CAPTURE. */
enum alias_status alias_rule_find(const struct alias_rule *rule,
                                  const struct alias_subject *subject,
                                  struct arena *arena, struct alias_hit *hit);

/*
 * Addresses from which a cycle through this rule can be looked for: one that
 * it matches (each `*` taken as "x"), or an empty path for a regex; and its
 * targets without placeholders.
 */
bool alias_rule_sample(const struct alias_rule *rule, struct arena *arena,
                       struct smtp_path *sample);
size_t alias_rule_target_count(const struct alias_rule *rule);
bool alias_rule_target(const struct alias_rule *rule, size_t index,
                       struct arena *arena, struct smtp_path *path);
struct slice alias_rule_text(const struct alias_rule *rule);

#endif
