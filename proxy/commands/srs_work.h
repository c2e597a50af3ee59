/* The parts of `srs`: one address of a command line or of standard input. */
#ifndef ONWARD_SRS_WORK_H
#define ONWARD_SRS_WORK_H

#include "cli.h"
#include "senderstore.h"

enum srs_verb {
    SRS_FORWARD,
    SRS_REVERSE,
    SRS_DECODE
};

/* What works on the addresses. */
struct srs_worker {
    enum srs_verb verb;
    struct conf *conf;     /* NULL without a configuration */
    struct srs_conf *made; /* from options; NULL with a configuration */
    const struct srs_conf *srs;
    struct slice domain; /* that new addresses get */
    int64_t now;
    struct arena arena;          /* of the look-ups for one address */
    struct senderstore *senders; /* opened when the first token comes */
    struct buf out;
    bool json;
    size_t results;
    bool refused;
};

/* Append the result for one address to w->out, without a line end. */
void srs_work_forward(struct srs_worker *w, struct slice sender);
void srs_work_reverse(struct srs_worker *w, struct slice rcpt);
void srs_work_decode(struct srs_worker *w, struct slice rcpt);

/* The long sender that a token of ours stands in for, appended to out. NULL,
 * or the reason why it is not there. */
const char *srs_work_stored(struct srs_worker *w, const char *key,
                            struct buf *out);

/* What those share: "! REASON", and which domains are our SRS domains. */
const char *srs_work_reason(enum srs_status status);
void srs_work_refuse(struct srs_worker *w, const char *reason);
bool srs_work_is_ours(const struct srs_worker *w, struct slice address);

#endif
