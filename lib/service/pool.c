#include "pool.h"

#include <assert.h>
#include <string.h>

static bool
has_user(enum upstream_state state)
{
    return state <= UPSTREAM_BROKEN;
}

static void
insert(struct upstream *up)
{
    struct pool *pool = up->pool;

    pool->count[up->state]++;
    if (up->state == UPSTREAM_IDLE) /* the one used last is used first */
        TAILQ_INSERT_HEAD(&pool->in[up->state], up, among);
    else
        TAILQ_INSERT_TAIL(&pool->in[up->state], up, among);
}

static void
enter(struct upstream *up, enum upstream_state state)
{
    static const char *const names[] = {
        [UPSTREAM_CONNECTING] = "connecting",
        [UPSTREAM_GREETING] = "to greet",
        [UPSTREAM_OPEN] = "open",
        [UPSTREAM_BROKEN] = "broken",
        [UPSTREAM_IDLE] = "idle",
        [UPSTREAM_SPARE_CONNECTING] = "connecting for nobody",
        [UPSTREAM_SPARE] = "spare",
        [UPSTREAM_LEAVING] = "leaving",
        [UPSTREAM_CLOSED] = "closed",
    };
    struct pool *pool = up->pool;

    assert(up->state != UPSTREAM_CLOSED);
    log_message(pool->log, LOG_LEVEL_DEBUG, (struct slice){ 0 },
                "upstream %s: a connection is %s, was %s", up->address,
                names[state], names[up->state]);
    TAILQ_REMOVE(&pool->in[up->state], up, among);
    pool->count[up->state]--;
    up->state = state;
    if (state != UPSTREAM_CLOSED)
        insert(up);
    if (!has_user(state)) {
        up->user = NULL;
        up->owner = NULL;
        up->owes_writable = false;
        up->notice = UPSTREAM_NOTHING;
    }
}

static void
contacted(struct pool *pool, bool up, uint64_t now)
{
    pool->up = up;
    pool->contacted = now;
}

/* ---- dialling ------------------------------------------------------------ */

static bool
has_address(const struct upstream *up, const char *address)
{
    return up->address[0] != '\0' && strcmp(up->address, address) == 0;
}

static void
put_address(struct slice text, char address[POOL_ADDRESS])
{
    memset(address, 0, POOL_ADDRESS);
    if (text.len < POOL_ADDRESS)
        memcpy(address, text.ptr, text.len);
}

/* The first in a state that goes there and is good: what came in meanwhile
 * (421, EOF) may not have been read yet. What is not is closed. */
static struct upstream *
find(struct pool *pool, enum upstream_state state, const char *address,
     bool (*is_good)(const struct upstream *up))
{
    struct upstream *up, *next;

    for (up = TAILQ_FIRST(&pool->in[state]); up != NULL; up = next) {
        next = TAILQ_NEXT(up, among);
        if (!has_address(up, address))
            continue;
        if (is_good == NULL || is_good(up))
            return up;
        pool_drop(up);
    }
    return NULL;
}

static struct upstream *
take_idle(struct pool *pool, const char *address)
{
    struct upstream *up =
        find(pool, UPSTREAM_IDLE, address, pool->ops->is_quiet);

    if (up == NULL)
        return NULL;
    pool->ops->timer(up, 0);
    enter(up, UPSTREAM_OPEN);
    up->notice = UPSTREAM_REUSED;
    return up;
}

/* One whose greeting somebody else waited for. While it is connecting its timer
 * goes on. */
static struct upstream *
take_spare(struct pool *pool, const char *address)
{
    struct upstream *up =
        find(pool, UPSTREAM_SPARE, address, pool->ops->is_present);

    if (up != NULL) {
        pool->ops->timer(up, 0);
        enter(up, UPSTREAM_GREETING);
        up->notice = UPSTREAM_GREETS;
        pool->ops->read(up);
        return up;
    }
    up = find(pool, UPSTREAM_SPARE_CONNECTING, address, NULL);
    if (up != NULL)
        enter(up, UPSTREAM_CONNECTING);
    return up;
}

static struct upstream *
dial_new(struct pool *pool, const struct pool_wish *wish, const char *address,
         uint64_t now)
{
    bool failed = false;
    struct upstream *up = pool->ops->dial(pool->ctx, wish->address, &failed);

    *up = (struct upstream){ .pool = pool, .state = UPSTREAM_CONNECTING };
    memcpy(up->address, address, POOL_ADDRESS);
    insert(up);
    if (failed) {
        up->notice = UPSTREAM_FAILED;
        contacted(pool, false, now);
    } else {
        pool->ops->timer(up, wish->connect_timeout);
    }
    return up;
}

