#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MAX = 64 * 1024
};

/* ---- names ------------------------------------------------------------- */

bool
dkim_is_name(struct slice s)
{
    if (s.len == 0 || s.len > 253)
        return false;
    for (;;) {
        size_t len = slice_find(s, '.');
        if (len == 0 || len > 63 || s.ptr[0] == '-' || s.ptr[len - 1] == '-')
            return false;
        for (size_t i = 0; i < len; i++)
            if (!ascii_is_alnum(s.ptr[i]) && s.ptr[i] != '-' && s.ptr[i] != '_')
                return false;
        if (len == s.len)
            return true;
        s = slice_tail(s, len + 1);
    }
}

bool
dkim_key_file_name(struct slice name, struct slice *selector,
                   enum dkim_key_state *state)
{
    static const struct {
        struct slice suffix;
        enum dkim_key_state state;
    } kinds[] = {
        { SLICE(".next.pem"), DKIM_KEY_NEXT },
        { SLICE(".old.pem"), DKIM_KEY_OLD },
        { SLICE(".pem"), DKIM_KEY_ACTIVE },
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct slice suffix = kinds[i].suffix;
        if (name.len < suffix.len ||
            !slice_equal(slice_tail(name, name.len - suffix.len), suffix))
            continue;
        *selector = slice_head(name, name.len - suffix.len);
        *state = kinds[i].state;
        return true;
    }
    return false;
}

/* ---- files ------------------------------------------------------------- */

/* Whoever can write to the directory chooses what a link in it names. */
static bool
is_strangers_link(const char *path)
{
    struct buf directory = { 0 };
    struct stat st;
    size_t slash = slice_find_last(slice_from(path), '/');

    if (lstat(path, &st) != 0 || !S_ISLNK(st.st_mode))
        return false;
    if (path[slash] == '\0')
        buf_puts(&directory, ".");
    else
        buf_append(&directory,
                   slice_head(slice_from(path), slash != 0 ? slash : 1));
    bool is_open =
        stat(buf_cstr(&directory), &st) == 0 && (st.st_mode & S_IWOTH) != 0;
    buf_free(&directory);
    return is_open;
}

/* NULL, or a sentence. */
static const char *
judge_file(const struct stat *st)
{
    if (S_ISDIR(st->st_mode))
        return "is a directory; a key file of this name is wanted";
    if (!S_ISREG(st->st_mode))
        return "is not a regular file, which a key is";
    if (st->st_size == 0)
        return "is empty";
    if (st->st_size > FILE_MAX)
        return "is larger than 64 KiB, so it is no key";
    return NULL;
}

static const char *
read_file(int fd, size_t size, struct buf *octets)
{
    buf_reserve(octets, size);
    while (octets->len < size) {
        ssize_t n = read(fd, octets->ptr + octets->len, size - octets->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return strerror(errno);
        if (n == 0)
            return "became shorter while it was read";
        octets->len += (size_t)n;
    }
    return NULL;
}

static struct slice
copy_path(const char *path)
{
    size_t len = strlen(path);
    char *copy = mem_alloc(len + 1);

    memcpy(copy, path, len);
    return (struct slice){ copy, len };
}

static struct dkim_key *
load_open(int fd, const char *path, struct slice domain, struct slice selector,
          struct buf *why)
{
    struct buf octets = { 0 };
    struct dkim_key *key = NULL;
    const char *wrong = NULL;
    struct stat st;

    if (fstat(fd, &st) != 0)
        wrong = strerror(errno);
    if (wrong == NULL)
        wrong = judge_file(&st);
    if (wrong == NULL && (st.st_mode & S_IRWXO) != 0) {
        buf_printf(why, "mode %04o: %s by everybody; run: chmod 0640 %s",
                   (unsigned)(st.st_mode & 07777),
                   (st.st_mode & S_IROTH) != 0 ? "readable" : "usable", path);
        return NULL;
    }
    if (wrong == NULL)
        wrong = read_file(fd, (size_t)st.st_size, &octets);
    if (wrong == NULL)
        key = dkim_key_parse(buf_slice(&octets), domain, selector, &wrong);
    if (key != NULL) {
        key->path = copy_path(path);
        key->device = st.st_dev;
        key->inode = st.st_ino;
        key->size = st.st_size;
        key->mtime_ns =
            (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    } else {
        buf_puts(why, wrong);
    }
    buf_free_secret(&octets);
    return key;
}

static void
tell_unopened(const char *path, struct buf *why)
{
    int error = errno;
    struct stat st;

    switch (error) {
    case EACCES:
        buf_printf(why,
                   "%s; the daemon's group must be able to read it: "
                   "chgrp onward %s; chmod 0640 %s",
                   strerror(error), path, path);
        return;
    case ENXIO: /* a socket */
        buf_puts(why, "is not a regular file, which a key is");
        return;
    case ENOENT:
        if (lstat(path, &st) != 0)
            break;
        buf_puts(why, "is a link to a file that is not there");
        return;
    default:
        break;
    }
    buf_puts(why, strerror(error));
}

struct dkim_key *
dkim_key_load(const char *path, struct slice domain, struct buf *why)
{
    struct slice whole = slice_from(path);
    size_t slash = slice_find_last(whole, '/');
    struct slice name =
        slash < whole.len ? slice_tail(whole, slash + 1) : whole;
    struct slice selector = { 0 };
    enum dkim_key_state state = DKIM_KEY_ACTIVE;

    if (!dkim_key_file_name(name, &selector, &state) ||
        !dkim_is_name(selector)) {
        buf_puts(why, "the name is not SELECTOR.pem, SELECTOR.next.pem or "
                      "SELECTOR.old.pem");
        return NULL;
    }
    if (is_strangers_link(path)) {
        buf_puts(why, "is a link in a directory that everybody can write to");
        return NULL;
    }
    /* Without O_NONBLOCK the open of a FIFO would wait for a writer. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        tell_unopened(path, why);
        return NULL;
    }
    struct dkim_key *key = load_open(fd, path, domain, selector, why);
    close(fd);
    if (key != NULL)
        key->state = state;
    return key;
}

/* ---- references -------------------------------------------------------- */

struct dkim_key *
dkim_key_ref(struct dkim_key *key)
{
    key->refs++;
    return key;
}

void
dkim_key_unref(struct dkim_key *key)
{
    if (key == NULL || --key->refs != 0)
        return;
    EVP_PKEY_free(key->pkey);
    free((char *)key->domain.ptr);
    free((char *)key->selector.ptr);
    free((char *)key->path.ptr);
    free(key);
}
