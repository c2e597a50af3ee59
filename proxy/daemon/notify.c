#include "notify.h"

#include "base.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void
say(const struct notify *notify, struct slice text)
{
    if (notify->fd >= 0)
        send(notify->fd, text.ptr, text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int
connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = path == NULL ? 0 : strlen(path);
    socklen_t size;
    int fd;

    if (length < 2 || length >= sizeof(address.sun_path) ||
        (path[0] != '/' && path[0] != '@'))
        return -1;
    memcpy(address.sun_path, path, length);
    size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (path[0] == '@') /* the abstract name space */
        address.sun_path[0] = '\0';
    else
        size++;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, size) == 0)
        return fd;
    close(fd);
    return -1;
}

/* From the loop: a loop that hangs is what the watchdog is for. */
static void
on_watchdog(uv_timer_t *timer)
{
    say(timer->data, SLICE_OF("WATCHDOG=1"));
}

void
notify_open(struct notify *notify, uv_loop_t *loop)
{
    uint64_t microseconds, pid;
    bool ours = !slice_to_u64(slice_from(getenv("WATCHDOG_PID")), &pid) ||
                pid == (uint64_t)getpid();

    notify->fd = connect_to(getenv("NOTIFY_SOCKET"));
    uv_timer_init(loop, &notify->watchdog);
    notify->watchdog.data = notify;
    notify->open = true;
    if (notify->fd >= 0 && ours &&
        slice_to_u64(slice_from(getenv("WATCHDOG_USEC")), &microseconds) &&
        microseconds >= 2000) {
        uint64_t half = microseconds / 2000;
        uv_timer_start(&notify->watchdog, on_watchdog, half, half);
    }
    /* They are not for the programs that we run. */
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void
notify_close(struct notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
    if (notify->open)
        uv_close((uv_handle_t *)&notify->watchdog, NULL);
    notify->open = false;
}

void
notify_ready(const struct notify *notify)
{
    say(notify, SLICE_OF("READY=1"));
}

void
notify_reloading(const struct notify *notify)
{
    struct buf text = { 0 };
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    buf_printf(&text, "RELOADING=1\nMONOTONIC_USEC=%lld",
               (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    say(notify, buf_slice(&text));
    buf_free(&text);
}

void
notify_stopping(const struct notify *notify)
{
    say(notify, SLICE_OF("STOPPING=1"));
}

void
notify_status(const struct notify *notify, const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;

    if (notify->fd < 0)
        return;
    buf_puts(&text, "STATUS=");
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    say(notify, buf_slice(&text));
    buf_free(&text);
}
