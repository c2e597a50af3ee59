#include "verifier.h"

#include "key.h"

#include <stdlib.h>
#include <string.h>

static bool
want_body(struct dkim_bodies *bodies, enum dkim_canon canon)
{
    if (bodies->body[canon] == NULL)
        bodies->body[canon] = dkim_body_new(canon);
    return bodies->body[canon] != NULL;
}

struct dkim_bodies *
dkim_bodies_new(const struct dkim_verifier *verifier, enum dkim_bodies_use use)
{
    struct dkim_bodies *bodies = mem_try(sizeof(*bodies));
    bool ok = bodies != NULL;

    if (ok && use == DKIM_BODIES_VERIFY_AND_SIGN)
        ok = want_body(bodies, DKIM_RELAXED);
    for (size_t i = 0; ok && i < verifier->count; i++) {
        const struct dkim_examined *one = &verifier->examined[i];
        bool may_come =
            one->parsed.reason == DKIM_REASON_NONE && !one->answered;
        if (!may_come && dkim_judge_keys(one) != DKIM_REASON_NONE)
            continue;
        enum dkim_canon canon = one->parsed.body_canon;
        ok = want_body(bodies, canon) &&
             (!one->parsed.has_limit ||
              dkim_body_limit(bodies->body[canon], one->parsed.limit));
    }
    if (ok)
        return bodies;
    dkim_bodies_free(bodies);
    return NULL;
}

void
dkim_bodies_free(struct dkim_bodies *bodies)
{
    if (bodies == NULL)
        return;
    for (size_t i = 0; i < DKIM_CANONS; i++)
        dkim_body_free(bodies->body[i]);
    free(bodies);
}

bool
dkim_bodies_wanted(const struct dkim_bodies *bodies)
{
    return bodies->body[DKIM_SIMPLE] != NULL ||
           bodies->body[DKIM_RELAXED] != NULL;
}

bool
dkim_bodies_update(struct dkim_bodies *bodies, struct slice octets)
{
    bool ok = true;

    for (size_t i = 0; i < DKIM_CANONS; i++)
        if (bodies->body[i] != NULL)
            ok &= dkim_body_update(bodies->body[i], octets);
    return ok;
}

bool
dkim_bodies_finish(struct dkim_bodies *bodies, unsigned char relaxed[32])
{
    bodies->finished = true;
    for (size_t i = 0; i < DKIM_CANONS; i++)
        if (bodies->body[i] != NULL)
            bodies->finished &=
                dkim_body_finish(bodies->body[i], bodies->hash[i]);
    if (relaxed != NULL && bodies->body[DKIM_RELAXED] != NULL)
        memcpy(relaxed, bodies->hash[DKIM_RELAXED], DKIM_DIGEST);
    return bodies->finished;
}
