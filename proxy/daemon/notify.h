/*
 * Telling systemd how we are (sd_notify(3)): one datagram each. Without
 * NOTIFY_SOCKET nothing happens.
 */
#ifndef ONWARD_NOTIFY_H
#define ONWARD_NOTIFY_H

#include <stdbool.h>

#include <uv.h>

struct notify {
    int fd; /* -1: nobody wants to know */
    uv_timer_t watchdog;
    bool open; /* the timer is in use */
};

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC and takes them out of the
 * environment. */
void notify_open(struct notify *notify, uv_loop_t *loop);
void notify_close(struct notify *notify);

void notify_ready(const struct notify *notify);
void notify_reloading(const struct notify *notify);
void notify_stopping(const struct notify *notify);
void notify_status(const struct notify *notify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
