/*
 * load: messages over SMTP, one a connection as Postfix' smtpd does it,
 * counted and timed. For what smtp-source cannot do: latencies, a fixed rate,
 * addresses that differ, headers of any length.
 *
 *   load.c       the options, the sessions, the figures
 *   load_text.c  what a session says
 */
#ifndef ONWARD_LOAD_H
#define ONWARD_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

/*
 * What a message is made of. A '%' in an address stands for a number that
 * takes all values of 0 .. different - 1 in turn, from recipient to recipient
 * and from message to message, but not in their order: no two that follow each
 * other are neighbours in a table.
 */
struct text {
    const char *from, *rcpt;
    unsigned recipients;
    unsigned fields; /* header fields, besides the usual seven */
    unsigned long different;
    size_t octets; /* of the content, about */
    bool xforward; /* as a front smtpd */
};

enum {
    TEXT_OWN = 2048, /* what of a step is a session's own, at most */
    TEXT_PARTS = 2
};

/* Once, before the first session. */
void text_prepare(const struct text *text);

unsigned text_steps(void);   /* QUIT is the last one */
unsigned text_content(void); /* the step that is the content */

/*
 * What is sent at this step of message number n: at most TEXT_PARTS parts,
 * which live in own and in memory that stays. Returns how many.
 */
int text_step(unsigned step, unsigned long n, char own[TEXT_OWN],
              struct iovec parts[TEXT_PARTS]);

#endif
