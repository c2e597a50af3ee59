#include "robust.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 256,
    TURN = 5, /* ms */
};
#define FINISH 60.0 /* seconds: to end what was begun */

struct run run;
static volatile sig_atomic_t told_to_stop;

double
seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double
wall_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void
fail(const char *what)
{
    perror(what);
    exit(1);
}

void *
must(void *memory)
{
    if (memory == NULL)
        fail("memory");
    return memory;
}

void
watch(struct peer *peer, unsigned events)
{
    struct epoll_event event = { .events = events, .data.ptr = peer };

    if (epoll_ctl(run.epoll, EPOLL_CTL_MOD, peer->fd, &event) < 0 &&
        (errno != ENOENT ||
         epoll_ctl(run.epoll, EPOLL_CTL_ADD, peer->fd, &event) < 0))
        fail("epoll_ctl");
}

void
unwatch(struct peer *peer)
{
    epoll_ctl(run.epoll, EPOLL_CTL_DEL, peer->fd, NULL);
}

/* ---- the book ---- */

size_t
book_new(void)
{
    struct book *book = &run.book;

    if (book->count == book->room) {
        book->room = book->room * 2 + 1024;
        book->messages =
            must(realloc(book->messages, book->room * sizeof(*book->messages)));
    }
    struct message *m = &book->messages[book->count];
    *m = (struct message){ .groups = (unsigned)(book->count % 3) + 1 };
    return book->count++;
}

void
book_begin(size_t id)
{
    struct message *m = &run.book.messages[id];

    m->attempt++;
    m->done = 0;
    m->dot_sent = false;
    run.book.attempts++;
}

static void
note_event(struct event event)
{
    struct book *book = &run.book;

    if (book->event_count == book->event_room) {
        book->event_room = book->event_room * 2 + 1024;
        book->events = must(
            realloc(book->events, book->event_room * sizeof(*book->events)));
    }
    book->events[book->event_count++] = event;
}

void
book_cut(void)
{
    struct book *book = &run.book;

    /* The room doubles at each power of two. */
    if ((book->cuts & (book->cuts - 1)) == 0)
        book->cut_at = must(realloc(book->cut_at, (book->cuts * 2 + 1) *
                                                      sizeof(*book->cut_at)));
    book->cut_at[book->cuts++] = wall_now();
}

void
book_given_up(size_t id, unsigned attempt)
{
    note_event((struct event){ id, attempt, false, false, wall_now() });
}

void
book_committed(size_t id, unsigned attempt, unsigned group, double at)
{
    struct message *m = &run.book.messages[id];

    note_event((struct event){ id, attempt, true, false, at });
    m->commits++;
    if (attempt != m->attempt) {
        run.book.stray++;
        return;
    }
    if (!m->dot_sent)
        run.book.early++;
    if ((m->done & group) != 0 || (m->groups & group) == 0)
        run.book.twice++;
    m->done |= group;
}

void
book_accepted(size_t id, unsigned attempt)
{
    struct message *m = &run.book.messages[id];

    if (m->attempt != attempt || m->done != m->groups || m->accepted)
        run.book.false_replies++;
    m->accepted = true;
    note_event((struct event){ id, attempt, false, true, wall_now() });
    run.book.accepted++;
}

void
book_time(bool greeting, double seconds)
{
    double **times = greeting ? &run.greeted : &run.served;
    size_t *count = greeting ? &run.greeted_count : &run.served_count;

    /* The room doubles at each power of two. */
    if ((*count & (*count - 1)) == 0)
        *times = must(realloc(*times, (*count * 2 + 1) * sizeof(**times)));
    (*times)[(*count)++] = seconds;
}

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
percentile(const double *times, size_t count, double part)
{
    size_t at = (size_t)(part * (double)count);

    if (count == 0)
        return 0;
    return times[at < count ? at : count - 1] * 1000;
}

static void
print_times(const char *name, double *times, size_t count)
{
    if (count != 0)
        qsort(times, count, sizeof(*times), ascending);
    printf(" %s_p50=%.2f %s_p99=%.2f %s_max=%.2f", name,
           percentile(times, count, 0.5), name, percentile(times, count, 0.99),
           name, percentile(times, count, 1));
}

static int
by_attempt(const void *a, const void *b)
{
    const struct event *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    if (x->attempt != y->attempt)
        return x->attempt < y->attempt ? -1 : 1;
    return x->commit - y->commit; /* how it ended, first */
}

