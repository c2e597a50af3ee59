/*
 *   load HOST PORT [-s SESSIONS] [-n MESSAGES | -t SECONDS] [-R PER-SECOND]
 *        [-l OCTETS] [-f FROM] [-r RCPT] [-m RECIPIENTS] [-H FIELDS]
 *        [-c DIFFERENT] [-x]               -x: XFORWARD, as a front smtpd
 *
 * As fast as so many sessions can, or with -R at that rate, a message that
 * waits for a session being late already. Prints one line: messages, errors,
 * seconds, rate (messages/s); p50, p99 and max in ms from connect to the final
 * reply; hello50 and hello99 from connect to the greeting; and its own CPU in
 * ms a message. One thread, epoll.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    REPLY = 1024,
    EVENTS = 256,
    NOTHING = 60000, /* ms: something is wrong */
};

struct session {
    int fd;
    unsigned step;
    unsigned long number;
    double started, greeted, finished; /* connect, greeting, final reply */
    struct iovec parts[TEXT_PARTS];    /* unsent */
    int part_count;
    char own[TEXT_OWN];
    char in[REPLY];
    size_t in_len;
    struct session *next_free;
};

struct series {
    double *values;
    size_t count, room;
};

static struct {
    struct sockaddr_in to;
    unsigned sessions, busy;
    unsigned long messages, begun, errors;
    double until;       /* 0: by count */
    double due, period; /* of the next message; 0: at once */
    struct series served, greeted;
    struct session *free;
    int epoll;
} run;

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
fail(const char *what)
{
    perror(what);
    exit(1);
}

static void
note(struct series *series, double value)
{
    if (series->count == series->room) {
        series->room = series->room != 0 ? series->room * 2 : 1 << 16;
        series->values =
            realloc(series->values, series->room * sizeof(*series->values));
        if (series->values == NULL)
            fail("memory");
    }
    series->values[series->count++] = value;
}

static void
watch(struct session *s, uint32_t events, int how)
{
    struct epoll_event event = { .events = events, .data.ptr = s };

    if (epoll_ctl(run.epoll, how, s->fd, &event) != 0)
        fail("epoll_ctl");
}

static bool
more_to_begin(void)
{
    return run.until != 0 ? now() < run.until : run.begun < run.messages;
}

static void
begin(struct session *s, double started)
{
    int on = 1;

    run.busy++;
    s->number = run.begun++;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        fail("socket");
    s->started = started;
    s->step = 0;
    s->in_len = 0;
    s->part_count = 0;
    if (connect(s->fd, (struct sockaddr *)&run.to, sizeof(run.to)) != 0)
        fail("connect");
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    watch(s, EPOLLIN, EPOLL_CTL_ADD);
}

/* What is due, as far as sessions are free. */
static void
begin_due(void)
{
    while (run.free != NULL && more_to_begin() && run.due <= now()) {
        struct session *s = run.free;
        run.free = s->next_free;
        begin(s, now());
        if (run.period != 0)
            run.due += run.period;
    }
}

static void
end(struct session *s, bool ok)
{
    close(s->fd);
    run.busy--;
    if (ok) {
        note(&run.served, s->finished - s->started);
        note(&run.greeted, s->greeted - s->started);
    } else {
        run.errors++;
    }
    if (more_to_begin() && run.due <= now()) {
        begin(s, run.period != 0 ? run.due : now());
        if (run.period != 0)
            run.due += run.period;
        return;
    }
    s->next_free = run.free;
    run.free = s;
}

