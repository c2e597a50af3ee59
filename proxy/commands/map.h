/* What the subcommands of `map` share. */
#ifndef ONWARD_COMMANDS_MAP_H
#define ONWARD_COMMANDS_MAP_H

#include "cli.h"

/* Open a table that the command line names, with any keys and values. NULL:
 * the errors were printed and *status is the exit code. */
struct table *map_open(const char *spec, int *status);

/* table_each, waiting while postmap writes. The exit code. */
int map_each(const struct table *table,
             bool (*visit)(void *ctx, struct slice key, struct slice value,
                           unsigned line),
             void *ctx);

int map_build(int argc, char **argv);
int map_diff(int argc, char **argv);

#endif
