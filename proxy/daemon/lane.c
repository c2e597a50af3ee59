#include "lane.h"

#include <sched.h>
#include <unistd.h>

enum {
    PATIENCE = 25, /* ms in the idle class, waiting included */
    AGAIN = 5,     /* ms until who was hurried is hurried again */
    LEFT = 2,      /* threads */
    MS = 1000000   /* ns */
};

static uint64_t
now_ms(void)
{
    return uv_hrtime() / MS;
}

/* ---- the idle class ---------------------------------------------------- */

static bool
set_class(int thread, int policy)
{
    static const struct sched_param none;

    return sched_setscheduler(thread, policy, &none) == 0;
}

/* Who may not leave the idle class again must not go there: that needs
 * RLIMIT_NICE or a privilege. A thread of no use finds out. */
static void
try_class(void *arg)
{
    bool *may_idle = arg;

    *may_idle = sched_getscheduler(0) == SCHED_OTHER &&
                set_class(0, SCHED_IDLE) && set_class(0, SCHED_OTHER);
}

static void
on_thread(uv_work_t *request)
{
    struct lane_work *work = request->data;

    if (!work->lane->may_idle || atomic_load(&work->hurried)) {
        work->run(work);
        return;
    }
    /* Known first: in the idle class this may be the last it does for long.
     * If it is hurried meanwhile, one of the two sides sees the other. */
    atomic_store(&work->thread, gettid());
    set_class(0, SCHED_IDLE);
    if (atomic_load(&work->hurried))
        set_class(0, SCHED_OTHER);
    work->run(work);
    set_class(0, SCHED_OTHER);
    atomic_store(&work->thread, 0);
}

/* ---- who hurries ------------------------------------------------------- */

/* Those whose patience is over, every time until they are done: a thread may
 * have been on its way into the idle class when it was raised. Returns ms until
 * somebody's is. */
static uint64_t
hurry(struct lane_list *list, uint64_t now)
{
    struct lane_work *work;

    for (work = TAILQ_FIRST(list); work != NULL;
         work = TAILQ_NEXT(work, among)) {
        if (now - work->since < PATIENCE)
            return work->since + PATIENCE - now;
        atomic_store(&work->hurried, true);
        int thread = atomic_load(&work->thread);
        if (thread != 0)
            set_class(thread, SCHED_OTHER);
    }
    return AGAIN;
}

static void
hurry_all(void *arg)
{
    struct lane *lane = arg;

    uv_mutex_lock(&lane->mutex);
    while (!lane->closed) {
        if (TAILQ_EMPTY(&lane->running)) {
            uv_cond_wait(&lane->changed, &lane->mutex);
            continue;
        }
        uint64_t now = now_ms();
        uint64_t next = hurry(&lane->running, now);
        hurry(&lane->waiting, now);
        uv_cond_timedwait(&lane->changed, &lane->mutex, next * MS);
    }
    uv_mutex_unlock(&lane->mutex);
}

/* ---- the loop's side --------------------------------------------------- */

static void on_done(uv_work_t *request, int status);

/* With the mutex. */
static void
start(struct lane *lane, struct lane_work *work)
{
    if (TAILQ_EMPTY(&lane->running))
        uv_cond_signal(&lane->changed);
    TAILQ_INSERT_TAIL(&lane->running, work, among);
    lane->running_count++;
    uv_queue_work(lane->loop, &work->request, on_thread, on_done);
}

static void
on_done(uv_work_t *request, int status)
{
    struct lane_work *work = request->data;
    struct lane *lane = work->lane;

    (void)status; /* nobody cancels */
    uv_mutex_lock(&lane->mutex);
    struct lane_work *next = TAILQ_FIRST(&lane->waiting);
    TAILQ_REMOVE(&lane->running, work, among);
    lane->running_count--;
    if (next != NULL) {
        TAILQ_REMOVE(&lane->waiting, next, among);
        start(lane, next);
    }
    uv_mutex_unlock(&lane->mutex);
    work->done(work);
}

void
lane_open(struct lane *lane, uv_loop_t *loop, unsigned threads)
{
    uv_thread_t trial;

    *lane = (struct lane){ .loop = loop,
                           .width = threads > LEFT ? threads - LEFT : 1 };
    TAILQ_INIT(&lane->waiting);
    TAILQ_INIT(&lane->running);
    uv_mutex_init(&lane->mutex);
    uv_cond_init(&lane->changed);
    if (uv_thread_create(&trial, try_class, &lane->may_idle) == 0)
        uv_thread_join(&trial);
    if (lane->may_idle)
        lane->may_idle = uv_thread_create(&lane->hurrier, hurry_all, lane) == 0;
}

void
lane_close(struct lane *lane)
{
    uv_mutex_lock(&lane->mutex);
    lane->closed = true;
    uv_cond_signal(&lane->changed);
    uv_mutex_unlock(&lane->mutex);
    if (lane->may_idle)
        uv_thread_join(&lane->hurrier);
    uv_cond_destroy(&lane->changed);
    uv_mutex_destroy(&lane->mutex);
}

void
lane_add(struct lane *lane, struct lane_work *work)
{
    work->lane = lane;
    work->request.data = work;
    work->since = now_ms();
    atomic_init(&work->thread, 0);
    atomic_init(&work->hurried, false);
    uv_mutex_lock(&lane->mutex);
    if (lane->running_count < lane->width)
        start(lane, work);
    else
        TAILQ_INSERT_TAIL(&lane->waiting, work, among);
    uv_mutex_unlock(&lane->mutex);
}
