/* Other programs, run to their end or to a deadline. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
    RUN_MS = 120000
};

static int64_t
milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* posix_spawnp in the directories of PATH, then where Postfix' programs are:
 * an ordinary user's PATH does not hold them. */
static int
spawn(const char *const *argv, const posix_spawn_file_actions_t *actions,
      const posix_spawnattr_t *attributes, pid_t *pid)
{
    char *copy[64] = { NULL };
    struct buf path = { 0 };
    int error = E2BIG;

    for (size_t i = 0; i < sizeof(copy) / sizeof(copy[0]) - 1; i++) {
        if (argv[i] == NULL) {
            error = 0;
            break;
        }
        copy[i] = strdup(argv[i]);
        if (copy[i] == NULL)
            abort();
    }
    if (error == 0)
        error = posix_spawnp(pid, argv[0], actions, attributes, copy, environ);
    if (error == ENOENT && strchr(argv[0], '/') == NULL) {
        buf_printf(&path, "/usr/sbin/%s", argv[0]);
        error = posix_spawn(pid, buf_cstr(&path), actions, attributes, copy,
                            environ);
        buf_free(&path);
    }
    for (size_t i = 0; copy[i] != NULL; i++)
        free(copy[i]);
    return error;
}

/* The daemon blocks and ignores signals; programs it starts do not. */
static int
start(const char *const *argv, enum cli_run_errors errors, int out, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t set;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
                                     O_RDONLY, 0);
    if (errors == CLI_RUN_QUIET)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
                                         O_WRONLY, 0);
    sigemptyset(&set);
    posix_spawnattr_setsigmask(&attributes, &set);
    sigaddset(&set, SIGPIPE);
    sigaddset(&set, SIGCHLD);
    posix_spawnattr_setsigdefault(&attributes, &set);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error = spawn(argv, &actions, &attributes, pid);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

/* All it writes. False: the deadline passed. */
static bool
collect(int fd, int64_t deadline, struct buf *out)
{
    for (;;) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        int64_t left = deadline - milliseconds();
        if (left <= 0)
            return false;
        int ready = poll(&wait, 1, (int)left);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return false;
        buf_reserve(out, 4096);
        ssize_t n = read(fd, out->ptr + out->len, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return true;
        out->len += (size_t)n;
    }
}

/* It closed its output; it may take a moment longer to end. */
static bool
wait_until(pid_t pid, int64_t deadline, int *status)
{
    for (;;) {
        pid_t ended = waitpid(pid, status, WNOHANG);
        if (ended == pid)
            return true;
        if (ended < 0 && errno != EINTR)
            return false;
        if (milliseconds() >= deadline)
            return false;
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    }
}

int
cli_run_within(const char *const *argv, int limit_ms,
               enum cli_run_errors errors, struct buf *out)
{
    int64_t deadline = milliseconds() + limit_ms;
    int pipe_fds[2];
    int status = 0;
    pid_t pid;

    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return -1;
    int error = start(argv, errors, pipe_fds[1], &pid);
    close(pipe_fds[1]);
    if (error != 0) {
        close(pipe_fds[0]);
        if (errors == CLI_RUN_SPEAK)
            cli_error("%s: %s", argv[0], strerror(error));
        return -1;
    }
    bool ended = collect(pipe_fds[0], deadline, out) &&
                 wait_until(pid, deadline, &status);
    close(pipe_fds[0]);
    if (!ended) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        if (errors == CLI_RUN_SPEAK)
            cli_error("%s: did not end in %d s", argv[0], limit_ms / 1000);
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int
cli_run(const char *const *argv, struct buf *out)
{
    return cli_run_within(argv, RUN_MS, CLI_RUN_SPEAK, out);
}

int
cli_run_into(const char *const *argv, int fd)
{
    int status = 0;
    pid_t pid;

    if (start(argv, CLI_RUN_SPEAK, fd, &pid) != 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
