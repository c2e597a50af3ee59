/*
 * Domains as header fields write them, in lower-case A-labels. For the files
 * of lib/mail alone.
 */
#ifndef ONWARD_MAIL_DOMAIN_H
#define ONWARD_MAIL_DOMAIN_H

#include "base.h"

enum mail_domain_status {
    MAIL_DOMAIN_OK,
    MAIL_DOMAIN_BAD,
    MAIL_DOMAIN_NO_MEMORY
};

enum mail_domain_reading {
    /* U-labels are valid as they stand (IDNA 2008). */
    MAIL_DOMAIN_STRICT,
    /* They are mapped first (UTS 46), as browsers and some mail readers do:
     * full-width letters and ideographic full stops too. */
    MAIL_DOMAIN_MAPPED,
};

/* Letters, digits, hyphens inside, underscores (some sites have them); labels
 * of 1-63 octets, 253 in all, no final dot. */
enum mail_domain_status mail_domain_read(struct slice written,
                                         enum mail_domain_reading reading,
                                         struct arena *arena,
                                         struct slice *domain);

#endif
