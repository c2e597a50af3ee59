/*
 * Which messages the loop signs itself.
 *
 * To hand a message to a thread and take it back costs two wake-ups and cold
 * caches: a fifth of an RSA-2048 signature, and on a busy machine it has to
 * wait for a processor twice. So what is known to be signed quickly is signed
 * at once, while none of its kind is with the threads; that is, while the loop
 * keeps up. What takes long never counts: nobody waits behind an RSA-4096 key.
 * The loop never gives more than 1 ms to it in one go, nor more than
 * a quarter of its time, and what takes longer than 500 us is never its work.
 */
#ifndef ONWARD_SIGNPACE_H
#define ONWARD_SIGNPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SIGNPACE_MOST = 500 * 1000,   /* ns, of one message */
    SIGNPACE_BURST = 1000 * 1000, /* ns, at once */
    SIGNPACE_SHARE = 4,           /* one part in so many, of all time */
    SIGNPACE_OCTETS = 64 * 1024,  /* of content, beyond which it is long */
    SIGNPACE_KEYS = 3             /* of either algorithm */
};

/* What is to be done for a message. */
struct signpace_work {
    unsigned rsa;     /* signatures with keys of up to 2048 bits */
    unsigned ed25519; /* signatures */
    bool slow;        /* another key, or the content is not in memory */
    uint64_t octets;  /* of content */
};

/* All zeroes is a valid start: nothing is known to be quick. */
struct signpace {
    /* What such a message took, ns of processor; 0: not known. */
    uint64_t cost[SIGNPACE_KEYS + 1][SIGNPACE_KEYS + 1];
    uint64_t budget;
    uint64_t at;   /* when it was that, ns */
    unsigned away; /* of the quick ones, those that the threads have */
};

/* Is it for the loop? Then its cost is taken from the budget; else it is with
 * the threads until signpace_back. now: monotonic, ns. */
bool signpace_take(struct signpace *pace, const struct signpace_work *work,
                   uint64_t now);
void signpace_back(struct signpace *pace, const struct signpace_work *work);

/* What it took, ns of processor, wherever it was done. */
void signpace_learn(struct signpace *pace, const struct signpace_work *work,
                    uint64_t spent);

#endif
