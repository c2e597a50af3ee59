/* The command line: options in front, the table of commands, help. */
#include "cli.h"
#include "commands.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_OPTION "  --json  print one JSON document\n"

#define SRS_OPTIONS                                                            \
    "  --domain DOMAIN     with these two no configuration is read:\n"         \
    "  --secret-file FILE  the SRS domain, and the secrets, one a line\n"      \
    "  --mac MAC           sha256 (default) or classic\n"                      \
    "  --accept-classic    verify classic addresses too\n"                     \
    "  --hash-length N     of new addresses, default 6\n"                      \
    "  --hash-minimum N    accepted, default 6, with --mac classic 4\n"        \
    "  --max-age TIME      default 21d\n"                                      \
    "ADDRESS - reads addresses from standard input, one a line.\n"

const struct command commands[] = {
    { "serve", "", "run the proxy in the foreground", NULL, command_serve },
    { "check", "[--postfix] [--dns] [--json]",
      "find every error of the configuration at once",
      JSON_OPTION "  --postfix  also where main.cf and master.cf do not fit\n"
                  "  --dns      also MX and SPF of the SRS domains, and the "
                  "records of keys\n",
      command_check },
    { "config show", "[--json]",
      "every setting in force and where it came from", JSON_OPTION,
      command_config },
    { "config defaults", "[--json|--man]", "every setting and its default",
      JSON_OPTION "  --man   print the settings of onward.conf(5), in mdoc\n",
      command_config },
    { "srs forward", "[OPTION...] ADDRESS...|-",
      "the reverse-path under which mail of a sender is forwarded", SRS_OPTIONS,
      command_srs },
    { "srs reverse", "[OPTION...] ADDRESS...|-",
      "the sender to whom an SRS address leads", SRS_OPTIONS, command_srs },
    { "srs decode", "[--json] [OPTION...] ADDRESS...|-",
      "what an SRS address says, and how long it is valid",
      JSON_OPTION SRS_OPTIONS, command_srs },
    { "dkim keygen", "[OPTION...] DOMAIN",
      "make a key pair, which does not sign yet, and print its DNS record",
      "  --selector S  default sYYYYMM (rsa), eYYYYMM (ed25519), then with b, "
      "c...\n"
      "  --type TYPE   rsa (default) or ed25519\n"
      "  --bits N      of RSA, default 2048\n",
      command_dkim },
    { "dkim dns", "[--format FORMAT] DOMAIN|--all",
      "the DNS records of the keys",
      "  --format FORMAT  bind (default), plain, nsupdate or json\n",
      command_dkim },
    { "dkim check", "[--json] [DOMAIN|--all]", "is what is published our key?",
      JSON_OPTION, command_dkim },
    { "dkim activate", "[--when-published] DOMAIN|--all",
      "let the waiting key sign, and retire the one before",
      "  --when-published  only if its record is in DNS\n", command_dkim },
    { "dkim retire", "[--after TIME] DOMAIN",
      "delete keys that were retired long ago", "  --after TIME  default 7d\n",
      command_dkim },
    { "dkim list", "[--json]", "all keys and their states", JSON_OPTION,
      command_dkim },
    { "dkim sign", "[--listener NAME] FILE|-",
      "a message as it would be sent, signed",
      "  --listener NAME  as if it came in there; default the first outbound "
      "one\n",
      command_dkim },
    { "map build", "[OPTION...] TABLE [FILE|-]",
      "build cdb:PATH or lmdb:PATH from text, strictly",
      "  --min-entries N  refuse fewer keys (1; 0 allows an empty table)\n"
      "  --max-shrink P%  refuse so much fewer keys than there are now\n"
      "  --type TYPE      aliases (the default), domains or pairs: what "
      "values are\n"
      "Without FILE the text is standard input or, at a terminal, PATH.\n",
      command_map },
    { "map query", "TABLE KEY|-", "look up a key, or those of standard input",
      NULL, command_map },
    { "map dump", "TABLE", "all keys and values", NULL, command_map },
    { "map stat", "TABLE", "how many keys, how large, how old", NULL,
      command_map },
    { "map diff", "TABLE TABLE", "what one table has that another has not",
      NULL, command_map },
    { "explain", "RCPT... [--from SENDER] [--listener NAME] [--message FILE]",
      "what would become of a recipient or a message",
      JSON_OPTION
      "  --from SENDER    reverse-path; '<>' is the null reverse-path\n"
      "  --listener NAME  as if it came in there; default the first one\n"
      "  --message FILE   say how this message would be signed\n",
      command_explain },
    { "verify", "[OPTION...] [--client-ip IP] [--message FILE|-]",
      "is a message, or a client, what it says it is: SPF, DKIM, DMARC",
      JSON_OPTION
      "  --client-ip IP   evaluate SPF for this client\n"
      "  --helo NAME      that it gave\n"
      "  --from SENDER    reverse-path; '<>', or none: that of a bounce\n"
      "  --message FILE   evaluate DKIM and DMARC of this message\n"
      "  --dns-file FILE  answers from a file instead of DNS\n"
      "  --time EPOCH     instead of now, in seconds\n",
      command_verify },
    { "status", "[--json|--watch]",
      "one screen: is it well, what does it do; the exit code is the answer",
      JSON_OPTION "  --watch  again every 2 seconds\n", command_status },
    { "trace", "[--file LOG] ID|ADDRESS",
      "the story of a message: its lines in the log of Postfix and Onward",
      "  --file LOG  default /var/log/mail.log or maillog, else the journal; - "
      "is\n"
      "              standard input\n",
      command_trace },
    { "import", "haraka DIR [--literal] | postsrsd FILE... | opendkim DIR",
      "print the configuration that does what another set-up does",
      "  --literal  haraka: rules keep matching anywhere, in any case\n",
      command_import },
    { "setup",
      "[--apply [--force]|--remove [--dry-run]] [--postfix-config DIR]",
      "put Onward in front of this Postfix, or take it out again",
      "  --apply               run the commands, which are only shown "
      "otherwise\n"
      "  --force               though nobody answers at our addresses\n"
      "  --remove              undo what setup did; --dry-run only shows it\n"
      "  --postfix-config DIR  of main.cf, default postfix.config_directory\n",
      command_setup },
    { NULL, NULL, NULL, NULL, NULL },
};

