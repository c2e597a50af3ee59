#include "lane.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    THREADS = 4,
    PIECES = 12,
    MS = 1000000
};

struct piece {
    struct lane_work work;
    long spend;      /* ms of processor, in the idle class or not */
    int first, last; /* class at both ends */
};

static atomic_uint running, most, done;

static int
class_of_this(void)
{
    return sched_getscheduler(0);
}

static void
run(struct lane_work *work)
{
    struct piece *piece = (struct piece *)work;
    struct timespec t;
    unsigned now = atomic_fetch_add(&running, 1) + 1;
    unsigned before = atomic_load(&most);

    while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
        continue;
    piece->first = class_of_this();
    do
        clock_gettime(CLOCK_MONOTONIC, &t);
    while ((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / MS <
           piece->work.since + (uint64_t)piece->spend);
    piece->last = class_of_this();
    atomic_fetch_sub(&running, 1);
}

static void
on_done(struct lane_work *work)
{
    (void)work;
    atomic_fetch_add(&done, 1);
}

static void
do_all(struct piece *pieces, size_t count, struct lane *lane)
{
    uv_loop_t loop;

    atomic_store(&most, 0);
    atomic_store(&done, 0);
    uv_loop_init(&loop);
    lane_open(lane, &loop, THREADS);
    for (size_t i = 0; i < count; i++) {
        pieces[i].work.run = run;
        pieces[i].work.done = on_done;
        lane_add(lane, &pieces[i].work);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    lane_close(lane);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(atomic_load(&done), count);
}

/* More than there are threads for: two of those are left to others. */
static void
two_threads_are_left(void **state)
{
    struct piece pieces[PIECES] = { 0 };
    struct lane lane;

    (void)state;
    for (size_t i = 0; i < PIECES; i++)
        pieces[i].spend = 5 * ((long)i / 2 + 1);
    do_all(pieces, PIECES, &lane);
    assert_in_range(atomic_load(&most), 1, THREADS - 2);
}

static void
nothing_at_all(void **state)
{
    struct lane lane;

    (void)state;
    do_all(NULL, 0, &lane);
}

/* What is quickly done stays in the idle class; what waits is taken out. */
static void
patience_has_an_end(void **state)
{
    struct piece pieces[2] = { { .spend = 1 }, { .spend = 400 } };
    struct lane lane;

    (void)state;
    /* On a busy machine it may be over before a thread begins. */
    for (size_t tries = 0; tries < 20; tries++) {
        do_all(pieces, 2, &lane);
        if (pieces[0].first == SCHED_IDLE && pieces[1].first == SCHED_IDLE)
            break;
    }
    if (!lane.may_idle) {
        print_message("# not looked at: the idle class is not allowed here\n");
        return;
    }
    assert_int_equal(pieces[0].first, SCHED_IDLE);
    assert_int_equal(pieces[1].first, SCHED_IDLE);
    assert_int_equal(pieces[1].last, SCHED_OTHER);
}

/* In a process of its own, for it is for ever. */
static void
not_without_a_way_back(void **state)
{
    int status;

    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct piece piece = { .spend = 1 };
        struct rlimit none = { 0, 0 };
        struct lane lane;
        if (setrlimit(RLIMIT_NICE, &none) != 0 ||
            (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0))
            _exit(2);
        do_all(&piece, 1, &lane);
        _exit(!lane.may_idle && piece.first == SCHED_OTHER &&
                      piece.last == SCHED_OTHER
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* RLIMIT_NICE as the unit sets it, and no privilege. */
static void
with_a_limit_that_allows_it(void **state)
{
    int status;

    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct piece piece = { .spend = 1 };
        struct rlimit zero = { 20, 20 }; /* nice 0 */
        struct lane lane;
        if (setrlimit(RLIMIT_NICE, &zero) != 0)
            _exit(77); /* may not be raised here */
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
            _exit(2);
        do_all(&piece, 1, &lane);
        _exit(lane.may_idle && piece.first == SCHED_IDLE ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("# not looked at: RLIMIT_NICE may not be raised here\n");
        return;
    }
    assert_int_equal(status, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        /* Before this process has threads. */
        cmocka_unit_test(not_without_a_way_back),
        cmocka_unit_test(with_a_limit_that_allows_it),
        cmocka_unit_test(two_threads_are_left),
        cmocka_unit_test(nothing_at_all),
        cmocka_unit_test(patience_has_an_end),
    };

    setenv("UV_THREADPOOL_SIZE", "4", 1);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
