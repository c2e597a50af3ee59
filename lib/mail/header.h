/*
 * The header section of a message (RFC 5322, 2.2), indexed without copying.
 *
 * The index is fed while content arrives and works on one contiguous piece of
 * memory: the first octets of the content, up to the empty line. What is odd
 * about a header is remembered and not mended: verifiers read such messages
 * differently, so they are not signed (see dkim_examine).
 */
#ifndef ONWARD_MAIL_HEADER_H
#define ONWARD_MAIL_HEADER_H

#include "base.h"

/* A field as it is looked at; the slices point into the content. */
struct mail_field {
    struct slice name; /* as written, without blanks before the colon */
    struct slice raw;  /* the whole field, folds and final CRLF included */
    struct slice body; /* after the colon, up to the final CRLF */
};

/* A field as the index keeps it: 16 octets, since a field may have 4 (`a:`
 * and CRLF) and a stranger decides how many there are. */
struct mail_field_place {
    uint32_t at; /* octets from the start of the content */
    uint32_t length;
    uint32_t name_length;
    uint32_t colon; /* octets from `at` */
};

enum {
    MAIL_FIELDS_MAX = 10000
};

enum mail_oddity {
    MAIL_NO_COLON = 1 << 0,     /* a line without one, or beginning with it */
    MAIL_LEADING_FOLD = 1 << 1, /* begins with a continuation line */
    MAIL_BLANK_BEFORE_COLON = 1 << 2,
    MAIL_BYTE_ORDER_MARK = 1 << 3,
    MAIL_MBOX_FROM = 1 << 4,   /* "From " first */
    MAIL_FORM_FEED = 1 << 5,   /* VT or FF in a field */
    MAIL_HUGE_FIELD = 1 << 6,  /* over 102,400 octets: cleanup cuts it */
    MAIL_BAD_NAME = 1 << 7,    /* a name that is not printable ASCII */
    MAIL_MANY_FIELDS = 1 << 8, /* over MAIL_FIELDS_MAX: the rest is not
                                * indexed */
};

struct mail_header {
    const char *content;             /* what was indexed */
    struct mail_field_place *places; /* in order of appearance */
    size_t count;
    unsigned oddities; /* set of mail_oddity */
    size_t length;     /* octets up to and including the empty line */
    bool complete;     /* the empty line was there */
};

/*
 * Index the header at the start of `content` (all of it, or at least
 * everything up to the empty line). Without an empty line all of it is
 * header. Cleanup ends the header at a line that is none; so does this: what
 * follows is body, and `length` says where it starts. Linear time. The places
 * are allocated; false when memory is gone. The content must outlive them.
 */
bool mail_header_index(struct slice content, struct mail_header *header);
void mail_header_free(struct mail_header *header);

/* Field number i (0 = topmost) of `count`; its name alone. */
struct mail_field mail_header_field(const struct mail_header *header, size_t i);
struct slice mail_header_name(const struct mail_header *header, size_t i);

/* The n-th field (0 = topmost) of that name, in any case; false if none. */
bool mail_header_find(const struct mail_header *header, struct slice name,
                      size_t n, struct mail_field *field);
size_t mail_header_count(const struct mail_header *header, struct slice name);

/* How many octets of content are header: the offset behind the first CRLFCRLF
 * (or behind a leading CRLF), or 0 when the end is not in sight yet. */
size_t mail_header_length(struct slice content);

#endif
