#include "senderstore.h"

#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAP_SIZE = 512 * 1024 * 1024, /* for SENDERSTORE_ROOM of the longest; the
                                   * file is sparse */
    REFRESH = 86400,  /* seconds: a use is written down once a day */
    EXPIRE_EACH = 16, /* old ones that one put removes at most */
    FULL = 1,         /* beside the errors of LMDB and of the system */
    STAMP = 8,        /* octets of a time, big-endian */
    FILE_MODE = 0600,
};

struct senderstore {
    MDB_env *env;
    size_t room;
    MDB_dbi by_key;  /* key: time, sender */
    MDB_dbi by_time; /* time, key: nothing; the oldest first */
};

static MDB_val
val_of(struct slice s)
{
    /* MDB_val has no const; LMDB only reads keys and what it stores. */
    return (MDB_val){ .mv_size = s.len, .mv_data = (void *)(uintptr_t)s.ptr };
}

static struct slice
slice_of(MDB_val val)
{
    return (struct slice){ val.mv_data, val.mv_size };
}

static void
put_stamp(struct buf *out, int64_t time)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        buf_putc(out, (char)((uint64_t)time >> shift & 0xFF));
}

static int64_t
get_stamp(struct slice s)
{
    uint64_t time = 0;

    for (size_t i = 0; i < STAMP && i < s.len; i++)
        time = time << 8 | (unsigned char)s.ptr[i];
    return (int64_t)time;
}

/* ---- opening ----------------------------------------------------------- */

