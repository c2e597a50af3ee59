#include "mapclient.h"

#include <assert.h>
#include <stdlib.h>

struct map_server {
    struct mapclient *client;
    struct buf path; /* "inet:host:port" or "unix:/path" */
    struct conf_address address;
    struct arena arena; /* of address */
    TAILQ_HEAD(, map_channel) channels;
    size_t channel_count;
    TAILQ_HEAD(, map_question) waiting;
    TAILQ_ENTRY(map_server) next;
};

struct mapclient {
    const struct mapclient_ops *ops;
    void *ctx;
    const struct log_sink *log;
    TAILQ_HEAD(, map_server) servers;
    TAILQ_HEAD(, map_question) pending;
    TAILQ_HEAD(, map_question) answered;
    uint64_t wakes; /* when mapclient_on_time was asked for */
};

static void
complain(const struct map_server *server, const char *why)
{
    log_message(server->client->log, LOG_LEVEL_WARNING, (struct slice){ 0 },
                "socketmap %.*s: %s", SLICE_ARG(buf_slice(&server->path)), why);
}

static void
enter_channel(struct map_channel *channel, enum map_channel_state state)
{
    static const char *const names[] = {
        [MAP_CONNECTING] = "connecting",
        [MAP_FREE] = "free",
        [MAP_ASKED] = "asked",
        [MAP_CLOSED] = "closed",
    };

    assert(channel->state != MAP_CLOSED);
    log_message(channel->server->client->log, LOG_LEVEL_DEBUG,
                (struct slice){ 0 }, "socketmap %.*s: a channel is %s",
                SLICE_ARG(buf_slice(&channel->server->path)), names[state]);
    channel->state = state;
}

/* ---- questions --------------------------------------------------------- */

static void
enter_question(struct map_question *question, enum map_question_state state)
{
    struct mapclient *client = question->server->client;

    assert(question->state != MAP_ANSWERED);
    switch (question->state) {
    case MAP_WAITING:
        TAILQ_REMOVE(&question->server->waiting, question, next);
        break;
    case MAP_SENT:
        question->channel->question = NULL;
        question->channel = NULL;
        break;
    case MAP_ANSWERED:
        break;
    }
    question->state = state;
    if (state == MAP_ANSWERED) {
        TAILQ_REMOVE(&client->pending, question, pending);
        TAILQ_INSERT_TAIL(&client->answered, question, next);
    }
}

static void
fail(struct map_question *question)
{
    question->answer = (struct table_answer){ TABLE_ERROR, { 0 } };
    enter_question(question, MAP_ANSWERED);
}

/* ---- channels ---------------------------------------------------------- */

static void
close_channel(struct map_channel *channel)
{
    struct map_server *server = channel->server;

    assert(channel->question == NULL);
    enter_channel(channel, MAP_CLOSED);
    TAILQ_REMOVE(&server->channels, channel, next);
    server->channel_count--;
    buf_free(&channel->input);
    server->client->ops->close(channel);
}

/* No channel is left or can be had: the askers are told now and not after two
 * seconds. */
static void
refuse_waiting(struct map_server *server, const char *why)
{
    struct map_question *question;

    if (server->channel_count != 0 || TAILQ_EMPTY(&server->waiting))
        return;
    complain(server, why);
    while ((question = TAILQ_FIRST(&server->waiting)) != NULL)
        fail(question);
}

static void
open_channel(struct map_server *server)
{
    struct mapclient *client = server->client;
    const char *why = NULL;
    struct map_channel *channel =
        client->ops->dial(client->ctx, &server->address, &why);

    if (channel == NULL) {
        refuse_waiting(server, why);
        return;
    }
    *channel = (struct map_channel){ .server = server };
    TAILQ_INSERT_TAIL(&server->channels, channel, next);
    server->channel_count++;
    enter_channel(channel, MAP_CONNECTING);
}

static struct map_channel *
find_free(struct map_server *server)
{
    struct map_channel *channel, *next;

    for (channel = TAILQ_FIRST(&server->channels); channel != NULL;
         channel = next) {
        next = TAILQ_NEXT(channel, next);
        if (channel->state != MAP_FREE)
            continue;
        if (server->client->ops->is_quiet(channel))
            return channel;
        close_channel(channel);
    }
    return NULL;
}

static bool
is_connecting(const struct map_server *server)
{
    const struct map_channel *channel;

    TAILQ_FOREACH(channel, &server->channels, next)
    if (channel->state == MAP_CONNECTING)
        return true;
    return false;
}

static void
send_question(struct map_channel *channel, struct map_question *question)
{
    enter_question(question, MAP_SENT);
    question->channel = channel;
    question->sent++;
    channel->question = question;
    enter_channel(channel, MAP_ASKED);
    channel->server->client->ops->send(channel, buf_slice(&question->request));
}

