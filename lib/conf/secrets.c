/* The group srs, and the file of secrets. */
#include "build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SECRETS_MAX = 64,
    SECRET_FILE_MAX = 65536
};

/* What haraka-alias-forward ships in config/srs.ini: everybody knows it. */
static const struct slice shipped = SLICE("ChangeThisWithWhateverYouInvented");

static void
report_file(const struct conf_reading *r, struct slice path, unsigned line,
            const char *text)
{
    struct conf_place place = { .file = path,
                                .rank = CONF_ELSEWHERE,
                                .line = line };

    problem_add(r->errors, place, SLICE_OF(""), "%s", text);
}

static bool
file_is_private(const struct conf_reading *r, struct slice path, int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        report_file(r, path, 0,
                    "is not a regular file; srs.secret_file names a file of "
                    "secrets, one a line");
        return false;
    }
    if ((st.st_mode & 07) == 0)
        return true;
    struct conf_place place = { .file = path, .rank = CONF_ELSEWHERE };
    problem_add(r->errors, place, SLICE_OF(""),
                "mode %04o: %s by everybody; run: chmod 0640 %.*s",
                (unsigned)st.st_mode & 07777,
                (st.st_mode & 04) != 0 ? "readable" : "accessible",
                SLICE_ARG(path));
    return false;
}

static bool
read_secrets(const struct conf_reading *r, const struct conf_got *file,
             struct buf *text)
{
    const char *path = arena_cstr(r->arena, file->text);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    bool ok = false;

    if (fd < 0) {
        int error = errno;
        conf_error(r, file->node, NULL, "%s cannot be opened: %s%s%s%s",
                   conf_quote(r, file->text), strerror(error),
                   error == ENOENT ? "; make it with: (umask 027; openssl "
                                     "rand -base64 24 > "
                                   : "",
                   error == ENOENT ? path : "", error == ENOENT ? ")" : "");
        return false;
    }
    if (!file_is_private(r, file->text, fd))
        goto out;
    for (;;) {
        buf_reserve(text, SECRET_FILE_MAX);
        ssize_t n = read(fd, text->ptr + text->len, SECRET_FILE_MAX);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            report_file(r, file->text, 0, strerror(errno));
        if (n <= 0) {
            ok = n == 0;
            break;
        }
        text->len += (size_t)n;
        if (text->len > SECRET_FILE_MAX) {
            report_file(r, file->text, 0, "is larger than 64 KiB");
            break;
        }
    }
out:
    close(fd);
    return ok;
}

/* The line (from 1) on which the n-th secret stands. */
static unsigned
line_of(struct slice text, struct slice secret)
{
    unsigned line = 1;

    for (const char *p = text.ptr; p < secret.ptr; p++)
        line += *p == '\n';
    return line;
}

static void
judge_secrets(const struct conf_reading *r, struct slice path,
              struct slice text, const struct slice *secrets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct conf_place place = { .file = path,
                                    .rank = CONF_ELSEWHERE,
                                    .line = line_of(text, secrets[i]) };
        if (slice_equal(secrets[i], shipped))
            report_file(r, path, place.line,
                        "is the secret that haraka-alias-forward ships, and "
                        "known to everybody; make a new one with: openssl "
                        "rand -base64 24");
        for (size_t k = 0; k < i; k++)
            if (slice_equal(secrets[i], secrets[k]))
                problem_add(r->warnings, place, SLICE_OF(""),
                            "is the same secret as in line %u",
                            line_of(text, secrets[k]));
    }
}

static void
build_secrets(const struct conf_reading *r, struct conf *conf)
{
    struct conf_got file = conf_get(r, NULL, "srs.secret_file");
    struct slice secrets[SECRETS_MAX];
    struct buf text = { 0 };
    size_t count = 0;
    unsigned line = 0;
    const char *why = NULL;

    if (file.text.len == 0)
        return;
    conf->srs.secret_file = file.text;
    if (file.text.ptr[0] != '/') {
        conf_error(r, file.node, NULL,
                   "%s is a relative path; write it from / on",
                   conf_quote(r, file.text));
        return;
    }
    if (!read_secrets(r, &file, &text))
        goto out;
    if (!srs_secrets_parse(buf_slice(&text), secrets, SECRETS_MAX, &count,
                           &line, &why)) {
        report_file(r, file.text, count == 0 && line == 0 ? 0 : line, why);
        goto out;
    }
    judge_secrets(r, file.text, buf_slice(&text), secrets, count);
    struct srs_settings settings = {
        .secrets = secrets,
        .secret_count = count,
        .mac = conf_get(r, NULL, "srs.mac").number == 0 ? SRS_MAC_SHA256
                                                        : SRS_MAC_CLASSIC,
        .accept_classic = conf_get(r, NULL, "srs.accept_classic").truth,
        .hash_length = (unsigned)conf_get(r, NULL, "srs.hash_length").number,
        .hash_minimum = (unsigned)conf_get(r, NULL, "srs.hash_minimum").number,
        .max_age_days = conf->srs.max_age_days,
    };
    if (settings.hash_minimum > settings.hash_length)
        goto out; /* reported by conf_check */
    conf->srs.srs = srs_conf_new(&settings, &why);
    if (conf->srs.srs == NULL)
        conf_error_setting(r, "srs.mac", "%s", why);
out:
    buf_free_secret(&text);
}

