/* `dkim activate` and `dkim retire`: a key's state is the name of its file,
 * and a rename changes it. */
#include "dkimwork.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char RETIRED_AFTER[] = "7d";

/* ---- renaming ---------------------------------------------------------- */

/* Where the file of this selector is in another state. */
static void
path_in_state(const struct dkim_key *key, const char *suffix, struct buf *path)
{
    size_t slash = slice_find_last(key->path, '/');
    struct slice name = slice_tail(key->path, slash + 1);

    /* The selector as the file has it: upper case is kept. */
    buf_append(path, slice_head(key->path, slash + 1));
    buf_append(path, slice_head(name, key->selector.len));
    buf_puts(path, suffix);
}

/* Never over a file that is there. */
static bool
move(const struct dkim_key *key, const char *suffix)
{
    struct buf target = { 0 };

    path_in_state(key, suffix, &target);
    bool ok = renameat2(AT_FDCWD, key->path.ptr, AT_FDCWD, buf_cstr(&target),
                        RENAME_NOREPLACE) == 0;
    struct stat st;
    if (!ok && (errno == EINVAL || errno == ENOSYS) &&
        lstat(buf_cstr(&target), &st) != 0) /* a file system without it */
        ok = rename(key->path.ptr, buf_cstr(&target)) == 0;
    if (!ok)
        cli_error("%s: cannot become %s: %s", key->path.ptr, buf_cstr(&target),
                  strerror(errno));
    buf_free(&target);
    return ok;
}

/* The time of the file says since when it is retired. */
static bool
move_to_old(const struct dkim_key *key)
{
    struct buf path = { 0 };

    path_in_state(key, ".old.pem", &path);
    bool ok = move(key, ".old.pem") &&
              utimensat(AT_FDCWD, buf_cstr(&path), NULL, 0) == 0;
    buf_free(&path);
    return ok;
}

/* ---- activate ---------------------------------------------------------- */

/* The new key signs before the old one stops: a daemon that reloads between
 * the two renames signs with both. */
static int
activate_key(const struct conf *conf, const struct dkim_key *key)
{
    if (!move(key, ".pem"))
        return CLI_TRY_AGAIN;
    printf("activated %.*s %.*s (%s)\n", SLICE_ARG(key->domain),
           SLICE_ARG(key->selector), dkim_algorithm_word(key->algorithm));
    for (size_t i = 0; i < dkim_keyset_count(conf->dkim.keys); i++) {
        const struct dkim_key *other = dkim_keyset_key(conf->dkim.keys, i);
        if (other->state != DKIM_KEY_ACTIVE ||
            other->algorithm != key->algorithm ||
            !slice_equal(other->domain, key->domain))
            continue;
        if (!move_to_old(other))
            return CLI_TRY_AGAIN;
        printf("retired   %.*s %.*s; leave its record in DNS for a week\n",
               SLICE_ARG(other->domain), SLICE_ARG(other->selector));
    }
    return CLI_OK;
}

static bool
is_newer(const struct dkim_key *key, const struct dkim_key *than)
{
    return key != than && key->algorithm == than->algorithm &&
           slice_equal(key->domain, than->domain) &&
           key->mtime_ns > than->mtime_ns;
}

/* Of the keys of one algorithm that could sign, the newest file is meant.
 * Else a second `activate` would put an older key, which still waits, in
 * place of the one that the first put there. */
static const struct dkim_key *
find_newer(const struct conf *conf, const struct dkim_verdict *verdicts,
           size_t count, const struct dkim_key *key)
{
    for (size_t i = 0; i < count; i++)
        if (verdicts[i].published == DKIM_PUBLISHED &&
            is_newer(verdicts[i].key, key))
            return verdicts[i].key;
    for (size_t i = 0; i < dkim_keyset_count(conf->dkim.keys); i++) {
        const struct dkim_key *other = dkim_keyset_key(conf->dkim.keys, i);
        if (other->state == DKIM_KEY_ACTIVE && is_newer(other, key))
            return other;
    }
    return NULL;
}

/* Worse answers win: trouble, then no. */
static int
worse(int a, int b)
{
    if (a == CLI_TRY_AGAIN || b == CLI_TRY_AGAIN)
        return CLI_TRY_AGAIN;
    return a != CLI_OK ? a : b;
}

static int
activate_each(const struct conf *conf, const struct dkim_verdict *verdicts,
              size_t count)
{
    int status = CLI_OK;
    size_t passed_over = 0;
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        const struct dkim_key *key = verdicts[i].key;
        const struct dkim_key *newer = find_newer(conf, verdicts, count, key);
        if (verdicts[i].published != DKIM_PUBLISHED) {
            cli_error("%.*s %.*s is not activated: %s", SLICE_ARG(key->domain),
                      SLICE_ARG(key->selector), verdicts[i].text);
            status = worse(status, verdicts[i].published == DKIM_UNKNOWN
                                       ? CLI_TRY_AGAIN
                                       : CLI_NO);
        } else if (newer != NULL) {
            cli_error("%.*s %.*s stays waiting: %.*s is newer (touch %s to "
                      "activate it all the same)",
                      SLICE_ARG(key->domain), SLICE_ARG(key->selector),
                      SLICE_ARG(newer->selector), key->path.ptr);
            passed_over++;
        } else {
            status = worse(status, activate_key(conf, key));
            any = true;
        }
    }
    if (any)
        puts("a running daemon takes them over at its next reload: systemctl "
             "reload onward");
    else if (passed_over != 0)
        status = worse(status, CLI_NO);
    return status;
}