/* False: the session is over. */
static bool
send_more(struct session *s)
{
    while (s->part_count != 0) {
        ssize_t n = writev(s->fd, s->parts, s->part_count);
        if (n < 0 && errno == EAGAIN) {
            watch(s, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            return true;
        }
        if (n < 0) {
            end(s, false);
            return false;
        }
        size_t sent = (size_t)n;
        while (s->part_count != 0 && sent >= s->parts[0].iov_len) {
            sent -= s->parts[0].iov_len;
            s->parts[0] = s->parts[1];
            s->part_count--;
        }
        if (s->part_count != 0) {
            s->parts[0].iov_base = (char *)s->parts[0].iov_base + sent;
            s->parts[0].iov_len -= sent;
        }
    }
    return true;
}

/* A reply is complete: the next command. False: the session is over. */
static bool
on_reply(struct session *s, char class)
{
    if (class != '2' && class != '3') {
        end(s, false);
        return false;
    }
    if (s->step == 0)
        s->greeted = now();
    if (s->step == text_content() + 1)
        s->finished = now();
    if (s->step == text_steps()) { /* 221 */
        end(s, true);
        return false;
    }
    s->part_count = text_step(s->step++, s->number, s->own, s->parts);
    return send_more(s);
}

static void
on_readable(struct session *s)
{
    ssize_t n = read(s->fd, s->in + s->in_len, sizeof(s->in) - s->in_len);
    char *lf;

    if (n <= 0) {
        end(s, false);
        return;
    }
    s->in_len += (size_t)n;
    while ((lf = memchr(s->in, '\n', s->in_len)) != NULL) {
        bool last = lf - s->in < 4 || s->in[3] != '-';
        char class = s->in[0];
        size_t used = (size_t)(lf + 1 - s->in);
        memmove(s->in, s->in + used, s->in_len - used);
        s->in_len -= used;
        if (last && !on_reply(s, class))
            return;
    }
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* In ms; of a series that is sorted already. */
static double
quantile(const struct series *series, unsigned percent)
{
    if (series->count == 0)
        return 0;
    size_t at = series->count * percent / 100;
    return series->values[at < series->count ? at : series->count - 1] * 1000;
}

static void
figures(double seconds)
{
    struct rusage usage;
    double done = (double)run.served.count;

    getrusage(RUSAGE_SELF, &usage);
    double cpu =
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
        (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    qsort(run.served.values, run.served.count, sizeof(double), compare);
    qsort(run.greeted.values, run.greeted.count, sizeof(double), compare);
    printf("messages=%zu errors=%lu seconds=%.3f rate=%.1f p50=%.3f p99=%.3f "
           "max=%.3f hello50=%.3f hello99=%.3f cpu=%.4f\n",
           run.served.count, run.errors, seconds, done / seconds,
           quantile(&run.served, 50), quantile(&run.served, 99),
           quantile(&run.served, 100), quantile(&run.greeted, 50),
           quantile(&run.greeted, 99), done != 0 ? cpu * 1000 / done : 0);
}

/* Until the next message is due, in ms, or as long as something can happen. */
static int
patience(void)
{
    if (run.period == 0 || run.free == NULL || !more_to_begin())
        return NOTHING;
    double wait = (run.due - now()) * 1000;
    return wait > 0 ? (int)wait + 1 : 0;
}

static void
loop(void)
{
    struct epoll_event events[EVENTS];

    for (;;) {
        begin_due();
        if (run.busy == 0 && !more_to_begin())
            return;
        int wait = patience();
        int n = epoll_wait(run.epoll, events, EVENTS, wait);
        if (n <= 0 && wait == NOTHING) {
            fprintf(stderr, "load: nothing happens for a minute\n");
            exit(1);
        }
        for (int i = 0; i < n; i++) {
            struct session *s = events[i].data.ptr;
            if ((events[i].events & EPOLLOUT) == 0) {
                on_readable(s);
                continue;
            }
            watch(s, EPOLLIN, EPOLL_CTL_MOD);
            send_more(s);
        }
    }
}

static unsigned long
number(const char *text)
{
    return strtoul(text, NULL, 10);
}

int
main(int argc, char **argv)
{
    struct text text = { .from = "bench@sender.example",
                         .rcpt = "bench@rcpt.example",
                         .recipients = 1,
                         .different = 1,
                         .octets = 10240 };
    double seconds = 0;

    if (argc < 3) {
        fprintf(stderr, "usage: load HOST PORT [-s N] [-n N|-t SECONDS] "
                        "[-R N] [-l OCTETS] [-f FROM] [-r RCPT] [-m N] [-H N] "
                        "[-c N] [-x]\n");
        return 64;
    }
    run.sessions = 1;
    run.messages = 1000;
    run.to.sin_family = AF_INET;
    run.to.sin_port = htons((uint16_t)number(argv[2]));
    inet_pton(AF_INET, argv[1], &run.to.sin_addr);
    optind = 3;
    for (int c; (c = getopt(argc, argv, "s:n:t:R:l:f:r:m:H:c:x")) != -1;)
        switch (c) {
        case 's':
            run.sessions = (unsigned)number(optarg);
            break;
        case 'n':
            run.messages = number(optarg);
            break;
        case 't':
            seconds = strtod(optarg, NULL);
            break;
        case 'R':
            run.period = 1 / strtod(optarg, NULL);
            break;
        case 'l':
            text.octets = number(optarg);
            break;
        case 'f':
            text.from = optarg;
            break;
        case 'r':
            text.rcpt = optarg;
            break;
        case 'm':
            text.recipients = (unsigned)number(optarg);
            break;
        case 'H':
            text.fields = (unsigned)number(optarg);
            break;
        case 'c':
            text.different = number(optarg);
            break;
        case 'x':
            text.xforward = true;
            break;
        default:
            return 64;
        }
    text_prepare(&text);
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct session *sessions = calloc(run.sessions, sizeof(*sessions));
    if (sessions == NULL)
        fail("memory");
    for (unsigned i = 0; i < run.sessions; i++) {
        sessions[i].next_free = run.free;
        run.free = &sessions[i];
    }
    double started = now();
    run.due = started;
    if (seconds != 0)
        run.until = started + seconds;
    loop();
    figures(now() - started);
    return run.errors != 0;
}
