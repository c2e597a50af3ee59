#include "process.h"

#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum {
    DESCRIPTORS_MAX = 1 << 20, /* more than that is never needed */
    MMAP_FROM = 512 * 1024,    /* what is larger goes back when it is freed */
    TRIM_FROM = 1024 * 1024,
    ARENAS = 2,
    THREADS_MAX = 1024,
};

static void
raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_cur > DESCRIPTORS_MAX)
        limit.rlim_cur = DESCRIPTORS_MAX;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Two threads more than processors: a reload, which takes one for long, and
 * what takes long to sign (signer.h) must not hold up what does not. An
 * administrator's own choice stands. */
static void
choose_threads(void)
{
    char text[24];

    snprintf(text, sizeof(text), "%ld", sysconf(_SC_NPROCESSORS_ONLN) + 2);
    setenv("UV_THREADPOOL_SIZE", text, 0);
}

unsigned
process_threads(void)
{
    const char *text = getenv("UV_THREADPOOL_SIZE");
    long threads = text != NULL ? strtol(text, NULL, 10) : 0;

    /* As libuv reads it. */
    return threads < 1             ? 1
           : threads > THREADS_MAX ? THREADS_MAX
                                   : (unsigned)threads;
}

#ifdef __GLIBC__
static void
tune_allocator(void)
{
    mallopt(M_ARENA_MAX, ARENAS);
    mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
    mallopt(M_TRIM_THRESHOLD, TRIM_FROM);
}

static void
trim_allocator(void)
{
    malloc_trim(0);
}
#else
/* Other C libraries (musl) have one heap without settings. */
static void
tune_allocator(void)
{
}

static void
trim_allocator(void)
{
}
#endif

void
process_prepare(void)
{
    struct rlimit none = { 0 };
    /* SIGXFSZ: a limit of file size is a full disk, and gets 452. */
    static const int ignored[] = { SIGPIPE, SIGUSR1, SIGUSR2, SIGXFSZ };

    /* Keys and the SRS secret are in memory. */
    prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &none);
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    raise_descriptors();
    choose_threads();
    tune_allocator();
}

void
process_trim(void)
{
    trim_allocator();
}
