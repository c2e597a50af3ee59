/*
 * load: messages over SMTP, one a connection as Postfix' smtpd does it,
 * counted and timed. One thread, epoll.
 *
 *   load HOST PORT [-s SESSIONS] [-n MESSAGES | -t SECONDS] [-l OCTETS]
 *        [-f FROM] [-r RCPT] [-x]          -x: XFORWARD, as a front smtpd
 *
 * Prints one line: messages, errors, seconds, messages/s, p50 and p99 in ms
 * (from connect to the final 250), and its own CPU in ms a message.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    STEPS_MAX = 8,
    LINE = 1024
};

struct session {
    int fd;
    unsigned step;
    double started, finished; /* connect; final reply */
    const char *out;          /* unsent */
    size_t out_len;
    char in[LINE];
    size_t in_len;
};

static struct {
    struct sockaddr_in to;
    unsigned sessions, running;
    unsigned long messages, begun, done, errors;
    double until;              /* 0: by count */
    char *commands[STEPS_MAX]; /* behind each 2xx or 3xx reply */
    size_t lengths[STEPS_MAX];
    unsigned steps, content;
    double *times;
    size_t time_room;
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
add_command(char *text, size_t len)
{
    run.commands[run.steps] = text;
    run.lengths[run.steps++] = len;
}

static char *
format(const char *pattern, const char *value, size_t *len)
{
    char *text = malloc(LINE);

    *len = (size_t)snprintf(text, LINE, pattern, value);
    return text;
}

/* A message of about that size, with a header like one from a mail client. */
static char *
make_content(size_t octets, const char *from, const char *rcpt, size_t *len)
{
    char *text = malloc(octets + LINE);
    size_t at = (size_t)snprintf(
        text, LINE,
        "From: Load <%s>\r\nTo: <%s>\r\nSubject: a message of the benchmark\r\n"
        "Date: Tue, 24 Nov 2026 08:00:00 +0000\r\n"
        "Message-ID: <bench@load.example>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n",
        from, rcpt);
    static const char line[] = "The quick brown fox jumps over the lazy dog, "
                               "and again it does so.\r\n";

    while (at < octets) {
        memcpy(text + at, line, sizeof(line) - 1);
        at += sizeof(line) - 1;
    }
    memcpy(text + at, ".\r\n", 3);
    *len = at + 3;
    return text;
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
begin(struct session *s)
{
    int on = 1;

    if (!more_to_begin()) {
        run.running--;
        return;
    }
    run.begun++;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        fail("socket");
    s->started = now();
    s->step = 0;
    s->in_len = s->out_len = 0;
    if (connect(s->fd, (struct sockaddr *)&run.to, sizeof(run.to)) != 0)
        fail("connect");
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    watch(s, EPOLLIN, EPOLL_CTL_ADD);
}

static void
end(struct session *s, bool ok)
{
    close(s->fd);
    if (ok) {
        if (run.done == run.time_room) {
            run.time_room = run.time_room != 0 ? run.time_room * 2 : 1 << 16;
            run.times = realloc(run.times, run.time_room * sizeof(*run.times));
        }
        run.times[run.done++] = s->finished - s->started;
    } else {
        run.errors++;
    }
    begin(s);
}

static void
send_more(struct session *s)
{
    while (s->out_len != 0) {
        ssize_t n = write(s->fd, s->out, s->out_len);
        if (n < 0 && errno == EAGAIN) {
            watch(s, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            return;
        }
        if (n < 0) {
            end(s, false);
            return;
        }
        s->out += n;
        s->out_len -= (size_t)n;
    }
}

/* A reply is complete: the next command. */
static void
on_reply(struct session *s, char class)
{
    if (class != '2' && class != '3') {
        end(s, false);
        return;
    }
    if (s->step == run.content + 1) /* the final reply */
        s->finished = now();
    if (s->step == run.steps) { /* 221 */
        end(s, true);
        return;
    }
    s->out = run.commands[s->step];
    s->out_len = run.lengths[s->step];
    s->step++;
    send_more(s);
}

static void
on_readable(struct session *s)
{
    ssize_t n = read(s->fd, s->in + s->in_len, sizeof(s->in) - s->in_len);

    if (n <= 0) {
        end(s, false);
        return;
    }
    s->in_len += (size_t)n;
    for (;;) {
        char *lf = memchr(s->in, '\n', s->in_len);
        if (lf == NULL)
            return;
        bool last = lf - s->in < 4 || s->in[3] != '-';
        char class = s->in[0];
        size_t used = (size_t)(lf + 1 - s->in);
        memmove(s->in, s->in + used, s->in_len - used);
        s->in_len -= used;
        if (last) {
            unsigned long begun = run.begun, over = run.done + run.errors;
            on_reply(s, class);
            if (run.begun != begun || run.done + run.errors != over)
                return; /* another connection by now */
        }
    }
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
    const char *from = "bench@sender.example", *rcpt = "bench@rcpt.example";
    size_t octets = 10240, len;
    bool xforward = false;
    double seconds = 0;

    if (argc < 3) {
        fprintf(stderr, "usage: load HOST PORT [-s N] [-n N|-t SECONDS] "
                        "[-l OCTETS] [-f FROM] [-r RCPT] [-x]\n");
        return 64;
    }
    run.sessions = 1;
    run.messages = 1000;
    run.to.sin_family = AF_INET;
    run.to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    inet_pton(AF_INET, argv[1], &run.to.sin_addr);
    optind = 3;
    for (int c; (c = getopt(argc, argv, "s:n:t:l:f:r:x")) != -1;)
        switch (c) {
        case 's':
            run.sessions = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'n':
            run.messages = strtoul(optarg, NULL, 10);
            break;
        case 't':
            seconds = strtod(optarg, NULL);
            break;
        case 'l':
            octets = strtoul(optarg, NULL, 10);
            break;
        case 'f':
            from = optarg;
            break;
        case 'r':
            rcpt = optarg;
            break;
        case 'x':
            xforward = true;
            break;
        default:
            return 64;
        }
    char *text = format("EHLO %s\r\n", "load.example", &len);
    add_command(text, len);
    if (xforward) {
        text = format("XFORWARD NAME=%s ADDR=192.0.2.7 PORT=2525 "
                      "HELO=load.example IDENT=[UNAVAILABLE] PROTO=ESMTP "
                      "SOURCE=REMOTE\r\n",
                      "load.example", &len);
        add_command(text, len);
    }
    text = format("MAIL FROM:<%s>\r\n", from, &len);
    add_command(text, len);
    text = format("RCPT TO:<%s>\r\n", rcpt, &len);
    add_command(text, len);
    text = format("%s\r\n", "DATA", &len);
    add_command(text, len);
    run.content = run.steps;
    text = make_content(octets, from, rcpt, &len);
    add_command(text, len);
    text = format("%s\r\n", "QUIT", &len);
    add_command(text, len);

    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct session *sessions = calloc(run.sessions, sizeof(*sessions));
    double started = now();
    if (seconds != 0)
        run.until = started + seconds;
    run.running = run.sessions;
    for (unsigned i = 0; i < run.sessions; i++)
        begin(&sessions[i]);
    while (run.running != 0) {
        struct epoll_event events[256];
        int n = epoll_wait(run.epoll, events, 256, 30000);
        if (n <= 0) {
            fprintf(stderr, "load: nothing happens for 30 s\n");
            return 1;
        }
        for (int i = 0; i < n; i++) {
            struct session *s = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) {
                watch(s, EPOLLIN, EPOLL_CTL_MOD);
                send_more(s);
            } else {
                on_readable(s);
            }
        }
    }
    double passed = now() - started;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu =
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
        (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    qsort(run.times, run.done, sizeof(*run.times), compare);
    printf("messages=%lu errors=%lu seconds=%.3f rate=%.1f p50=%.3f "
           "p99=%.3f cpu=%.4f\n",
           run.done, run.errors, passed, (double)run.done / passed,
           run.done != 0 ? run.times[run.done / 2] * 1000 : 0,
           run.done != 0 ? run.times[run.done * 99 / 100] * 1000 : 0,
           run.done != 0 ? cpu * 1000 / (double)run.done : 0);
    return run.errors != 0;
}
