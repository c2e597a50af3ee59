/*
 * The content of one message: memory up to a bound, then an unlinked file,
 * written and read back in windows. Nothing is ever mapped, because a mapped
 * file turns a full disk into SIGBUS. No fsync: this is no queue.
 */
#ifndef ONWARD_MAIL_SPOOL_H
#define ONWARD_MAIL_SPOOL_H

#include "spoolfile.h"

/* What all spools of a process share. Belongs to the caller. */
struct mail_spools {
    uint64_t used; /* octets in files now */
    uint64_t limit;
    uint64_t in_memory; /* octets in memory now, for status */
    struct spool_files files;
};

enum mail_spool_status {
    MAIL_SPOOL_OK,
    MAIL_SPOOL_FULL,   /* no space, quota, file size limit: 452 */
    MAIL_SPOOL_FAILED, /* EIO and the rest: 451 */
};

enum {
    MAIL_SPOOL_WINDOW = 64 * 1024
};

/* All zeroes, then mail_spool_init. */
struct mail_spool {
    struct buf memory; /* all of the content; with a file, its unwritten end */
    struct spool_file file;
    bool lent; /* the kernel may still read the file */
    uint64_t length;
    size_t memory_max;
    const char *directory;
    struct mail_spools *spools;
    enum mail_spool_status status; /* sticky */
    int error;                     /* errno behind status, for the log */
};

/* directory NULL: memory only, and FULL beyond memory_max. It and `spools`
 * (which may be NULL) live longer. */
void mail_spool_init(struct mail_spool *spool, size_t memory_max,
                     const char *directory, struct mail_spools *spools);
void mail_spool_free(struct mail_spool *spool); /* gives all of it back */

/*
 * Once it fails it stays so, and memory, file and quota are given back at
 * once. A file over RLIMIT_FSIZE is FULL, in a process that ignores SIGXFSZ.
 */
enum mail_spool_status mail_spool_write(struct mail_spool *spool,
                                        struct slice octets);

/*
 * The window that starts at offset: a view into memory, or octets read into
 * `window`; never more than `size`, and not less than one before the end.
 * Empty at the end. Thread-safe against other readers: only pread. False: the
 * read failed or came short.
 */
bool mail_spool_read(const struct mail_spool *spool, uint64_t offset,
                     char *window, size_t size, struct slice *octets);

/*
 * How many octets from offset are in the file, for a system call that sends
 * them from there; 0: none. What a socket was given that way it reads as late
 * as it likes, so the file is not used for another message, unless
 * mail_spool_returned says that the peer has had all of it.
 */
uint64_t mail_spool_lend(struct mail_spool *spool, uint64_t offset);
void mail_spool_returned(struct mail_spool *spool);

#endif
