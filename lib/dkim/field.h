/* The DKIM-Signature field as text, for the files of this directory. */
#ifndef ONWARD_DKIM_FIELD_H
#define ONWARD_DKIM_FIELD_H

#include "dkim.h"

struct dkim_field {
    struct slice algorithm;    /* a= */
    struct slice domain;       /* d= */
    struct slice selector;     /* s= */
    int64_t made;              /* t= */
    int64_t expires;           /* x=; 0: none */
    const struct slice *names; /* h=, in this order */
    size_t name_count;
    struct slice body_hash; /* bh=, in base64 */
};

/*
 * Everything up to and including "b=", folded at 78 columns, without a CRLF
 * behind it. *column is where the next octet goes.
 */
bool dkim_field_print(const struct dkim_field *field, struct buf *out,
                      size_t *column);

/* The signature in base64, folded, and the final CRLF. */
bool dkim_field_finish(struct slice signature, size_t column, struct buf *out);

/* Standard base64 with padding. */
bool dkim_base64(struct slice octets, struct buf *out);

#endif
