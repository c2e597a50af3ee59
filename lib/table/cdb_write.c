/*
 * The writer of constant databases; the format is described in cdb.c. Records
 * go out as they come; of each only its hash and position is kept for the
 * tables at the end. The header is written last, so that a file that is not
 * complete is not taken for one.
 */
#include "backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TABLES = 256,
    HEADER = TABLES * 8,
    FLUSH_AT = 256 * 1024
};

struct record {
    uint32_t hash;
    uint32_t position;
};

struct cdb_writer {
    int fd;
    bool failed;
    uint64_t position; /* of the next octet, those in out included */
    struct buf out;
    struct record *records;
    size_t count, room;
};

static void
put_number(struct buf *out, uint32_t n)
{
    char octets[4] = { (char)(n & 0xFF), (char)(n >> 8 & 0xFF),
                       (char)(n >> 16 & 0xFF), (char)(n >> 24 & 0xFF) };

    buf_append(out, (struct slice){ octets, sizeof(octets) });
}

static bool
flush(struct cdb_writer *writer)
{
    size_t done = 0;

    while (done < writer->out.len) {
        ssize_t n =
            write(writer->fd, writer->out.ptr + done, writer->out.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            writer->failed = true;
            return false;
        }
        done += (size_t)n;
    }
    buf_clear(&writer->out);
    return true;
}

static bool
flush_full(struct cdb_writer *writer)
{
    return writer->out.len < FLUSH_AT || flush(writer);
}

struct cdb_writer *
cdb_writer_new(int fd)
{
    struct cdb_writer *writer = mem_alloc(sizeof(*writer));
    static const char zeros[HEADER];

    writer->fd = fd;
    writer->position = HEADER;
    buf_append(&writer->out, (struct slice){ zeros, sizeof(zeros) });
    return writer;
}

bool
cdb_writer_add(struct cdb_writer *writer, struct slice key, struct slice value)
{
    uint64_t end =
        writer->position + 8 + (uint64_t)key.len + (uint64_t)value.len;
    /* Its slots have to fit as well: positions are 32 bits. */
    uint64_t tables = 16 * ((uint64_t)writer->count + 1);

    if (writer->failed)
        return false;
    if (key.len > UINT32_MAX || value.len > UINT32_MAX ||
        end + tables > UINT32_MAX) {
        errno = EFBIG;
        writer->failed = true;
        return false;
    }
    if (writer->count == writer->room) {
        writer->room = writer->room == 0 ? 1024 : 2 * writer->room;
        writer->records =
            mem_realloc(writer->records, writer->room * sizeof(struct record));
    }
    writer->records[writer->count++] =
        (struct record){ cdb_hash(key), (uint32_t)writer->position };
    put_number(&writer->out, (uint32_t)key.len);
    put_number(&writer->out, (uint32_t)value.len);
    buf_append(&writer->out, key);
    buf_append(&writer->out, value);
    writer->position = end;
    return flush_full(writer);
}

/* ---- the tables -------------------------------------------------------- */

/* Records ordered by table, in each as they came. */
static struct record *
sort_records(const struct cdb_writer *writer, size_t starts[TABLES + 1])
{
    struct record *sorted = mem_alloc((writer->count + 1) * sizeof(*sorted));
    size_t next[TABLES];

    memset(starts, 0, (TABLES + 1) * sizeof(*starts));
    for (size_t i = 0; i < writer->count; i++)
        starts[writer->records[i].hash % TABLES + 1]++;
    for (size_t i = 0; i < TABLES; i++)
        starts[i + 1] += starts[i];
    memcpy(next, starts, sizeof(next));
    for (size_t i = 0; i < writer->count; i++)
        sorted[next[writer->records[i].hash % TABLES]++] = writer->records[i];
    return sorted;
}

static bool
write_table(struct cdb_writer *writer, const struct record *records,
            size_t count, struct buf *header)
{
    size_t slots = 2 * count;
    struct record *table = mem_alloc((slots + 1) * sizeof(*table));

    put_number(header, (uint32_t)writer->position);
    put_number(header, (uint32_t)slots);
    for (size_t i = 0; i < count; i++) {
        size_t at = (records[i].hash >> 8) % slots;
        while (table[at].position != 0)
            at = at + 1 == slots ? 0 : at + 1;
        table[at] = records[i];
    }
    for (size_t i = 0; i < slots; i++) {
        put_number(&writer->out, table[i].hash);
        put_number(&writer->out, table[i].position);
    }
    free(table);
    writer->position += 8 * (uint64_t)slots;
    return flush_full(writer);
}

bool
cdb_writer_finish(struct cdb_writer *writer)
{
    struct buf header = { 0 };
    size_t starts[TABLES + 1];
    bool ok = !writer->failed;
    struct record *sorted = sort_records(writer, starts);

    for (size_t i = 0; i < TABLES && ok; i++)
        ok = write_table(writer, sorted + starts[i], starts[i + 1] - starts[i],
                         &header);
    ok = ok && flush(writer) && lseek(writer->fd, 0, SEEK_SET) == 0;
    if (ok) {
        buf_append(&writer->out, buf_slice(&header));
        ok = flush(writer);
    }
    free(sorted);
    buf_free(&header);
    return ok;
}

void
cdb_writer_free(struct cdb_writer *writer)
{
    buf_free(&writer->out);
    free(writer->records);
    free(writer);
}
