/*
 * `map build`: a database from text, strictly. A line that is malformed or
 * there twice is lost mail for somebody, so any such line refuses the whole;
 * the database in use stays until the new one is complete and on disk.
 */
#include "map.h"

#include "digest.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct build {
    const char *spec;
    const char *source;
    enum table_use use;
    uint64_t min_entries;
    double max_shrink; /* percent; below zero: any */
    bool lmdb;

    char *path; /* of the database */
    char *temporary;
    int fd; /* of the temporary file, locked */
};

/* ---- the command line -------------------------------------------------- */

static bool
parse_percent(const char *text, double *percent)
{
    char *end;

    if (!ascii_is_digit(text[0]))
        return false;
    *percent = strtod(text, &end);
    if (*end == '%')
        end++;
    return *end == '\0' && *percent <= 100;
}

static bool
parse_use(const char *text, enum table_use *use)
{
    static const struct {
        const char *name;
        enum table_use use;
    } uses[] = {
        { "aliases", TABLE_ALIASES },
        { "domains", TABLE_DOMAINS },
        { "pairs", TABLE_PAIRS },
    };

    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        if (strcmp(text, uses[i].name) == 0) {
            *use = uses[i].use;
            return true;
        }
    }
    return false;
}

static bool
parse_option(struct build *build, int letter)
{
    switch (letter) {
    case 'n':
        if (slice_to_u64(slice_from(optarg), &build->min_entries))
            return true;
        cli_error("--min-entries wants a number, not \"%s\"", optarg);
        return false;
    case 's':
        if (parse_percent(optarg, &build->max_shrink))
            return true;
        cli_error("--max-shrink wants a percentage, not \"%s\"", optarg);
        return false;
    case 't':
        if (parse_use(optarg, &build->use))
            return true;
        cli_error("--type is aliases, domains or pairs, not \"%s\"", optarg);
        return false;
    default:
        return false; /* getopt_long has said why */
    }
}

/*
 * Without FILE it is standard input; and where that is a terminal or
 * /dev/null, the text beside the database, as postmap has it.
 */
static const char *
default_source(const char *spec)
{
    const char *colon = strchr(spec, ':');
    struct stat st;

    if (colon != NULL && fstat(STDIN_FILENO, &st) == 0 && S_ISCHR(st.st_mode))
        return colon + 1;
    return "-";
}

static bool
parse_options(struct build *build, int argc, char **argv)
{
    static const struct option options[] = {
        { "min-entries", required_argument, NULL, 'n' },
        { "max-shrink", required_argument, NULL, 's' },
        { "type", required_argument, NULL, 't' },
        { NULL, 0, NULL, 0 },
    };
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!parse_option(build, letter))
            return false;
    int left = argc - optind;
    if (left < 1 || left > 2) {
        cli_usage(argv[0]);
        return false;
    }
    build->spec = argv[optind];
    build->source = left == 2 ? argv[optind + 1] : default_source(build->spec);
    return true;
}

static char *
joined(struct slice path, const char *suffix)
{
    struct buf text = { 0 };

    buf_append(&text, path);
    buf_puts(&text, suffix);
    buf_cstr(&text);
    return text.ptr;
}

/* A link in place of the database stays one: what it points to is replaced. */
static void
follow_link(char **path)
{
    char *real = realpath(*path, NULL);

    if (real != NULL) {
        free(*path);
        *path = real;
    }
}

static bool
set_paths(struct build *build)
{
    struct slice spec = slice_from(build->spec);
    struct slice path = slice_tail(spec, slice_find(spec, ':') + 1);

    build->lmdb = slice_starts_nocase(spec, SLICE_OF("lmdb:"));
    if ((!build->lmdb && !slice_starts_nocase(spec, SLICE_OF("cdb:"))) ||
        path.len == 0) {
        cli_error("%s: only cdb:PATH and lmdb:PATH are built", build->spec);
        return false;
    }
    build->path = joined(path, build->lmdb ? ".lmdb" : ".cdb");
    follow_link(&build->path);
    build->temporary = joined(slice_from(build->path), ".new");
    return true;
}

/* ---- what is refused --------------------------------------------------- */

/* A long build says on a terminal what it is at. */
static void
progress(const char *stage)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s", stage);
}

static struct table *
read_source(const struct build *build, int *status)
{
    bool standard = strcmp(build->source, "-") == 0;
    struct slice name = slice_from(standard ? "standard input" : build->source);
    struct buf text = { 0 }, errors = { 0 };
    struct table *table = NULL;

    *status = CLI_BAD_DATA;
    progress("reading ...");
    if (cli_read_most(build->source, CLI_LARGE_MIB, &text)) {
        progress("checking ...");
        table = table_from_text(buf_slice(&text), name, build->use, &errors);
        progress("");
    }
    if (errors.len != 0) {
        cli_print(stderr, buf_slice(&errors));
        cli_error("%s is not built", build->spec);
    }
    buf_free(&text);
    buf_free(&errors);
    return table;
}

/* Is it too much smaller than the database it replaces? */
static bool
shrinks(const struct build *build, uint64_t entries)
{
    struct buf errors = { 0 };

    if (build->max_shrink < 0 || access(build->path, F_OK) != 0)
        return false;
    struct table *old =
        table_open(slice_from(build->spec), TABLE_PAIRS, NULL, 0, &errors);
    if (old == NULL) {
        cli_print(stderr, buf_slice(&errors));
        cli_error("--max-shrink: cannot compare; %s is not built", build->spec);
        buf_free(&errors);
        return true;
    }
    uint64_t before = table_count(old);
    table_unref(old);
    bool shrunk =
        (double)entries < (double)before * (100 - build->max_shrink) / 100;
    if (shrunk)
        cli_error("%llu keys instead of %llu shrink it by more than %g%%; "
                  "%s is not built",
                  (unsigned long long)entries, (unsigned long long)before,
                  build->max_shrink, build->spec);
    return shrunk;
}

