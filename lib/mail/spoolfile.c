#include "spoolfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- one file ---------------------------------------------------------- */

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

static int
open_new(const char *directory)
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

int
spool_file_write(struct spool_files *files, struct spool_file *file,
                 struct slice octets, uint64_t offset)
{
    int error = write_at(file->fd, octets, offset);

    if ((error == ENOSPC || error == EDQUOT) && files != NULL &&
        spool_files_drop(files))
        error = write_at(file->fd, octets, offset);
    if (error == 0 && offset + octets.len > file->size)
        file->size = offset + octets.len;
    return error;
}

bool
spool_file_read(const struct spool_file *file, char *octets, size_t size,
                uint64_t offset)
{
    while (size != 0) {
        ssize_t n = pread(file->fd, octets, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        octets += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

void
spool_file_close(struct spool_file *file)
{
    if (file->fd > 0)
        close(file->fd);
    *file = (struct spool_file){ .fd = -1 };
}

/* ---- those that are kept ----------------------------------------------- */

struct spool_file
spool_file_open(struct spool_files *files, const char *directory)
{
    if (files == NULL || files->count == 0 ||
        strcmp(files->directory, directory) != 0)
        return (struct spool_file){ .fd = open_new(directory) };
    struct spool_file file = files->kept[--files->count];
    files->octets -= file.size;
    if (files->unused > files->count)
        files->unused = files->count;
    return file;
}

/* Those of another directory, as a reload leaves them, have to be gone before
 * this one's are kept. */
static bool
is_for(struct spool_files *files, const char *directory)
{
    if (files->count != 0)
        return strcmp(files->directory, directory) == 0;
    if (files->directory != NULL && strcmp(files->directory, directory) == 0)
        return true;
    size_t size = strlen(directory) + 1;
    free(files->directory);
    files->directory = mem_alloc(size);
    memcpy(files->directory, directory, size);
    return true;
}

static bool
cut(struct spool_file *file)
{
    if (file->size <= SPOOL_FILE_KEPT_SIZE)
        return true;
    file->size = SPOOL_FILE_KEPT_SIZE;
    return ftruncate(file->fd, SPOOL_FILE_KEPT_SIZE) == 0;
}

void
spool_file_give(struct spool_files *files, struct spool_file *file,
                const char *directory, uint64_t room)
{
    if (files != NULL && file->fd > 0 && files->count < SPOOL_FILES_KEPT &&
        cut(file) && file->size <= room && files->octets <= room - file->size &&
        is_for(files, directory)) {
        files->octets += file->size;
        files->kept[files->count++] = *file;
        *file = (struct spool_file){ .fd = -1 };
    }
    spool_file_close(file);
}

/* The first ones of those kept. */
static void
close_first(struct spool_files *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        files->octets -= files->kept[i].size;
        spool_file_close(&files->kept[i]);
    }
    files->count -= count;
    memmove(files->kept, files->kept + count,
            files->count * sizeof(files->kept[0]));
}

void
spool_files_rest(struct spool_files *files)
{
    close_first(files, files->unused);
    files->unused = files->count;
}

bool
spool_files_drop(struct spool_files *files)
{
    bool any = files->count != 0;

    close_first(files, files->count);
    files->unused = 0;
    free(files->directory);
    files->directory = NULL;
    return any;
}
