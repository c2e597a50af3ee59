/*
 * The author (RFC 5322, 3.6.2; RFC 6854 groups; obsolete routes), read to
 * decide whose key may sign: with certainty or not at all.
 */
#ifndef ONWARD_MAIL_FROM_H
#define ONWARD_MAIL_FROM_H

#include "header.h"

enum mail_from_status {
    MAIL_FROM_OK,
    MAIL_FROM_MISSING,
    MAIL_FROM_SEVERAL,    /* more than one From field */
    MAIL_FROM_UNREADABLE, /* syntax, no domain, literal, not UTF-8, IDNA */
    MAIL_FROM_DISAGREE,   /* several mailboxes in different domains */
    MAIL_FROM_NO_MEMORY,
};

/*
 * A longer From is not read: a thousand mailboxes write no message, but each
 * name of other alphabets costs IDNA 15 us, 2 s for a field of 1 MB.
 */
enum {
    MAIL_FROM_OCTETS_MAX = 16 * 1024
};

/*
 * The domain of the author in lower-case A-labels, in the arena. Several
 * mailboxes are fine if all have the same domain. (Whether parents of that
 * domain have keys is the caller's business.) With DISAGREE, `domains` may
 * still be asked: see mail_from_domains.
 *
 * A field that is not in the grammar (a comma or an address as display name
 * without quotes, a comma too many) is read all the same where each way to
 * read it gives one and the same domain.
 */
enum mail_from_status mail_from_domain(const struct mail_header *header,
                                       struct arena *arena,
                                       struct slice *domain);

/* All domains of the one From field, in order of appearance; DISAGREE is not
 * an answer here, and what is not in the grammar is UNREADABLE. */
enum mail_from_status mail_from_domains(const struct mail_header *header,
                                        struct arena *arena,
                                        struct slice **domains, size_t *count);

/*
 * The mailbox of a message with one author: the local part without quotes and
 * comments, and the domain as above, in the arena. False where there are
 * several, or From cannot be read, or memory is gone.
 */
bool mail_from_mailbox(const struct mail_header *header, struct arena *arena,
                       struct slice *local, struct slice *domain);

/* A domain that is written in A-labels or U-labels, in lower-case A-labels in
 * the arena. False: it is no domain name, or memory is gone. */
bool mail_domain_a_labels(struct slice written, struct arena *arena,
                          struct slice *domain);

const char *mail_from_status_word(enum mail_from_status status);

#endif
