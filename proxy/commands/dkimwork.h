/* What the dkim commands share. */
#ifndef ONWARD_DKIMWORK_H
#define ONWARD_DKIMWORK_H

#include "cli.h"

int dkim_keygen(const struct cli *cli, int argc, char **argv);
int dkim_activate(const struct cli *cli, int argc, char **argv);
int dkim_retire(const struct cli *cli, int argc, char **argv);
int dkim_check(const struct cli *cli, int argc, char **argv);
int dkim_sign_file(const struct cli *cli, int argc, char **argv);

/* The configuration with its keys, after the arguments were found good. NULL:
 * it was told why; return CLI_BAD_CONF. */
struct conf *dkim_load(const struct cli *cli);

/*
 * DOMAIN or --all, as the options of a command left them: the domain in
 * lower-case A-labels in the arena, empty for all. False: it was told what is
 * wrong; return CLI_USAGE.
 */
bool dkim_domain_argument(const char *command, bool all, int argc, char **argv,
                          struct arena *arena, struct slice *domain);

/* To standard output. */
void dkim_print(struct slice octets);

/* Is it a key of this domain (empty: of any)? */
bool dkim_is_of(const struct dkim_key *key, struct slice domain);

/*
 * Compare the published records with keys. `text` says what is wrong, or a
 * note; it lives in the arena.
 */
enum dkim_published {
    DKIM_PUBLISHED,
    DKIM_MISSING,
    DKIM_DIFFERS,
    DKIM_UNKNOWN, /* DNS did not answer */
};
struct dkim_verdict {
    const struct dkim_key *key; /* in */
    enum dkim_published published;
    const char *text; /* NULL: nothing to say */
};
void dkim_ask_dns(const struct conf *conf, struct dkim_verdict *verdicts,
                  size_t count, struct arena *arena);

#endif
