#include "hostsecret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* False with errno; EINVAL: it is not what this program writes there. */
static bool
read_secret(const char *path, char secret[RELAY_SECRET])
{
    char octets[RELAY_SECRET];
    struct stat st;
    bool ok = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0) {
        errno = EINVAL;
        ok = S_ISREG(st.st_mode) && st.st_size == RELAY_SECRET &&
             read(fd, octets, RELAY_SECRET) == RELAY_SECRET;
    }
    int error = errno;
    close(fd);
    errno = error;
    if (ok)
        memcpy(secret, octets, RELAY_SECRET);
    return ok;
}

/* Under a name of its own first: the file is there whole or not at all, and of
 * two daemons that start at once one is too late. False with errno. */
static bool
write_secret(const char *path, const char secret[RELAY_SECRET])
{
    struct buf name = { 0 };

    buf_printf(&name, "%s.XXXXXX", path);
    buf_cstr(&name);
    int fd = mkostemp(name.ptr, O_CLOEXEC); /* mode 0600 */
    if (fd < 0) {
        int none = errno;
        buf_free(&name);
        errno = none;
        return false;
    }
    errno = EIO; /* of a short write */
    bool ok = write(fd, secret, RELAY_SECRET) == RELAY_SECRET &&
              fsync(fd) == 0 && link(name.ptr, path) == 0;
    int error = errno;
    unlink(name.ptr);
    close(fd);
    buf_free(&name);
    errno = error;
    return ok;
}

bool
hostsecret_keep(struct slice directory, char secret[RELAY_SECRET],
                struct buf *why)
{
    struct buf path = { 0 };

    buf_append(&path, directory);
    buf_puts(&path, "/host.secret");
    bool ok = read_secret(buf_cstr(&path), secret);
    if (!ok && errno == ENOENT)
        ok = write_secret(path.ptr, secret) ||
             (errno == EEXIST && read_secret(path.ptr, secret));
    if (!ok)
        buf_printf(why, "%s: %s", path.ptr, strerror(errno));
    buf_free(&path);
    return ok;
}
