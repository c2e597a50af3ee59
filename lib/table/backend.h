/*
 * The kinds of table behind table.h. Only lib/table includes this.
 *
 * A backend is opened by its path, has get and each with the meanings of
 * table_get and table_each, and is closed once.
 */
#ifndef ONWARD_TABLE_BACKEND_H
#define ONWARD_TABLE_BACKEND_H

#include "table.h"

#include <sys/stat.h>

typedef bool table_visit(void *ctx, struct slice key, struct slice value,
                         unsigned line);

void table_stat_from(const struct stat *st, struct table_stat *stat);

/* ---- virtual(5) text (text.c) ------------------------------------------ */

/* Errors of one text, "NAME:LINE: sentence", the first hundred in full. */
struct text_errors {
    struct buf *out;
    struct slice name;
    unsigned count;
};
void text_error(struct text_errors *errors, unsigned line, const char *format,
                ...) __attribute__((format(printf, 3, 4)));
void text_errors_end(struct text_errors *errors);

/* table_text_each with the errors in the caller's hands. */
void text_walk(struct slice text, table_visit *visit, void *ctx,
               struct text_errors *errors);

/* ---- texthash ---------------------------------------------------------- */

struct texthash;
/* NULL: errors were found and appended. */
struct texthash *texthash_load(struct slice text, struct slice name,
                               enum table_use use, struct buf *errors);
void texthash_free(struct texthash *hash);
uint64_t texthash_count(const struct texthash *hash);
enum table_status texthash_get(const struct texthash *hash, struct slice key,
                               struct buf *value, unsigned *line);
enum table_status texthash_each(const struct texthash *hash, table_visit *visit,
                                void *ctx);

/* ---- cdb --------------------------------------------------------------- */

struct cdb;
/* NULL: *why says what is wrong with the file. */
struct cdb *cdb_open(const char *path, struct table_stat *stat,
                     const char **why);
void cdb_close(struct cdb *cdb);
uint64_t cdb_count(const struct cdb *cdb);
enum table_status cdb_get(const struct cdb *cdb, struct slice key,
                          struct buf *value);
enum table_status cdb_each(const struct cdb *cdb, table_visit *visit,
                           void *ctx);

/* D. J. Bernstein's hash, which the format prescribes. */
uint32_t cdb_hash(struct slice key);

/* ---- lmdb -------------------------------------------------------------- */

struct lmdb;
struct lmdb *lmdb_open(const char *path, struct table_stat *stat,
                       const char **why);
uint64_t lmdb_count(const struct lmdb *lmdb);
void lmdb_close(struct lmdb *lmdb);
enum table_status lmdb_get(struct lmdb *lmdb, struct slice key,
                           struct buf *value);
enum table_status lmdb_each(struct lmdb *lmdb, table_visit *visit, void *ctx);

#endif
