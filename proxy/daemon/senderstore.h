/*
 * Long senders on disk: an LMDB file that maps a token to a reverse-path and
 * when it was last used, bounded in number and age. All of it blocks; it is
 * called on the thread pool, from several threads at a time.
 */
#ifndef ONWARD_SENDERSTORE_H
#define ONWARD_SENDERSTORE_H

#include "table.h"

struct senderstore;

enum {
    SENDERSTORE_ROOM = 200000 /* senders, unless a test wants less */
};

/* DIRECTORY/senders.lmdb. NULL: a sentence in why. */
struct senderstore *senderstore_open(struct slice directory, size_t room,
                                     struct buf *why);
void senderstore_close(struct senderstore *store);

/*
 * Remember a sender under a key. Kept for keep_seconds from its last use: until
 * then its bounces may come, and no flood of others drives it out. FOUND: it is
 * on the disk. MISS: there is no room for one more. ERROR: a sentence in why.
 */
enum table_status senderstore_put(struct senderstore *store, struct slice key,
                                  struct slice sender, int64_t now,
                                  int64_t keep_seconds, struct buf *why);

/* Would it be put? FOUND: it is there, or there is room. Writes nothing. */
enum table_status senderstore_has_room(struct senderstore *store,
                                       struct slice key, int64_t now,
                                       int64_t keep_seconds, struct buf *why);

enum table_status senderstore_get(struct senderstore *store, struct slice key,
                                  struct buf *sender, struct buf *why);

#endif
