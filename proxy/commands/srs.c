/*
 * `srs forward`, `srs reverse` and `srs decode`: one address, one line. With
 * the configuration it does what the daemon does; without one (--domain and
 * --secret-file) it is a tool of its own, and a peer for other programs.
 */
#include "commands.h"
#include "srs_work.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    SECRETS_MAX = 64,
    DAY = 86400,
    STANDARD_INPUT = 65536,
};

struct options {
    struct slice domain;
    const char *secret_file;
    enum srs_mac mac;
    bool accept_classic;
    uint64_t hash_length;
    uint64_t hash_minimum; /* 0: not given */
    uint64_t max_age;      /* days */
    bool tuned;            /* any of the five above was given */
    bool json;
};

/* ---- addresses in -------------------------------------------------------- */

static void
work(struct srs_worker *w, struct slice address)
{
    if (address.len >= 2 && address.ptr[0] == '<' &&
        address.ptr[address.len - 1] == '>')
        address = slice_head(slice_tail(address, 1), address.len - 2);
    if (w->json && w->results != 0)
        buf_puts(&w->out, ",\n");
    w->results++;
    switch (w->verb) {
    case SRS_FORWARD:
        srs_work_forward(w, address);
        break;
    case SRS_REVERSE:
        srs_work_reverse(w, address);
        break;
    case SRS_DECODE:
        srs_work_decode(w, address);
        break;
    }
    if (!w->json)
        buf_putc(&w->out, '\n');
    arena_reset(&w->arena);
}

static void
flush(struct srs_worker *w)
{
    cli_print(stdout, buf_slice(&w->out));
    fflush(stdout);
    buf_clear(&w->out);
}

static void
work_line(struct srs_worker *w, struct slice line)
{
    if (line.len != 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    work(w, line);
}

/*
 * One address a line. What has arrived is answered before more is waited for,
 * so that a program can talk to us line by line.
 */
static bool
work_input(struct srs_worker *w)
{
    struct buf in = { 0 };
    bool ok = false;

    for (;;) {
        buf_reserve(&in, STANDARD_INPUT);
        ssize_t n = read(STDIN_FILENO, in.ptr + in.len, STANDARD_INPUT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            cli_error("standard input: %s", strerror(errno));
        ok = n == 0;
        if (n <= 0)
            break;
        in.len += (size_t)n;
        w->now = time(NULL);
        struct slice rest = buf_slice(&in);
        while (slice_find(rest, '\n') != rest.len)
            work_line(w, slice_cut(&rest, '\n'));
        buf_drop(&in, in.len - rest.len);
        flush(w);
    }
    if (ok && in.len != 0)
        work_line(w, buf_slice(&in));
    buf_free(&in);
    return ok;
}

static int
work_arguments(struct srs_worker *w, int count, char **arguments)
{
    /* One address asked for is one object; else there may be any number. */
    bool list = count != 1 || strcmp(arguments[0], "-") == 0;
    int status = CLI_OK;

    w->now = time(NULL);
    if (w->json && list)
        buf_puts(&w->out, "[\n");
    for (int i = 0; i < count && status == CLI_OK; i++) {
        if (strcmp(arguments[i], "-") == 0)
            status = work_input(w) ? CLI_OK : CLI_BAD_DATA;
        else
            work(w, slice_from(arguments[i]));
    }
    if (w->json)
        buf_puts(&w->out, list ? "\n]\n" : "\n");
    flush(w);
    return status == CLI_OK && w->refused ? CLI_NO : status;
}

/* ---- options ------------------------------------------------------------- */

static bool
read_secrets(const char *path, struct buf *text)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        cli_error("%s: %s", path, strerror(errno));
        return false;
    }
    if ((st.st_mode & 07) != 0) {
        cli_error("%s: mode %04o: open to everybody; run: chmod 0640 %s", path,
                  (unsigned)st.st_mode & 07777, path);
        return false;
    }
    return cli_read(path, text);
}

static struct srs_conf *
make_srs(const struct options *o)
{
    struct slice secrets[SECRETS_MAX];
    struct srs_settings settings = {
        .secrets = secrets,
        .mac = o->mac,
        .accept_classic = o->accept_classic,
        .hash_length = (unsigned)o->hash_length,
        .hash_minimum = (unsigned)o->hash_minimum,
        .max_age_days = (unsigned)o->max_age,
    };
    struct srs_conf *srs = NULL;
    struct buf text = { 0 };
    const char *why = NULL;
    unsigned line = 0;

    /* Peers of the classic kind make four characters. */
    if (settings.hash_minimum == 0)
        settings.hash_minimum =
            o->mac == SRS_MAC_CLASSIC || o->hash_length < 6 ? 4 : 6;
    if (!read_secrets(o->secret_file, &text))
        goto out;
    if (!srs_secrets_parse(buf_slice(&text), secrets, SECRETS_MAX,
                           &settings.secret_count, &line, &why)) {
        cli_error("%s:%u: %s", o->secret_file, line, why);
        goto out;
    }
    srs = srs_conf_new(&settings, &why);
    if (srs == NULL)
        cli_error("%s", why);
out:
    buf_free_secret(&text);
    return srs;
}

