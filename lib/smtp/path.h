/*
 * Mailboxes and the paths of MAIL and RCPT (RFC 5321, 4.1.2; RFC 6531).
 *
 * A path is read as Postfix really sends it: brackets may be missing, blanks
 * may stand around it, a source route is dropped, the local part may be
 * quoted, octets may be UTF-8. What is left is compared and printed in one
 * canonical way.
 */
#ifndef ONWARD_SMTP_PATH_H
#define ONWARD_SMTP_PATH_H

#include "base.h"

struct smtp_path {
    struct slice local;  /* content of the local part, unquoted */
    struct slice domain; /* as written; a literal keeps its brackets; empty
                          * for the null path and for a bare postmaster */
    struct slice text;   /* as it goes on the wire, without angle brackets:
                          * quoted where it must be; empty for the null path */
};

enum smtp_path_kind {
    SMTP_REVERSE_PATH,
    SMTP_FORWARD_PATH
};

enum {
    SMTP_PATH_MAX = 1024
}; /* octets; RFC 5321 asks for 256 */

/*
 * Read one path from the front of *in and leave *in behind it (at the
 * parameters). Memory of the result: the arena. False when it is none, when
 * it is not UTF-8, holds a control character, is too long, or memory is gone.
 * "<>" is a path only of kind SMTP_REVERSE_PATH. A local part without domain
 * is one only if it is "postmaster" (RFC 5321, 4.5.1).
 */
bool smtp_path_parse(struct slice *in, enum smtp_path_kind kind,
                     struct arena *arena, struct smtp_path *path);

/* The same, telling a bad path from memory that is gone (5xx from 4xx). */
enum smtp_path_status {
    SMTP_PATH_OK,
    SMTP_PATH_BAD,
    SMTP_PATH_NO_MEMORY
};
enum smtp_path_status smtp_path_read(struct slice *in, enum smtp_path_kind kind,
                                     struct arena *arena,
                                     struct smtp_path *path);

/*
 * A whole address, local@domain without brackets, as in tables, settings and
 * on the command line. The same rules; nothing may stand behind it.
 */
bool smtp_address_parse(struct slice text, struct arena *arena,
                        struct smtp_path *path);

/* Build a path from unquoted content and a domain. False if it is none. */
bool smtp_path_make(struct slice local, struct slice domain,
                    struct arena *arena, struct smtp_path *path);

bool smtp_path_is_null(const struct smtp_path *path);

/* Local parts octet for octet but for ASCII case, domains without case: what
 * de-duplication and cycles ask. */
bool smtp_path_equal(const struct smtp_path *a, const struct smtp_path *b);

/* Append the local part, quoted if it is no dot-string (RFC 5321, 4.1.2). */
void smtp_local_print(struct slice local, struct buf *out);

/* A host name of letters, digits, hyphens and dots, or UTF-8 labels, each
 * 1-63 octets, 255 in all, no trailing dot. Literals are not domains. (Paths
 * may hold "_" and outer hyphens too, because Postfix lets them pass.) */
bool smtp_domain_is_valid(struct slice domain);
bool smtp_literal_is_valid(struct slice literal); /* with its brackets */

/*
 * Lower-case A-labels (RFC 5890) of a domain: what keys, tables and d= use.
 * ASCII is only folded. BAD: it is not valid IDNA; that must not be taken for
 * the want of memory, nor the other way round.
 */
enum smtp_domain_status {
    SMTP_DOMAIN_OK,
    SMTP_DOMAIN_BAD,
    SMTP_DOMAIN_NO_MEMORY
};
enum smtp_domain_status
smtp_domain_read(struct slice domain, struct arena *arena, struct slice *ascii);

/* Is the domain, in any spelling that IDNA maps to it, the A-labels `ascii`? */
bool smtp_domain_equal(struct slice domain, struct slice ascii);

/* smtp_domain_read where BAD and NO_MEMORY are one: in what the administrator
 * wrote. */
bool smtp_domain_to_ascii(struct slice domain, struct arena *arena,
                          struct slice *ascii);

#endif
