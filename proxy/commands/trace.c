/* `trace`: the log lines of one message, from a mail log or the journal. */
#include "commands.h"

#include "status.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READINGS_MAX = 10
};

static bool
pair(struct trace *trace, struct slice line)
{
    trace_pair(trace, line);
    return false;
}

static bool
collect(struct trace *trace, struct slice line)
{
    trace_collect(trace, line);
    return false;
}

/* True: something was new. */
static bool
read_file(FILE *file, struct trace *trace,
          bool (*visit)(struct trace *, struct slice))
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    bool learnt = false;

    rewind(file);
    trace_start(trace);
    while ((len = getline(&line, &room, file)) > 0) {
        if (line[len - 1] == '\n')
            len--;
        learnt = visit(trace, (struct slice){ line, (size_t)len }) || learnt;
    }
    free(line);
    return learnt;
}

/* How many stories there are in it. */
static size_t
tell(const char *what, FILE *file)
{
    struct trace *trace = trace_new(slice_from(what));
    struct buf out = { 0 };
    bool cut = false;
    size_t count;

    read_file(file, trace, pair);
    for (int i = 0; i < READINGS_MAX && read_file(file, trace, trace_learn);
         i++)
        continue;
    read_file(file, trace, collect);
    count = trace_print(trace, &out, &cut);
    cli_print(stdout, buf_slice(&out));
    if (cut)
        cli_error("there is more than is shown");
    buf_free(&out);
    trace_free(trace);
    return count;
}

/* ---- where the log is --------------------------------------------------- */

/* A file that can be rewound, of what cannot. */
static FILE *
keep(int from)
{
    FILE *file = tmpfile();
    char octets[65536];
    ssize_t count = 0;

    while (file != NULL && (count = read(from, octets, sizeof(octets))) != 0) {
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 ||
            fwrite(octets, 1, (size_t)count, file) != (size_t)count)
            break;
    }
    if (file != NULL && (count != 0 || fflush(file) != 0)) {
        fclose(file);
        file = NULL;
    }
    return file;
}

/* The journal in the format of mail.log. It may be larger than memory. */
static FILE *
read_journal(void)
{
    static const char *const argv[] = { "journalctl", "--no-pager",      "-o",
                                        "short-iso",  "--facility=mail", NULL };
    FILE *file = tmpfile();

    if (file != NULL && cli_run_into(argv, fileno(file)) != 0) {
        fclose(file);
        file = NULL;
    }
    return file;
}

/* The places where a log is by itself, until one of them tells something: an
 * old file may be left where now only the journal is written. */
static int
look_around(const char *what)
{
    static const char *const paths[] = { "/var/log/mail.log",
                                         "/var/log/maillog", NULL };
    size_t count = 0, read = 0;

    for (size_t i = 0; count == 0 && i < sizeof(paths) / sizeof(paths[0]);
         i++) {
        FILE *file = paths[i] != NULL ? fopen(paths[i], "re") : read_journal();
        if (file == NULL)
            continue;
        read++;
        count = tell(what, file);
        fclose(file);
    }
    if (read == 0) {
        cli_error("neither /var/log/mail.log nor the journal can be read: be "
                  "root or in the group adm, or name it: --file LOG");
        return CLI_UNREACHABLE;
    }
    if (count == 0)
        cli_error("neither mail.log nor the journal says anything of %s; "
                  "another log: --file LOG",
                  what);
    return count == 0 ? CLI_NO : CLI_OK;
}

static int
look_in(const char *path, const char *what)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? keep(STDIN_FILENO) : fopen(path, "re");
    struct stat st;
    size_t count;

    if (file != NULL && fstat(fileno(file), &st) == 0 &&
        !S_ISREG(st.st_mode)) { /* a pipe: <(zcat mail.log.2.gz) */
        FILE *pipe = file;
        file = keep(fileno(pipe));
        fclose(pipe);
    }
    if (file == NULL) {
        cli_error("%s: %s", standard ? "standard input" : path,
                  strerror(errno));
        return CLI_UNREACHABLE;
    }
    count = tell(what, file);
    fclose(file);
    if (count == 0)
        cli_error("%s says nothing of %s", standard ? "standard input" : path,
                  what);
    return count == 0 ? CLI_NO : CLI_OK;
}

int
command_trace(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "file", required_argument, NULL, 'f' },
        { NULL, 0, NULL, 0 },
    };
    const char *path = NULL;
    int letter;

    (void)cli;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter != 'f')
            return CLI_USAGE;
        path = optarg;
    }
    if (argc - optind != 1 || argv[optind][0] == '\0')
        return cli_usage(argv[0]);
    return path != NULL ? look_in(path, argv[optind])
                        : look_around(argv[optind]);
}
