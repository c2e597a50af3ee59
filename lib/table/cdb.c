/*
 * The reader of constant databases (cr.yp.to/cdb/cdb.txt):
 *
 *     256 pointers (position, slots) to hash tables
 *     records (key length, value length, key, value)
 *     hash tables of slots (hash, position of the record)
 *
 * All numbers are 32 bits, little-endian. Nothing in the file is believed:
 * each position is checked against the size, each read may come back short,
 * each loop is bounded. The file is read, not mapped: one that is cut while
 * we read it is an error and not a SIGBUS.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TABLES = 256,
    HEADER = TABLES * 8,
    SLOTS_AT_ONCE = 32, /* tables are half empty: runs are short */
    SLOTS_TO_COUNT = 8192,
    RECORD_AT_ONCE = 512, /* most records, in one read */
};

struct pointer {
    uint32_t position;
    uint32_t slots;
};

struct cdb {
    int fd;
    uint64_t size;
    uint64_t records_end;
    uint64_t count;
    struct pointer tables[TABLES];
};

uint32_t
cdb_hash(struct slice key)
{
    uint32_t h = 5381;

    for (size_t i = 0; i < key.len; i++)
        h = (h * 33) ^ (unsigned char)key.ptr[i];
    return h;
}

static uint32_t
number(const unsigned char *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 |
           (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

/* Up to len octets; how many there are. */
static size_t
read_some(const struct cdb *cdb, void *to, size_t len, uint64_t position)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(cdb->fd, (char *)to + done, len - done,
                          (off_t)(position + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

static bool
read_all(const struct cdb *cdb, void *to, size_t len, uint64_t position)
{
    return read_some(cdb, to, len, position) == len;
}

/* ---- opening ----------------------------------------------------------- */

static bool
read_header(struct cdb *cdb)
{
    unsigned char header[HEADER];

    if (!read_all(cdb, header, sizeof(header), 0))
        return false;
    cdb->records_end = cdb->size;
    uint64_t slots = 0;
    for (size_t i = 0; i < TABLES; i++) {
        struct pointer *table = &cdb->tables[i];
        table->position = number(header + 8 * i);
        table->slots = number(header + 8 * i + 4);
        uint64_t end = (uint64_t)table->position + 8 * (uint64_t)table->slots;
        if (table->position < HEADER || end > cdb->size)
            return false;
        if (table->position < cdb->records_end)
            cdb->records_end = table->position;
        slots += table->slots;
    }
    /* Tables that overlap would make a small file take long to look through. */
    if (8 * slots > cdb->size)
        return false;
    /* Two slots for each record. */
    cdb->count = slots / 2;
    return true;
}

/* Is one half of the slots in use, as every builder leaves them? Where a
 * file system lost a part, after a crash, there are zeros, which would say of
 * each key that it is not there. */
static bool
has_its_slots(const struct cdb *cdb)
{
    unsigned char *slots = mem_alloc(8 * SLOTS_TO_COUNT);
    bool ok = true;

    for (size_t t = 0; t < TABLES && ok; t++) {
        const struct pointer *table = &cdb->tables[t];
        uint32_t used = 0;
        for (uint32_t at = 0; at < table->slots && ok; at += SLOTS_TO_COUNT) {
            uint32_t n = table->slots - at;
            if (n > SLOTS_TO_COUNT)
                n = SLOTS_TO_COUNT;
            ok = read_all(cdb, slots, 8 * (size_t)n,
                          table->position + 8 * (uint64_t)at);
            for (uint32_t i = 0; i < n && ok; i++)
                used += number(slots + 8 * (size_t)i + 4) != 0;
        }
        ok = ok && used >= table->slots / 2;
    }
    free(slots);
    return ok;
}

struct cdb *
cdb_open(const char *path, struct table_stat *stat, const char **why)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        *why = strerror(errno);
        return NULL;
    }
    struct cdb *cdb = mem_alloc(sizeof(*cdb));
    cdb->fd = fd;
    if (fstat(fd, &st) != 0) {
        *why = strerror(errno);
        goto out;
    }
    table_stat_from(&st, stat);
    cdb->size = (uint64_t)st.st_size;
    if (!S_ISREG(st.st_mode) || !read_header(cdb)) {
        *why = "is no cdb file, or is damaged";
        goto out;
    }
    if (!has_its_slots(cdb)) {
        *why = "is damaged: a part of its index is empty; build it again";
        goto out;
    }
    return cdb;
out:
    cdb_close(cdb);
    return NULL;
}

void
cdb_close(struct cdb *cdb)
{
    close(cdb->fd);
    free(cdb);
}

uint64_t
cdb_count(const struct cdb *cdb)
{
    return cdb->count;
}

/* ---- looking up -------------------------------------------------------- */

/* A key of that hash which is not the one that is looked for: one of another
 * hash was not written here, and so the record is not what was written. */
static enum table_status
other_key(struct slice found, uint32_t hash)
{
    return cdb_hash(found) == hash ? TABLE_MISS : TABLE_ERROR;
}

/* Is the record at this position the key's? FOUND with the value, MISS for
 * another key of the same hash, ERROR for a record that cannot be. */
static enum table_status
read_record(const struct cdb *cdb, uint64_t position, struct slice key,
            uint32_t hash, struct buf *value)
{
    unsigned char record[RECORD_AT_ONCE];

    if (position < HEADER || position + 8 > cdb->records_end)
        return TABLE_ERROR;
    size_t had = read_some(cdb, record, sizeof(record), position);
    if (had < 8)
        return TABLE_ERROR;
    uint64_t key_len = number(record);
    uint64_t value_len = number(record + 4);
    if (position + 8 + key_len + value_len > cdb->records_end)
        return TABLE_ERROR;
    if (key_len == key.len && value_len > TABLE_VALUE_MAX)
        return TABLE_ERROR; /* a sparse file may claim gigabytes */
    struct slice found_key = { (const char *)record + 8, key_len };
    if (key_len != key.len) /* so long a key is nobody's, and not read */
        return 8 + key_len <= had ? other_key(found_key, hash) : TABLE_MISS;
    buf_clear(value);
    if (8 + key_len + value_len <= had) {
        if (!slice_equal(found_key, key))
            return other_key(found_key, hash);
        struct slice found = { (const char *)record + 8 + key_len, value_len };
        return buf_try_append(value, found) ? TABLE_FOUND : TABLE_ERROR;
    }
    if (!buf_try_reserve(value, key_len + value_len) ||
        !read_all(cdb, value->ptr, key_len + value_len, position + 8))
        return TABLE_ERROR;
    if (memcmp(value->ptr, key.ptr, key.len) != 0)
        return other_key((struct slice){ value->ptr, key_len }, hash);
    value->len = key_len + value_len;
    buf_drop(value, key_len);
    return TABLE_FOUND;
}

enum table_status
cdb_get(const struct cdb *cdb, struct slice key, struct buf *value)
{
    uint32_t hash = cdb_hash(key);
    const struct pointer *table = &cdb->tables[hash % TABLES];
    unsigned char slots[8 * SLOTS_AT_ONCE];

    if (table->slots == 0 || key.len == 0)
        return TABLE_MISS;
    uint32_t slot = (hash >> 8) % table->slots;
    for (uint32_t seen = 0; seen < table->slots;) {
        uint32_t n = table->slots - slot; /* up to where the table wraps */
        if (n > SLOTS_AT_ONCE)
            n = SLOTS_AT_ONCE;
        if (!read_all(cdb, slots, 8 * (size_t)n,
                      table->position + 8 * (uint64_t)slot))
            return TABLE_ERROR;
        for (uint32_t i = 0; i < n && seen < table->slots; i++, seen++) {
            uint32_t position = number(slots + 8 * i + 4);
            if (position == 0)
                return TABLE_MISS;
            /* Each table holds the hashes of its own number: what else stands
             * here was never written by a builder. */
            uint32_t found = number(slots + 8 * i);
            if (found % TABLES != hash % TABLES)
                return TABLE_ERROR;
            if (found != hash)
                continue;
            enum table_status status =
                read_record(cdb, position, key, hash, value);
            if (status != TABLE_MISS)
                return status;
        }
        slot = (slot + n) % table->slots;
    }
    /* Builders leave half of the slots empty; without one the file is damaged,
     * and "not there" would let an alias pass unexpanded. */
    return TABLE_ERROR;
}

/* ---- all records ------------------------------------------------------- */

enum {
    WINDOW = 65536
};

/* A window on the records that moves forward. */
struct window {
    const struct cdb *cdb;
    struct buf octets;
    uint64_t start; /* position of octets.ptr[0] */
};

/* The len octets at this position, or NULL. The position never goes back. */
static const unsigned char *
window_at(struct window *window, uint64_t position, uint64_t len)
{
    if (len > window->cdb->records_end - position)
        return NULL;
    if (position + len > window->start + window->octets.len) {
        uint64_t want = len > WINDOW ? len : WINDOW;
        if (want > window->cdb->records_end - position)
            want = window->cdb->records_end - position;
        buf_clear(&window->octets);
        if (!buf_try_reserve(&window->octets, want) ||
            !read_all(window->cdb, window->octets.ptr, want, position))
            return NULL;
        window->octets.len = want;
        window->start = position;
    }
    return (const unsigned char *)window->octets.ptr +
           (position - window->start);
}

enum table_status
cdb_each(const struct cdb *cdb, table_visit *visit, void *ctx)
{
    struct window window = { .cdb = cdb };
    enum table_status status = TABLE_FOUND;

    for (uint64_t position = HEADER; position < cdb->records_end;) {
        const unsigned char *record = window_at(&window, position, 8);
        if (record == NULL) {
            status = TABLE_ERROR;
            break;
        }
        uint64_t key_len = number(record);
        uint64_t value_len = number(record + 4);
        if (key_len > TABLE_VALUE_MAX || value_len > TABLE_VALUE_MAX) {
            status = TABLE_ERROR;
            break;
        }
        record = window_at(&window, position, 8 + key_len + value_len);
        if (record == NULL) {
            status = TABLE_ERROR;
            break;
        }
        struct slice key = { (const char *)record + 8, key_len };
        struct slice value = { (const char *)record + 8 + key_len, value_len };
        if (!visit(ctx, key, value, 0))
            break;
        position += 8 + key_len + value_len;
    }
    buf_free(&window.octets);
    return status;
}
