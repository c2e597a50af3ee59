/* `dkim keygen`: a new key, which does not sign yet. */
#include "dkimwork.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    RSA_BITS = 2048,
    RSA_BITS_MIN = 1024,
    RSA_BITS_MAX = 4096,
};

struct wanted {
    const char *selector; /* NULL: by the month */
    enum dkim_algorithm algorithm;
    unsigned bits;
};

/* ---- files ------------------------------------------------------------- */

/* root:onward, so that the daemon can read its keys and not replace them. The
 * file that is open is given: its name may be a link by now, where others can
 * write to the directory. */
static void
give_to_group(int fd, const char *path)
{
    const struct group *group = getgrnam("onward");

    if (geteuid() == 0 && group != NULL &&
        fchown(fd, (uid_t)-1, group->gr_gid) != 0)
        cli_error("%s: cannot be given to the group onward: %s", path,
                  strerror(errno));
}

static bool
make_directory(const char *path)
{
    if (mkdir(path, 0750) == 0) {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0) {
            give_to_group(fd, path);
            close(fd);
            return true;
        }
    }
    if (errno == EEXIST)
        return true;
    cli_error("%s: %s", path, strerror(errno));
    return false;
}

static bool
write_all(int fd, struct slice octets)
{
    while (octets.len != 0) {
        ssize_t n = write(fd, octets.ptr, octets.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        octets = slice_tail(octets, (size_t)n);
    }
    return fsync(fd) == 0;
}

static bool
is_file(const char *path, int fd)
{
    struct stat named, opened;

    return lstat(path, &named) == 0 && fstat(fd, &opened) == 0 &&
           named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

/* Whole or not at all, and never in place of another file: written beside
 * under a hidden name, then linked. */
static int
write_key(const char *directory, const char *path, struct slice pem)
{
    struct buf beside = { 0 };
    int status = CLI_TRY_AGAIN;

    buf_printf(&beside, "%s/.new-XXXXXX", directory);
    buf_cstr(&beside);
    int fd = mkostemp(beside.ptr, O_CLOEXEC);
    if (fd < 0) {
        cli_error("%s: %s", directory, strerror(errno));
        goto out;
    }
    give_to_group(fd, beside.ptr);
    if (!write_all(fd, pem) || fchmod(fd, 0640) != 0) {
        cli_error("%s: %s", path, strerror(errno));
    } else if (link(beside.ptr, path) == 0) {
        if (is_file(path, fd)) {
            status = CLI_OK;
        } else {
            cli_error("%s: somebody put another file in its place; nothing "
                      "was made",
                      path);
            unlink(path);
        }
    } else {
        cli_error("%s: %s", path, strerror(errno));
        status = errno == EEXIST ? CLI_NO : CLI_TRY_AGAIN;
    }
    close(fd);
    unlink(beside.ptr);
out:
    buf_free(&beside);
    return status;
}

/* ---- selectors --------------------------------------------------------- */

/* In any state: a selector is a name in DNS, and that holds one key. */
static bool
is_taken(const char *directory, const char *selector)
{
    static const char *const suffixes[] = { ".pem", ".next.pem", ".old.pem" };
    struct stat st;
    bool taken = false;

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        struct buf path = { 0 };
        buf_printf(&path, "%s/%s%s", directory, selector, suffixes[i]);
        taken = taken || lstat(buf_cstr(&path), &st) == 0;
        buf_free(&path);
    }
    return taken;
}

/* s202611, s202611b, ... s202611z. */
static bool
choose_selector(const char *directory, const struct wanted *wanted,
                struct buf *selector)
{
    time_t now = time(NULL);
    struct tm utc;

    if (wanted->selector != NULL) {
        for (const char *c = wanted->selector; *c != '\0'; c++)
            buf_putc(selector, ascii_lower(*c));
        if (!is_taken(directory, buf_cstr(selector)))
            return true;
        cli_error("%s: selector %s is there already; nothing is overwritten",
                  directory, wanted->selector);
        return false;
    }
    gmtime_r(&now, &utc);
    for (char letter = 'a'; letter <= 'z'; letter++) {
        buf_clear(selector);
        buf_printf(selector, "%c%04d%02d",
                   wanted->algorithm == DKIM_RSA_SHA256 ? 's' : 'e',
                   utc.tm_year + 1900, utc.tm_mon + 1);
        if (letter != 'a')
            buf_putc(selector, letter);
        if (!is_taken(directory, buf_cstr(selector)))
            return true;
    }
    cli_error("%s: all selectors of this month are taken; give one with "
              "--selector",
              directory);
    return false;
}

/* ---- the command ------------------------------------------------------- */

static void
tell(const struct dkim_key *key, const char *path)
{
    struct buf record = { 0 };

    cli_say("wrote %s (%s %u), not yet in use\n", path,
            dkim_algorithm_word(key->algorithm), key->bits);
    if (dkim_zone_print(key, DKIM_ZONE_BIND, &record))
        cli_say("publish:  %.*s", SLICE_ARG(buf_slice(&record)));
    cli_say("then:     onward dkim activate %.*s --when-published\n",
            SLICE_ARG(key->domain));
    buf_free(&record);
}

static int
make_key(const char *directory, struct slice domain,
         const struct wanted *wanted)
{
    struct buf selector = { 0 };
    struct buf path = { 0 };
    struct buf pem = { 0 };
    struct dkim_key *key = NULL;
    const char *why = "OpenSSL failed";
    int status = CLI_NO;

    if (!choose_selector(directory, wanted, &selector))
        goto out;
    status = CLI_TRY_AGAIN;
    if (dkim_key_generate(wanted->algorithm, wanted->bits, &pem))
        key =
            dkim_key_parse(buf_slice(&pem), domain, buf_slice(&selector), &why);
    if (key == NULL) {
        cli_error("no key was made: %s", why);
        goto out;
    }
    buf_printf(&path, "%s/%s.next.pem", directory, buf_cstr(&selector));
    status = write_key(directory, buf_cstr(&path), buf_slice(&pem));
    if (status == CLI_OK)
        tell(key, buf_cstr(&path));
out:
    dkim_key_unref(key);
    buf_free(&selector);
    buf_free(&path);
    buf_free_secret(&pem);
    return status;
}

static bool
parse_bits(const char *text, unsigned *bits)
{
    uint64_t number = 0;

    if (!slice_to_u64(slice_from(text), &number) || number < RSA_BITS_MIN ||
        number > RSA_BITS_MAX) {
        cli_error("--bits %s: RSA keys of DKIM have %d to %d bits", text,
                  RSA_BITS_MIN, RSA_BITS_MAX);
        return false;
    }
    if (number < RSA_BITS)
        cli_error("--bits %s: %d are advised; some receivers take less as no "
                  "signature",
                  text, RSA_BITS);
    *bits = (unsigned)number;
    return true;
}

static bool
parse_type(const char *text, enum dkim_algorithm *algorithm)
{
    if (strcmp(text, "rsa") == 0) {
        *algorithm = DKIM_RSA_SHA256;
    } else if (strcmp(text, "ed25519") == 0) {
        *algorithm = DKIM_ED25519_SHA256;
    } else {
        cli_error("--type %s: rsa or ed25519", text);
        return false;
    }
    return true;
}

static bool
parse_options(int argc, char **argv, struct wanted *wanted)
{
    static const struct option options[] = {
        { "selector", required_argument, NULL, 's' },
        { "type", required_argument, NULL, 't' },
        { "bits", required_argument, NULL, 'b' },
        { NULL, 0, NULL, 0 },
    };
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (letter) {
        case 's':
            wanted->selector = optarg;
            break;
        case 't':
            if (!parse_type(optarg, &wanted->algorithm))
                return false;
            break;
        case 'b':
            if (!parse_bits(optarg, &wanted->bits))
                return false;
            break;
        default:
            cli_usage("dkim keygen");
            return false;
        }
    }
    if (wanted->bits != 0 && wanted->algorithm == DKIM_ED25519_SHA256) {
        cli_error("--bits: an Ed25519 key has one size");
        return false;
    }
    if (wanted->selector != NULL &&
        !dkim_is_name(slice_from(wanted->selector))) {
        cli_error("--selector %s: is not a name in DNS", wanted->selector);
        return false;
    }
    if (wanted->bits == 0)
        wanted->bits = RSA_BITS;
    return true;
}

static int
keygen(const struct conf *conf, struct slice domain,
       const struct wanted *wanted)
{
    struct buf directory = { 0 };

    buf_printf(&directory, "%.*s/%.*s", SLICE_ARG(conf->dkim.key_directory),
               SLICE_ARG(domain));
    int status = make_directory(buf_cstr(&directory))
                     ? make_key(buf_cstr(&directory), domain, wanted)
                     : CLI_TRY_AGAIN;
    buf_free(&directory);
    return status;
}

int
dkim_keygen(const struct cli *cli, int argc, char **argv)
{
    struct wanted wanted = { .algorithm = DKIM_RSA_SHA256 };
    struct arena arena = { 0 };
    struct slice domain = { 0 };
    int status = CLI_USAGE;

    if (parse_options(argc, argv, &wanted) &&
        dkim_domain_argument("dkim keygen", false, argc - optind, argv + optind,
                             &arena, &domain)) {
        struct conf *conf = dkim_load(cli);
        status = conf != NULL ? keygen(conf, domain, &wanted) : CLI_BAD_CONF;
        conf_unref(conf);
    }
    arena_free(&arena);
    return status;
}
