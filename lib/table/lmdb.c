/*
 * LMDB files as Postfix reads and writes them: one file, no lock file. LMDB's
 * own locks and Postfix' do not know of each other, so LMDB's are off and
 * Postfix' are honoured: an fcntl lock on the whole file, shared, held for
 * one look-up and never waited for.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Does a NUL stand behind keys and values? Debian's postmap writes one, that
 * of others does not. What the first key shows holds for the file. */
enum ending {
    ENDING_UNKNOWN,
    ENDING_NUL,
    ENDING_BARE
};

struct lmdb {
    MDB_env *env;
    int fd; /* LMDB's own: closing another one would drop our locks */
    enum ending ending;
};

static bool
lock(const struct lmdb *lmdb, short type)
{
    struct flock range = { .l_type = type, .l_whence = SEEK_SET };
    int rc;

    do
        rc = fcntl(lmdb->fd, F_SETLK, &range);
    while (rc != 0 && errno == EINTR);
    return rc == 0;
}

struct lmdb *
lmdb_open(const char *path, struct table_stat *stat, const char **why)
{
    struct lmdb *lmdb = mem_alloc(sizeof(*lmdb));
    struct stat st;

    int rc = mdb_env_create(&lmdb->env);
    if (rc == 0)
        rc = mdb_env_open(lmdb->env, path,
                          MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0);
    if (rc == 0)
        rc = mdb_env_get_fd(lmdb->env, &lmdb->fd);
    if (rc == 0 && fstat(lmdb->fd, &st) != 0)
        rc = errno;
    if (rc != 0) {
        *why = mdb_strerror(rc);
        lmdb_close(lmdb);
        return NULL;
    }
    table_stat_from(&st, stat);
    return lmdb;
}

void
lmdb_close(struct lmdb *lmdb)
{
    mdb_env_close(lmdb->env);
    free(lmdb);
}

/* A read transaction under the lock. */
static enum table_status
begin(const struct lmdb *lmdb, MDB_txn **txn, MDB_dbi *dbi)
{
    if (!lock(lmdb, F_RDLCK))
        return errno == EAGAIN || errno == EACCES ? TABLE_BUSY : TABLE_ERROR;
    int rc = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, txn);
    if (rc == MDB_MAP_RESIZED) {
        /* postmap needed a larger map. Nothing of ours points into the old
         * one: values are copied out. */
        rc = mdb_env_set_mapsize(lmdb->env, 0);
        if (rc == 0)
            rc = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, txn);
    }
    if (rc == 0) {
        rc = mdb_dbi_open(*txn, NULL, 0, dbi);
        if (rc == 0)
            return TABLE_FOUND;
        mdb_txn_abort(*txn);
    }
    lock(lmdb, F_UNLCK);
    return TABLE_ERROR;
}

static void
end(const struct lmdb *lmdb, MDB_txn *txn)
{
    mdb_txn_abort(txn);
    lock(lmdb, F_UNLCK);
}

static struct slice
slice_of(MDB_val val)
{
    return (struct slice){ val.mv_data, val.mv_size };
}

static bool
ends_with_nul(struct slice s)
{
    return s.len != 0 && s.ptr[s.len - 1] == '\0';
}

static int
learn_ending(struct lmdb *lmdb, MDB_txn *txn, MDB_dbi dbi)
{
    MDB_cursor *cursor;
    MDB_val key, value;

    int rc = mdb_cursor_open(txn, dbi, &cursor);
    if (rc != 0)
        return rc;
    rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    mdb_cursor_close(cursor);
    if (rc == 0)
        lmdb->ending = ends_with_nul(slice_of(key)) ? ENDING_NUL : ENDING_BARE;
    return rc;
}

static struct slice
without_ending(const struct lmdb *lmdb, struct slice s)
{
    return lmdb->ending == ENDING_NUL && ends_with_nul(s)
               ? slice_head(s, s.len - 1)
               : s;
}

static int
get(struct lmdb *lmdb, MDB_txn *txn, MDB_dbi dbi, struct slice key,
    MDB_val *found)
{
    char text[SMTP_PATH_MAX + 1];

    if (lmdb->ending == ENDING_UNKNOWN) {
        int rc = learn_ending(lmdb, txn, dbi);
        if (rc != 0)
            return rc;
    }
    /* No longer key is ever asked for or stored: LMDB's limit is 511. */
    if (key.len == 0 || key.len >= sizeof(text))
        return MDB_NOTFOUND;
    memcpy(text, key.ptr, key.len);
    text[key.len] = '\0';
    MDB_val wanted = { .mv_size = key.len + (lmdb->ending == ENDING_NUL),
                       .mv_data = text };
    int rc = mdb_get(txn, dbi, &wanted, found);
    return rc == MDB_BAD_VALSIZE ? MDB_NOTFOUND : rc;
}

