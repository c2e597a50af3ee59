/*
 * The writer of LMDB files, with LMDB's own library. Entries go in by the order
 * of their keys, each behind the last: no page is split, and the file is a
 * third smaller than one whose keys came as they came.
 */
#include "backend.h"

#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct slice key, value; /* in the table */
};

struct entries {
    struct entry *list;
    size_t count, room;
    size_t octets;
};

static bool
on_entry(void *ctx, struct slice key, struct slice value, unsigned line)
{
    struct entries *entries = ctx;

    (void)line;
    if (entries->count == entries->room) {
        entries->room = entries->room == 0 ? 1024 : 2 * entries->room;
        entries->list =
            mem_realloc(entries->list, entries->room * sizeof(struct entry));
    }
    entries->list[entries->count++] = (struct entry){ key, value };
    entries->octets += key.len + value.len;
    return true;
}

/* As LMDB orders them, the NUL behind each included. */
static int
compare(const void *left, const void *right)
{
    const struct slice a = ((const struct entry *)left)->key;
    const struct slice b = ((const struct entry *)right)->key;
    const int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Room for the tree: a value may need whole pages of its own. The file grows
 * only as needed. */
static size_t
map_size(const struct entries *entries)
{
    const size_t mib = 1024 * 1024;
    size_t octets = 4 * entries->octets + 128 * entries->count + 16 * mib;

    return (octets + mib - 1) / mib * mib;
}

static MDB_val
with_nul(struct buf *b, struct slice s)
{
    buf_clear(b);
    buf_append(b, s);
    buf_putc(b, '\0');
    return (MDB_val){ .mv_size = b->len, .mv_data = b->ptr };
}

static int
put_all(MDB_env *env, const struct entries *entries)
{
    struct buf key = { 0 }, value = { 0 };
    MDB_txn *txn;
    MDB_dbi dbi;

    int rc = mdb_txn_begin(env, NULL, 0, &txn);
    if (rc != 0)
        return rc;
    rc = mdb_dbi_open(txn, NULL, 0, &dbi);
    for (size_t i = 0; rc == 0 && i < entries->count; i++) {
        MDB_val k = with_nul(&key, entries->list[i].key);
        MDB_val v = with_nul(&value, entries->list[i].value);
        rc = mdb_put(txn, dbi, &k, &v, MDB_APPEND);
    }
    buf_free(&key);
    buf_free(&value);
    if (rc == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

bool
lmdb_write(const char *path, const struct table *from, const char **why)
{
    struct entries entries = { 0 };
    MDB_env *env = NULL;

    table_each(from, on_entry, &entries);
    if (entries.count != 0)
        qsort(entries.list, entries.count, sizeof(struct entry), compare);
    int rc = mdb_env_create(&env);
    if (rc == 0)
        rc = mdb_env_set_mapsize(env, map_size(&entries));
    if (rc == 0)
        rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC,
                          0600);
    if (rc == 0)
        rc = put_all(env, &entries);
    mdb_env_close(env);
    free(entries.list);
    *why = rc == MDB_BAD_VALSIZE ? "a key is longer than 510 octets"
                                 : mdb_strerror(rc);
    return rc == 0;
}
