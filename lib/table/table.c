#include "backend.h"

#include "entries.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What stands behind the public struct, which comes first. */
struct table_block {
    struct table table;
    enum table_use use;
    struct arena arena;
};

static const struct kind {
    struct slice prefix;
    enum table_kind kind;
    const char *suffix; /* of the file */
} kinds[] = {
    { SLICE("texthash:"), TABLE_TEXTHASH, "" },
    { SLICE("cdb:"), TABLE_CDB, ".cdb" },
    { SLICE("lmdb:"), TABLE_LMDB, ".lmdb" },
    { SLICE("socketmap:"), TABLE_SOCKETMAP, NULL },
};

bool
table_spec_is(struct slice spec)
{
    size_t colon = slice_find(spec, ':');

    for (size_t i = 0; i < colon; i++)
        if (!ascii_is_alnum(spec.ptr[i]))
            return false;
    return colon != 0 && colon != spec.len;
}

static const struct kind *
kind_of(struct slice spec)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (spec.len >= kinds[i].prefix.len &&
            slice_equal(slice_head(spec, kinds[i].prefix.len), kinds[i].prefix))
            return &kinds[i];
    return NULL;
}

void
table_stat_from(const struct stat *st, struct table_stat *stat)
{
    *stat = (struct table_stat){
        .device = st->st_dev,
        .inode = st->st_ino,
        .size = st->st_size,
        .mtime_ns =
            (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
    };
}

/* The file as it is now. False: it is not there. */
static bool
stat_path(struct slice path, struct table_stat *now)
{
    struct stat st;

    if (stat(path.ptr, &st) != 0)
        return false;
    table_stat_from(&st, now);
    return true;
}

static bool
stat_equal(const struct table_stat *a, const struct table_stat *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->mtime_ns == b->mtime_ns;
}

static void
complain(struct buf *errors, struct slice name, const char *why)
{
    buf_append(errors, name);
    buf_printf(errors, ": %s\n", why);
}

/* ---- opening ----------------------------------------------------------- */

/* Why the database of "cdb:PATH" could not be opened. PATH.cdb is the file, so
 * that who names the file looks for PATH.cdb.cdb. */
static void
complain_of_database(struct buf *errors, const struct table *table,
                     struct slice suffix, const char *why)
{
    struct buf text = { 0 };

    buf_puts(&text, why);
    if (slice_ends_nocase(table->spec, suffix))
        buf_printf(&text, "; leave off the %.*s of %.*s", SLICE_ARG(suffix),
                   SLICE_ARG(table->spec));
    complain(errors, table->path, buf_cstr(&text));
    buf_free(&text);
}

static const char *
read_whole(int fd, struct buf *text)
{
    for (;;) {
        if (text->len > TABLE_TEXT_MAX)
            return "is larger than 256 MiB; make it a cdb or lmdb";
        if (!buf_try_reserve(text, 65536))
            return "there is no memory for it";
        ssize_t n = read(fd, text->ptr + text->len, text->cap - text->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return strerror(errno);
        if (n == 0)
            return NULL;
        text->len += (size_t)n;
    }
}

static const char *
read_file(struct table *table, struct buf *text)
{
    const char *why = NULL;
    struct stat st;
    /* A FIFO in place of the file must not stop us. */
    int fd = open(table->path.ptr, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return strerror(errno);
    if (fstat(fd, &st) != 0)
        why = strerror(errno);
    else if (!S_ISREG(st.st_mode))
        why = "is not a regular file";
    else {
        table_stat_from(&st, &table->stat);
        /* Judged before memory is taken: anybody can make a file long. */
        if (st.st_size > TABLE_TEXT_MAX)
            why = "is larger than 256 MiB; make it a cdb or lmdb";
        else if (!buf_try_reserve(text, (size_t)st.st_size + 1))
            why = "there is no memory for it";
        else
            why = read_whole(fd, text);
    }
    close(fd);
    return why;
}

static bool
open_texthash(struct table *table, enum table_use use, struct buf *errors)
{
    struct buf text = { 0 };
    struct texthash *hash = NULL;
    const char *why = read_file(table, &text);

    if (why != NULL)
        complain(errors, table->path, why);
    else
        hash = texthash_load(buf_slice(&text), table->path, use, errors);
    buf_free(&text);
    if (hash == NULL)
        return false;
    table->impl = hash;
    table->entries = texthash_count(hash);
    return true;
}

static bool
open_cdb(struct table *table, struct buf *errors)
{
    const char *why;
    struct cdb *cdb = cdb_open(table->path.ptr, &table->stat, &why);

    if (cdb == NULL) {
        complain_of_database(errors, table, SLICE_OF(".cdb"), why);
        return false;
    }
    table->impl = cdb;
    table->entries = cdb_count(cdb);
    return true;
}

static bool
open_lmdb(struct table *table, struct buf *errors)
{
    const char *why;
    struct lmdb *lmdb = lmdb_open(table->path.ptr, &table->stat, &why);

    if (lmdb == NULL) {
        complain_of_database(errors, table, SLICE_OF(".lmdb"), why);
        return false;
    }
    table->impl = lmdb;
    return true;
}

static bool
is_port(struct slice text)
{
    uint64_t port;

    return slice_to_u64(text, &port) && port >= 1 && port <= 65535;
}

/* "inet:HOST:PORT:NAME" or "unix:PATH:NAME" */
static bool
parse_socketmap(struct table *table, struct slice rest)
{
    size_t colon = slice_find_last(rest, ':');

    if (colon == rest.len)
        return false;
    table->path = slice_head(rest, colon);
    table->name = slice_tail(rest, colon + 1);
    if (table->name.len == 0 || slice_find(table->name, ' ') != table->name.len)
        return false;
    if (slice_starts_nocase(table->path, SLICE_OF("unix:")))
        return table->path.len > 5 && table->path.ptr[5] == '/';
    if (!slice_starts_nocase(table->path, SLICE_OF("inet:")))
        return false;
    struct slice host = slice_tail(table->path, 5);
    colon = slice_find_last(host, ':');
    return colon != 0 && colon != host.len &&
           is_port(slice_tail(host, colon + 1));
}

static bool
open_socketmap(struct table *table, struct slice rest, struct buf *errors)
{
    if (parse_socketmap(table, rest))
        return true;
    complain(errors, table->spec,
             "write socketmap:inet:HOST:PORT:NAME or "
             "socketmap:unix:/PATH:NAME");
    return false;
}

static bool
open_kind(struct table_block *block, struct slice rest, struct buf *errors)
{
    struct table *table = &block->table;

    switch (table->kind) {
    case TABLE_TEXTHASH:
        return open_texthash(table, block->use, errors);
    case TABLE_CDB:
        return open_cdb(table, errors);
    case TABLE_LMDB:
        return open_lmdb(table, errors);
    case TABLE_SOCKETMAP:
        return open_socketmap(table, rest, errors);
    }
    return false;
}

static struct table_block *
block_new(struct slice spec, enum table_use use, enum table_kind kind)
{
    struct table_block *block = mem_alloc(sizeof(*block));

    block->use = use;
    block->table.refs = 1;
    block->table.kind = kind;
    block->table.spec = arena_copy(&block->arena, spec);
    return block;
}

/* PATH of the spec with the suffix that Postfix gives the file. */
static void
set_path(struct table_block *block, struct slice path, const char *suffix)
{
    struct buf text = { 0 };

    buf_append(&text, path);
    buf_puts(&text, suffix);
    block->table.path = arena_copy(&block->arena, buf_slice(&text));
    buf_free(&text);
}

/* Would opening it again show something new? */
static bool
is_changed(const struct table *table, const struct table_stat *now)
{
    switch (table->kind) {
    case TABLE_TEXTHASH:
    case TABLE_CDB:
        return !stat_equal(&table->stat, now);
    case TABLE_LMDB:
        /* postmap writes into the file, and we see that; only another file
         * is new. */
        return now->device != table->stat.device ||
               now->inode != table->stat.inode;
    case TABLE_SOCKETMAP:
        break;
    }
    return false;
}

static bool
is_reusable(const struct table *before, struct slice spec, enum table_use use)
{
    struct table_stat now;

    if (before == NULL || !slice_equal(before->spec, spec) ||
        ((const struct table_block *)before)->use != use)
        return false;
    return before->kind == TABLE_SOCKETMAP ||
           (stat_path(before->path, &now) && !is_changed(before, &now));
}

struct table *
table_open(struct slice spec, enum table_use use, struct table *before,
           int64_t now, struct buf *errors)
{
    const struct kind *kind = kind_of(spec);

    if (kind == NULL) {
        complain(errors, spec,
                 "tables are texthash:, cdb:, lmdb: and socketmap:; of "
                 "others make one: postmap -s TYPE:FILE | onward map build "
                 "cdb:FILE -");
        return NULL;
    }
    struct slice rest = slice_tail(spec, kind->prefix.len);
    if (rest.len == 0 || memchr(rest.ptr, '\0', rest.len) != NULL) {
        complain(errors, spec, "a path is missing");
        return NULL;
    }
    if (is_reusable(before, spec, use))
        return table_ref(before);

    struct table_block *block = block_new(spec, use, kind->kind);
    rest = slice_tail(block->table.spec, kind->prefix.len);
    if (kind->suffix != NULL)
        set_path(block, rest, kind->suffix);
    block->table.loaded = now;
    if (!open_kind(block, rest, errors)) {
        table_unref(&block->table);
        return NULL;
    }
    return &block->table;
}

struct table *
table_from_text(struct slice text, struct slice name, enum table_use use,
                struct buf *errors)
{
    struct texthash *hash = texthash_load(text, name, use, errors);

    if (hash == NULL)
        return NULL;
    struct table_block *block = block_new(name, use, TABLE_TEXTHASH);
    block->table.impl = hash;
    block->table.entries = texthash_count(hash);
    return &block->table;
}

struct table *
table_ref(struct table *table)
{
    table->refs++;
    return table;
}

void
table_unref(struct table *table)
{
    if (table == NULL || --table->refs != 0)
        return;
    if (table->impl != NULL) {
        switch (table->kind) {
        case TABLE_TEXTHASH:
            texthash_free(table->impl);
            break;
        case TABLE_CDB:
            cdb_close(table->impl);
            break;
        case TABLE_LMDB:
            lmdb_close(table->impl);
            break;
        case TABLE_SOCKETMAP:
            break;
        }
    }
    struct table_block *block = (struct table_block *)table;
    arena_free(&block->arena);
    free(block);
}

bool
table_is_stale(const struct table *table)
{
    struct table_stat now;

    /* Text is read at reload only. While a file is gone, what was read of it
     * is the best there is. */
    if (table->kind != TABLE_CDB && table->kind != TABLE_LMDB)
        return false;
    return stat_path(table->path, &now) && is_changed(table, &now);
}

/* ---- asking ------------------------------------------------------------ */

uint64_t
table_count(const struct table *table)
{
    return table->kind == TABLE_LMDB ? lmdb_count(table->impl) : table->entries;
}

enum table_status
table_get(const struct table *table, struct slice key, struct buf *value,
          unsigned *line)
{
    *line = 0;
    switch (table->kind) {
    case TABLE_TEXTHASH:
        return texthash_get(table->impl, key, value, line);
    case TABLE_CDB:
        return cdb_get(table->impl, key, value);
    case TABLE_LMDB:
        return lmdb_get(table->impl, key, value);
    case TABLE_SOCKETMAP:
        break;
    }
    return TABLE_ASK;
}

enum table_status
table_get_metered(const struct table_meter *meter, const struct table *table,
                  struct slice key, struct buf *value, unsigned *line)
{
    if (meter == NULL)
        return table_get(table, key, value, line);
    uint64_t from = meter->clock();
    enum table_status status = table_get(table, key, value, line);
    if (status != TABLE_ASK && status != TABLE_BUSY)
        meter->looked_up(meter->ctx, table, status, meter->clock() - from);
    return status;
}

enum table_status
table_each(const struct table *table,
           bool (*visit)(void *ctx, struct slice key, struct slice value,
                         unsigned line),
           void *ctx)
{
    switch (table->kind) {
    case TABLE_TEXTHASH:
        return texthash_each(table->impl, visit, ctx);
    case TABLE_CDB:
        return cdb_each(table->impl, visit, ctx);
    case TABLE_LMDB:
        return lmdb_each(table->impl, visit, ctx);
    case TABLE_SOCKETMAP:
        break;
    }
    return TABLE_ERROR;
}