static int
open_tables(struct senderstore *store)
{
    MDB_txn *txn;
    int error = mdb_txn_begin(store->env, NULL, 0, &txn);

    if (error != 0)
        return error;
    error = mdb_dbi_open(txn, "by-key", MDB_CREATE, &store->by_key);
    if (error == 0)
        error = mdb_dbi_open(txn, "by-time", MDB_CREATE, &store->by_time);
    if (error == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return error;
}

struct senderstore *
senderstore_open(struct slice directory, size_t room, struct buf *why)
{
    struct senderstore *store = mem_alloc(sizeof(*store));

    store->room = room;
    struct buf path = { 0 };
    int error = mdb_env_create(&store->env);

    buf_printf(&path, "%.*s/senders.lmdb", SLICE_ARG(directory));
    if (error == 0)
        error = mdb_env_set_mapsize(store->env, MAP_SIZE);
    if (error == 0)
        error = mdb_env_set_maxdbs(store->env, 2);
    if (error == 0) /* NOTLS: a reader is not tied to its pool thread */
        error = mdb_env_open(store->env, buf_cstr(&path),
                             MDB_NOSUBDIR | MDB_NOTLS, FILE_MODE);
    if (error == 0)
        error = open_tables(store);
    if (error != 0) {
        buf_printf(why, "%s: %s", buf_cstr(&path), mdb_strerror(error));
        senderstore_close(store);
        store = NULL;
    }
    buf_free(&path);
    return store;
}

void
senderstore_close(struct senderstore *store)
{
    if (store == NULL)
        return;
    if (store->env != NULL)
        mdb_env_close(store->env);
    free(store);
}

/* ---- reading ----------------------------------------------------------- */

/* MDB_NOTFOUND is no error here. */
static int
read_one(struct senderstore *store, struct slice key, int64_t *used,
         struct buf *sender)
{
    MDB_val name = val_of(key), value;
    MDB_txn *txn;
    int error = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

    if (error != 0)
        return error;
    error = mdb_get(txn, store->by_key, &name, &value);
    if (error == 0) {
        *used = get_stamp(slice_of(value));
        buf_append(sender, slice_tail(slice_of(value), STAMP));
    }
    mdb_txn_abort(txn);
    return error;
}

static enum table_status
fail(int error, struct buf *why)
{
    buf_puts(why, mdb_strerror(error));
    return TABLE_ERROR;
}

enum table_status
senderstore_get(struct senderstore *store, struct slice key, struct buf *sender,
                struct buf *why)
{
    int64_t used;
    int error = read_one(store, key, &used, sender);

    if (error == MDB_NOTFOUND)
        return TABLE_MISS;
    return error == 0 ? TABLE_FOUND : fail(error, why);
}

static int
look_for_room(struct senderstore *store, MDB_txn *txn, struct slice key,
              int64_t older_than)
{
    MDB_val name = val_of(key), value;
    MDB_cursor *cursor;
    MDB_stat stat;
    int error = mdb_get(txn, store->by_key, &name, &value);

    if (error != MDB_NOTFOUND)
        return error;
    error = mdb_stat(txn, store->by_key, &stat);
    if (error != 0 || stat.ms_entries < store->room)
        return error;
    /* One that is too old would give way. */
    error = mdb_cursor_open(txn, store->by_time, &cursor);
    if (error != 0)
        return error;
    error = mdb_cursor_get(cursor, &name, &value, MDB_FIRST);
    bool old = error == 0 && get_stamp(slice_of(name)) < older_than;
    mdb_cursor_close(cursor);
    if (error == 0 || error == MDB_NOTFOUND)
        return old ? 0 : FULL;
    return error;
}

enum table_status
senderstore_has_room(struct senderstore *store, struct slice key, int64_t now,
                     int64_t keep_seconds, struct buf *why)
{
    MDB_txn *txn;
    int error = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

    if (error == 0) {
        error = look_for_room(store, txn, key, now - keep_seconds);
        mdb_txn_abort(txn);
    }
    if (error == FULL)
        return TABLE_MISS;
    return error == 0 ? TABLE_FOUND : fail(error, why);
}

/* ---- writing ----------------------------------------------------------- */

static int
delete_one(struct senderstore *store, MDB_txn *txn, struct slice key,
           int64_t used)
{
    struct buf stamped = { 0 };
    MDB_val name = val_of(key), by_time;
    int error;

    put_stamp(&stamped, used);
    buf_append(&stamped, key);
    by_time = val_of(buf_slice(&stamped));
    error = mdb_del(txn, store->by_time, &by_time, NULL);
    if (error == 0 || error == MDB_NOTFOUND)
        error = mdb_del(txn, store->by_key, &name, NULL);
    buf_free(&stamped);
    return error == MDB_NOTFOUND ? 0 : error;
}

/* 0: there was one to delete; MDB_NOTFOUND: there is none that old. */
static int
delete_oldest(struct senderstore *store, MDB_txn *txn, int64_t older_than)
{
    MDB_cursor *cursor;
    MDB_val found, nothing;
    struct buf copy = { 0 };
    int error = mdb_cursor_open(txn, store->by_time, &cursor);

    if (error != 0)
        return error;
    error = mdb_cursor_get(cursor, &found, &nothing, MDB_FIRST);
    if (error == 0)
        buf_append(&copy, slice_of(found));
    mdb_cursor_close(cursor);
    if (error == 0 && get_stamp(buf_slice(&copy)) >= older_than)
        error = MDB_NOTFOUND;
    if (error == 0)
        error = delete_one(store, txn, slice_tail(buf_slice(&copy), STAMP),
                           get_stamp(buf_slice(&copy)));
    buf_free(&copy);
    return error;
}

static int
make_room(struct senderstore *store, MDB_txn *txn, int64_t now,
          int64_t keep_seconds)
{
    MDB_stat stat;
    int error = 0;

    for (int i = 0; i < EXPIRE_EACH && error == 0; i++)
        error = delete_oldest(store, txn, now - keep_seconds);
    if (error != 0 && error != MDB_NOTFOUND)
        return error;
    error = mdb_stat(txn, store->by_key, &stat);
    if (error == 0 && stat.ms_entries >= store->room)
        return FULL;
    return error;
}

static int
write_one(struct senderstore *store, MDB_txn *txn, struct slice key,
          struct slice sender, int64_t now)
{
    struct buf value = { 0 }, stamped = { 0 };
    MDB_val name = val_of(key), data, by_time, nothing = { 0 };
    int error;

    put_stamp(&value, now);
    buf_append(&value, sender);
    put_stamp(&stamped, now);
    buf_append(&stamped, key);
    data = val_of(buf_slice(&value));
    by_time = val_of(buf_slice(&stamped));
    error = mdb_put(txn, store->by_key, &name, &data, 0);
    if (error == 0)
        error = mdb_put(txn, store->by_time, &by_time, &nothing, 0);
    buf_free(&value);
    buf_free(&stamped);
    return error;
}

/* The old time has to be read in the transaction that replaces it: another
 * thread may have been here since. */
static int
replace_one(struct senderstore *store, MDB_txn *txn, struct slice key,
            struct slice sender, int64_t now, int64_t keep_seconds)
{
    MDB_val name = val_of(key), value;
    int error = mdb_get(txn, store->by_key, &name, &value);

    if (error == 0)
        error = delete_one(store, txn, key, get_stamp(slice_of(value)));
    else if (error == MDB_NOTFOUND)
        error = make_room(store, txn, now, keep_seconds);
    return error != 0 ? error : write_one(store, txn, key, sender, now);
}

static int
commit_one(struct senderstore *store, struct slice key, struct slice sender,
           int64_t now, int64_t keep_seconds)
{
    MDB_txn *txn;
    int error = mdb_txn_begin(store->env, NULL, 0, &txn);

    if (error != 0)
        return error;
    error = replace_one(store, txn, key, sender, now, keep_seconds);
    if (error == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return error;
}

enum table_status
senderstore_put(struct senderstore *store, struct slice key,
                struct slice sender, int64_t now, int64_t keep_seconds,
                struct buf *why)
{
    struct buf have = { 0 };
    int64_t used = 0;
    int error = read_one(store, key, &used, &have);
    bool same = error == 0 && slice_equal(buf_slice(&have), sender);

    buf_free(&have);
    if (error == 0 && !same) {
        buf_puts(why, "two senders have the same token");
        return TABLE_ERROR;
    }
    if (error != 0 && error != MDB_NOTFOUND)
        return fail(error, why);
    if (same && now >= used && now - used < REFRESH)
        return TABLE_FOUND;
    error = commit_one(store, key, sender, now, keep_seconds);
    if (error == FULL || error == MDB_MAP_FULL)
        return TABLE_MISS;
    return error == 0 ? TABLE_FOUND : fail(error, why);
}
