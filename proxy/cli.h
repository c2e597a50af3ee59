/*
 * What all commands share: options that stand before the command, exit codes
 * (sysexits.h), errors, and loading the configuration.
 */
#ifndef ONWARD_CLI_H
#define ONWARD_CLI_H

#include "conf.h"

#include <stdio.h>

enum {
    CLI_OK = 0,
    CLI_NO = 1, /* the answer is no */
    CLI_USAGE = 64,
    CLI_BAD_DATA = 65, /* input data */
    CLI_UNREACHABLE = 69,
    CLI_TRY_AGAIN = 75,
    CLI_BAD_CONF = 78,
};

struct cli {
    const char *conf_path; /* -c, or /etc/onward/onward.conf */
};

/*
 * A command gets its own name as argv[0] ("dkim check" for a subcommand, so
 * that one function can serve a group) and what stands behind it; it parses
 * its options with getopt_long (reset before). --help is handled by the
 * caller.
 */
struct command {
    const char *name;      /* "dkim check"; two words are a subcommand */
    const char *arguments; /* "[DOMAIN|--all]" */
    const char *summary;   /* one line */
    const char *options;   /* lines for --help; NULL: none */
    int (*run)(const struct cli *cli, int argc, char **argv);
};
extern const struct command commands[]; /* ends with name NULL */

/* "onward: TEXT" on standard error. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints the usage line of the command and returns CLI_USAGE. */
int cli_usage(const char *name);

/*
 * Load the configuration as `serve` would, asking postconf where the
 * configuration wants it. NULL: all errors were printed on standard error;
 * return CLI_BAD_CONF. Warnings are not printed.
 */
struct conf *cli_load(const struct cli *cli);

/* The same with all inputs worked out by the caller's needs: used by serve at
 * reload (before) and by check (errors and warnings in bufs). */
struct conf *cli_load_with(const struct cli *cli, struct conf *before,
                           struct buf *errors, struct buf *warnings);

/* Octets as they are; on a terminal control and format characters are escaped,
 * but for the ends of lines and tabs: others wrote what is printed. */
void cli_print(FILE *file, struct slice text);

/* cli_print to standard output. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* cli_print for a part of a line, where an end of line is escaped as well. */
void cli_print_word(FILE *file, struct slice word);

/* What cli_print shows on a terminal, or the same for JSON text. */
void cli_show(struct buf *out, enum log_escape how, struct slice text);

/*
 * Before postconf is asked about a configuration directory: waits until its
 * main.cf is two seconds old. postconf itself waits for that, but Postfix 3.8
 * to 3.12 then read the file again and take $config_directory in it for the
 * default one.
 */
void cli_settle_main_cf(const char *directory);

/* The whole of a regular file of at most 64 MiB, or as much of standard input
 * for "-". False: an error was printed. */
bool cli_read(const char *path, struct buf *out);

/* The same with a size of the caller's, in MiB: messages and sources of maps
 * may have more. */
enum {
    CLI_LARGE_MIB = 1024
};
bool cli_read_most(const char *path, unsigned mebibytes, struct buf *out);

/* Run a program and take its standard output; stderr passes. Returns its exit
 * status, -1 if it could not be run. argv ends with NULL. */
int cli_run(const char *const *argv, struct buf *out);

/* The same with a deadline of its own (cli_run has two minutes; what runs
 * longer is killed). */
enum cli_run_errors {
    CLI_RUN_SPEAK, /* its standard error passes, trouble is printed */
    CLI_RUN_QUIET, /* neither: it may be absent */
};
int cli_run_within(const char *const *argv, int limit_ms,
                   enum cli_run_errors errors, struct buf *out);

/* Its standard output goes to a file of ours; no deadline. -1 without a word
 * where there is no such program. */
int cli_run_into(const char *const *argv, int fd);

/* A blocking look-up for commands: socketmaps are asked over a socket with
 * the 2 s deadline. Fits relay_explain's `ask`. */
struct table_answer cli_ask(void *ctx, const struct table_query *query,
                            struct arena *arena);

#endif
