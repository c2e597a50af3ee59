#include "spool.h"

#include <errno.h>

/* Files that are kept occupy no more than one part in so many of the limit. */
enum {
    KEPT_PART = 8
};

/* In a file: what precedes `memory`, which is the part not yet written. */
static uint64_t
in_file(const struct mail_spool *spool)
{
    return spool->length - spool->memory.len;
}

static bool
has_file(const struct mail_spool *spool)
{
    return spool->file.fd > 0; /* never 0, so zeroes are valid */
}

void
mail_spool_init(struct mail_spool *spool, size_t memory_max,
                const char *directory, struct mail_spools *spools)
{
    *spool = (struct mail_spool){ .file.fd = -1,
                                  .memory_max = memory_max,
                                  .directory = directory,
                                  .spools = spools };
}

static struct spool_files *
files_of(const struct mail_spool *spool)
{
    return spool->spools != NULL ? &spool->spools->files : NULL;
}

static void
release(struct mail_spool *spool)
{
    struct mail_spools *spools = spool->spools;

    if (spools != NULL && has_file(spool))
        spools->used -= spool->length;
    else if (spools != NULL)
        spools->in_memory -= spool->length;
    if (has_file(spool) && spools != NULL && !spool->lent &&
        spool->status == MAIL_SPOOL_OK)
        spool_file_give(&spools->files, &spool->file, spool->directory,
                        spools->limit / KEPT_PART);
    else
        spool_file_close(&spool->file);
    buf_free(&spool->memory);
    spool->length = 0;
}

void
mail_spool_free(struct mail_spool *spool)
{
    release(spool);
    *spool = (struct mail_spool){ .file.fd = -1 };
}

/* The message is lost, so its space goes back at once: the client may have
 * gigabytes still to send, and others need the disk. */
static enum mail_spool_status
fail(struct mail_spool *spool, enum mail_spool_status status, int error)
{
    spool->status = status;
    spool->error = error;
    release(spool);
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

/* From memory to a file. */
static enum mail_spool_status
spill(struct mail_spool *spool)
{
    struct mail_spools *spools = spool->spools;

    if (spool->directory == NULL)
        return fail(spool, MAIL_SPOOL_FULL, ENOMEM);
    if (spools != NULL && (spools->used > spools->limit ||
                           spool->length > spools->limit - spools->used))
        return fail(spool, MAIL_SPOOL_FULL, EDQUOT);
    struct spool_file file = spool_file_open(files_of(spool), spool->directory);
    if (file.fd < 0)
        return fail(spool, errno == EIO ? MAIL_SPOOL_FAILED : MAIL_SPOOL_FULL,
                    errno);
    if (spools != NULL) {
        spools->in_memory -= spool->length;
        spools->used += spool->length;
    }
    spool->file = file;
    int error = spool_file_write(files_of(spool), &spool->file,
                                 buf_slice(&spool->memory), 0);
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

    if (pending->len + octets.len < MAIL_SPOOL_WINDOW &&
        buf_try_reserve(pending, MAIL_SPOOL_WINDOW - pending->len)) {
        buf_append(pending, octets);
        return MAIL_SPOOL_OK;
    }
    /* in_file() is of no use here: length counts these octets already. */
    uint64_t offset = spool->length - octets.len - pending->len;
    int error = spool_file_write(files_of(spool), &spool->file,
                                 buf_slice(pending), offset);
    if (error == 0)
        error = spool_file_write(files_of(spool), &spool->file, octets,
                                 offset + pending->len);
    if (error != 0)
        return fail_write(spool, error);
    buf_clear(pending);
    return MAIL_SPOOL_OK;
}

enum mail_spool_status
mail_spool_write(struct mail_spool *spool, struct slice octets)
{
    struct mail_spools *spools = spool->spools;

    if (spool->status != MAIL_SPOOL_OK || octets.len == 0)
        return spool->status;
    if (!has_file(spool)) {
        bool fits = spool->memory.len < spool->memory_max &&
                    octets.len <= spool->memory_max - spool->memory.len;
        if (fits && buf_try_append(&spool->memory, octets)) {
            spool->length += octets.len;
            if (spools != NULL)
                spools->in_memory += octets.len;
            return MAIL_SPOOL_OK;
        }
        if (spill(spool) != MAIL_SPOOL_OK)
            return spool->status;
    }
    if (spools != NULL && (spools->used > spools->limit ||
                           octets.len > spools->limit - spools->used))
        return fail(spool, MAIL_SPOOL_FULL, EDQUOT);
    if (spools != NULL)
        spools->used += octets.len;
    spool->length += octets.len;
    return append_to_file(spool, octets);
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
    if (!spool_file_read(&spool->file, window, size, offset))
        return false;
    *octets = (struct slice){ window, size };
    return true;
}

uint64_t
mail_spool_lend(struct mail_spool *spool, uint64_t offset)
{
    uint64_t written = in_file(spool);

    if (spool->status != MAIL_SPOOL_OK || !has_file(spool) || offset >= written)
        return 0;
    spool->lent = true;
    return written - offset;
}

void
mail_spool_returned(struct mail_spool *spool)
{
    spool->lent = false;
}
