/*
 * From what was read to struct conf, one function a group. Each reports its
 * errors in the reading and leaves what it could not fill empty; the result
 * is used only when there were none.
 */
#ifndef ONWARD_CONF_BUILD_H
#define ONWARD_CONF_BUILD_H

#include "reading.h"
#include "value.h"

void conf_build_network(const struct conf_reading *r, struct conf *conf);
void conf_build_forward(const struct conf_reading *r, struct conf *conf);
void conf_build_srs(const struct conf_reading *r, struct conf *conf);
void conf_build_dkim(const struct conf_reading *r, struct conf *conf);
void conf_build_rest(const struct conf_reading *r, struct conf *conf);

/* A list of names and tables (and, for pairs, of { from, to }). */
void conf_build_domains(const struct conf_reading *r, const char *name,
                        enum table_use use, const struct domain_list *before,
                        struct domain_list *list);

/* What is wrong between settings that are right by themselves. */
void conf_check(const struct conf_reading *r, const struct conf *conf);

/* A directory that is there; reported as an error where it was written, as a
 * warning where it is a default. True: it is there. */
bool conf_check_directory(const struct conf_reading *r, const char *name);

/* For qsort and bsearch of slices: without regard to case. */
int conf_compare_names(const void *left, const void *right);

/* Fill forward.every_domain, after srs.every. It owes nothing to the tables. */
void conf_list_alias_domains(struct conf *conf, struct arena *arena);

/* Fill srs.every; bad (or NULL) hears of values of tables that are none. */
void conf_list_srs_domains(struct conf *conf, struct arena *arena,
                           void (*bad)(void *ctx, struct slice key,
                                       struct slice value, unsigned line),
                           void *ctx);

/* The same for a snapshot whose tables were opened anew from those of conf;
 * it owes nothing to conf's memory. */
void conf_keep_srs_domains(struct conf *fresh, const struct conf *conf);

/* Fill conf->family, which owes nothing to the tables it was made from. */
void conf_build_family(struct conf *conf, struct arena *arena);

/* Where an SRS domain shares its registrable domain with authors of ours. */
void conf_warn_family(const struct conf_reading *r, const struct conf *conf);

/* "limits.sessions = 1000" for all settings. */
void conf_build_values(const struct conf_reading *r, struct conf *conf);

/* ( "a", "b" ) */
void conf_print_names(struct buf *out, const struct slice *names, size_t count);

/* Domains of Postfix' lists, in the order they stand; their number. */
size_t conf_postfix_domains(const struct conf_reading *r, struct arena *arena,
                            struct slice **names);

/* An address of a setting; false: reported. */
bool conf_build_address(const struct conf_reading *r,
                        const struct conf_node *group, const char *name,
                        struct conf_address *address);

/* A domain in A-labels; NULL or a sentence about it. */
const char *conf_domain(const struct conf_reading *r, struct slice text,
                        struct slice *ascii);

#endif