static bool
number_option(const char *name, const char *text, uint64_t least, uint64_t most,
              uint64_t *number)
{
    if (slice_to_u64(slice_from(text), number) && *number >= least &&
        *number <= most)
        return true;
    cli_error("--%s: %s is not a number from %llu to %llu", name, text,
              (unsigned long long)least, (unsigned long long)most);
    return false;
}

static bool
max_age_option(const char *text, uint64_t *days)
{
    const uint64_t day = UINT64_C(1000) * DAY;
    uint64_t ms;

    if (conf_parse_duration(slice_from(text), &ms) && ms % day == 0 &&
        ms / day >= 1 && ms / day <= 1000) {
        *days = ms / day;
        return true;
    }
    cli_error("--max-age: %s is not a time from \"1d\" to \"1000d\"", text);
    return false;
}

static bool
mac_option(const char *text, enum srs_mac *mac)
{
    *mac = strcmp(text, "classic") == 0 ? SRS_MAC_CLASSIC : SRS_MAC_SHA256;
    if (*mac == SRS_MAC_CLASSIC || strcmp(text, "sha256") == 0)
        return true;
    cli_error("--mac: %s is neither sha256 nor classic", text);
    return false;
}

static bool
take_option(int letter, const char *text, struct options *o)
{
    if (strchr("macln", letter) != NULL)
        o->tuned = true;
    switch (letter) {
    case 'd':
        o->domain = slice_from(text);
        if (smtp_domain_is_valid(o->domain))
            return true;
        cli_error("--domain: %s is not a domain", text);
        return false;
    case 's':
        o->secret_file = text;
        return true;
    case 'm':
        return mac_option(text, &o->mac);
    case 'c':
        o->accept_classic = true;
        return true;
    case 'l':
        return number_option("hash-length", text, SRS_HASH_MIN,
                             SRS_HASH_CLASSIC_MAX, &o->hash_length);
    case 'n':
        return number_option("hash-minimum", text, SRS_HASH_MIN,
                             SRS_HASH_CLASSIC_MAX, &o->hash_minimum);
    case 'a':
        return max_age_option(text, &o->max_age);
    case 'j':
        o->json = true;
        return true;
    default:
        return false; /* getopt_long has said why */
    }
}

static bool
read_options(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        { "domain", required_argument, NULL, 'd' },
        { "secret-file", required_argument, NULL, 's' },
        { "mac", required_argument, NULL, 'm' },
        { "accept-classic", no_argument, NULL, 'c' },
        { "hash-length", required_argument, NULL, 'l' },
        { "hash-minimum", required_argument, NULL, 'n' },
        { "max-age", required_argument, NULL, 'a' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    int letter;

    *o = (struct options){ .hash_length = 8, .max_age = 21 };
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(letter, optarg, o))
            return false;
    if (o->secret_file != NULL && o->domain.len == 0) {
        cli_error("--secret-file wants --domain beside it");
        return false;
    }
    if (o->secret_file == NULL && (o->domain.len != 0 || o->tuned)) {
        cli_error("without --secret-file the configuration says all that");
        return false;
    }
    if (o->hash_minimum > o->hash_length) {
        cli_error("--hash-minimum is above --hash-length");
        return false;
    }
    return true;
}

static bool
verb_of(const char *word, enum srs_verb *verb)
{
    static const char *const verbs[] = { "forward", "reverse", "decode" };

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (word != NULL && strcmp(word, verbs[i]) == 0) {
            *verb = (enum srs_verb)i;
            return true;
        }
    }
    return false;
}

/* Settings from the options or else from the configuration. */
static bool
open_worker(const struct cli *cli, const struct options *o,
            struct srs_worker *w)
{
    if (o->secret_file != NULL) {
        w->made = make_srs(o);
        w->srs = w->made;
        w->domain = o->domain;
        return w->srs != NULL;
    }
    w->conf = cli_load(cli);
    if (w->conf == NULL)
        return false;
    w->srs = w->conf->srs.srs;
    w->domain = w->conf->srs.domain;
    if (!w->conf->srs.enabled)
        cli_error("%s: there is no group srs", cli->conf_path);
    return w->conf->srs.enabled;
}

int
command_srs(const struct cli *cli, int argc, char **argv)
{
    const char *blank = strchr(argv[0], ' ');
    struct srs_worker w = { 0 };
    struct options o;
    int status = CLI_BAD_CONF;

    if (!read_options(argc, argv, &o))
        return cli_usage(argv[0]);
    /* "srs forward" in one word or in two. */
    const char *word = blank != NULL ? blank + 1 : argv[optind];
    if (blank == NULL && word != NULL)
        optind++;
    if (!verb_of(word, &w.verb) || optind == argc ||
        (o.json && w.verb != SRS_DECODE))
        return cli_usage(argv[0]);
    w.json = o.json;
    if (open_worker(cli, &o, &w))
        status = work_arguments(&w, argc - optind, argv + optind);
    senderstore_close(w.senders);
    srs_conf_free(w.made);
    if (w.conf != NULL)
        conf_unref(w.conf);
    arena_free(&w.arena);
    buf_free(&w.out);
    return status;
}
