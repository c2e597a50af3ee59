/*
 * What one look-up in a table costs, by kind and number of entries: in-process,
 * in the page cache, random keys of which every other one is there.
 *
 *   table SECONDS [ENTRIES...]      of each table; 1000 10000 100000 1000000
 *
 * Prints "KIND-hit|KIND-miss p50|p99 ENTRIES MICROSECONDS" of the clock, and
 * "KIND cpu ENTRIES MICROSECONDS" of the processor, half hits and half misses:
 * the form of alone.h. How it goes with the number of entries is what matters.
 */
#include "alone.h"
#include "table.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH = 500, /* look-ups before it is another table's turn */
    SAMPLES = 1 << 20,
    SIZES_MAX = 8,
    TABLES_MAX = 3 * SIZES_MAX,
};

struct sampled {
    uint32_t *nanoseconds;
    size_t count;
};

struct subject {
    const char *kind;
    uint64_t entries;
    struct table *table;
    struct sampled hit, miss;
    int64_t cpu_ns;
    uint64_t look_ups;
};

static struct subject subjects[TABLES_MAX];
static size_t subject_count;
static char directory[] = "/tmp/onward-bench-XXXXXX";

static int64_t
now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t
random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- tables ------------------------------------------------------------ */

static bool
on_entry(void *ctx, struct slice key, struct slice value, unsigned line)
{
    (void)line;
    return cdb_writer_add(ctx, key, value);
}

static void
write_cdb(const char *path, const struct table *from)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    must(fd >= 0, path);
    struct cdb_writer *writer = cdb_writer_new(fd);

    table_each(from, on_entry, writer);
    must(cdb_writer_finish(writer), path);
    cdb_writer_free(writer);
    close(fd);
}

static void
add(const char *kind, uint64_t entries, struct table *table)
{
    must(table != NULL, kind);
    struct subject *subject = &subjects[subject_count++];
    *subject =
        (struct subject){ .kind = kind, .entries = entries, .table = table };
    subject->hit.nanoseconds = malloc(SAMPLES * sizeof(uint32_t));
    subject->miss.nanoseconds = malloc(SAMPLES * sizeof(uint32_t));
    must(subject->hit.nanoseconds != NULL && subject->miss.nanoseconds != NULL,
         "malloc");
}

/* The file is removed at once: the open descriptor is enough. */
static void
add_file(const char *kind, uint64_t entries, const char *path)
{
    struct buf errors = { 0 };
    char spec[128];

    /* "lmdb:/tmp/onward-bench-x/t", without the suffix */
    snprintf(spec, sizeof(spec), "%s:%s/t", kind, directory);
    add(kind, entries,
        table_open(slice_from(spec), TABLE_ALIASES, NULL, 0, &errors));
    unlink(path);
}

static void
add_all(uint64_t entries)
{
    struct buf text = { 0 }, errors = { 0 };
    char path[128];
    const char *why;

    for (uint64_t i = 0; i < entries; i++)
        buf_printf(&text, "u%llu@public.example target%llu@private.example\n",
                   (unsigned long long)(2 * i), (unsigned long long)i);
    struct table *hash = table_from_text(buf_slice(&text), SLICE_OF("t"),
                                         TABLE_ALIASES, &errors);
    buf_free(&text);
    add("texthash", entries, hash);
    snprintf(path, sizeof(path), "%s/t.cdb", directory);
    write_cdb(path, hash);
    add_file("cdb", entries, path);
    snprintf(path, sizeof(path), "%s/t.lmdb", directory);
    must(lmdb_write(path, hash, &why), path);
    add_file("lmdb", entries, path);
}

/* ---- measuring --------------------------------------------------------- */

static void
look_up(struct subject *subject, uint64_t *random)
{
    static struct buf value;
    unsigned line;
    char key[64];
    const uint64_t n = random_next(random) % (2 * subject->entries);
    const int len = snprintf(key, sizeof(key), "u%llu@public.example",
                             (unsigned long long)n);
    struct sampled *sampled = n % 2 == 0 ? &subject->hit : &subject->miss;

    const int64_t start = now_ns(CLOCK_MONOTONIC);
    const enum table_status status = table_get(
        subject->table, (struct slice){ key, (size_t)len }, &value, &line);
    const int64_t spent = now_ns(CLOCK_MONOTONIC) - start;
    must(status == (n % 2 == 0 ? TABLE_FOUND : TABLE_MISS), key);
    if (sampled->count == SAMPLES)
        return;
    sampled->nanoseconds[sampled->count++] =
        spent < UINT32_MAX ? (uint32_t)spent : UINT32_MAX;
}

static void
run_batch(struct subject *subject, uint64_t *random)
{
    const int64_t start = now_ns(CLOCK_PROCESS_CPUTIME_ID);

    for (unsigned i = 0; i < BATCH; i++)
        look_up(subject, random);
    subject->cpu_ns += now_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
    subject->look_ups += BATCH;
}

static int
compare(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

static void
print(const struct subject *subject, const char *outcome,
      struct sampled *sampled)
{
    const size_t n = sampled->count;
    const unsigned long long entries = subject->entries;

    must(n != 0, "a look-up");
    qsort(sampled->nanoseconds, n, sizeof(uint32_t), compare);
    printf("%s-%s p50 %llu %.4f\n", subject->kind, outcome, entries,
           (double)sampled->nanoseconds[n / 2] / 1e3);
    printf("%s-%s p99 %llu %.4f\n", subject->kind, outcome, entries,
           (double)sampled->nanoseconds[n * 99 / 100] / 1e3);
}

int
main(int argc, char **argv)
{
    static const uint64_t sizes[] = { 1000, 10000, 100000, 1000000 };
    uint64_t random = 0x9e3779b97f4a7c15;
    uint64_t entries;

    must(argc >= 2 && argc - 2 <= SIZES_MAX,
         "usage: table SECONDS [ENTRIES...];");
    must(mkdtemp(directory) != NULL, directory);
    for (int i = 2; i < argc; i++) {
        must(slice_to_u64(slice_from(argv[i]), &entries) && entries != 0,
             argv[i]);
        add_all(entries);
    }
    for (size_t i = 0; argc == 2 && i < sizeof(sizes) / sizeof(sizes[0]); i++)
        add_all(sizes[i]);
    rmdir(directory);
    /* By turns: what slows the machine for a while slows all of them. */
    const int64_t end =
        now_ns(CLOCK_MONOTONIC) +
        (int64_t)(strtod(argv[1], NULL) * 1e9 * (double)subject_count);
    while (now_ns(CLOCK_MONOTONIC) < end)
        for (size_t i = 0; i < subject_count; i++)
            run_batch(&subjects[i], &random);
    for (size_t i = 0; i < subject_count; i++) {
        printf("%s cpu %llu %.4f\n", subjects[i].kind,
               (unsigned long long)subjects[i].entries,
               (double)subjects[i].cpu_ns / (double)subjects[i].look_ups / 1e3);
        print(&subjects[i], "hit", &subjects[i].hit);
        print(&subjects[i], "miss", &subjects[i].miss);
    }
    return 0;
}
