#include "setup_files.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char state_name[] = "onward.setup";

static bool
fail(const char *path)
{
    cli_error("%s: %s", path, strerror(errno));
    return false;
}

bool
setup_files_read_state(const char *directory, struct buf *state)
{
    struct buf path = { 0 };
    struct stat st;
    bool ok = true;

    buf_printf(&path, "%s/%s", directory, state_name);
    const char *name = buf_cstr(&path);
    if (lstat(name, &st) != 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            ok = fail(name);
    } else if (!S_ISREG(st.st_mode) || (st.st_mode & 022) != 0 ||
               (st.st_uid != 0 && st.st_uid != geteuid())) {
        cli_error("%s: others could have written it; see what it says, and "
                  "run: chown root %s; chmod 0600 %s",
                  name, name, name);
        ok = false;
    } else {
        ok = cli_read(name, state);
    }
    buf_free(&path);
    return ok;
}

static bool
write_all(int fd, struct slice text)
{
    while (text.len != 0) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text = slice_tail(text, (size_t)n);
    }
    return true;
}

/* A new file, on the disk when this returns. */
static bool
write_file(const char *path, struct slice text, const struct stat *like)
{
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && write_all(fd, text) &&
              (like == NULL || (fchown(fd, like->st_uid, like->st_gid) == 0 &&
                                fchmod(fd, like->st_mode & 0777) == 0)) &&
              fsync(fd) == 0;

    if (!ok)
        fail(path);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool
setup_files_write_state(const char *directory, struct slice state)
{
    struct buf path = { 0 };
    struct buf beside = { 0 };

    buf_printf(&path, "%s/%s", directory, state_name);
    buf_printf(&beside, "%s/%s.new", directory, state_name);
    const char *name = buf_cstr(&path);
    const char *temporary = buf_cstr(&beside);
    unlink(temporary);
    bool ok = write_file(temporary, state, NULL);
    if (ok && rename(temporary, name) != 0)
        ok = fail(name);
    buf_free(&path);
    buf_free(&beside);
    return ok;
}

bool
setup_files_drop_state(const char *directory)
{
    struct buf path = { 0 };
    bool ok = true;

    buf_printf(&path, "%s/%s", directory, state_name);
    if (unlink(buf_cstr(&path)) != 0 && errno != ENOENT)
        ok = fail(buf_cstr(&path));
    buf_free(&path);
    return ok;
}

static bool
copy(const char *directory, const char *file, const char *stamp,
     struct buf *names)
{
    struct buf from = { 0 };
    struct buf to = { 0 };
    struct buf text = { 0 };
    struct stat st;
    bool ok;

    buf_printf(&from, "%s/%s", directory, file);
    buf_printf(&to, "%s.onward-%s", buf_cstr(&from), stamp);
    ok = stat(buf_cstr(&from), &st) == 0 || fail(buf_cstr(&from));
    /* Twice within a second: the earlier one is the better one. */
    if (ok && access(buf_cstr(&to), F_OK) != 0)
        ok = cli_read(buf_cstr(&from), &text) &&
             write_file(buf_cstr(&to), buf_slice(&text), &st);
    buf_printf(names, "%s%.*s", names->len != 0 ? " " : "",
               SLICE_ARG(buf_slice(&to)));
    buf_free(&from);
    buf_free(&to);
    buf_free(&text);
    return ok;
}

bool
setup_files_back_up(const char *directory, struct buf *names)
{
    char stamp[32];
    struct tm tm;
    time_t now = time(NULL);

    if (localtime_r(&now, &tm) == NULL ||
        strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm) == 0)
        stamp[0] = '\0';
    return copy(directory, "main.cf", stamp, names) &&
           copy(directory, "master.cf", stamp, names);
}