static void
serve_waiting(struct map_server *server)
{
    struct map_question *question;

    while ((question = TAILQ_FIRST(&server->waiting)) != NULL) {
        struct map_channel *channel = find_free(server);

        if (channel == NULL) {
            if (!is_connecting(server) &&
                server->channel_count < MAPCLIENT_CHANNELS)
                open_channel(server);
            return;
        }
        send_question(channel, question);
    }
}

/* A server may close a channel that was unused just when we use it again:
 * then, and only then, the question is asked once more. */
static void
lose_channel(struct map_channel *channel, const char *why)
{
    struct map_server *server = channel->server;
    struct map_question *question = channel->question;
    bool was_connecting = channel->state == MAP_CONNECTING;
    bool again = question != NULL && channel->answers != 0 &&
                 channel->input.len == 0 && question->sent == 1;

    if (again) {
        enter_question(question, MAP_WAITING);
        TAILQ_INSERT_HEAD(&server->waiting, question, next);
    } else if (question != NULL) {
        complain(server, why);
        fail(question);
    }
    close_channel(channel);
    if (was_connecting)
        refuse_waiting(server, why);
    else
        serve_waiting(server);
}

/* ---- the end of an event ------------------------------------------------ */

static void
free_server(struct map_server *server)
{
    TAILQ_REMOVE(&server->client->servers, server, next);
    buf_free(&server->path);
    arena_free(&server->arena);
    free(server);
}

/* A server is forgotten with its last channel. */
static void
forget_unused(struct mapclient *client)
{
    struct map_server *server, *next;

    for (server = TAILQ_FIRST(&client->servers); server != NULL;
         server = next) {
        next = TAILQ_NEXT(server, next);
        if (server->channel_count == 0 && TAILQ_EMPTY(&server->waiting))
            free_server(server);
    }
}

static uint64_t
next_time(const struct mapclient *client)
{
    const struct map_question *first = TAILQ_FIRST(&client->pending);
    uint64_t at = first != NULL ? first->deadline : MAPCLIENT_NEVER;
    const struct map_server *server;
    const struct map_channel *channel;

    if (!TAILQ_EMPTY(&client->answered))
        return 0;
    TAILQ_FOREACH(server, &client->servers, next)
    TAILQ_FOREACH(channel, &server->channels, next)
    if (channel->state == MAP_FREE && channel->expires < at)
        at = channel->expires;
    return at;
}

static void
set_wake(struct mapclient *client)
{
    uint64_t at = next_time(client);

    if (at == client->wakes)
        return;
    client->wakes = at;
    client->ops->wake(client->ctx, at);
}

/* Askers are told, who may ask again meanwhile. */
static void
settle(struct mapclient *client, uint64_t now)
{
    struct map_question *question;

    while ((question = TAILQ_FIRST(&client->answered)) != NULL) {
        struct buf reply = question->reply;
        TAILQ_REMOVE(&client->answered, question, next);
        buf_free(&question->request);
        question->reply = (struct buf){ 0 };
        question->on_answer(question, question->answer.status,
                            question->answer.value, now);
        buf_free(&reply);
    }
    forget_unused(client);
    set_wake(client);
}

/* ---- events ------------------------------------------------------------- */

void
mapclient_on_connected(struct map_channel *channel, uint64_t now)
{
    struct map_server *server = channel->server;

    if (channel->state != MAP_CONNECTING)
        return;
    channel->expires = now + MAPCLIENT_IDLE_TIME;
    enter_channel(channel, MAP_FREE);
    serve_waiting(server);
    settle(server->client, now);
}

void
mapclient_on_lost(struct map_channel *channel, const char *why, uint64_t now)
{
    struct mapclient *client;

    if (channel->state == MAP_CLOSED)
        return;
    client = channel->server->client;
    lose_channel(channel, why);
    settle(client, now);
}

static void
take_answer(struct map_channel *channel, struct slice payload, uint64_t now)
{
    struct map_server *server = channel->server;
    struct map_question *question = channel->question;

    question->answer = socketmap_answer(payload);
    if (question->answer.status == TABLE_ERROR)
        log_message(server->client->log, LOG_LEVEL_WARNING, (struct slice){ 0 },
                    "socketmap %.*s: %.*s", SLICE_ARG(buf_slice(&server->path)),
                    SLICE_ARG(slice_head(payload, 200)));
    question->reply = channel->input; /* the value points into it */
    channel->input = (struct buf){ 0 };
    enter_question(question, MAP_ANSWERED);
    channel->answers++;
    channel->expires = now + MAPCLIENT_IDLE_TIME;
    enter_channel(channel, MAP_FREE);
    /* The one that has been free longest is used next: if a server says an
     * answer twice, there is time to see it. */
    TAILQ_REMOVE(&server->channels, channel, next);
    TAILQ_INSERT_TAIL(&server->channels, channel, next);
    serve_waiting(server);
}

