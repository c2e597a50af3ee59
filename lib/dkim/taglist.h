/*
 * Lists of tags (RFC 6376, 3.2): NAME=VALUE; NAME=VALUE, as signatures, key
 * records and DMARC records have them.
 */
#ifndef ONWARD_DKIM_TAGLIST_H
#define ONWARD_DKIM_TAGLIST_H

#include "base.h"

enum {
    DKIM_TAGS_MAX = 100,    /* in one list */
    DKIM_BASE64_MAX = 3072, /* digits: a key or signature of 16,384 bits */
};

struct dkim_tag {
    struct slice name;  /* compared with its case */
    struct slice value; /* without white space around it */
    struct slice whole; /* everything between "=" and ";" or the end */
};

enum dkim_tag_status {
    DKIM_TAG,
    DKIM_TAG_END,
    DKIM_TAG_BAD, /* no "=", or no name: *rest starts after it */
};

/* The next tag of *rest, which is left after it. A list may end in ";". */
enum dkim_tag_status dkim_tag_next(struct slice *rest, struct dkim_tag *tag);

/* True if a list holds no bad tag, no name twice and at most DKIM_TAGS_MAX
 * tags: else all of it is invalid. */
bool dkim_tags_are_valid(struct slice list);

/* Without white space at both ends: blanks, tabs, CR and LF. */
struct slice dkim_trim(struct slice s);

/* True if the word is one of a list of words between colons, in any case. */
bool dkim_list_holds(struct slice list, struct slice word);

/*
 * Decode base64 with white space anywhere, into at most `room` octets. False:
 * an octet outside of the alphabet, an impossible length, more than fits, more
 * than DKIM_BASE64_MAX. Padding may be missing (RFC 6376, 2.10).
 */
bool dkim_base64_decode(struct slice text, unsigned char *octets, size_t room,
                        size_t *len);

#endif
