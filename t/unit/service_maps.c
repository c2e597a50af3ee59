#include "service_maps.h"

#include <stdlib.h>
#include <string.h>

const struct table maps_table = {
    .kind = TABLE_SOCKETMAP,
    .spec = SLICE("socketmap:inet:127.0.0.1:1234:m"),
    .path = SLICE("inet:127.0.0.1:1234"),
    .name = SLICE("m"),
};

static struct map_channel *
op_dial(void *ctx, const struct conf_address *address, const char **why)
{
    struct maps *maps = ctx;
    struct maps_channel *channel;

    *why = "refused by the test";
    if (maps->refuses || maps->opened == MAPS_CHANNELS || address->port != 1234)
        return NULL;
    channel = mem_alloc(sizeof(*channel));
    channel->number = maps->opened;
    maps->channels[maps->opened++] = channel;
    return &channel->channel;
}

static void
op_send(struct map_channel *channel, struct slice octets)
{
    buf_append(&((struct maps_channel *)channel)->sent, octets);
}

static bool
op_is_quiet(struct map_channel *channel)
{
    return !((struct maps_channel *)channel)->unread;
}

static struct maps *all; /* of the test under way */

static void
op_close(struct map_channel *channel)
{
    struct maps_channel *c = (struct maps_channel *)channel;

    all->channels[c->number] = NULL;
    buf_free(&c->sent);
    free(c);
}

static void
op_wake(void *ctx, uint64_t at)
{
    ((struct maps *)ctx)->wake = at;
}

static const struct mapclient_ops ops = {
    .dial = op_dial,
    .send = op_send,
    .is_quiet = op_is_quiet,
    .close = op_close,
    .wake = op_wake,
};

static void
write_line(void *ctx, const struct log_line *line)
{
    if (line->level == LOG_LEVEL_WARNING)
        ((struct maps *)ctx)->warnings++;
}

void
maps_open(struct maps *maps)
{
    *maps = (struct maps){ .now = 1000, .wake = MAPCLIENT_NEVER };
    maps->log = (struct log_sink){ .write = write_line,
                                   .ctx = maps,
                                   .level = LOG_LEVEL_DEBUG };
    maps->client = mapclient_new(&ops, maps, &maps->log);
    all = maps;
}

void
maps_close(struct maps *maps)
{
    mapclient_free(maps->client);
}

unsigned
maps_count(const struct maps *maps)
{
    unsigned count = 0;

    for (unsigned i = 0; i < maps->opened; i++)
        if (maps->channels[i] != NULL)
            count++;
    return count;
}

void
maps_connected(struct maps *maps, unsigned number)
{
    mapclient_on_connected(&maps->channels[number]->channel, maps->now);
}

void
maps_says(struct maps *maps, unsigned number, const char *octets)
{
    struct maps_channel *channel = maps->channels[number];

    buf_free(&channel->sent);
    channel->unread = false;
    mapclient_on_octets(&channel->channel, slice_from(octets), maps->now);
}

void
maps_lost(struct maps *maps, unsigned number)
{
    mapclient_on_lost(&maps->channels[number]->channel, "it is gone",
                      maps->now);
}

void
maps_at(struct maps *maps, uint64_t now)
{
    while (maps->wake <= now) {
        if (maps->wake > maps->now)
            maps->now = maps->wake;
        maps->wake = MAPCLIENT_NEVER;
        mapclient_on_time(maps->client, maps->now);
    }
    maps->now = now;
}

const char *
maps_sent(struct maps *maps, unsigned number)
{
    return maps->channels[number] == NULL
               ? NULL
               : buf_cstr(&maps->channels[number]->sent);
}

static void
on_answer(struct map_question *question, enum table_status status,
          struct slice value, uint64_t now)
{
    struct maps_question *q = question->ctx;
    struct maps_question *then = q->then;

    (void)now;
    q->answers++;
    q->status = status;
    value = slice_head(value, sizeof(q->value) - 1);
    memcpy(q->value, value.ptr != NULL ? value.ptr : "", value.len);
    q->value[value.len] = '\0';
    if (then != NULL)
        maps_ask(q->maps, then, then->key);
}

void
maps_ask(struct maps *maps, struct maps_question *question, const char *key)
{
    struct table_query query = { &maps_table, slice_from(key) };

    question->maps = maps;
    question->question.ctx = question;
    question->question.on_answer = on_answer;
    mapclient_ask(maps->client, &question->question, &query, maps->now);
}