static void
take_octets(struct map_channel *channel, struct slice octets, uint64_t now)
{
    struct slice rest, payload;

    if (channel->state != MAP_ASKED ||
        !buf_try_append(&channel->input, octets)) {
        lose_channel(channel, "it said something unasked");
        return;
    }
    rest = buf_slice(&channel->input);
    switch (netstring_take(&rest, SOCKETMAP_REPLY_MAX, &payload)) {
    case NETSTRING_MORE:
        return;
    case NETSTRING_BAD:
        lose_channel(channel, "its answer was not understood");
        return;
    case NETSTRING_DONE:
        break;
    }
    if (rest.len != 0)
        lose_channel(channel, "it said more than was asked");
    else
        take_answer(channel, payload, now);
}

void
mapclient_on_octets(struct map_channel *channel, struct slice octets,
                    uint64_t now)
{
    struct mapclient *client;

    if (channel->state == MAP_CLOSED)
        return;
    client = channel->server->client;
    take_octets(channel, octets, now);
    settle(client, now);
}

static void
end_late_questions(struct mapclient *client, uint64_t now)
{
    struct map_question *question;

    while ((question = TAILQ_FIRST(&client->pending)) != NULL &&
           question->deadline <= now) {
        struct map_server *server = question->server;
        struct map_channel *channel = question->channel;

        complain(server, "no answer in time");
        fail(question);
        if (channel != NULL)
            close_channel(channel);
        serve_waiting(server);
    }
}

static void
close_unused_channels(struct map_server *server, uint64_t now)
{
    struct map_channel *channel, *next;

    for (channel = TAILQ_FIRST(&server->channels); channel != NULL;
         channel = next) {
        next = TAILQ_NEXT(channel, next);
        if (channel->state == MAP_FREE && channel->expires <= now)
            close_channel(channel);
    }
}

void
mapclient_on_time(struct mapclient *client, uint64_t now)
{
    struct map_server *server;

    client->wakes = MAPCLIENT_NEVER;
    end_late_questions(client, now);
    TAILQ_FOREACH(server, &client->servers, next)
    close_unused_channels(server, now);
    settle(client, now);
}

/* ---- asking ------------------------------------------------------------- */

static bool
parse_address(struct map_server *server)
{
    static const struct slice inet = SLICE("inet:");
    struct slice text = buf_slice(&server->path);
    const char *why;

    if (slice_starts_nocase(text, inet))
        text = slice_tail(text, inet.len);
    return conf_parse_address(text, &server->arena, &server->address, &why);
}

static struct map_server *
find_server(struct mapclient *client, struct slice path)
{
    struct map_server *server;

    TAILQ_FOREACH(server, &client->servers, next)
    if (slice_equal(buf_slice(&server->path), path))
        return server;
    server = mem_alloc(sizeof(*server));
    server->client = client;
    TAILQ_INIT(&server->channels);
    TAILQ_INIT(&server->waiting);
    buf_append(&server->path, path);
    TAILQ_INSERT_TAIL(&client->servers, server, next);
    return server;
}

void
mapclient_ask(struct mapclient *client, struct map_question *question,
              const struct table_query *query, uint64_t now)
{
    struct map_server *server = find_server(client, query->table->path);

    question->server = server;
    question->state = MAP_WAITING;
    question->channel = NULL;
    question->request = question->reply = (struct buf){ 0 };
    question->sent = 0;
    question->deadline = now + MAPCLIENT_ANSWER_TIME;
    socketmap_request(query->table->name, query->key, &question->request);
    TAILQ_INSERT_TAIL(&server->waiting, question, next);
    TAILQ_INSERT_TAIL(&client->pending, question, pending);
    if (server->address.text.len == 0 && !parse_address(server))
        refuse_waiting(server, "this is no address");
    else
        serve_waiting(server);
    set_wake(client);
}

struct mapclient *
mapclient_new(const struct mapclient_ops *ops, void *ctx,
              const struct log_sink *log)
{
    struct mapclient *client = mem_alloc(sizeof(*client));

    client->ops = ops;
    client->ctx = ctx;
    client->log = log;
    client->wakes = MAPCLIENT_NEVER;
    TAILQ_INIT(&client->servers);
    TAILQ_INIT(&client->pending);
    TAILQ_INIT(&client->answered);
    return client;
}

void
mapclient_close(struct mapclient *client)
{
    struct map_server *server;

    assert(TAILQ_EMPTY(&client->pending));
    TAILQ_FOREACH(server, &client->servers, next)
    while (!TAILQ_EMPTY(&server->channels))
        close_channel(TAILQ_FIRST(&server->channels));
}

void
mapclient_free(struct mapclient *client)
{
    mapclient_close(client);
    assert(TAILQ_EMPTY(&client->answered));
    forget_unused(client);
    free(client);
}
