/*
 * Loaded before the libraries of the program under test (LD_PRELOAD): OpenSSL
 * fails, and the wall clock jumps, when a test says so. The directory that
 * PRELOAD_DIRECTORY names holds a file for each function that is to fail, and
 * one named "clock" with the seconds to be added to the time of day. What is
 * monotonic stays as it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int
named(const char *name, char *path, size_t size)
{
    const char *directory = getenv("PRELOAD_DIRECTORY");

    return directory != NULL &&
           snprintf(path, size, "%s/%s", directory, name) < (int)size &&
           access(path, F_OK) == 0;
}

/* OpenSSL calls itself by these names too: only the program's own calls fail,
 * or one function could not be told from another. What it calls last leaves no
 * trace of that, as EVP_DigestUpdate by EVP_MAC_update: so that digests are
 * those of signing, they fail in the threads that sign. */
static int
fails(const char *name, void *caller)
{
    char path[512], called[512 + 8];
    Dl_info info;

    if (!named(name, path, sizeof(path)) ||
        (dladdr(caller, &info) != 0 && strstr(info.dli_fname, "libcrypto")) ||
        (strncmp(name, "EVP_Digest", 10) == 0 && gettid() == getpid()))
        return 0;
    /* So that a test can see that it was not for nothing. */
    snprintf(called, sizeof(called), "%s.called", path);
    close(open(called, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    return 1;
}

#define WRAP(type, function, parameters, arguments)                            \
    type function parameters;                                                  \
    type function parameters                                                   \
    {                                                                          \
        static type(*next) parameters;                                         \
        if (fails(#function, __builtin_return_address(0)))                     \
            return 0;                                                          \
        if (next == NULL)                                                      \
            next = (type(*) parameters)dlsym(RTLD_NEXT, #function);            \
        return next arguments;                                                 \
    }

WRAP(void *, EVP_MD_CTX_new, (void), ())
WRAP(int, EVP_DigestInit_ex, (void *c, const void *t, void *e), (c, t, e))
WRAP(int, EVP_DigestUpdate, (void *c, const void *d, size_t n), (c, d, n))
WRAP(int, EVP_DigestFinal_ex, (void *c, unsigned char *d, unsigned *n),
     (c, d, n))
WRAP(int, EVP_MD_CTX_copy_ex, (void *to, const void *from), (to, from))
WRAP(int, EVP_DigestSignInit,
     (void *c, void *p, const void *t, void *e, void *k), (c, p, t, e, k))
WRAP(int, EVP_DigestSign,
     (void *c, unsigned char *s, size_t *l, const unsigned char *d, size_t n),
     (c, s, l, d, n))
WRAP(void *, EVP_PKEY_CTX_new, (void *k, void *e), (k, e))
WRAP(int, EVP_PKEY_sign_init, (void *c), (c))
WRAP(int, EVP_PKEY_sign,
     (void *c, unsigned char *s, size_t *l, const unsigned char *d, size_t n),
     (c, s, l, d, n))
WRAP(void *, EVP_MAC_CTX_dup, (const void *c), (c))
WRAP(int, EVP_MAC_update, (void *c, const unsigned char *d, size_t n),
     (c, d, n))
WRAP(int, EVP_MAC_final, (void *c, unsigned char *o, size_t *l, size_t n),
     (c, o, l, n))
WRAP(unsigned char *, EVP_Q_mac,
     (void *x, const char *name, const char *q, const char *sub,
      const void *params, const void *key, size_t keylen,
      const unsigned char *data, size_t len, unsigned char *out, size_t size,
      unsigned *outlen),
     (x, name, q, sub, params, key, keylen, data, len, out, size, outlen))

/* ---- the clock ---- */

static long
jump(void)
{
    char path[512], text[32] = "";
    int fd;

    if (!named("clock", path, sizeof(path)) ||
        (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return 0;
    if (read(fd, text, sizeof(text) - 1) < 0)
        text[0] = '\0';
    close(fd);
    return strtol(text, NULL, 10);
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*next)(clockid_t, struct timespec *);

    if (next == NULL)
        next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT,
                                                            "clock_gettime");
    int status = next(clock, now);
    if (status == 0 &&
        (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += jump();
    return status;
}

time_t
time(time_t *now)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    if (now != NULL)
        *now = t.tv_sec;
    return t.tv_sec;
}
