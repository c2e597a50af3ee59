/*
 * The socketmap client between askers that ask again from within an answer and
 * servers that are late, lie, die and say things twice. Each octet of the input
 * is one thing that happens.
 *
 * Each question has one answer, in time and not from within mapclient_ask. What
 * is found is the answer to that question and to no other. A channel's memory
 * is freed when it is closed.
 */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHANNELS = 32,
    ASKERS = 8,
    TEXT = 32,
    OWED = 8,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct channel {
    struct map_channel channel;
    struct world *world;
    unsigned number;
    bool connected;
    char owed[OWED][TEXT]; /* keys that the server has to answer, in order */
    unsigned owed_count;
    char said[TEXT];   /* the key of its last answer */
    struct buf unread; /* that it has said */
};

struct asker {
    struct map_question question;
    struct world *world;
    bool waits;
    unsigned again; /* how often it asks from within an answer */
    uint64_t since;
    char key[TEXT];
};

struct world {
    struct mapclient *client;
    struct channel *channels[CHANNELS]; /* NULL: closed */
    struct asker askers[ASKERS];
    struct log_sink log;
    unsigned keys;
    bool refuses, asking;
    uint64_t now, wake;
};

static void
check(bool holds)
{
    if (!holds)
        abort();
}

static const struct table tables[] = {
    { .path = SLICE("inet:127.0.0.1:1"), .name = SLICE("m") },
    { .path = SLICE("unix:/x"), .name = SLICE("m") },
    { .path = SLICE("nowhere"), .name = SLICE("m") },
};

/* ---- operations ---------------------------------------------------------- */

static struct map_channel *
op_dial(void *ctx, const struct conf_address *address, const char **why)
{
    struct world *world = ctx;

    (void)address;
    *why = "refused";
    for (unsigned i = 0; i < CHANNELS && !world->refuses; i++) {
        if (world->channels[i] != NULL)
            continue;
        struct channel *channel = mem_alloc(sizeof(*channel));
        channel->world = world;
        channel->number = i;
        world->channels[i] = channel;
        return &channel->channel;
    }
    return NULL;
}

static void
op_send(struct map_channel *channel, struct slice octets)
{
    struct channel *c = (struct channel *)channel;
    struct slice request;

    check(c->connected && c->unread.len == 0);
    check(netstring_take(&octets, 100, &request) == NETSTRING_DONE);
    check(octets.len == 0 && request.len > 2 && request.len - 2 < TEXT);
    check(c->owed_count < OWED);
    char *key = c->owed[c->owed_count++];
    memcpy(key, request.ptr + 2, request.len - 2);
    key[request.len - 2] = '\0';
}

static bool
op_is_quiet(struct map_channel *channel)
{
    return ((struct channel *)channel)->unread.len == 0;
}

static void
op_close(struct map_channel *channel)
{
    struct channel *c = (struct channel *)channel;

    c->world->channels[c->number] = NULL;
    buf_free(&c->unread);
    free(c);
}

static void
op_wake(void *ctx, uint64_t at)
{
    ((struct world *)ctx)->wake = at;
}

static const struct mapclient_ops ops = {
    .dial = op_dial,
    .send = op_send,
    .is_quiet = op_is_quiet,
    .close = op_close,
    .wake = op_wake,
};

/* ---- askers -------------------------------------------------------------- */

static void on_answer(struct map_question *question, enum table_status status,
                      struct slice value, uint64_t now);

static void
ask(struct asker *asker, unsigned table)
{
    struct world *world = asker->world;
    bool was = world->asking;
    struct table_query query = { &tables[table % 3], { 0 } };

    if (asker->waits)
        return;
    snprintf(asker->key, TEXT, "k%u", world->keys++);
    query.key = slice_from(asker->key);
    asker->waits = true;
    asker->since = world->now;
    asker->question.ctx = asker;
    asker->question.on_answer = on_answer;
    world->asking = true;
    mapclient_ask(world->client, &asker->question, &query, world->now);
    world->asking = was;
}

static void
on_answer(struct map_question *question, enum table_status status,
          struct slice value, uint64_t now)
{
    struct asker *asker = question->ctx;

    check(asker->waits && !asker->world->asking);
    check(now - asker->since <= MAPCLIENT_ANSWER_TIME);
    check(status != TABLE_FOUND || slice_equal(value, slice_from(asker->key)));
    asker->waits = false;
    if (asker->again != 0) {
        asker->again--;
        ask(asker, asker->again);
    }
}

/* ---- servers ------------------------------------------------------------- */