static bool
is_refused(const struct build *build, uint64_t entries)
{
    if (entries < build->min_entries) {
        cli_error("%llu keys are fewer than --min-entries=%llu; %s is not "
                  "built",
                  (unsigned long long)entries,
                  (unsigned long long)build->min_entries, build->spec);
        return true;
    }
    return shrinks(build, entries);
}

/* ---- writing ----------------------------------------------------------- */

/*
 * The temporary file, ours alone. Its name is fixed, so that what a killed
 * build left is used again; the lock keeps two builds apart. What was opened
 * may have become the database before it was locked: then once more.
 */
static bool
open_temporary(struct build *build)
{
    struct stat ours, named;

    for (;;) {
        build->fd = open(build->temporary,
                         O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (build->fd < 0) {
            cli_error("%s: %s", build->temporary, strerror(errno));
            return false;
        }
        if (flock(build->fd, LOCK_EX | LOCK_NB) != 0) {
            cli_error("%s: another build is at work", build->temporary);
            return false;
        }
        if (fstat(build->fd, &ours) == 0 &&
            stat(build->temporary, &named) == 0 &&
            ours.st_dev == named.st_dev && ours.st_ino == named.st_ino)
            return ftruncate(build->fd, 0) == 0;
        close(build->fd);
    }
}

static bool
on_entry(void *ctx, struct slice key, struct slice value, unsigned line)
{
    (void)line;
    return cdb_writer_add(ctx, key, value);
}

static bool
write_cdb(const struct build *build, const struct table *table)
{
    struct cdb_writer *writer = cdb_writer_new(build->fd);

    errno = 0;
    table_each(table, on_entry, writer);
    bool ok = cdb_writer_finish(writer);
    if (!ok)
        cli_error("%s: %s", build->temporary,
                  errno == EFBIG ? "over 4 GiB, more than a cdb can hold"
                                 : strerror(errno));
    cdb_writer_free(writer);
    return ok;
}

static bool
write_database(const struct build *build, const struct table *table)
{
    const char *why;

    progress("writing ...");
    if (!build->lmdb)
        return write_cdb(build, table);
    if (lmdb_write(build->temporary, table, &why))
        return true;
    cli_error("%s: %s", build->temporary, why);
    return false;
}

/* Readable for whom the old one was; a new one for all, as postmap's. */
static bool
set_owner(const struct build *build)
{
    struct stat old;

    if (stat(build->path, &old) != 0)
        return fchmod(build->fd, 0644) == 0;
    /* Only root can give it away; without that, who builds it owns it. */
    if (fchown(build->fd, old.st_uid, old.st_gid) != 0 && geteuid() == 0)
        return false;
    return fchmod(build->fd, old.st_mode & 07777) == 0;
}

static bool
sync_directory(const char *path)
{
    char *copy = strdup(path);

    if (copy == NULL)
        return false;
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    free(copy);
    return ok;
}

static bool
put_in_place(const struct build *build)
{
    progress("syncing ...");
    if (!set_owner(build) || fsync(build->fd) != 0 ||
        rename(build->temporary, build->path) != 0 ||
        !sync_directory(build->path)) {
        cli_error("%s: %s", build->path, strerror(errno));
        return false;
    }
    return true;
}

/* ---- the result -------------------------------------------------------- */

static void
print_grouped(uint64_t n)
{
    char digits[32];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);

    for (int i = 0; i < len; i++) {
        putchar(digits[i]);
        if (len - i > 1 && (len - i) % 3 == 1)
            putchar(',');
    }
}

static void
print_size(uint64_t octets)
{
    static const char *const units[] = { "KB", "MB", "GB" };
    double size = (double)octets / 1000;
    size_t unit = 0;

    while (size >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        size /= 1000;
        unit++;
    }
    printf("%.1f %s", size, units[unit]);
}

static bool
print_result(uint64_t entries, uint64_t size, const char *hex)
{
    print_grouped(entries);
    fputs(entries == 1 ? " key" : " keys", stdout);
    fputs(", 0 duplicates, ", stdout);
    print_size(size);
    printf(", sha256 %s\n", hex);
    return fflush(stdout) == 0;
}

static int
write_out(struct build *build, const struct table *table)
{
    char hex[DIGEST_HEX + 1];
    struct stat st;
    bool ok = false;

    if (!open_temporary(build)) {
        if (build->fd >= 0)
            close(build->fd);
        return CLI_TRY_AGAIN;
    }
    if (!write_database(build, table))
        goto out;
    if (fstat(build->fd, &st) != 0 || !digest_file(build->fd, hex)) {
        cli_error("%s: cannot read it back", build->temporary);
        goto out;
    }
    ok = put_in_place(build);
out:
    progress("");
    if (!ok)
        unlink(build->temporary);
    close(build->fd);
    if (!ok || !print_result(table->entries, (uint64_t)st.st_size, hex))
        return CLI_TRY_AGAIN;
    return CLI_OK;
}

int
map_build(int argc, char **argv)
{
    /* Nothing at all is what comes out of a pipe whose other end failed. */
    struct build build = {
        .use = TABLE_ALIASES, .min_entries = 1, .max_shrink = -1, .fd = -1
    };
    int status = CLI_USAGE;

    if (!parse_options(&build, argc, argv) || !set_paths(&build))
        return CLI_USAGE;
    struct table *table = read_source(&build, &status);
    if (table != NULL) {
        status = is_refused(&build, table->entries) ? CLI_BAD_DATA
                                                    : write_out(&build, table);
        table_unref(table);
    }
    free(build.path);
    free(build.temporary);
    return status;
}