static void
build_domain(const struct conf_reading *r, struct conf *conf)
{
    struct conf_got got = conf_get(r, NULL, "srs.domain");

    if (got.text.len == 0)
        return;
    const char *why = conf_domain(r, got.text, &conf->srs.domain);
    if (why == NULL && slice_find(got.text, '.') == got.text.len)
        why = "has no dot, so bounces could not find their way to it; write a "
              "domain whose MX is this Postfix, such as \"srs.example.org\"";
    if (why != NULL)
        conf_error(r, got.node, NULL, "%s %s", conf_quote(r, got.text), why);
}

/* Of a table of domain_map. */
struct pairs {
    const struct conf_reading *r;
    const struct conf_node *node;
};

static void
report_value(void *ctx, struct slice key, struct slice value, unsigned line)
{
    const struct pairs *pairs = ctx;

    (void)line;
    conf_error(pairs->r, pairs->node, NULL,
               "%s for %s is no domain that bounces could find their way to",
               conf_quote(pairs->r, value), conf_quote(pairs->r, key));
}

static void
collect_domains(const struct conf_reading *r, struct conf *conf)
{
    const struct domain_list *map = &conf->srs.domain_map;
    struct pairs pairs = { .r = r,
                           .node = conf_get(r, NULL, "srs.domain_map").node };

    conf->srs.domains =
        arena_alloc(r->arena, (map->count + 1) * sizeof(struct slice));
    if (conf->srs.domain.len != 0)
        conf->srs.domains[conf->srs.domain_count++] = conf->srs.domain;
    for (size_t i = 0; i < map->count; i++) {
        const struct domain_entry *entry = &map->entries[i];
        size_t k = 0;
        if (entry->table != NULL && entry->table->kind == TABLE_SOCKETMAP)
            problem_add(r->warnings, pairs.node->place,
                        SLICE_OF("srs.domain_map"),
                        "what a socketmap names cannot be listed: bounces to "
                        "those SRS domains are not known as ours");
        if (entry->table != NULL)
            continue;
        while (k < conf->srs.domain_count &&
               !slice_equal(conf->srs.domains[k], entry->to))
            k++;
        if (k == conf->srs.domain_count)
            conf->srs.domains[conf->srs.domain_count++] = entry->to;
    }
    conf_list_srs_domains(conf, r->arena, report_value, &pairs);
}

void
conf_build_srs(const struct conf_reading *r, struct conf *conf)
{
    static const uint64_t day = 86400000;
    const struct conf *before = r->inputs->before;
    struct conf_got age = conf_get(r, NULL, "srs.max_age");

    conf->srs.max_age_days = (unsigned)(age.number / day);
    conf->srs.max_failures =
        (unsigned)conf_get(r, NULL, "srs.max_failures").number;
    conf->srs.accept_any = conf_get(r, NULL, "srs.accept_from").number == 1;
    conf->srs.submitted = conf_get(r, NULL, "srs.submitted").number == 0;
    conf->srs.long_sender =
        (enum conf_long_sender)conf_get(r, NULL, "srs.long_sender").number;
    if (conf_written(r, "srs") == NULL ||
        conf_written(r, "srs")->kind != NODE_GROUP)
        return;
    conf->srs.enabled = true;
    if (conf_is_missing(conf_written(r, "srs"), "srs.domain"))
        conf_error_setting(r, "srs.domain",
                           "is missing; a domain of yours whose MX is this "
                           "Postfix, such as \"srs.example.org\"");
    if (conf_is_missing(conf_written(r, "srs"), "srs.secret_file"))
        conf_error_setting(r, "srs.secret_file",
                           "is missing; write \"/etc/onward/srs.secret\"");
    if (age.number % day != 0)
        conf_error_setting(r, "srs.max_age",
                           "%s: whole days are wanted, such as \"21d\"",
                           conf_quote(r, age.text));
    build_domain(r, conf);
    build_secrets(r, conf);
    conf_build_domains(r, "srs.domain_map", TABLE_PAIRS,
                       before == NULL ? NULL : &before->srs.domain_map,
                       &conf->srs.domain_map);
    collect_domains(r, conf);
}
