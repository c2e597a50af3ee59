#include "signer.h"

#include "daemon.h"
#include "link_state.h"

#include <stdlib.h>
#include <time.h>

enum {
    QUICK_BITS = 2048
};

struct signing {
    uv_work_t request;
    struct relay_sign_job *job;
    struct link *link;
    struct signpace_work work;
    uint64_t spent;   /* ns of processor */
    uint64_t started; /* ns */
};

static uint64_t
processor_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Returns the ns of processor that it took. */
static uint64_t
sign(struct relay_sign_job *job)
{
    uint64_t before = processor_time();

    relay_sign(job);
    return processor_time() - before;
}

static struct signpace_work
work_of(const struct relay_sign_job *job)
{
    struct signpace_work work = {
        .octets = job->spool->length,
        .slow = job->spool->length > job->spool->memory.len,
    };

    for (size_t i = 0; i < job->part_count; i++)
        for (size_t k = 0; k < job->parts[i].key_count; k++) {
            const struct dkim_key *key = job->parts[i].keys[k];
            if (key->algorithm == DKIM_ED25519_SHA256)
                work.ed25519++;
            else if (key->bits <= QUICK_BITS)
                work.rsa++;
            else
                work.slow = true;
        }
    return work;
}

static void
on_thread(uv_work_t *request)
{
    struct signing *signing = request->data;

    signing->spent = sign(signing->job);
}

static void
on_done(uv_work_t *request, int status)
{
    struct signing *signing = request->data;
    struct link *link = signing->link;
    struct signpace *pace = &link->daemon->signpace;

    (void)status; /* we never cancel */
    signpace_back(pace, &signing->work);
    signpace_learn(pace, &signing->work, signing->spent);
    stats_signed(link->daemon->stats, uv_hrtime() - signing->started);
    free(signing);
    link_signed(link);
}

bool
signer_start(struct daemon *daemon, struct relay_sign_job *job,
             struct link *link)
{
    struct signpace_work work = work_of(job);
    uint64_t started = uv_hrtime();

    if (signpace_take(&daemon->signpace, &work, started)) {
        signpace_learn(&daemon->signpace, &work, sign(job));
        stats_signed(daemon->stats, uv_hrtime() - started);
        return true;
    }
    struct signing *signing = mem_alloc(sizeof(*signing));
    *signing = (struct signing){
        .job = job, .link = link, .work = work, .started = started
    };
    signing->request.data = signing;
    link_job_started(link);
    uv_queue_work(&daemon->loop, &signing->request, on_thread, on_done);
    return false;
}