static void
print_usage(FILE *out, const struct command *command)
{
    fprintf(out, "usage: onward [-c FILE] %s%s%s\n", command->name,
            command->arguments[0] == '\0' ? "" : " ", command->arguments);
}

int
cli_usage(const char *name)
{
    for (const struct command *c = commands; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            print_usage(stderr, c);
    return CLI_USAGE;
}

static void
help_command(const struct command *command)
{
    print_usage(stdout, command);
    printf("\n%s\n", command->summary);
    if (command->options != NULL)
        printf("\noptions:\n%s", command->options);
}

/* Is it the command `word`, or one of its subcommands? */
static bool
is_of_group(const struct command *command, const char *word)
{
    size_t len = strlen(word);

    return strncmp(command->name, word, len) == 0 &&
           (command->name[len] == ' ' || command->name[len] == '\0');
}

/* All commands, or those of a group. */
static void
list_commands(FILE *out, const char *group)
{
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (group != NULL && !is_of_group(c, group))
            continue;
        fprintf(out, "  %-16s %s\n", c->name, c->summary);
    }
}

static void
help_all(FILE *out)
{
    fputs("usage: onward [-c FILE] COMMAND [ARGUMENT...]\n"
          "       onward help [COMMAND] | version\n\n"
          "Onward, a proxy for Postfix that forwards mail so that it "
          "arrives.\n\ncommands:\n",
          out);
    list_commands(out, NULL);
    fputs("\noptions:\n"
          "  -c FILE        configuration, default /etc/onward/onward.conf\n"
          "  -h, --help     also after a command\n"
          "  -V, --version  with those of the libraries\n",
          out);
}

static void
print_version(void)
{
    printf("onward %s%s%s%s\n%s\n", ONWARD_VERSION,
           ONWARD_REVISION[0] != '\0' ? " (" : "", ONWARD_REVISION,
           ONWARD_REVISION[0] != '\0' ? ")" : "", ONWARD_LIBRARIES);
}

/* --help or -h among the arguments, but not after "--". */
static bool
wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* The command that argv begins with, and how many words name it. */
static const struct command *
find_command(int argc, char **argv, int *words)
{
    for (const struct command *c = commands; c->name != NULL; c++) {
        const char *blank = strchr(c->name, ' ');
        if (blank == NULL && strcmp(c->name, argv[0]) == 0) {
            *words = 1;
            return c;
        }
        if (blank != NULL && argc > 1 && is_of_group(c, argv[0]) &&
            strcmp(blank + 1, argv[1]) == 0) {
            *words = 2;
            return c;
        }
    }
    return NULL;
}

