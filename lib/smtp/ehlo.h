/*
 * EHLO keywords (RFC 5321, 4.1.1.1) and Postfix' XFORWARD attributes.
 */
#ifndef ONWARD_SMTP_EHLO_H
#define ONWARD_SMTP_EHLO_H

#include "reply.h"

enum smtp_keyword {
    SMTP_HAS_PIPELINING = 1 << 0,
    SMTP_HAS_8BITMIME = 1 << 1,
    SMTP_HAS_SIZE = 1 << 2,
    SMTP_HAS_DSN = 1 << 3,
    SMTP_HAS_SMTPUTF8 = 1 << 4,
    SMTP_HAS_ENHANCED = 1 << 5, /* ENHANCEDSTATUSCODES */
    SMTP_HAS_XFORWARD = 1 << 6,
};
enum {
    SMTP_HAS_ALL = (1 << 7) - 1
};

enum xforward_attribute {
    XFORWARD_NAME,
    XFORWARD_ADDR,
    XFORWARD_PORT,
    XFORWARD_HELO,
    XFORWARD_IDENT,
    XFORWARD_PROTO,
    XFORWARD_SOURCE,
};
enum {
    XFORWARD_ATTRIBUTES = XFORWARD_SOURCE + 1
};

bool xforward_attribute_find(struct slice name,
                             enum xforward_attribute *attribute);

struct smtp_ehlo {
    unsigned keywords; /* set of smtp_keyword */
    unsigned xforward; /* set of 1 << xforward_attribute */
    uint64_t size;     /* of SIZE; 0: offered without a limit */
};

/* What an EHLO reply offers. Unknown keywords are ignored. */
void smtp_ehlo_parse(const struct smtp_reply *reply, struct smtp_ehlo *ehlo);

/*
 * Our own EHLO reply: everything we implement, less those of 8BITMIME, SIZE,
 * DSN and SMTPUTF8 that upstream does not offer. upstream NULL: not seen yet.
 * size_limit 0: none.
 */
void smtp_ehlo_print(struct slice hostname, const struct smtp_ehlo *upstream,
                     uint64_t size_limit, struct buf *out);

/*
 * The attributes of XFORWARD, as the client gave them: values stay in xtext,
 * octet for octet. Owned by the session.
 */
struct xforward {
    struct buf value[XFORWARD_ATTRIBUTES]; /* ptr NULL: never named */
};

enum xforward_status {
    XFORWARD_OK,
    XFORWARD_BAD,       /* syntax or unknown attribute: 501 5.5.4 */
    XFORWARD_NO_MEMORY, /* 451 */
};

/* All of the command or nothing; values over 255 octets are bad. */
enum xforward_status xforward_parse(struct slice argument,
                                    struct xforward *xforward);
void xforward_free(struct xforward *xforward);
bool xforward_is_empty(const struct xforward *xforward);

/* The decoded value for log lines; empty when unknown ([UNAVAILABLE]). */
void xforward_value(const struct xforward *xforward,
                    enum xforward_attribute attribute, struct buf *out);

/*
 * The XFORWARD commands for upstream, one or more lines of at most 512
 * octets, each with its CRLF: only what `offered` (smtp_ehlo.xforward) names,
 * SOURCE always REMOTE (with LOCAL, cleanup completes header fields after we
 * signed). Returns how many commands that are; 0 if there is nothing to say.
 */
unsigned xforward_print(const struct xforward *xforward, unsigned offered,
                        struct buf *out);

#endif