static int
activate(const struct conf *conf, struct slice domain, bool when_published)
{
    size_t total = dkim_keyset_count(conf->dkim.keys);
    struct dkim_verdict *verdicts = mem_alloc(total * sizeof(*verdicts));
    struct arena arena = { 0 };
    size_t count = 0;
    int status = CLI_OK;

    for (size_t i = 0; i < total; i++) {
        const struct dkim_key *key = dkim_keyset_key(conf->dkim.keys, i);
        if (key->state == DKIM_KEY_NEXT && dkim_is_of(key, domain))
            verdicts[count++] =
                (struct dkim_verdict){ .key = key,
                                       .published = DKIM_PUBLISHED };
    }
    if (count == 0 && domain.len != 0) {
        cli_error("%.*s has no key that waits", SLICE_ARG(domain));
        status = CLI_NO;
    } else {
        if (when_published)
            dkim_ask_dns(conf, verdicts, count, &arena);
        status = activate_each(conf, verdicts, count);
    }
    arena_free(&arena);
    free(verdicts);
    return status;
}

int
dkim_activate(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "all", no_argument, NULL, 'a' },
        { "when-published", no_argument, NULL, 'w' },
        { NULL, 0, NULL, 0 },
    };
    struct arena arena = { 0 };
    struct slice domain = { 0 };
    bool all = false;
    bool when_published = false;
    int status = CLI_USAGE;
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter == 'a')
            all = true;
        else if (letter == 'w')
            when_published = true;
        else
            return cli_usage("dkim activate");
    }
    if (dkim_domain_argument("dkim activate", all, argc - optind, argv + optind,
                             &arena, &domain)) {
        struct conf *conf = dkim_load(cli);
        status = conf != NULL ? activate(conf, domain, when_published)
                              : CLI_BAD_CONF;
        conf_unref(conf);
    }
    arena_free(&arena);
    return status;
}

/* ---- retire ------------------------------------------------------------ */

/* "2026-11-24T08:00Z" */
static void
print_time(int64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm utc;

    gmtime_r(&when, &utc);
    printf("%04d-%02d-%02dT%02d:%02dZ", utc.tm_year + 1900, utc.tm_mon + 1,
           utc.tm_mday, utc.tm_hour, utc.tm_min);
}

static int
retire_key(const struct dkim_key *key, int64_t after)
{
    int64_t deletable = key->mtime_ns / 1000000000 + after;

    if ((int64_t)time(NULL) < deletable) {
        printf("kept    %.*s %.*s until ", SLICE_ARG(key->domain),
               SLICE_ARG(key->selector));
        print_time(deletable);
        putchar('\n');
        return CLI_OK;
    }
    if (unlink(key->path.ptr) != 0) {
        cli_error("%s: %s", key->path.ptr, strerror(errno));
        return CLI_TRY_AGAIN;
    }
    printf("deleted %.*s %.*s; its record in DNS can go\n",
           SLICE_ARG(key->domain), SLICE_ARG(key->selector));
    return CLI_OK;
}

static int
retire(const struct conf *conf, struct slice domain, int64_t after)
{
    int status = CLI_OK;
    size_t keys = 0;

    for (size_t i = 0; i < dkim_keyset_count(conf->dkim.keys); i++) {
        const struct dkim_key *key = dkim_keyset_key(conf->dkim.keys, i);
        if (!dkim_is_of(key, domain))
            continue;
        keys++;
        if (key->state == DKIM_KEY_OLD)
            status = worse(status, retire_key(key, after));
    }
    if (keys != 0)
        return status;
    cli_error("there is no key for %.*s", SLICE_ARG(domain));
    return CLI_NO;
}

int
dkim_retire(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "after", required_argument, NULL, 'a' },
        { NULL, 0, NULL, 0 },
    };
    const char *after = RETIRED_AFTER;
    struct arena arena = { 0 };
    struct slice domain = { 0 };
    uint64_t ms = 0;
    int status = CLI_USAGE;
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter != 'a')
            return cli_usage("dkim retire");
        after = optarg;
    }
    if (!conf_parse_duration(slice_from(after), &ms)) {
        cli_error("--after %s: is not a duration; write \"7d\"", after);
        return CLI_USAGE;
    }
    if (dkim_domain_argument("dkim retire", false, argc - optind, argv + optind,
                             &arena, &domain)) {
        struct conf *conf = dkim_load(cli);
        status = conf != NULL ? retire(conf, domain, (int64_t)(ms / 1000))
                              : CLI_BAD_CONF;
        conf_unref(conf);
    }
    arena_free(&arena);
    return status;
}
