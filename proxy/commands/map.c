/* Tables on the command line: look-ups, contents, what is new. They need no
 * configuration. Building one is mapbuild.c, comparing two mapdiff.c. */
#include "map.h"

#include "commands.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    BUSY_TRIES = 1000, /* of 2 ms */
    BUSY_NS = 2000000
};

struct table *
map_open(const char *spec, int *status)
{
    struct buf errors = { 0 };

    if (!table_spec_is(slice_from(spec))) {
        cli_error("%s: a table is TYPE:PATH, such as cdb:/var/lib/onward/"
                  "aliases",
                  spec);
        *status = CLI_USAGE;
        return NULL;
    }
    struct table *table = table_open(slice_from(spec), TABLE_PAIRS, NULL,
                                     (int64_t)time(NULL), &errors);
    if (table == NULL) {
        cli_print(stderr, buf_slice(&errors));
        *status = CLI_BAD_DATA;
    }
    buf_free(&errors);
    return table;
}

static void
nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = BUSY_NS }, NULL);
}

static int
trouble(const struct table *table, enum table_status status)
{
    if (status == TABLE_BUSY) {
        cli_error("%s: somebody writes into it; try again", table->spec.ptr);
        return CLI_TRY_AGAIN;
    }
    cli_error("%s: the file is damaged or cannot be read", table->spec.ptr);
    return CLI_BAD_DATA;
}

int
map_each(const struct table *table,
         bool (*visit)(void *ctx, struct slice key, struct slice value,
                       unsigned line),
         void *ctx)
{
    enum table_status status = table_each(table, visit, ctx);

    for (int i = 0; status == TABLE_BUSY && i < BUSY_TRIES; i++) {
        nap();
        status = table_each(table, visit, ctx);
    }
    return status == TABLE_FOUND ? CLI_OK : trouble(table, status);
}

/* ---- query ------------------------------------------------------------- */

static int
ask_socketmap(const struct table *table, struct slice key, struct buf *value)
{
    struct table_query query = { .table = table, .key = key };
    struct arena arena = { 0 };
    struct table_answer answer = cli_ask(NULL, &query, &arena);
    int status = CLI_OK;

    if (answer.status == TABLE_FOUND) {
        buf_clear(value);
        buf_append(value, answer.value);
    } else if (answer.status == TABLE_MISS) {
        status = CLI_NO;
    } else if (answer.value.len != 0) {
        cli_error("%s: %.*s", table->spec.ptr, SLICE_ARG(answer.value));
        status = CLI_TRY_AGAIN;
    } else {
        cli_error("%s: no answer", table->spec.ptr);
        status = CLI_UNREACHABLE;
    }
    arena_free(&arena);
    return status;
}

/* CLI_OK with the value, CLI_NO, or trouble that was told. */
static int
look_up(const struct table *table, struct slice key, struct buf *value)
{
    unsigned line;
    enum table_status status = table_get(table, key, value, &line);

    for (int i = 0; status == TABLE_BUSY && i < BUSY_TRIES; i++) {
        nap();
        status = table_get(table, key, value, &line);
    }
    switch (status) {
    case TABLE_FOUND:
        return CLI_OK;
    case TABLE_MISS:
        return CLI_NO;
    case TABLE_ASK:
        return ask_socketmap(table, key, value);
    case TABLE_BUSY:
    case TABLE_ERROR:
        break;
    }
    return trouble(table, status);
}

/* Keys are stored in lower case, so they are looked for in lower case. */
static int
look_up_folded(const struct table *table, struct slice key, struct buf *folded,
               struct buf *value)
{
    buf_clear(folded);
    for (size_t i = 0; i < key.len; i++)
        buf_putc(folded, ascii_lower(key.ptr[i]));
    return look_up(table, buf_slice(folded), value);
}

static void
print_entry(struct slice key, struct slice value)
{
    cli_print_word(stdout, key);
    putchar('\t');
    cli_print_word(stdout, value);
    putchar('\n');
}

