#include "logtarget.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    FACILITY_MAIL = 2
};

#define SYSLOG_SOCKET "/dev/log"
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define IDENT "onward"

static int
priority(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return 3;
    case LOG_LEVEL_WARNING:
        return 4;
    case LOG_LEVEL_INFO:
        return 6;
    case LOG_LEVEL_DEBUG:
        break;
    }
    return 7;
}

/* ---- connecting -------------------------------------------------------- */

/* systemd says in JOURNAL_STREAM which socket it gave us as standard error;
 * somebody may have redirected it since (systemd.exec(5)). */
static bool
stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat st;

    return stream != NULL &&
           sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device &&
           st.st_ino == inode;
}

static bool
is_socket(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static enum logtarget_kind
resolve(enum conf_log_target wanted)
{
    switch (wanted) {
    case CONF_LOG_AUTO:
        break;
    case CONF_LOG_SYSLOG:
        return LOGTARGET_SYSLOG;
    case CONF_LOG_JOURNAL:
        return LOGTARGET_JOURNAL;
    case CONF_LOG_STDERR:
        return LOGTARGET_STDERR;
    case CONF_LOG_FILE:
        return LOGTARGET_FILE;
    }
    if (stderr_is_journal() && is_socket(JOURNAL_SOCKET))
        return LOGTARGET_JOURNAL;
    if (!isatty(STDERR_FILENO) && is_socket(SYSLOG_SOCKET))
        return LOGTARGET_SYSLOG;
    return LOGTARGET_STDERR;
}

static bool
connect_datagram(struct logtarget *target, const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    memcpy(address.sun_path, path, strlen(path));
    target->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (target->fd < 0)
        return false;
    target->own_fd = true;
    target->is_socket = true;
    if (connect(target->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return true;
    logtarget_close(target);
    return false;
}

/* O_NONBLOCK belongs to the open file, which we share with whoever started
 * us. So a pipe or terminal is opened once more; a regular file is not (its
 * offset is shared too), and a socket has MSG_DONTWAIT. */
static bool
open_stderr(struct logtarget *target)
{
    struct stat st;

    target->fd = STDERR_FILENO;
    target->own_fd = false;
    if (fstat(STDERR_FILENO, &st) != 0)
        return false;
    target->is_socket = S_ISSOCK(st.st_mode);
    target->may_block = false;
    if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
        int fd = open("/proc/self/fd/2",
                      O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0) {
            target->fd = fd;
            target->own_fd = true;
        } else {
            target->may_block = true;
        }
    }
    return true;
}

bool
logtarget_reconnect(struct logtarget *target)
{
    logtarget_close(target);
    switch (target->kind) {
    case LOGTARGET_JOURNAL:
        return connect_datagram(target, JOURNAL_SOCKET);
    case LOGTARGET_SYSLOG:
        return connect_datagram(target, SYSLOG_SOCKET);
    case LOGTARGET_STDERR:
        return open_stderr(target);
    case LOGTARGET_FILE:
        target->fd =
            open(buf_cstr(&target->path),
                 O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0640);
        target->own_fd = true;
        break;
    }
    return target->fd >= 0;
}

bool
logtarget_open(struct logtarget *target, enum conf_log_target wanted,
               struct slice file)
{
    *target = (struct logtarget){ .kind = resolve(wanted), .fd = -1 };
    buf_append(&target->path, file);
    return logtarget_reconnect(target);
}

void
logtarget_close(struct logtarget *target)
{
    if (target->fd >= 0 && target->own_fd)
        close(target->fd);
    target->fd = -1;
    target->own_fd = false;
    target->is_socket = false;
}

/* ---- dressing ---------------------------------------------------------- */

static void
put_iso_time(struct buf *out)
{
    struct timespec now;
    struct tm utc;
    char text[32];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    buf_printf(out, "%s.%06ld+00:00", text, now.tv_nsec / 1000);
}

/* The time stamp that syslog(3) writes (RFC 3164, 4.1.2). */
static void
put_syslog_time(struct buf *out)
{
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr",
                                        "May", "Jun", "Jul", "Aug",
                                        "Sep", "Oct", "Nov", "Dec" };
    time_t now = time(NULL);
    struct tm local;

    localtime_r(&now, &local);
    buf_printf(out, "%s %2d %02d:%02d:%02d", months[local.tm_mon],
               local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
}

static void
put_host(struct buf *out)
{
    char host[256];

    if (gethostname(host, sizeof(host)) != 0)
        memcpy(host, "localhost", sizeof("localhost"));
    host[sizeof(host) - 1] = '\0';
    for (const char *c = host; *c != '\0' && *c != '.'; c++)
        buf_putc(out, *c);
}

static void
dress_plain(const struct logtarget *target, enum log_format format,
            struct slice line, struct buf *out)
{
    switch (format) {
    case LOG_FORMAT_JSON: /* one object a line, so the time goes inside */
        buf_puts(out, "{\"time\": \"");
        put_iso_time(out);
        buf_puts(out, line.len > 2 ? "\", " : "\"");
        line = slice_tail(line, 1);
        break;
    case LOG_FORMAT_TEXT:
        if (target->kind == LOGTARGET_FILE) { /* as rsyslog writes mail.log */
            put_iso_time(out);
            buf_putc(out, ' ');
            put_host(out);
            buf_putc(out, ' ');
        }
        buf_printf(out, IDENT "[%d]: ", (int)getpid());
        break;
    }
    buf_append(out, line);
    buf_putc(out, '\n');
}

void
logtarget_dress(const struct logtarget *target, enum log_level level,
                enum log_format format, struct slice line, struct buf *out)
{
    switch (target->kind) {
    case LOGTARGET_JOURNAL: /* its native protocol; a line has no newline */
        buf_printf(out,
                   "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=" IDENT
                   "\nSYSLOG_PID=%d\nMESSAGE=",
                   priority(level), FACILITY_MAIL, (int)getpid());
        buf_append(out, line);
        buf_putc(out, '\n');
        break;
    case LOGTARGET_SYSLOG:
        buf_printf(out, "<%d>", FACILITY_MAIL * 8 + priority(level));
        put_syslog_time(out);
        buf_printf(out, " " IDENT "[%d]: ", (int)getpid());
        buf_append(out, line);
        break;
    case LOGTARGET_STDERR:
    case LOGTARGET_FILE:
        dress_plain(target, format, line, out);
        break;
    }
}

/* ---- writing ----------------------------------------------------------- */

enum logqueue_result
logtarget_write(struct logtarget *target, struct slice octets, size_t *gone)
{
    ssize_t count;

    *gone = 0;
    if (target->fd < 0)
        return LOGQUEUE_GONE;
    if (target->may_block) {
        struct pollfd room = { .fd = target->fd, .events = POLLOUT };
        if (poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0)
            return LOGQUEUE_AGAIN;
        /* A pipe that is writable takes this much without blocking. */
        octets = slice_head(octets, PIPE_BUF);
    }
    do {
        count = target->is_socket ? send(target->fd, octets.ptr, octets.len,
                                         MSG_DONTWAIT | MSG_NOSIGNAL)
                                  : write(target->fd, octets.ptr, octets.len);
    } while (count < 0 && errno == EINTR);
    if (count >= 0) {
        *gone = (size_t)count;
        return LOGQUEUE_DONE;
    }
    switch (errno) {
    case EAGAIN:
    case ENOBUFS:
        return LOGQUEUE_AGAIN;
    case ECONNREFUSED:
    case ECONNRESET:
    case ENOTCONN:
    case EPIPE:
        return target->kind == LOGTARGET_JOURNAL ||
                       target->kind == LOGTARGET_SYSLOG
                   ? LOGQUEUE_GONE
                   : LOGQUEUE_REFUSED;
    default:
        return LOGQUEUE_REFUSED;
    }
}
