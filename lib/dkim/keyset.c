#include "key.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct dkim_keyset {
    unsigned refs;
    struct dkim_key **keys; /* by domain, selector */
    size_t count;
};

/* ---- finding the files ------------------------------------------------- */

/* One key file: input and result of a worker. */
struct job {
    char *path;
    char *domain;
    struct dkim_key *key;
    struct buf why;
};

struct loader {
    const char *directory;
    struct buf *errors;
    struct buf *warnings;
    struct job *jobs;
    size_t count;
    size_t room;
    size_t next; /* the job that no worker has taken yet; atomic */
};

static void
complain(struct buf *lines, const char *path, const char *text)
{
    buf_printf(lines, "%s: %s\n", path, text);
}

static char *
copy_text(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(mem_alloc(size), text, size);
}

static void
add_job(struct loader *loader, const char *path, const char *domain)
{
    if (loader->count == loader->room) {
        loader->room = loader->room != 0 ? loader->room * 2 : 64;
        loader->jobs =
            mem_realloc(loader->jobs, loader->room * sizeof(struct job));
    }
    loader->jobs[loader->count++] =
        (struct job){ .path = copy_text(path), .domain = copy_text(domain) };
}

/* Hidden files are nobody's keys: editors and volume mounts make them. */
static int
is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool
is_pem(const char *name)
{
    struct slice selector = { 0 };
    enum dkim_key_state state = DKIM_KEY_ACTIVE;

    return dkim_key_file_name(slice_from(name), &selector, &state);
}

/* All visible names in order, so that errors come in the same order on every
 * machine. -1: errno says why. */
static int
list(const char *path, struct dirent ***entries)
{
    return scandir(path, entries, is_visible, alphasort);
}

static void
free_list(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}

/* A directory that cannot be read. */
static void
complain_directory(const struct loader *loader, const char *path)
{
    if (errno == EACCES)
        buf_printf(loader->errors,
                   "%s: %s; the daemon's group must be able to read it: chgrp "
                   "onward %s; chmod 0750 %s\n",
                   path, strerror(errno), path, path);
    else
        complain(loader->errors, path, strerror(errno));
}

static void
scan_domain(struct loader *loader, const char *path, const char *domain)
{
    bool is_domain = dkim_is_name(slice_from(domain));
    struct dirent **entries = NULL;
    struct buf file = { 0 };
    int count = list(path, &entries);

    if (count < 0) {
        complain_directory(loader, path);
        return;
    }
    for (int i = 0; i < count; i++) {
        if (!is_pem(entries[i]->d_name))
            continue;
        buf_clear(&file);
        buf_printf(&file, "%s/%s", path, entries[i]->d_name);
        if (is_domain)
            add_job(loader, buf_cstr(&file), domain);
        else
            complain(loader->errors, buf_cstr(&file),
                     "its directory is not named like a domain (letters, "
                     "digits, hyphens; A-labels for others)");
    }
    buf_free(&file);
    free_list(entries, count);
}

static void
scan(struct loader *loader)
{
    struct dirent **entries = NULL;
    struct buf path = { 0 };
    struct stat st;
    int count = list(loader->directory, &entries);

    if (count < 0) {
        complain_directory(loader, loader->directory);
        return;
    }
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        buf_clear(&path);
        buf_printf(&path, "%s/%s", loader->directory, name);
        if (stat(buf_cstr(&path), &st) == 0 && S_ISDIR(st.st_mode))
            scan_domain(loader, buf_cstr(&path), name);
        else if (is_pem(name))
            complain(loader->warnings, buf_cstr(&path),
                     "not used; keys are looked for in DOMAIN/SELECTOR.pem");
    }
    buf_free(&path);
    free_list(entries, count);
}

/* ---- loading ----------------------------------------------------------- */

static int
compare_paths(const void *a, const void *b)
{
    const struct dkim_key *const *one = a;
    const struct dkim_key *const *two = b;

    return strcmp((*one)->path.ptr, (*two)->path.ptr);
}

