/*
 * Names in the form they have on the wire (RFC 1035, 3.1, 4.1.4): each label
 * with an octet of length before it, and 0 at the end.
 */
#ifndef ONWARD_DNS_NAME_H
#define ONWARD_DNS_NAME_H

#include "dns.h"

enum {
    DNS_WIRE_MAX = 255
};

struct dns_wire {
    unsigned char octets[DNS_WIRE_MAX]; /* ASCII lower case */
    size_t len;                         /* with the final 0 */
};

/* The question's name is lower case and askable. */
void dns_wire_from(struct slice name, struct dns_wire *wire);

/*
 * Read the name at *at of the message, pointers followed, and leave *at after
 * it. False if it is malformed: a pointer that does not lead back, more than
 * 255 octets, the end of the message.
 */
bool dns_wire_read(struct slice message, size_t *at, struct dns_wire *wire);

/* Leave *at after the name without looking where a pointer leads. */
bool dns_wire_skip(struct slice message, size_t *at);

bool dns_wire_equal(const struct dns_wire *a, const struct dns_wire *b);

/* The name as text, into `text`. False if a label of it holds a dot. */
bool dns_wire_text(const struct dns_wire *wire, char text[DNS_WIRE_MAX],
                   size_t *len);

#endif