/* Keys from standard input, as `postmap -q -` reads them: one a line. */
static int
query_input(const struct table *table, struct buf *folded, struct buf *value)
{
    char *line = NULL;
    size_t room = 0;
    int result = CLI_NO;
    ssize_t n;

    while ((n = getline(&line, &room, stdin)) >= 0) {
        struct slice key = { line, (size_t)n };
        if (key.len != 0 && key.ptr[key.len - 1] == '\n')
            key.len--;
        if (key.len == 0)
            continue;
        int status = look_up_folded(table, key, folded, value);
        if (status == CLI_OK) {
            print_entry(key, buf_slice(value));
            result = CLI_OK;
        } else if (status != CLI_NO) {
            result = status;
            break;
        }
    }
    free(line);
    return result;
}

static int
query(int argc, char **argv)
{
    struct buf folded = { 0 }, value = { 0 };
    int status = CLI_OK;

    if (argc != 3)
        return cli_usage(argv[0]);
    struct table *table = map_open(argv[1], &status);
    if (table == NULL)
        return status;
    if (strcmp(argv[2], "-") == 0) {
        status = query_input(table, &folded, &value);
    } else {
        status = look_up_folded(table, slice_from(argv[2]), &folded, &value);
        if (status == CLI_OK) {
            cli_print_word(stdout, buf_slice(&value));
            putchar('\n');
        }
    }
    table_unref(table);
    buf_free(&folded);
    buf_free(&value);
    return status;
}

/* ---- dump, stat -------------------------------------------------------- */

static bool
on_entry(void *ctx, struct slice key, struct slice value, unsigned line)
{
    (void)ctx;
    (void)line;
    print_entry(key, value);
    return true;
}

/* A table that can be walked. */
static struct table *
open_file(const char *spec, int *status)
{
    struct table *table = map_open(spec, status);

    if (table == NULL || table->kind != TABLE_SOCKETMAP)
        return table;
    cli_error("%s: a socketmap tells only what it is asked", spec);
    *status = CLI_USAGE;
    table_unref(table);
    return NULL;
}

static int
dump(int argc, char **argv)
{
    int status = CLI_OK;

    if (argc != 2)
        return cli_usage(argv[0]);
    struct table *table = open_file(argv[1], &status);
    if (table == NULL)
        return status;
    status = map_each(table, on_entry, NULL);
    table_unref(table);
    return status;
}

static int
print_stat(int argc, char **argv)
{
    char modified[32];
    struct tm tm;
    int status = CLI_OK;

    if (argc != 2)
        return cli_usage(argv[0]);
    struct table *table = open_file(argv[1], &status);
    if (table == NULL)
        return status;
    time_t seconds = (time_t)(table->stat.mtime_ns / 1000000000);
    gmtime_r(&seconds, &tm);
    strftime(modified, sizeof(modified), "%Y-%m-%dT%H:%M:%SZ", &tm);
    printf("table     %s\nfile      %s\nkeys      %llu\nsize      %lld\n"
           "modified  %s\n",
           table->spec.ptr, table->path.ptr,
           (unsigned long long)table_count(table), (long long)table->stat.size,
           modified);
    table_unref(table);
    return CLI_OK;
}

/* Where there are no options, "--" still ends them. */
static bool
skip_options(int *argc, char ***argv)
{
    static const struct option none[] = { { NULL, 0, NULL, 0 } };
    char *name = (*argv)[0];

    if (getopt_long(*argc, *argv, "", none, NULL) != -1)
        return false; /* getopt_long has said why */
    *argc -= optind - 1;
    *argv += optind - 1;
    (*argv)[0] = name;
    return true;
}

int
command_map(const struct cli *cli, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } subcommands[] = {
        { "map query", query },
        { "map dump", dump },
        { "map stat", print_stat },
        { "map diff", map_diff },
    };

    (void)cli;
    if (strcmp(argv[0], "map build") == 0)
        return map_build(argc, argv);
    if (!skip_options(&argc, &argv))
        return CLI_USAGE;
    for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
        if (strcmp(argv[0], subcommands[i].name) == 0)
            return subcommands[i].run(argc, argv);
    return cli_usage(argv[0]);
}