static bool
is_group(const char *word)
{
    for (const struct command *c = commands; c->name != NULL; c++)
        if (is_of_group(c, word))
            return true;
    return false;
}

/* The word of a command's name that `word` may be meant for, among the first
 * words, or among those after `group`. NULL: none is near. */
static struct slice
nearest_word(const char *group, const char *word)
{
    struct slice best = { 0 }, typed = slice_from(word);
    unsigned least = (unsigned)typed.len / 3 + 2;

    for (const struct command *c = commands; c->name != NULL; c++) {
        if (group != NULL && !is_of_group(c, group))
            continue;
        struct slice name = slice_from(c->name);
        struct slice first = slice_cut(&name, ' ');
        struct slice candidate = group != NULL ? name : first;
        unsigned d = slice_distance(typed, candidate);
        if (d < least && candidate.len != 0) {
            least = d;
            best = candidate;
        }
    }
    return best;
}

/* Says what argv does not name, and what may be meant. */
static int
refuse_command(int argc, char **argv)
{
    if (is_group(argv[0])) {
        struct slice near = { 0 };
        if (argc > 1)
            near = nearest_word(argv[0], argv[1]);
        if (argc == 1)
            cli_error("%s: a subcommand is missing", argv[0]);
        else if (near.len != 0)
            cli_error("%s: unknown subcommand \"%s\"; did you mean \"%s "
                      "%.*s\"?",
                      argv[0], argv[1], argv[0], SLICE_ARG(near));
        else
            cli_error("%s: unknown subcommand \"%s\"", argv[0], argv[1]);
        list_commands(stderr, argv[0]);
        return CLI_USAGE;
    }
    struct slice near = nearest_word(NULL, argv[0]);
    if (near.len != 0)
        cli_error("%s: unknown command; did you mean \"%.*s\"?", argv[0],
                  SLICE_ARG(near));
    else
        cli_error("%s: unknown command; see onward help", argv[0]);
    return CLI_USAGE;
}

/* `help`, `help COMMAND`: argv begins with what help is wanted for. */
static int
help(int argc, char **argv)
{
    int words = 0;

    if (argc == 0) {
        help_all(stdout);
        return CLI_OK;
    }
    const struct command *command = find_command(argc, argv, &words);
    if (command != NULL)
        help_command(command);
    else if (is_group(argv[0]) && argc == 1)
        list_commands(stdout, argv[0]);
    else
        return refuse_command(argc, argv);
    return CLI_OK;
}

static int
run_command(const struct cli *cli, int argc, char **argv)
{
    int words = 0;
    const struct command *command = find_command(argc, argv, &words);

    if (command == NULL && strcmp(argv[0], "help") == 0)
        return help(argc - 1, argv + 1);
    if (command == NULL && strcmp(argv[0], "version") == 0) {
        print_version();
        return CLI_OK;
    }
    if (command == NULL && is_group(argv[0]) && wants_help(argc, argv))
        return help(1, argv);
    if (command == NULL)
        return refuse_command(argc, argv);
    argv += words - 1;
    argc -= words - 1;
    if (wants_help(argc, argv)) {
        help_command(command);
        return CLI_OK;
    }
    char *name = strdup(command->name);
    if (name == NULL)
        abort();
    argv[0] = name;
    optind = 0; /* glibc: start anew, and read the string's first letter */
    int status = command->run(cli, argc, argv);
    free(name);
    return status;
}

static int
close_output(int status)
{
    /* A result that could not be written is no result. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_error("cannot write the result");
        return status == CLI_OK ? CLI_TRY_AGAIN : status;
    }
    return status;
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    struct cli cli = { .conf_path = "/etc/onward/onward.conf" };
    int letter;

    while ((letter = getopt_long(argc, argv, "+c:hV", options, NULL)) != -1) {
        switch (letter) {
        case 'c':
            cli.conf_path = optarg;
            break;
        case 'h':
            help_all(stdout);
            return close_output(CLI_OK);
        case 'V':
            print_version();
            return close_output(CLI_OK);
        default:
            return CLI_USAGE; /* getopt_long has said why */
        }
    }
    if (optind == argc) {
        help_all(stderr);
        return CLI_USAGE;
    }
    return close_output(run_command(&cli, argc - optind, argv + optind));
}
