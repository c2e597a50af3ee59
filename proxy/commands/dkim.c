/* The dkim commands: which one, and those that only print. */
#include "dkimwork.h"

#include "commands.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

void
dkim_print(struct slice octets)
{
    cli_print(stdout, octets);
}

bool
dkim_is_of(const struct dkim_key *key, struct slice domain)
{
    return domain.len == 0 || slice_equal(key->domain, domain);
}

bool
dkim_domain_argument(const char *command, bool all, int argc, char **argv,
                     struct arena *arena, struct slice *domain)
{
    *domain = (struct slice){ 0 };
    if (all ? argc != 0 : argc != 1) {
        cli_usage(command);
        return false;
    }
    if (all)
        return true;
    if (smtp_domain_to_ascii(slice_from(argv[0]), arena, domain) &&
        dkim_is_name(*domain))
        return true;
    cli_error("%s: is not a domain", argv[0]);
    return false;
}

/* ---- list -------------------------------------------------------------- */

static void
print_list(const struct dkim_keyset *set, bool json)
{
    struct buf out = { 0 };

    if (json)
        buf_putc(&out, '[');
    for (size_t i = 0; i < dkim_keyset_count(set); i++) {
        const struct dkim_key *key = dkim_keyset_key(set, i);
        if (!json) {
            buf_printf(&out, "%.*s %.*s %s\n", SLICE_ARG(key->domain),
                       SLICE_ARG(key->selector),
                       dkim_key_state_word(key->state));
            continue;
        }
        buf_printf(&out,
                   "%s{\"domain\":\"%.*s\",\"selector\":\"%.*s\","
                   "\"state\":\"%s\",\"algorithm\":\"%s\",\"bits\":%u,"
                   "\"path\":\"",
                   i != 0 ? "," : "", SLICE_ARG(key->domain),
                   SLICE_ARG(key->selector), dkim_key_state_word(key->state),
                   dkim_algorithm_word(key->algorithm), key->bits);
        log_escape_json(&out, key->path);
        buf_puts(&out, "\"}");
    }
    if (json)
        buf_puts(&out, "]\n");
    dkim_print(buf_slice(&out));
    buf_free(&out);
}

static int
list(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    bool json = false;
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter != 'j')
            return cli_usage("dkim list");
        json = true;
    }
    if (optind != argc)
        return cli_usage("dkim list");
    struct conf *conf = dkim_load(cli);
    if (conf == NULL)
        return CLI_BAD_CONF;
    print_list(conf->dkim.keys, json);
    conf_unref(conf);
    return CLI_OK;
}

/* ---- dns --------------------------------------------------------------- */

static bool
parse_format(const char *word, enum dkim_zone_format *format)
{
    static const struct {
        const char *word;
        enum dkim_zone_format format;
    } formats[] = {
        { "bind", DKIM_ZONE_BIND },
        { "plain", DKIM_ZONE_PLAIN },
        { "nsupdate", DKIM_ZONE_NSUPDATE },
        { "json", DKIM_ZONE_JSON },
    };

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(word, formats[i].word) == 0) {
            *format = formats[i].format;
            return true;
        }
    cli_error("%s: the format is bind, plain, nsupdate or json", word);
    return false;
}

static int
print_records(const struct dkim_keyset *set, struct slice domain,
              enum dkim_zone_format format)
{
    struct buf out = { 0 };
    size_t count = 0;
    bool ok = true;

    for (size_t i = 0; ok && i < dkim_keyset_count(set); i++) {
        const struct dkim_key *key = dkim_keyset_key(set, i);
        if (!dkim_is_of(key, domain))
            continue;
        if (format == DKIM_ZONE_JSON)
            buf_puts(&out, count == 0 ? "[" : ",\n ");
        count++;
        ok = dkim_zone_print(key, format, &out);
    }
    if (format == DKIM_ZONE_JSON)
        buf_puts(&out, count == 0 ? "[]\n" : "]\n");
    if (format == DKIM_ZONE_NSUPDATE && count != 0)
        buf_puts(&out, "send\n");
    if (ok)
        dkim_print(buf_slice(&out));
    buf_free(&out);
    if (!ok) {
        cli_error("a key cannot be printed");
        return CLI_TRY_AGAIN;
    }
    if (count == 0 && domain.len != 0) {
        cli_error("there is no key for %.*s", SLICE_ARG(domain));
        return CLI_NO;
    }
    return CLI_OK;
}

static int
dns(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "all", no_argument, NULL, 'a' },
        { "format", required_argument, NULL, 'f' },
        { NULL, 0, NULL, 0 },
    };
    enum dkim_zone_format format = DKIM_ZONE_BIND;
    struct arena arena = { 0 };
    struct slice domain = { 0 };
    int status = CLI_USAGE;
    bool all = false;
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter == 'a')
            all = true;
        else if (letter != 'f')
            return cli_usage("dkim dns");
        else if (!parse_format(optarg, &format))
            return CLI_USAGE;
    }
    if (dkim_domain_argument("dkim dns", all, argc - optind, argv + optind,
                             &arena, &domain)) {
        struct conf *conf = dkim_load(cli);
        status = conf != NULL ? print_records(conf->dkim.keys, domain, format)
                              : CLI_BAD_CONF;
        conf_unref(conf);
    }
    arena_free(&arena);
    return status;
}

/* ---- which one --------------------------------------------------------- */

struct conf *
dkim_load(const struct cli *cli)
{
    struct conf *conf = cli_load(cli);

    if (conf == NULL || conf->dkim.keys != NULL)
        return conf;
    cli_error("%s: dkim.key_directory is not set", cli->conf_path);
    conf_unref(conf);
    return NULL;
}

int
command_dkim(const struct cli *cli, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct cli *cli, int argc, char **argv);
    } kinds[] = {
        { "dkim keygen", dkim_keygen },  { "dkim dns", dns },
        { "dkim check", dkim_check },    { "dkim activate", dkim_activate },
        { "dkim retire", dkim_retire },  { "dkim list", list },
        { "dkim sign", dkim_sign_file },
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].name, argv[0]) == 0)
            return kinds[i].run(cli, argc, argv);
    return CLI_USAGE;
}
