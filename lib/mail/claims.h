/*
 * Whose name a message may be taken to bear: every domain that some program,
 * strict or lenient, may read as an author's. For who must not lend a name;
 * whose key may sign is a matter for from.h, which has to be certain.
 */
#ifndef ONWARD_MAIL_CLAIMS_H
#define ONWARD_MAIL_CLAIMS_H

#include "from.h"

enum {
    MAIL_CLAIMS_MAX = 32
};

struct mail_claims {
    struct slice domains[MAIL_CLAIMS_MAX]; /* lower-case A-labels, each once */
    size_t count;
    bool more; /* there are others, for which there was no room */
};

/*
 * Where From can be read: the domains of its mailboxes and of obsolete routes.
 * Where it cannot, is not there, there are several, or the header is one that
 * programs read differently: all names with a dot in every line of `text` that
 * begins like a From field, with comments, folds and quotes taken out, encoded
 * words decoded, other alphabets mapped (UTS 46). text: the octets of the
 * header as it came, up to the first empty line. Linear time; of more than
 * MAIL_FROM_OCTETS_MAX of such lines the rest is not read and `more` is set.
 * False: memory is gone.
 */
bool mail_claims_read(const struct mail_header *header, struct slice text,
                      struct arena *arena, struct mail_claims *claims);

/*
 * For the body of a field that is not in the grammar: the one domain that each
 * way to read it gives. MAIL_FROM_OK, MAIL_FROM_UNREADABLE (there is none, or
 * they differ) or MAIL_FROM_NO_MEMORY.
 */
enum mail_from_status mail_from_only_domain(struct slice body,
                                            struct arena *arena,
                                            struct slice *domain);

/* As mail_from_domains, with the domains of obsolete routes. */
enum mail_from_status mail_from_routed_domains(const struct mail_header *header,
                                               struct arena *arena,
                                               struct slice **domains,
                                               size_t *count);

#endif
