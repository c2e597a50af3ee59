/*
 * robust: a client and an upstream in one process, with Onward between them,
 * and a book of what became of each message. Because both ends are one
 * thread, it knows in which order things happened: a message that came twice
 * can be told from one that was sent twice.
 *
 *   robust LISTEN-PORT ONWARD-PORT [-s SESSIONS] [-n MESSAGES] [-r PER-SECOND]
 *          [-l LINES] [-c CUTS] [-i IDLE] [-w] [-z SEED]
 *
 * Messages have up to LINES lines of 72 octets (exactly LINES if that is
 * negative). With -w it opens the idle sessions, says so, and waits for a line
 * on standard input before it goes on. A message that is not accepted is sent
 * again until it is. SIGTERM ends it like -n: what was begun is finished, then
 * the book is printed as one line of NAME=NUMBER. Before it stands a line
 * "window FROM UNTIL" for each commit that was not acknowledged, which is what
 * makes a message come twice: from the arrival of its dot here until the
 * client knew that its attempt had failed (seconds since 1970); and a line
 * "cut TIME" for each cut.
 *
 *   robust.c          the loop, the options, the book
 *   robust_client.c   sends messages, and holds idle sessions
 *   robust_sink.c     receives them, and cuts connections
 *   robust_content.c  what a message consists of
 */
#ifndef ONWARD_ROBUST_H
#define ONWARD_ROBUST_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What epoll gives back; the first member of a client and a connection. */
struct peer {
    int fd;
    void (*on_event)(struct peer *peer, unsigned events);
};

enum {
    GROUPS = 2, /* upstream transactions that a message may become */
    LEAVES = 1, /* bits of a set of groups */
    STAYS = 2,
};

struct message {
    unsigned attempt; /* under way, or the last one; 0: none yet */
    unsigned groups;  /* that its recipients fall into */
    unsigned done;    /* groups that this attempt has committed */
    unsigned commits; /* of all attempts */
    bool dot_sent;    /* of this attempt, by the client */
    bool accepted;
};

/* What became of one attempt: the dot of a group came, or the client knows. */
struct event {
    size_t id;
    unsigned attempt;
    bool commit, accepted;
    double at; /* seconds since 1970 */
};

struct book {
    struct message *messages; /* by id */
    struct event *events;
    size_t event_count, event_room;
    double *cut_at;
    size_t count, room;
    size_t accepted;
    size_t attempts;
    size_t refused; /* connections */
    size_t lost;    /* before a reply came */
    size_t again;   /* 4xx */
    size_t errors;  /* 5xx, or what nobody should say */
    size_t early;   /* committed before the client had sent its dot: never */
    size_t twice;   /* one attempt, committed twice: never */
    size_t false_replies; /* 250 for what is not all committed: never */
    size_t broken;        /* committed, but not what was sent: never */
    size_t stray;         /* committed after the client had given up */
    size_t cuts;
    size_t idle, idle_lost;
};

struct run {
    int epoll;
    struct sockaddr_in listen, onward;
    unsigned sessions, rate, idle;
    unsigned long limit; /* messages; 0: until SIGTERM */
    long lines;
    size_t cuts; /* to be made */
    bool wait;   /* for a line on standard input */
    bool stopping;
    double started;
    struct book book;
    double *greeted, *served; /* seconds: connect to 220; to the final reply */
    size_t greeted_count, served_count;
};
extern struct run run;

double seconds_now(void);
double wall_now(void);
void *must(void *memory); /* ends the program if NULL */
void fail(const char *what);
void watch(struct peer *peer, unsigned events); /* EPOLLIN... */
void unwatch(struct peer *peer);

/* The book. A new message, or one that has to be sent again. */
size_t book_new(void);
void book_begin(size_t id);
/* at: when the dot had arrived. */
void book_committed(size_t id, unsigned attempt, unsigned group, double at);
void book_cut(void);
void book_given_up(size_t id, unsigned attempt);
void book_accepted(size_t id, unsigned attempt);
void book_time(bool greeting, double seconds);

void clients_open(void);
void clients_turn(void); /* start what is due */
bool clients_are_idle(void);
bool clients_hold_all(void); /* the idle ones */

void sink_open(void);

/* Content: lines start, start + 1... of a fixed text that wraps around. */
enum {
    TEXT_LINES = 4096,
    TEXT_LINE = 72
};
struct stretch {
    const char *ptr;
    size_t len;
};
void content_make(void);
unsigned long content_lines(size_t id);
/* The n-th line of message id as it is; and from there on as many as are in
 * one piece, at most `most`, as they are sent, with dots. */
const char *content_line(size_t id, unsigned long n);
struct stretch content_stuffed(size_t id, unsigned long n, unsigned long most,
                               unsigned long *taken);

#endif