enum table_status
lmdb_get(struct lmdb *lmdb, struct slice key, struct buf *value)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val found;
    enum table_status status = begin(lmdb, &txn, &dbi);

    if (status != TABLE_FOUND)
        return status;
    int rc = get(lmdb, txn, dbi, key, &found);
    if (rc == 0) {
        buf_clear(value);
        if (!buf_try_append(value, without_ending(lmdb, slice_of(found))))
            status = TABLE_ERROR;
    } else {
        status = rc == MDB_NOTFOUND ? TABLE_MISS : TABLE_ERROR;
    }
    end(lmdb, txn);
    return status;
}

enum table_status
lmdb_each(struct lmdb *lmdb, table_visit *visit, void *ctx)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_cursor *cursor;
    MDB_val key, value;
    enum table_status status = begin(lmdb, &txn, &dbi);

    if (status != TABLE_FOUND)
        return status;
    int rc = learn_ending(lmdb, txn, dbi);
    if (rc == 0)
        rc = mdb_cursor_open(txn, dbi, &cursor);
    if (rc == 0) {
        while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
            if (!visit(ctx, without_ending(lmdb, slice_of(key)),
                       without_ending(lmdb, slice_of(value)), 0))
                break;
        mdb_cursor_close(cursor);
    }
    if (rc != 0 && rc != MDB_NOTFOUND)
        status = TABLE_ERROR;
    end(lmdb, txn);
    return status;
}

uint64_t
lmdb_count(const struct lmdb *lmdb)
{
    MDB_stat stat;

    return mdb_env_stat(lmdb->env, &stat) == 0 ? stat.ms_entries : 0;
}

/* ---- writing ----------------------------------------------------------- */

struct put {
    MDB_txn *txn;
    MDB_dbi dbi;
    struct buf key, value; /* with their NUL */
    int rc;
};

static MDB_val
with_nul(struct buf *b, struct slice s)
{
    buf_clear(b);
    buf_append(b, s);
    buf_putc(b, '\0');
    return (MDB_val){ .mv_size = b->len, .mv_data = b->ptr };
}

static bool
on_put(void *ctx, struct slice key, struct slice value, unsigned line)
{
    struct put *put = ctx;
    MDB_val k = with_nul(&put->key, key);
    MDB_val v = with_nul(&put->value, value);

    (void)line;
    put->rc = mdb_put(put->txn, put->dbi, &k, &v, MDB_NOOVERWRITE);
    return put->rc == 0;
}

struct size {
    size_t octets;
};

static bool
on_size(void *ctx, struct slice key, struct slice value, unsigned line)
{
    struct size *size = ctx;

    (void)line;
    size->octets += key.len + value.len;
    return true;
}

/* Room for the tree whatever its order: pages are at least a third full, and a
 * value may need whole pages of its own. The file grows only as needed. */
static size_t
map_size(const struct table *from)
{
    struct size size = { 0 };
    const size_t mib = 1024 * 1024;

    table_each(from, on_size, &size);
    size_t octets = 4 * size.octets + 128 * (size_t)from->entries + 16 * mib;
    return (octets + mib - 1) / mib * mib;
}

static int
put_all(MDB_env *env, const struct table *from)
{
    struct put put = { 0 };

    int rc = mdb_txn_begin(env, NULL, 0, &put.txn);
    if (rc != 0)
        return rc;
    put.rc = mdb_dbi_open(put.txn, NULL, 0, &put.dbi);
    if (put.rc == 0)
        table_each(from, on_put, &put);
    buf_free(&put.key);
    buf_free(&put.value);
    if (put.rc == 0)
        return mdb_txn_commit(put.txn);
    mdb_txn_abort(put.txn);
    return put.rc;
}

bool
lmdb_write(const char *path, const struct table *from, const char **why)
{
    MDB_env *env = NULL;

    int rc = mdb_env_create(&env);
    if (rc == 0)
        rc = mdb_env_set_mapsize(env, map_size(from));
    if (rc == 0)
        rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
    if (rc == 0)
        rc = put_all(env, from);
    if (rc == 0)
        rc = mdb_env_sync(env, 1);
    mdb_env_close(env);
    *why = rc == MDB_BAD_VALSIZE ? "a key is longer than 510 octets"
                                 : mdb_strerror(rc);
    return rc == 0;
}
