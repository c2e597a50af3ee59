#include "signer.h"

#include "daemon.h"
#include "link_state.h"

#include <stdlib.h>

struct signing {
    uv_work_t request;
    struct relay_sign_job *job;
    struct link *link;
    uint64_t started; /* ns */
};

static void
on_thread(uv_work_t *request)
{
    struct signing *signing = request->data;

    relay_sign(signing->job);
}

static void
on_done(uv_work_t *request, int status)
{
    struct signing *signing = request->data;
    struct link *link = signing->link;

    (void)status; /* we never cancel */
    stats_signed(link->daemon->stats, uv_hrtime() - signing->started);
    free(signing);
    link_signed(link);
}

void
signer_start(uv_loop_t *loop, struct relay_sign_job *job, struct link *link)
{
    struct signing *signing = mem_alloc(sizeof(*signing));

    *signing =
        (struct signing){ .job = job, .link = link, .started = uv_hrtime() };
    signing->request.data = signing;
    link_job_started(link);
    uv_queue_work(loop, &signing->request, on_thread, on_done);
}
