/* Macros (RFC 7208, 7). */
#ifndef ONWARD_AUTH_SPFMACRO_H
#define ONWARD_AUTH_SPFMACRO_H

#include "spf.h"

/* Which letters a macro-string may have: c, r and t stand in the text of an
 * explanation alone. */
enum spf_letters {
    SPF_LETTERS_OF_NAMES,
    SPF_LETTERS_ALL,
};

bool spf_macro_string_is_valid(struct slice text, enum spf_letters letters);

/* A macro-string that ends in a macro or in a dot and a top label, which is
 * not all digits. */
bool spf_domain_spec_is_valid(struct slice spec);

/* The spec holds %{p}: the client's name has to be found first. */
bool spf_spec_wants_name(struct slice spec);

struct spf_values {
    struct slice local;           /* l */
    struct slice sender;          /* s */
    struct slice sender_domain;   /* o */
    struct slice domain;          /* d */
    struct slice name;            /* p */
    struct slice helo;            /* h */
    const unsigned char *address; /* i, v: IPv6, or IPv4 as ::ffff:a.b.c.d */
};

bool spf_address_is_ip4(const unsigned char address[16]);

/* Append the address as labels: "192.0.2.1", or 32 nibbles. */
void spf_address_print(const unsigned char address[16], struct buf *out);

/* A name of two labels or more that DNS can hold. */
bool spf_name_is_askable(struct slice name);

/*
 * Expand a valid domain-spec into a name: lower case, no final dot, labels cut
 * from the left until it has 253 octets. False if the name is not askable, or
 * the spec holds l or s and the local part is not ASCII (RFC 8616, 4).
 */
bool spf_expand(struct slice spec, const struct spf_values *values,
                struct buf *name);

#endif
