/*
 * How lib/srs takes an address apart, and the parts of an SRS local part.
 * Private to this directory.
 */
#ifndef ONWARD_SRS_PARTS_H
#define ONWARD_SRS_PARTS_H

#include "srs.h"

struct srs_address {
    struct slice local; /* content, unquoted */
    struct slice domain;
    bool quoted; /* the whole local part was a quoted-string */
};

/*
 * Split at the "@" in front of the domain. A quoted local part is unquoted
 * into scratch. More is let through than RFC 5321 allows (blanks, quotes in
 * mid-atom): other implementations made such addresses, and a right hash
 * proves that they did. SRS_OK, SRS_SYNTAX, SRS_TOO_LONG or SRS_NO_MEMORY.
 */
enum srs_status srs_address_split(struct slice text, struct buf *scratch,
                                  struct srs_address *address);

/* The same for an address at one of our SRS domains: the domain is given as
 * MACs hold it, in A-labels (in the arena), however it was spelled. */
enum srs_status srs_rcpt_split(struct slice text, struct arena *arena,
                               struct buf *scratch,
                               struct srs_address *address);

/*
 * May this sender be rewritten? SRS_OK or, besides what srs_address_split
 * says, SRS_OUR_DOMAIN. Stricter than split: what we wrap must come back as a
 * valid address.
 */
enum srs_status srs_sender_judge(struct slice sender, struct slice srs_domain,
                                 struct buf *scratch,
                                 struct srs_address *address);

/* Octets that need no quotes. Dots may stand anywhere: `a..b@` is no
 * dot-string but is mailed unquoted by those who have such an address. */
bool srs_local_is_plain(struct slice local);

/* Append local@domain, quoted where needed. Complete or untouched. */
enum srs_status srs_address_print(struct slice local, struct slice domain,
                                  struct buf *out);

/* A quoted-string's content, appended to out, whose memory must suffice.
 * False if it is not one. */
bool srs_unquote(struct slice quoted, struct buf *out);

/* A domain or an address literal that can stand between two "=". Unlike the
 * domain of a path it may end with the root's dot. */
bool srs_host_is_valid(struct slice host);

/* '=', '+' or '-' */
bool srs_is_separator(char c);

struct srs_parts {
    int kind;           /* 0 or 1 */
    struct slice hash;  /* may be empty: the caller judges */
    struct slice stamp; /* SRS0 */
    struct slice host;  /* host of SRS0, host1 of SRS1; may be empty */
    struct slice last;  /* user of SRS0, rest of SRS1; may be empty */
};

/* The fields of a local part that has a tag; what is missing is empty. */
void srs_parts_split(struct slice local, struct srs_parts *parts);

#endif
