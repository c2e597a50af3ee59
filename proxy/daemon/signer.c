#include "signer.h"

#include <stdlib.h>
#include <time.h>

enum {
    QUICK_BITS = 2048,
    LONG_CONTENT = 4 * 1024 * 1024, /* octets; 3 ms and more */
    LEFT = 2                        /* threads that long work never takes */
};

struct signing {
    uv_work_t request;
    TAILQ_ENTRY(signing) next; /* of those that wait */
    struct signer *signer;
    struct relay_sign_job *job;
    void (*on_signed)(void *ctx);
    void *ctx;
    struct signpace_work work;
    bool takes_long;
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

/* What is to be done; *takes_long: it counts as long work. */
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
on_thread(uv_work_t *request)
{
    struct signing *signing = request->data;

    signing->spent = sign(signing->job);
}

static void on_done(uv_work_t *request, int status);

static void
submit(struct signing *signing)
{
    struct signer *signer = signing->signer;

    if (signing->takes_long)
        signer->long_count++;
    signing->request.data = signing;
    uv_queue_work(signer->loop, &signing->request, on_thread, on_done);
}

static void
long_is_done(struct signer *signer)
{
    struct signing *next = TAILQ_FIRST(&signer->waiting);

    signer->long_count--;
    if (next == NULL)
        return;
    TAILQ_REMOVE(&signer->waiting, next, next);
    submit(next);
}

static void
on_done(uv_work_t *request, int status)
{
    struct signing *signing = request->data;
    struct signer *signer = signing->signer;

    (void)status; /* we never cancel */
    if (signing->takes_long)
        long_is_done(signer);
    signpace_back(&signer->pace, &signing->work);
    signpace_learn(&signer->pace, &signing->work, signing->spent);
    signer->observe(signer->observer, uv_hrtime() - signing->started);
    signing->on_signed(signing->ctx);
    free(signing);
}

void
signer_init(struct signer *signer, uv_loop_t *loop, unsigned threads)
{
    *signer =
        (struct signer){ .loop = loop,
                         .long_most = threads > LEFT ? threads - LEFT : 1 };
    TAILQ_INIT(&signer->waiting);
}

bool
signer_start(struct signer *signer, struct relay_sign_job *job,
             void (*on_signed)(void *ctx), void *ctx)
{
    bool takes_long;
    struct signpace_work work = work_of(job, &takes_long);
    uint64_t started = uv_hrtime();

    if (signpace_take(&signer->pace, &work, started)) {
        signpace_learn(&signer->pace, &work, sign(job));
        signer->observe(signer->observer, uv_hrtime() - started);
        return true;
    }
    struct signing *signing = mem_alloc(sizeof(*signing));
    *signing = (struct signing){ .signer = signer,
                                 .job = job,
                                 .on_signed = on_signed,
                                 .ctx = ctx,
                                 .work = work,
                                 .takes_long = takes_long,
                                 .started = started };
    if (takes_long && signer->long_count == signer->long_most)
        TAILQ_INSERT_TAIL(&signer->waiting, signing, next);
    else
        submit(signing);
    return false;
}
