/*
 * The unlinked files of spools, and a few of them kept for the next message.
 *
 * To make a file, to give it pages and blocks and to take them away again
 * costs more than to write a message into it. So what a message leaves is
 * used again while messages come, last one first; what nobody needed between
 * two calls of spool_files_rest is closed.
 */
#ifndef ONWARD_MAIL_SPOOLFILE_H
#define ONWARD_MAIL_SPOOLFILE_H

#include "base.h"

enum {
    SPOOL_FILES_KEPT = 16,
    SPOOL_FILE_KEPT_SIZE = 2 * 1024 * 1024 /* what is longer is cut */
};

struct spool_file {
    int fd;        /* > 0 if there is a file */
    uint64_t size; /* octets that it occupies */
};

/* All zeroes is a valid start. Belongs to the caller. */
struct spool_files {
    struct spool_file kept[SPOOL_FILES_KEPT];
    size_t count;
    size_t unused;   /* of them, the first ones, since the last rest */
    uint64_t octets; /* that they occupy */
    char *directory; /* that they are in */
};

/* A kept file of this directory or a new one; fd -1 and errno if there is
 * none. Its descriptor is above 2, whatever of the standard three is closed,
 * and what is in it means nothing. files NULL: a new one. */
struct spool_file spool_file_open(struct spool_files *files,
                                  const char *directory);

/* All of it at offset, or errno. What is kept makes room first. */
int spool_file_write(struct spool_files *files, struct spool_file *file,
                     struct slice octets, uint64_t offset);

/* All of `size` octets from offset. Thread-safe against other readers. */
bool spool_file_read(const struct spool_file *file, char *octets, size_t size,
                     uint64_t offset);

/* It is kept, as long as those that are occupy no more than `room` octets; or
 * closed. */
void spool_file_give(struct spool_files *files, struct spool_file *file,
                     const char *directory, uint64_t room);
void spool_file_close(struct spool_file *file);

/* Close those that nobody needed since the last call. */
void spool_files_rest(struct spool_files *files);
/* Close all. Returns whether there were any. */
bool spool_files_drop(struct spool_files *files);

#endif
