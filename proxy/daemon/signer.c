#include "signer.h"

#include "daemon.h"
#include "link_state.h"

#include <stdlib.h>
#include <time.h>

enum {
    QUICK_BITS = 2048,
    LONG_CONTENT = 4 * 1024 * 1024 /* octets; 3 ms and more */
};

struct signing {
    union {
        uv_work_t request;
        struct lane_work lane; /* of what takes long */
    } on;
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

/* What is to be done; *takes_long: in the lane of such work. */
static struct signpace_work
work_of(const struct relay_sign_job *job, bool *takes_long)
{
    const struct mail_spool *spool = job->spool;
    struct signpace_work work = { .octets = spool->length };

    *takes_long = spool->length > LONG_CONTENT;
    for (size_t i = 0; i < job->part_count; i++)
        for (size_t k = 0; k < job->parts[i].key_count; k++) {
            const struct dkim_key *key = job->parts[i].keys[k];
            if (key->algorithm == DKIM_ED25519_SHA256)
                work.ed25519++;
            else if (key->bits <= QUICK_BITS)
                work.rsa++;
            else
                *takes_long = true;
        }
    work.slow = *takes_long || spool->length > spool->memory.len;
    return work;
}

static void
run(struct signing *signing)
{
    signing->spent = sign(signing->job);
}

static void
done(struct signing *signing)
{
    struct link *link = signing->link;
    struct signpace *pace = &link->daemon->signpace;

    signpace_back(pace, &signing->work);
    signpace_learn(pace, &signing->work, signing->spent);
    stats_signed(link->daemon->stats, uv_hrtime() - signing->started);
    free(signing);
    link_signed(link);
}

static void
on_thread(uv_work_t *request)
{
    run(request->data);
}

static void
on_done(uv_work_t *request, int status)
{
    (void)status; /* we never cancel */
    done(request->data);
}

static void
run_in_lane(struct lane_work *work)
{
    run((struct signing *)work);
}

static void
done_in_lane(struct lane_work *work)
{
    done((struct signing *)work);
}

bool
signer_start(struct daemon *daemon, struct relay_sign_job *job,
             struct link *link)
{
    bool takes_long;
    struct signpace_work work = work_of(job, &takes_long);
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
    link_job_started(link);
    if (takes_long) {
        signing->on.lane.run = run_in_lane;
        signing->on.lane.done = done_in_lane;
        lane_add(&daemon->lane, &signing->on.lane);
    } else {
        signing->on.request.data = signing;
        uv_queue_work(&daemon->loop, &signing->on.request, on_thread, on_done);
    }
    return false;
}
