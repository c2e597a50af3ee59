/*
 * Signing: what is quick on the loop (signpace.h), all else on libuv's thread
 * pool. A signature that takes long (more than RSA-2048, or a long message)
 * leaves two threads of the pool free, for a reload and for those that do not:
 * the others of its kind wait until one of them is done.
 */
#ifndef ONWARD_SIGNER_H
#define ONWARD_SIGNER_H

#include "relay.h"
#include "signpace.h"

#include <sys/queue.h>
#include <uv.h>

struct signing;

struct signer {
    uv_loop_t *loop;
    struct signpace pace;
    unsigned long_most; /* long signatures at once */
    unsigned long_count;
    TAILQ_HEAD(, signing) waiting; /* long ones, the oldest first */
    /* How long each message took, waiting included. */
    void (*observe)(void *observer, uint64_t nanoseconds);
    void *observer;
};

/* threads: of the pool. The observer is set by the caller. */
void signer_init(struct signer *signer, uv_loop_t *loop, unsigned threads);

/* True: the job is done. False: on_signed follows, always, from the loop. */
bool signer_start(struct signer *signer, struct relay_sign_job *job,
                  void (*on_signed)(void *ctx), void *ctx);

#endif