static void
say(struct channel *channel, const char *text)
{
    if (channel->connected && channel->unread.len < 1000)
        buf_puts(&channel->unread, text);
}

/* What it was asked first; or, if it owes nothing, the last answer again. */
static void
answer(struct channel *channel, const char *word)
{
    char text[2 * TEXT];

    if (channel->owed_count != 0) {
        memcpy(channel->said, channel->owed[0], TEXT);
        memmove(channel->owed[0], channel->owed[1],
                --channel->owed_count * TEXT);
    }
    int len = snprintf(text, sizeof(text), "%s %s", word, channel->said);
    if (channel->said[0] != '\0' && channel->unread.len < 1000) {
        buf_printf(&channel->unread, "%d:", len);
        say(channel, text);
        say(channel, ",");
    }
}

static void
deliver(struct channel *channel, size_t most)
{
    struct buf octets = { 0 };

    if (channel->unread.len == 0)
        return;
    buf_append(&octets, slice_head(buf_slice(&channel->unread), most));
    buf_drop(&channel->unread, octets.len);
    mapclient_on_octets(&channel->channel, buf_slice(&octets),
                        channel->world->now);
    buf_free(&octets);
}

static void
pass(struct world *world, uint64_t milliseconds)
{
    uint64_t until = world->now + milliseconds;

    while (world->wake <= until) {
        if (world->wake > world->now)
            world->now = world->wake;
        world->wake = MAPCLIENT_NEVER;
        mapclient_on_time(world->client, world->now);
    }
    world->now = until;
}

/* The n-th channel that is open, or NULL. */
static struct channel *
nth(struct world *world, unsigned n)
{
    struct channel *open[CHANNELS];
    unsigned count = 0;

    for (unsigned i = 0; i < CHANNELS; i++)
        if (world->channels[i] != NULL)
            open[count++] = world->channels[i];
    return count == 0 ? NULL : open[n % count];
}

static void
happen(struct world *world, unsigned what, unsigned n)
{
    struct channel *channel = nth(world, n);
    struct asker *asker = &world->askers[n % ASKERS];

    if (what == 0) {
        asker->again = n % 4;
        ask(asker, n / ASKERS);
        return;
    }
    if (what == 1) {
        static const unsigned times[] = { 1, 100, 1000, 2000, 59000, 60000 };
        pass(world, times[n % 6]);
        return;
    }
    if (what == 2)
        world->refuses = n % 4 == 0;
    if (channel == NULL)
        return;
    switch (what) {
    case 3:
        if (!channel->connected) {
            channel->connected = true;
            mapclient_on_connected(&channel->channel, world->now);
        }
        break;
    case 4:
        mapclient_on_lost(&channel->channel, "lost", world->now);
        break;
    case 5:
        answer(channel, n % 3 != 0 ? "OK" : "NOTFOUND");
        break;
    case 6:
        deliver(channel, n % 5 == 0 ? 3 : 1000);
        break;
    case 7:
        if (n % 3 == 0)
            answer(channel, "TEMP");
        else
            say(channel, n % 3 == 1 ? "zzz" : "100001:");
        break;
    }
}

static void
write_line(void *ctx, const struct log_line *line)
{
    (void)ctx;
    (void)line;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = { .wake = MAPCLIENT_NEVER, .now = 1 };

    world.log =
        (struct log_sink){ .write = write_line, .level = LOG_LEVEL_DEBUG };
    world.client = mapclient_new(&ops, &world, &world.log);
    for (unsigned i = 0; i < ASKERS; i++)
        world.askers[i].world = &world;
    for (size_t i = 0; i < size && i < 4000; i++)
        happen(&world, data[i] & 7, data[i] >> 3);
    /* In the end all have their answer, and nothing is left. */
    for (unsigned i = 0; i < ASKERS; i++)
        world.askers[i].again = 0;
    pass(&world, MAPCLIENT_ANSWER_TIME);
    for (unsigned i = 0; i < ASKERS; i++)
        check(!world.askers[i].waits);
    for (unsigned i = 0; i < CHANNELS; i++)
        if (world.channels[i] != NULL && !world.channels[i]->connected)
            mapclient_on_lost(&world.channels[i]->channel, "end", world.now);
    pass(&world, MAPCLIENT_IDLE_TIME);
    for (unsigned i = 0; i < CHANNELS; i++)
        check(world.channels[i] == NULL);
    check(world.wake == MAPCLIENT_NEVER);
    mapclient_free(world.client);
    return 0;
}
