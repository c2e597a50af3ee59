#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    POSTCONF_MS = 5000,
    SETTLED = 2 /* seconds */
};

void
cli_error(const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;

    buf_puts(&text, "onward: ");
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    buf_putc(&text, '\n');
    cli_print(stderr, buf_slice(&text));
    buf_free(&text);
}

static void
write_octets(FILE *file, struct slice octets)
{
    if (octets.len != 0)
        fwrite(octets.ptr, 1, octets.len, file);
}

void
cli_show(struct buf *out, enum log_escape how, struct slice text)
{
    while (text.len != 0) {
        size_t n = utf8_shown_length(text);
        bool ends_line = text.ptr[0] == '\n' || text.ptr[0] == '\t' ||
                         slice_starts_nocase(text, SLICE_OF("\r\n"));
        if (n != 0 || ends_line) {
            n = n != 0 ? n : 1;
            buf_append(out, slice_head(text, n));
        } else {
            n = utf8_length(text) != 0 ? utf8_length(text) : 1;
            log_escape(out, how, slice_head(text, n), SIZE_MAX);
        }
        text = slice_tail(text, n);
    }
}

void
cli_print(FILE *file, struct slice text)
{
    struct buf shown = { 0 };

    if (!isatty(fileno(file))) {
        write_octets(file, text);
        return;
    }
    cli_show(&shown, LOG_ESCAPE_TEXT, text);
    write_octets(file, buf_slice(&shown));
    buf_free(&shown);
}

void
cli_say(const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    cli_print(stdout, buf_slice(&text));
    buf_free(&text);
}

void
cli_print_word(FILE *file, struct slice word)
{
    struct buf shown = { 0 };

    if (!isatty(fileno(file))) {
        write_octets(file, word);
        return;
    }
    log_escape_text(&shown, word);
    write_octets(file, buf_slice(&shown));
    buf_free(&shown);
}

void
cli_settle_main_cf(const char *directory)
{
    static const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
    struct buf path = { 0 };
    struct stat st;

    buf_printf(&path, "%s/main.cf", directory);
    if (stat(buf_cstr(&path), &st) == 0) {
        time_t now = time(NULL);
        /* A time in the future is that of another clock. */
        while (now >= st.st_mtime && now - st.st_mtime < SETTLED) {
            nanosleep(&pause, NULL);
            now = time(NULL);
        }
    }
    buf_free(&path);
}

/* NULL or what is wrong. A FIFO must not stop us, nor a device that never ends
 * fill the memory. */
static const char *
read_most(int fd, bool standard, size_t max, struct buf *out)
{
    struct stat st;

    if (!standard && fstat(fd, &st) != 0)
        return strerror(errno);
    if (!standard && !S_ISREG(st.st_mode))
        return "is not a regular file";
    if (!standard && (uint64_t)st.st_size > max)
        return "is too large";
    for (size_t start = out->len;;) {
        if (out->len - start > max)
            return "is too large";
        if (!buf_try_reserve(out, 65536))
            return "there is no memory for it";
        ssize_t n = read(fd, out->ptr + out->len, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return strerror(errno);
        if (n == 0)
            return NULL;
        out->len += (size_t)n;
    }
}

bool
cli_read_most(const char *path, unsigned mebibytes, struct buf *out)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard
                 ? STDIN_FILENO
                 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *why =
        fd < 0 ? strerror(errno)
               : read_most(fd, standard, (size_t)mebibytes << 20, out);

    if (why != NULL && strcmp(why, "is too large") == 0)
        cli_error("%s: is larger than %u MiB",
                  standard ? "standard input" : path, mebibytes);
    else if (why != NULL)
        cli_error("%s: %s", standard ? "standard input" : path, why);
    if (fd >= 0 && !standard)
        close(fd);
    return why == NULL;
}

bool
cli_read(const char *path, struct buf *out)
{
    return cli_read_most(path, 64, out);
}

/* ---- the name of this host --------------------------------------------- */

/* A name with dots for our name, from a line "ADDRESS NAME..." of hosts(5).
 * No DNS: `check` asks no network, and a start must not hang on it. */
static struct slice
full_name(struct slice line, struct slice name)
{
    struct slice words = slice_head(line, slice_find(line, '#'));
    struct slice full = { 0 };
    bool ours = false;

    slice_cut(&words, words.len != 0 && slice_find(words, '\t') < words.len
                          ? '\t'
                          : ' ');
    while (words.len != 0) {
        size_t end = 0;
        while (end < words.len && words.ptr[end] != ' ' &&
               words.ptr[end] != '\t')
            end++;
        struct slice word = slice_head(words, end);
        words = slice_tail(words, end + 1);
        ours |= slice_equal_nocase(word, name);
        if (full.len == 0 && word.len > name.len &&
            slice_starts_nocase(word, name) && word.ptr[name.len] == '.')
            full = word;
    }
    return ours ? full : (struct slice){ 0 };
}

static void
host_name(struct buf *out)
{
    char name[256] = "localhost";
    struct buf hosts = { 0 };
    struct slice full = { 0 };

    if (gethostname(name, sizeof(name) - 1) != 0)
        name[0] = '\0';
    if (strchr(name, '.') == NULL && access("/etc/hosts", R_OK) == 0 &&
        cli_read("/etc/hosts", &hosts)) {
        struct slice rest = buf_slice(&hosts);
        while (rest.len != 0 && full.len == 0)
            full = full_name(slice_cut(&rest, '\n'), slice_from(name));
    }
    buf_append(out, full.len != 0 ? full : slice_from(name));
    buf_free(&hosts);
}

/* ---- the configuration ------------------------------------------------- */

/* What Postfix says, one value a line. False: there is none, or it did not
 * answer; then the defaults hold. */
static bool
ask_postfix(const char *path, struct buf *answer)
{
    const char *argv[5 + CONF_POSTFIX_NAMES + 1] = { "postconf", "-c", NULL,
                                                     "-h", "-x" };
    struct buf directory = { 0 };
    struct stat st;
    bool ok = false;

    conf_peek(path, "postfix.config_directory", &directory);
    argv[2] = buf_cstr(&directory);
    for (size_t i = 0; i < CONF_POSTFIX_NAMES; i++)
        argv[5 + i] = conf_postfix_names[i];
    if (directory.len != 0 && stat(argv[2], &st) == 0 && S_ISDIR(st.st_mode)) {
        cli_settle_main_cf(argv[2]);
        ok = cli_run_within(argv, POSTCONF_MS, CLI_RUN_QUIET, answer) == 0;
    }
    buf_free(&directory);
    return ok;
}

struct conf *
cli_load_with(const struct cli *cli, struct conf *before, struct buf *errors,
              struct buf *warnings)
{
    struct buf postfix = { 0 };
    struct buf fqdn = { 0 };
    struct conf_inputs inputs = {
        .path = cli->conf_path,
        .now = (int64_t)time(NULL),
        .before = before,
    };

    if (ask_postfix(cli->conf_path, &postfix))
        inputs.postfix = buf_slice(&postfix);
    host_name(&fqdn);
    inputs.fqdn = buf_slice(&fqdn);
    struct conf *conf = conf_load(&inputs, errors, warnings);
    buf_free(&postfix);
    buf_free(&fqdn);
    return conf;
}

struct conf *
cli_load(const struct cli *cli)
{
    struct buf errors = { 0 };
    struct buf warnings = { 0 };
    struct conf *conf = cli_load_with(cli, NULL, &errors, &warnings);

    if (conf == NULL)
        cli_print(stderr, buf_slice(&errors));
    buf_free(&errors);
    buf_free(&warnings);
    return conf;
}
