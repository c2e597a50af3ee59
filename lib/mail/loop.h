/*
 * The loop mark, X-Onward-Loop: SALT-MAC, both in hex: 32 bits of salt and a
 * keyed 64-bit MAC of salt and alias address (lower-cased). Two marks of one
 * alias have nothing in common for a reader without the key, so a copy does
 * not tell which other aliases the message went to.
 */
#ifndef ONWARD_MAIL_LOOP_H
#define ONWARD_MAIL_LOOP_H

#include "header.h"

enum {
    MAIL_LOOP_KEY = 16,
    MAIL_LOOP_SALT = 4, /* octets */
    MAIL_LOOP_MAC = 8,
    MAIL_LOOP_MARKS_MAX = 64, /* fields of the name in one message */
};

/* The key of one alias, from HMAC-SHA256 of the secret. False: OpenSSL or
 * memory failed, here and below. */
struct mail_loop_key {
    unsigned char octets[MAIL_LOOP_KEY];
};
bool mail_loop_key_make(struct slice secret, struct slice alias,
                        struct mail_loop_key *key);

/* "X-Onward-Loop: SALT-MAC" CRLF. The salt is made from `unique`, which must
 * be another number for each mark; it need not be secret. */
bool mail_loop_print(const struct mail_loop_key *key, uint64_t unique,
                     struct buf *out);

/* The marks of a message, read once. What is not well-formed is none, so are
 * those of versions that wrote no salt: such a loop ends one turn later. */
struct mail_loop_marks {
    size_t count;
    unsigned char salts[MAIL_LOOP_MARKS_MAX][MAIL_LOOP_SALT];
    unsigned char macs[MAIL_LOOP_MARKS_MAX][MAIL_LOOP_MAC];
};

/* False: more than MAIL_LOOP_MARKS_MAX fields of the name, of whatever form.
 * Linear in the octets of the header. */
bool mail_loop_collect(const struct mail_header *header,
                       struct mail_loop_marks *marks);

/* Is one of the marks this alias's? At most MAIL_LOOP_MARKS_MAX blocks of
 * AES-128, 4 us in all; an alias costs nothing where there is no mark. */
enum mail_loop_status {
    MAIL_LOOP_NONE,
    MAIL_LOOP_FOUND,
    MAIL_LOOP_FAILED,
};
enum mail_loop_status mail_loop_find(const struct mail_loop_marks *marks,
                                     const struct mail_loop_key *key);

/* An address as 16 hex digits that nobody without the secret can compute, for
 * logs; another label than the marks have, so that the two cannot be matched.
 */
enum {
    MAIL_ADDRESS_TOKEN = 16
};
bool mail_address_token(struct slice secret, struct slice address,
                        char token[MAIL_ADDRESS_TOKEN]);

#endif