static bool
is_unchanged(const struct dkim_key *key, const struct stat *st)
{
    return key->device == st->st_dev && key->inode == st->st_ino &&
           key->size == st->st_size &&
           key->mtime_ns ==
               (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec &&
           (st->st_mode & S_IRWXO) == 0;
}

/* Before the workers start, so that references are counted on one thread. */
static void
take_unchanged(struct loader *loader, const struct dkim_keyset *before)
{
    if (before == NULL || before->count == 0)
        return;
    struct dkim_key **known = mem_alloc(before->count * sizeof(*known));
    memcpy(known, before->keys, before->count * sizeof(*known));
    qsort(known, before->count, sizeof(*known), compare_paths);
    for (size_t i = 0; i < loader->count; i++) {
        struct job *job = &loader->jobs[i];
        struct dkim_key wanted = { .path = slice_from(job->path) };
        const struct dkim_key *at = &wanted;
        struct dkim_key **found =
            bsearch(&at, known, before->count, sizeof(*known), compare_paths);
        struct stat st;
        if (found != NULL && lstat(job->path, &st) == 0 &&
            is_unchanged(*found, &st))
            job->key = dkim_key_ref(*found);
    }
    free(known);
}

static void *
work(void *arg)
{
    struct loader *loader = arg;

    for (;;) {
        size_t i = __atomic_fetch_add(&loader->next, 1, __ATOMIC_RELAXED);
        if (i >= loader->count)
            return NULL;
        struct job *job = &loader->jobs[i];
        if (job->key == NULL)
            job->key =
                dkim_key_load(job->path, slice_from(job->domain), &job->why);
    }
}

enum {
    THREADS_MAX = 64
};

/* This thread works too, so threads that could not be started only cost
 * time. */
static void
work_together(struct loader *loader, unsigned threads)
{
    pthread_t helpers[THREADS_MAX];
    unsigned started = 0;

    if (threads == 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        threads = processors > 0 ? (unsigned)processors : 1;
    }
    if (threads > loader->count / 4 + 1)
        threads = (unsigned)(loader->count / 4 + 1);
    while (started + 1 < threads && started < THREADS_MAX &&
           pthread_create(&helpers[started], NULL, work, loader) == 0)
        started++;
    work(loader);
    for (unsigned i = 0; i < started; i++)
        pthread_join(helpers[i], NULL);
}

/* ---- the set ----------------------------------------------------------- */

static int
compare_slices(struct slice a, struct slice b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter != 0 ? memcmp(a.ptr, b.ptr, shorter) : 0;

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static int
compare_names(const struct dkim_key *one, const struct dkim_key *two)
{
    int order = compare_slices(one->domain, two->domain);

    return order != 0 ? order : compare_slices(one->selector, two->selector);
}

static int
compare_keys(const void *a, const void *b)
{
    const struct dkim_key *one = *(const struct dkim_key *const *)a;
    const struct dkim_key *two = *(const struct dkim_key *const *)b;
    int order = compare_names(one, two);

    return order != 0 ? order : compare_slices(one->path, two->path);
}

static void
judge_key(const struct dkim_key *key, struct loader *loader)
{
    struct buf *warnings = loader->warnings;

    if (key->selector.len + key->domain.len + sizeof("._domainkey.") - 1 > 253)
        complain(loader->errors, key->path.ptr,
                 "selector and domain are too long for a name in DNS");
    if (key->algorithm != DKIM_RSA_SHA256)
        return;
    if (key->bits < DKIM_RSA_BITS_ADVISED)
        buf_printf(warnings, "%s: RSA of %u bits; 2048 are advised\n",
                   key->path.ptr, key->bits);
    if (key->bits > DKIM_RSA_BITS_MAX)
        buf_printf(warnings,
                   "%s: RSA of %u bits; verifiers need not take more than "
                   "4096\n",
                   key->path.ptr, key->bits);
}

/* One name in DNS holds one key: two files for it are a mistake. */
static void
find_twins(const struct dkim_keyset *set, struct buf *errors)
{
    for (size_t i = 1; i < set->count; i++)
        if (compare_names(set->keys[i - 1], set->keys[i]) == 0)
            buf_printf(errors, "%s: the same selector as %s\n",
                       set->keys[i]->path.ptr, set->keys[i - 1]->path.ptr);
}

static struct dkim_keyset *
collect(struct loader *loader)
{
    struct dkim_keyset *set = mem_alloc(sizeof(*set));

    set->refs = 1;
    set->keys = mem_alloc(loader->count * sizeof(struct dkim_key *));
    for (size_t i = 0; i < loader->count; i++) {
        struct job *job = &loader->jobs[i];
        if (job->key == NULL) {
            complain(loader->errors, job->path, buf_cstr(&job->why));
            continue;
        }
        judge_key(job->key, loader);
        set->keys[set->count++] = job->key;
    }
    qsort(set->keys, set->count, sizeof(set->keys[0]), compare_keys);
    find_twins(set, loader->errors);
    return set;
}

struct dkim_keyset *
dkim_keyset_load(const char *directory, const struct dkim_keyset *before,
                 unsigned threads, struct buf *errors, struct buf *warnings)
{
    struct loader loader = { .directory = directory,
                             .errors = errors,
                             .warnings = warnings };
    size_t complaints = errors->len;

    scan(&loader);
    take_unchanged(&loader, before);
    work_together(&loader, threads);
    struct dkim_keyset *set = collect(&loader);
    for (size_t i = 0; i < loader.count; i++) {
        free(loader.jobs[i].path);
        free(loader.jobs[i].domain);
        buf_free(&loader.jobs[i].why);
    }
    free(loader.jobs);
    if (errors->len == complaints)
        return set;
    dkim_keyset_unref(set);
    return NULL;
}

struct dkim_keyset *
dkim_keyset_ref(struct dkim_keyset *set)
{
    set->refs++;
    return set;
}

void
dkim_keyset_unref(struct dkim_keyset *set)
{
    if (set == NULL || --set->refs != 0)
        return;
    for (size_t i = 0; i < set->count; i++)
        dkim_key_unref(set->keys[i]);
    free(set->keys);
    free(set);
}

size_t
dkim_keyset_count(const struct dkim_keyset *set)
{
    return set->count;
}

const struct dkim_key *
dkim_keyset_key(const struct dkim_keyset *set, size_t index)
{
    return set->keys[index];
}

/* The first key that is not before this domain. */
static size_t
lower_bound(const struct dkim_keyset *set, struct slice domain)
{
    size_t low = 0;
    size_t high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_slices(set->keys[middle]->domain, domain) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t
dkim_keyset_find(const struct dkim_keyset *set, struct slice domain,
                 bool subdomains, const struct dkim_key **keys, size_t max,
                 struct slice *found)
{
    *found = (struct slice){ 0 };
    while (domain.len != 0) {
        size_t count = 0;
        for (size_t i = lower_bound(set, domain); i < set->count; i++) {
            if (!slice_equal(set->keys[i]->domain, domain))
                break;
            if (set->keys[i]->state != DKIM_KEY_ACTIVE || count == max)
                continue;
            keys[count++] = set->keys[i];
            *found = set->keys[i]->domain;
        }
        if (count != 0 || !subdomains)
            return count;
        domain = slice_tail(domain, slice_find(domain, '.') + 1);
    }
    return 0;
}
