/* Messages and stop-watch, shared by sign.c and opendkim.c so that both do the
 * same work and count it alike. (Not one program: both have a dkim_sign.) */
#ifndef ONWARD_BENCH_ALONE_H
#define ONWARD_BENCH_ALONE_H

#include <stddef.h>
#include <stdint.h>

/* One thing to measure: work(ctx) once is one unit. */
struct task {
    const char *name;
    const char *key; /* "rsa2048", or "" */
    size_t size;     /* of the message, or 0 */
    void (*work)(void *ctx);
    void *ctx;
    double seconds; /* of CPU, so far */
    uint64_t units;
};

/*
 * All tasks in turn, a few milliseconds each, until each has had `seconds` of
 * CPU; so whatever slows the machine for a while slows all of them. Prints
 * "NAME KEY SIZE MICROSECONDS" for each.
 */
void tasks_run(struct task *tasks, size_t count, double seconds);

enum content {
    CONTENT_TEXT,   /* prose: a blank every few letters, lines of 72 */
    CONTENT_BASE64, /* lines of 76, no blanks */
    CONTENT_BLANKS, /* runs of blanks and tabs everywhere */
};

/* A message of about `size` octets, header and all, to be freed. */
char *message_new(enum content content, size_t size, size_t *len);

/* Print what failed and end. */
void must(int ok, const char *what);

#endif
