#include "signpace.h"

static uint64_t *
cost_of(struct signpace *pace, const struct signpace_work *work)
{
    if (work->slow || work->octets > SIGNPACE_OCTETS ||
        work->rsa > SIGNPACE_KEYS || work->ed25519 > SIGNPACE_KEYS)
        return NULL;
    return &pace->cost[work->rsa][work->ed25519];
}

static void
refill(struct signpace *pace, uint64_t now)
{
    uint64_t more = now > pace->at ? (now - pace->at) / SIGNPACE_SHARE : 0;

    pace->budget = more < SIGNPACE_BURST - pace->budget ? pace->budget + more
                                                        : SIGNPACE_BURST;
    pace->at = now;
}

bool
signpace_take(struct signpace *pace, const struct signpace_work *work,
              uint64_t now)
{
    const uint64_t *cost = cost_of(pace, work);

    refill(pace, now);
    if (pace->away == 0 && cost != NULL && *cost != 0 &&
        *cost <= SIGNPACE_MOST && *cost <= pace->budget) {
        pace->budget -= *cost;
        return true;
    }
    if (cost != NULL)
        pace->away++;
    return false;
}

void
signpace_back(struct signpace *pace, const struct signpace_work *work)
{
    if (cost_of(pace, work) != NULL)
        pace->away--;
}

void
signpace_learn(struct signpace *pace, const struct signpace_work *work,
               uint64_t spent)
{
    uint64_t *cost = cost_of(pace, work);

    if (cost == NULL)
        return;
    /* The first one finds nothing in the caches; the last few count. */
    *cost = *cost == 0 ? spent : (3 * *cost + spent) / 4;
    if (*cost == 0)
        *cost = 1;
}