struct upstream *
pool_dial(struct pool *pool, const struct pool_wish *wish, uint64_t now)
{
    char address[POOL_ADDRESS];
    bool takes_any =
        wish->how == RELAY_DIAL_ANY && wish->user->on_handed != NULL;
    struct upstream *up = NULL;

    put_address(wish->address->text, address);
    switch (wish->how) {
    case RELAY_DIAL_ANY:
        up = take_idle(pool, address);
        break;
    case RELAY_DIAL_FRESH:
        /* One was stale, so upstream was restarted: so are the others. */
        pool_empty(pool);
        break;
    }
    if (up == NULL && takes_any)
        up = take_spare(pool, address);
    if (up == NULL)
        up = dial_new(pool, wish, address, now);
    up->user = wish->user;
    up->owner = wish->owner;
    up->outbound = wish->outbound;
    up->takes_any = takes_any && up->notice != UPSTREAM_FAILED;
    return up;
}

/* ---- events -------------------------------------------------------------- */

static void
lose(struct upstream *up, enum relay_lost how)
{
    up->takes_any = false; /* the user may release another from within */
    if (up->user != NULL)
        up->user->on_lost(up, how);
    pool_drop(up);
}

void
pool_on_connected(struct upstream *up, uint64_t now)
{
    switch (up->state) {
    case UPSTREAM_CONNECTING:
        contacted(up->pool, true, now);
        up->pool->ops->timer(up, 0);
        enter(up, UPSTREAM_GREETING);
        up->pool->ops->read(up);
        up->user->on_open(up);
        break;
    case UPSTREAM_SPARE_CONNECTING:
        contacted(up->pool, true, now);
        enter(up, UPSTREAM_SPARE);
        up->pool->ops->timer(up, up->keep_for);
        break;
    case UPSTREAM_GREETING:
    case UPSTREAM_OPEN:
    case UPSTREAM_BROKEN:
    case UPSTREAM_IDLE:
    case UPSTREAM_SPARE:
    case UPSTREAM_LEAVING:
    case UPSTREAM_CLOSED:
        break;
    }
}

void
pool_on_refused(struct upstream *up, enum relay_lost how, uint64_t now)
{
    if (up->state == UPSTREAM_CLOSED)
        return;
    contacted(up->pool, false, now);
    lose(up, how);
}

void
pool_on_octets(struct upstream *up, struct slice octets)
{
    switch (up->state) {
    case UPSTREAM_GREETING:
        enter(up, UPSTREAM_OPEN);
        up->user->on_octets(up, octets);
        break;
    case UPSTREAM_OPEN:
    case UPSTREAM_BROKEN:
        up->user->on_octets(up, octets);
        break;
    case UPSTREAM_IDLE: /* nobody asked: of no use any more */
        pool_drop(up);
        break;
    case UPSTREAM_LEAVING: /* the 221 */
    case UPSTREAM_CONNECTING:
    case UPSTREAM_SPARE_CONNECTING:
    case UPSTREAM_SPARE: /* is not read */
    case UPSTREAM_CLOSED:
        break;
    }
}

void
pool_on_ended(struct upstream *up)
{
    if (up->state != UPSTREAM_CLOSED)
        lose(up, RELAY_LOST_CLOSED);
}

/* It may have said why before it closed: that is read first, and after it the
 * EOF. The timer is for an upstream that leaves us neither. */
void
pool_on_broken(struct upstream *up)
{
    if (up->state != UPSTREAM_OPEN && up->state != UPSTREAM_GREETING)
        return;
    enter(up, UPSTREAM_BROKEN);
    up->pool->ops->timer(up, POOL_BROKEN_TIME);
}

void
pool_on_time(struct upstream *up, uint64_t now)
{
    switch (up->state) {
    case UPSTREAM_CONNECTING:
    case UPSTREAM_SPARE_CONNECTING:
        pool_on_refused(up, RELAY_LOST_TIMEOUT, now);
        break;
    case UPSTREAM_BROKEN: /* it had no more to say */
        lose(up, RELAY_LOST_CLOSED);
        break;
    case UPSTREAM_IDLE:
    case UPSTREAM_SPARE:
        pool_quit(up);
        break;
    case UPSTREAM_LEAVING:
        pool_drop(up);
        break;
    case UPSTREAM_GREETING:
    case UPSTREAM_OPEN:
    case UPSTREAM_CLOSED:
        break;
    }
}

/* ---- giving it back ------------------------------------------------------ */

