/* `trace`: the log lines of one message, from a mail log or the journal. */
#include "commands.h"

#include "trace.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READINGS_MAX = 10
};

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
    while ((len = getline(&line, &room, file)) > 0) {
        if (line[len - 1] == '\n')
            len--;
        learnt = visit(trace, (struct slice){ line, (size_t)len }) || learnt;
    }
    free(line);
    return learnt;
}

static int
tell(struct trace *trace, FILE *file)
{
    struct buf out = { 0 };
    bool cut = false;
    size_t count;

    for (int i = 0; i < READINGS_MAX && read_file(file, trace, trace_learn);
         i++)
        continue;
    read_file(file, trace, collect);
    count = trace_print(trace, &out, &cut);
    fwrite(out.ptr, 1, out.len, stdout);
    if (cut)
        cli_error("there is more than is shown");
    if (count == 0)
        cli_error("the log says nothing of it");
    buf_free(&out);
    return count == 0 ? CLI_NO : CLI_OK;
}

/* The journal in the format of mail.log, as a file that can be rewound. */
static FILE *
read_journal(void)
{
    static const char *const argv[] = { "journalctl", "--quiet",
                                        "--no-pager", "-o",
                                        "short-iso",  "--facility=mail",
                                        NULL };
    struct buf text = { 0 };
    FILE *file = NULL;

    if (cli_run(argv, &text) == 0 && (file = tmpfile()) != NULL)
        fwrite(text.ptr, 1, text.len, file);
    buf_free(&text);
    return file;
}

int
command_trace(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "file", required_argument, NULL, 'f' },
        { NULL, 0, NULL, 0 },
    };
    const char *path = NULL;
    FILE *file;
    int letter, status;

    (void)cli;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter != 'f')
            return CLI_USAGE;
        path = optarg;
    }
    if (argc - optind != 1 || argv[optind][0] == '\0')
        return cli_usage(argv[0]);
    file = fopen(path != NULL ? path : "/var/log/mail.log", "re");
    if (file == NULL && path != NULL) {
        cli_error("%s: %s", path, strerror(errno));
        return CLI_UNREACHABLE;
    }
    if (file == NULL)
        file = read_journal();
    if (file == NULL) {
        cli_error("there is no /var/log/mail.log, and no journal: --file FILE");
        return CLI_UNREACHABLE;
    }
    struct trace *trace = trace_new(slice_from(argv[optind]));
    status = tell(trace, file);
    trace_free(trace);
    fclose(file);
    return status;
}
