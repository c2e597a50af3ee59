#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* In a file: what precedes `memory`, which is the part not yet written. */
static uint64_t
in_file(const struct mail_spool *spool)
{
    return spool->length - spool->memory.len;
}

static bool
has_file(const struct mail_spool *spool)
{
    return spool->fd > 0; /* never 0: see open_file; so zeroes are valid */
}

void
mail_spool_init(struct mail_spool *spool, size_t memory_max,
                const char *directory, struct mail_spool_quota *quota)
{
    *spool = (struct mail_spool){ .fd = -1,
                                  .memory_max = memory_max,
                                  .directory = directory,
                                  .quota = quota };
}

static void
release(struct mail_spool *spool)
{
    if (spool->quota != NULL && has_file(spool))
        spool->quota->used -= spool->length;
    else if (spool->quota != NULL)
        spool->quota->in_memory -= spool->length;
    if (has_file(spool))
        close(spool->fd);
    spool->fd = -1;
    buf_free(&spool->memory);
    spool->length = 0;
}

void
mail_spool_free(struct mail_spool *spool)
{
    release(spool);
    *spool = (struct mail_spool){ .fd = -1 };
}

/* The message is lost, so its space goes back at once: the client may have
 * gigabytes still to send, and others need the disk. */
static enum mail_spool_status
fail(struct mail_spool *spool, enum mail_spool_status status, int error)
{
    release(spool);
    spool->status = status;
    spool->error = error;
    return status;
}

static enum mail_spool_status
fail_write(struct mail_spool *spool, int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return fail(spool, MAIL_SPOOL_FULL, error);
    default:
        return fail(spool, MAIL_SPOOL_FAILED, error);
    }
}

/* For file systems without O_TMPFILE. */
static int
open_named(const char *directory)
{
    struct buf path = { 0 };

    buf_printf(&path, "%s/spool-XXXXXX", directory);
    buf_cstr(&path);
    int fd = mkostemp(path.ptr, O_CLOEXEC);
    if (fd >= 0)
        unlink(path.ptr);
    buf_free(&path);
    return fd;
}

/* An unlinked file, or -1 and errno. Its descriptor is above 2, whatever of
 * the standard three is closed. */
static int
open_file(const char *directory)
{
    int fd;

    do
        fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    while (fd < 0 && errno == EINTR);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT ||
                   errno == EINVAL))
        fd = open_named(directory);
    if (fd < 0 || fd > 2)
        return fd;
    int above = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int error = errno;
    close(fd);
    errno = error;
    return above;
}

/* All of it, or errno. */
static int
write_at(int fd, struct slice octets, uint64_t offset)
{
    while (octets.len != 0) {
        ssize_t n = pwrite(fd, octets.ptr, octets.len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return EIO;
        octets = slice_tail(octets, (size_t)n);
        offset += (uint64_t)n;
    }
    return 0;
}

/* From memory to a file. */
static enum mail_spool_status
spill(struct mail_spool *spool)
{
    struct mail_spool_quota *quota = spool->quota;

    if (spool->directory == NULL)
        return fail(spool, MAIL_SPOOL_FULL, ENOMEM);
    if (quota != NULL && (quota->used > quota->limit ||
                          spool->length > quota->limit - quota->used))
        return fail(spool, MAIL_SPOOL_FULL, EDQUOT);
    int fd = open_file(spool->directory);
    if (fd < 0)
        return fail(spool, errno == EIO ? MAIL_SPOOL_FAILED : MAIL_SPOOL_FULL,
                    errno);
    if (quota != NULL) {
        quota->in_memory -= spool->length;
        quota->used += spool->length;
    }
    spool->fd = fd;
    int error = write_at(fd, buf_slice(&spool->memory), 0);
    if (error != 0)
        return fail_write(spool, error);
    buf_free(&spool->memory);
    return MAIL_SPOOL_OK;
}

/* Small pieces are gathered, so that each system call moves a window. */
static enum mail_spool_status
append_to_file(struct mail_spool *spool, struct slice octets)
{
    struct buf *pending = &spool->memory;
    int error = 0;

    if (pending->len + octets.len < MAIL_SPOOL_WINDOW &&
        buf_try_reserve(pending, MAIL_SPOOL_WINDOW - pending->len)) {
        buf_append(pending, octets);
        return MAIL_SPOOL_OK;
    }
    /* in_file() is of no use here: length counts these octets already. */
    uint64_t offset = spool->length - octets.len - pending->len;
    error = write_at(spool->fd, buf_slice(pending), offset);
    if (error == 0)
        error = write_at(spool->fd, octets, offset + pending->len);
    if (error != 0)
        return fail_write(spool, error);
    buf_clear(pending);
    return MAIL_SPOOL_OK;
}

enum mail_spool_status
mail_spool_write(struct mail_spool *spool, struct slice octets)
{
    struct mail_spool_quota *quota = spool->quota;

    if (spool->status != MAIL_SPOOL_OK || octets.len == 0)
        return spool->status;
    if (!has_file(spool)) {
        bool fits = spool->memory.len < spool->memory_max &&
                    octets.len <= spool->memory_max - spool->memory.len;
        if (fits && buf_try_append(&spool->memory, octets)) {
            spool->length += octets.len;
            if (quota != NULL)
                quota->in_memory += octets.len;
            return MAIL_SPOOL_OK;
        }
        if (spill(spool) != MAIL_SPOOL_OK)
            return spool->status;
    }
    if (quota != NULL &&
        (quota->used > quota->limit || octets.len > quota->limit - quota->used))
        return fail(spool, MAIL_SPOOL_FULL, EDQUOT);
    if (quota != NULL)
        quota->used += octets.len;
    spool->length += octets.len;
    return append_to_file(spool, octets);
}

static bool
read_at(int fd, char *window, size_t size, uint64_t offset)
{
    while (size != 0) {
        ssize_t n = pread(fd, window, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        window += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

bool
mail_spool_read(const struct mail_spool *spool, uint64_t offset, char *window,
                size_t size, struct slice *octets)
{
    uint64_t written = in_file(spool);

    *octets = (struct slice){ 0 };
    if (spool->status != MAIL_SPOOL_OK)
        return false;
    if (offset >= spool->length)
        return true;
    if (offset >= written) {
        *octets = slice_head(
            slice_tail(buf_slice(&spool->memory), (size_t)(offset - written)),
            size);
        return true;
    }
    if (size > written - offset)
        size = (size_t)(written - offset);
    if (!read_at(spool->fd, window, size, offset))
        return false;
    *octets = (struct slice){ window, size };
    return true;
}
