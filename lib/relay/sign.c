#include "relay.h"

#include <stdlib.h>

/* Large enough to hash in large blocks, small enough to be still in the cache
 * when it is hashed. */
enum {
    WINDOW = 64 * 1024
};

/* Hash the body, which starts where the header ends, in one pass. */
static bool
hash_body(struct relay_sign_job *job, unsigned char hash[32])
{
    struct dkim_body *body = dkim_body_new(DKIM_RELAXED);
    char *window = NULL;
    bool ok = body != NULL;

    if (ok && job->spool->length > job->spool->memory.len) {
        window = mem_try_octets(WINDOW);
        ok = window != NULL;
    }
    for (uint64_t at = job->header->length; ok && at < job->spool->length;) {
        struct slice octets;
        if (!mail_spool_read(job->spool, at, window, WINDOW, &octets) ||
            octets.len == 0) {
            job->read_error = true;
            ok = false;
            break;
        }
        ok = dkim_body_update(body, octets);
        at += octets.len;
    }
    ok = ok && dkim_body_finish(body, hash);
    dkim_body_free(body);
    free(window);
    return ok;
}

void
relay_sign(struct relay_sign_job *job)
{
    unsigned char hash[32];

    job->ok = hash_body(job, hash);
    for (size_t i = 0; job->ok && i < job->part_count; i++) {
        struct relay_sign_part *part = &job->parts[i];
        if (part->key_count == 0)
            continue;
        struct dkim_request request = {
            .header = job->header,
            .prepended = buf_slice(&part->prepended),
            .body_hash = hash,
            .keys = part->keys,
            .key_count = part->key_count,
            .headers = job->conf->dkim.headers,
            .oversign = job->conf->dkim.oversign,
            .now = job->now,
            .expire_seconds = job->conf->dkim.expire_seconds,
        };
        job->ok = dkim_sign(&request, &part->signatures);
    }
}