void
pool_drop(struct upstream *up)
{
    if (up->state == UPSTREAM_CLOSED)
        return;
    enter(up, UPSTREAM_CLOSED);
    up->pool->ops->close(up);
}

void
pool_quit(struct upstream *up)
{
    switch (up->state) {
    case UPSTREAM_GREETING:
    case UPSTREAM_OPEN:
    case UPSTREAM_IDLE:
    case UPSTREAM_SPARE:
        enter(up, UPSTREAM_LEAVING);
        up->pool->ops->quit(up);
        up->pool->ops->timer(up, POOL_LEAVE_TIME);
        break;
    case UPSTREAM_CONNECTING:
    case UPSTREAM_SPARE_CONNECTING:
    case UPSTREAM_BROKEN:
        pool_drop(up);
        break;
    case UPSTREAM_LEAVING:
    case UPSTREAM_CLOSED:
        break;
    }
}

/* A session that waits for the greeting of a connection to the same address. */
static struct upstream *
find_waiting(const struct pool *pool, const char *address)
{
    static const enum upstream_state states[] = { UPSTREAM_GREETING,
                                                  UPSTREAM_CONNECTING };
    struct upstream *up;

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        TAILQ_FOREACH(up, &pool->in[states[i]], among)
    if (up->takes_any && has_address(up, address))
        return up;
    return NULL;
}

/* In the place of the one that waits for its greeting, which is spare. */
static void
hand_over(struct upstream *up, struct upstream *waiting, unsigned keep_for)
{
    const struct pool_ops *ops = up->pool->ops;

    up->user = waiting->user;
    up->owner = waiting->owner;
    up->outbound = waiting->outbound;
    up->owes_writable = false;
    up->notice = UPSTREAM_REUSED;
    waiting->user->on_handed(waiting, up);
    waiting->keep_for = keep_for;
    if (waiting->state == UPSTREAM_CONNECTING) {
        enter(waiting, UPSTREAM_SPARE_CONNECTING);
        return;
    }
    enter(waiting, UPSTREAM_SPARE);
    ops->hold(waiting); /* the greeting stays where it is */
    ops->timer(waiting, keep_for);
}

void
pool_release(struct upstream *up, const struct smtp_ehlo *ehlo,
             unsigned idle_timeout)
{
    struct pool *pool = up->pool;

    if (up->state != UPSTREAM_OPEN || idle_timeout == 0 || ehlo == NULL ||
        up->address[0] == '\0' || pool->ops->has_unsent(up) || pool->stopped ||
        pool->count[UPSTREAM_IDLE] >= POOL_IDLE) {
        pool_quit(up);
        return;
    }
    up->known = *ehlo;
    struct upstream *waiting = find_waiting(pool, up->address);
    if (waiting != NULL && pool->ops->is_quiet(up)) {
        hand_over(up, waiting, idle_timeout);
        return;
    }
    enter(up, UPSTREAM_IDLE);
    pool->ops->timer(up, idle_timeout);
}

/* ---- all of them --------------------------------------------------------- */

static void
each_in(struct pool *pool, enum upstream_state state,
        void (*end)(struct upstream *up))
{
    while (!TAILQ_EMPTY(&pool->in[state]))
        end(TAILQ_FIRST(&pool->in[state]));
}

void
pool_empty(struct pool *pool)
{
    each_in(pool, UPSTREAM_IDLE, pool_quit);
    each_in(pool, UPSTREAM_SPARE_CONNECTING, pool_quit);
    each_in(pool, UPSTREAM_SPARE, pool_quit);
}

void
pool_shed(struct pool *pool)
{
    for (unsigned state = 0; state < UPSTREAM_STATES; state++)
        if (!has_user(state))
            each_in(pool, state, pool_drop);
}

void
pool_stop(struct pool *pool)
{
    pool->stopped = true;
    pool_empty(pool);
}

void
pool_abandon(struct pool *pool)
{
    for (unsigned state = 0; state < UPSTREAM_STATES; state++)
        each_in(pool, state, pool_drop);
}

size_t
pool_unused(const struct pool *pool)
{
    size_t count = 0;

    for (unsigned state = 0; state < UPSTREAM_STATES; state++)
        if (!has_user(state))
            count += pool->count[state];
    return count;
}

void
pool_init(struct pool *pool, const struct pool_ops *ops, void *ctx,
          const struct log_sink *log)
{
    *pool = (struct pool){ .ops = ops, .ctx = ctx, .log = log };
    for (unsigned state = 0; state < UPSTREAM_STATES; state++)
        TAILQ_INIT(&pool->in[state]);
}