/* Commits of an attempt that was not accepted. */
static void
print_windows(void)
{
    const struct book *book = &run.book;
    const struct event *end = NULL;

    for (size_t i = 0; i < book->cuts; i++)
        printf("cut %.6f\n", book->cut_at[i]);
    qsort(book->events, book->event_count, sizeof(*book->events), by_attempt);
    for (size_t i = 0; i < book->event_count; i++) {
        const struct event *e = &book->events[i];
        if (!e->commit)
            end = e;
        else if (end == NULL || end->id != e->id || end->attempt != e->attempt)
            printf("window %.6f never\n", e->at);
        else if (!end->accepted)
            printf("window %.6f %.6f\n", e->at, end->at);
    }
}

static void
print_book(void)
{
    const struct book *book = &run.book;
    size_t lost = 0, wanted = 0, commits = 0;
    double seconds = seconds_now() - run.started;

    for (size_t i = 0; i < book->count; i++) {
        const struct message *m = &book->messages[i];
        commits += m->commits;
        wanted += m->groups == (LEAVES | STAYS) ? 2 : 1;
        if (m->commits == 0 || !m->accepted)
            lost++;
    }
    printf("messages=%zu accepted=%zu missing=%zu broken=%zu false=%zu "
           "early=%zu twice=%zu duplicates=%zd stray=%zu attempts=%zu "
           "refused=%zu lost=%zu deferred=%zu errors=%zu cuts=%zu idle=%zu "
           "idle_lost=%zu seconds=%.1f rate=%.0f",
           book->count, book->accepted, lost, book->broken, book->false_replies,
           book->early, book->twice, (ssize_t)(commits - wanted), book->stray,
           book->attempts, book->refused, book->lost, book->again, book->errors,
           book->cuts, book->idle, book->idle_lost, seconds,
           (double)book->accepted / seconds);
    print_times("greeting", run.greeted, run.greeted_count);
    print_times("message", run.served, run.served_count);
    printf("\n");
}

/* ---- the loop ---- */

static void
turn(int milliseconds)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(run.epoll, events, EVENTS, milliseconds);

    /* One event for each descriptor, so what is freed here is not met again. */
    for (int i = 0; i < n; i++) {
        struct peer *peer = events[i].data.ptr;
        if (peer->fd >= 0)
            peer->on_event(peer, events[i].events);
    }
}

/* The idle ones first; then whoever started us may look around. */
static void
hold_idle(void)
{
    char line[8];

    if (!run.wait)
        return;
    while (!clients_hold_all() && !told_to_stop)
        turn(TURN);
    printf("idle=%zu\n", run.book.idle);
    fflush(stdout);
    if (fgets(line, sizeof(line), stdin) == NULL)
        told_to_stop = 1;
}

static void
serve(void)
{
    double give_up_at = 0;

    for (;;) {
        bool enough = run.limit != 0 && run.book.count >= run.limit;
        bool cut = run.cuts != 0 && run.book.cuts >= run.cuts;
        run.stopping = told_to_stop || cut;
        if ((run.stopping || enough) && clients_are_idle())
            return;
        if (run.stopping && give_up_at == 0)
            give_up_at = seconds_now() + FINISH;
        if (give_up_at != 0 && seconds_now() > give_up_at)
            return;
        clients_turn();
        turn(TURN);
    }
}

static void
on_signal(int number)
{
    (void)number;
    told_to_stop = 1;
}

static void
take_options(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "s:n:r:l:c:i:z:w")) != -1) {
        long value = optarg != NULL ? strtol(optarg, NULL, 10) : 0;
        switch (option) {
        case 's':
            run.sessions = (unsigned)value;
            break;
        case 'n':
            run.limit = (unsigned long)value;
            break;
        case 'r':
            run.rate = (unsigned)value;
            break;
        case 'l':
            run.lines = value;
            break;
        case 'c':
            run.cuts = (size_t)value;
            break;
        case 'i':
            run.idle = (unsigned)value;
            break;
        case 'w':
            run.wait = true;
            break;
        case 'z':
            srandom((unsigned)value);
            break;
        default:
            exit(64);
        }
    }
    if (argc - optind != 2 || run.lines == 0)
        exit(64);
    run.listen.sin_port = htons((uint16_t)strtol(argv[optind], NULL, 10));
    run.onward.sin_port = htons((uint16_t)strtol(argv[optind + 1], NULL, 10));
}

int
main(int argc, char **argv)
{
    struct sockaddr_in loopback = { .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct rlimit files;

    run.listen = run.onward = loopback;
    run.sessions = 10;
    run.lines = 100;
    take_options(argc, argv);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    content_make();
    sink_open();
    clients_open();
    printf("ready\n");
    fflush(stdout);
    hold_idle();
    run.started = seconds_now();
    serve();
    if (run.book.event_count != 0)
        print_windows();
    print_book();
    return 0;
}
