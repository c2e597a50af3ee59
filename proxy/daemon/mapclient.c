#include "mapclient.h"

#include "daemon.h"
#include "dial.h"

#include <stdlib.h>

enum {
    CHANNELS = 4, /* connections to one server */
    ANSWER_TIME = 2000,
    IDLE_TIME = 60 * 1000,
};

enum channel_state {
    CHANNEL_CONNECTING,
    CHANNEL_READY,
    CHANNEL_CLOSED
};

struct map_channel {
    struct conn conn; /* first: found by a cast */
    uv_connect_t connect;
    uv_timer_t idle;
    struct map_server *server;
    enum channel_state state;
    struct map_question *question; /* in flight, or NULL */
    bool used;                     /* it has answered before */
    struct buf input;
    unsigned handles;
    TAILQ_ENTRY(map_channel) next;
};

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
    struct daemon *daemon;
    TAILQ_HEAD(, map_server) servers;
    TAILQ_HEAD(, map_question) pending;
    uv_timer_t deadline;
};

static const struct conn_events events;

static void serve_waiting(struct map_server *server);
static void on_idle(uv_timer_t *timer);
static void on_deadline(uv_timer_t *timer);

/* ---- questions --------------------------------------------------------- */

static void
set_deadline(struct mapclient *client)
{
    struct map_question *first = TAILQ_FIRST(&client->pending);
    uint64_t now = clock_ms();

    if (first == NULL)
        uv_timer_stop(&client->deadline);
    else
        uv_timer_start(&client->deadline, on_deadline,
                       first->deadline > now ? first->deadline - now : 0, 0);
}

static void
answer(struct map_question *question, enum table_status status,
       struct slice value)
{
    struct mapclient *client = question->server->client;

    if (question->channel != NULL)
        question->channel->question = NULL;
    else
        TAILQ_REMOVE(&question->server->waiting, question, waiting);
    TAILQ_REMOVE(&client->pending, question, pending);
    buf_free(&question->request);
    question->on_answer(question, status, value);
}

/* ---- channels ---------------------------------------------------------- */

static void
on_handle_closed(struct map_channel *channel)
{
    if (--channel->handles != 0)
        return;
    buf_free(&channel->input);
    free(channel);
}

static void
on_conn_closed(struct conn *conn)
{
    on_handle_closed((struct map_channel *)conn);
}

static void
on_timer_closed(uv_handle_t *handle)
{
    on_handle_closed(handle->data);
}

static void
close_channel(struct map_channel *channel)
{
    if (channel->state == CHANNEL_CLOSED)
        return;
    channel->state = CHANNEL_CLOSED;
    TAILQ_REMOVE(&channel->server->channels, channel, next);
    channel->server->channel_count--;
    conn_close(&channel->conn);
    uv_close((uv_handle_t *)&channel->idle, on_timer_closed);
}

/* The connection is gone. A server may close one that was idle just when we
 * use it again: then, and only then, the question is asked once more. */
static void
lose_channel(struct map_channel *channel, const char *why)
{
    struct map_server *server = channel->server;
    struct map_question *question = channel->question;
    bool again = question != NULL && channel->used && channel->input.len == 0 &&
                 !question->tried_again;

    close_channel(channel);
    channel->question = NULL;
    if (again) {
        question->channel = NULL;
        question->tried_again = true;
        TAILQ_INSERT_HEAD(&server->waiting, question, waiting);
    } else if (question != NULL) {
        loop_log(&server->client->daemon->loop, LOG_LEVEL_WARNING,
                 "socketmap %.*s: %s", SLICE_ARG(buf_slice(&server->path)),
                 why);
        answer(question, TABLE_ERROR, (struct slice){ 0 });
    }
    serve_waiting(server);
}

static void
send_question(struct map_channel *channel, struct map_question *question)
{
    TAILQ_REMOVE(&channel->server->waiting, question, waiting);
    question->channel = channel;
    channel->question = question;
    uv_timer_stop(&channel->idle);
    conn_write(&channel->conn, buf_slice(&question->request));
    conn_flush(&channel->conn); /* an error is followed by on_ended */
}

/* Nothing more can be asked there now: those who wait are told at once and
 * not after two seconds. */
static void
refuse_waiting(struct map_server *server, const char *why)
{
    struct map_question *question;

    if (TAILQ_EMPTY(&server->waiting))
        return;
    loop_log(&server->client->daemon->loop, LOG_LEVEL_WARNING,
             "socketmap %.*s: %s", SLICE_ARG(buf_slice(&server->path)), why);
    while ((question = TAILQ_FIRST(&server->waiting)) != NULL)
        answer(question, TABLE_ERROR, (struct slice){ 0 });
}

static void
on_connected(uv_connect_t *request, int status)
{
    struct map_channel *channel = request->data;
    struct map_server *server = channel->server;

    if (status == UV_ECANCELED || channel->state != CHANNEL_CONNECTING)
        return;
    if (status != 0) {
        close_channel(channel);
        if (server->channel_count == 0)
            refuse_waiting(server, uv_strerror(status));
        return;
    }
    conn_no_delay(&channel->conn);
    channel->state = CHANNEL_READY;
    conn_read(&channel->conn);
    serve_waiting(server);
}

static void
open_channel(struct map_server *server)
{
    struct daemon *daemon = server->client->daemon;
    struct map_channel *channel = mem_alloc(sizeof(*channel));
    int error;

    conn_init(&channel->conn, dial_kind(&server->address), &daemon->loop,
              &events);
    uv_timer_init(&daemon->loop.uv, &channel->idle);
    channel->idle.data = channel;
    channel->connect.data = channel;
    channel->handles = 2;
    channel->server = server;
    TAILQ_INSERT_TAIL(&server->channels, channel, next);
    server->channel_count++;
    error =
        dial(&channel->conn, &channel->connect, &server->address, on_connected);
    if (error == 0)
        return;
    close_channel(channel);
    if (server->channel_count == 0)
        refuse_waiting(server, uv_strerror(error));
}

static struct map_channel *
find_channel(struct map_server *server, bool *connecting)
{
    struct map_channel *channel = TAILQ_FIRST(&server->channels);

    for (; channel != NULL; channel = TAILQ_NEXT(channel, next)) {
        if (channel->state == CHANNEL_READY && channel->question == NULL)
            return channel;
        if (channel->state == CHANNEL_CONNECTING)
            *connecting = true;
    }
    return NULL;
}

static void
serve_waiting(struct map_server *server)
{
    struct map_question *question;

    while ((question = TAILQ_FIRST(&server->waiting)) != NULL) {
        bool connecting = false;
        struct map_channel *channel = find_channel(server, &connecting);

        if (channel == NULL) {
            if (!connecting && server->channel_count < CHANNELS)
                open_channel(server);
            return;
        }
        send_question(channel, question);
    }
}

static void
on_octets(struct conn *conn, struct slice octets)
{
    struct map_channel *channel = (struct map_channel *)conn;
    struct map_question *question = channel->question;
    struct table_answer reply;
    struct slice rest, payload;

    if (question == NULL || !buf_try_append(&channel->input, octets)) {
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
    if (rest.len != 0) {
        lose_channel(channel, "it said more than was asked");
        return;
    }
    reply = socketmap_answer(payload);
    if (reply.status == TABLE_ERROR)
        loop_log(&channel->server->client->daemon->loop, LOG_LEVEL_WARNING,
                 "socketmap %.*s: %.*s",
                 SLICE_ARG(buf_slice(&channel->server->path)),
                 SLICE_ARG(slice_head(payload, 200)));
    answer(question, reply.status, reply.value);
    buf_free(&channel->input);
    channel->used = true;
    uv_timer_start(&channel->idle, on_idle, IDLE_TIME, 0);
    serve_waiting(channel->server);
}

static void
on_ended(struct conn *conn, int status)
{
    lose_channel((struct map_channel *)conn, status == 0
                                                 ? "it closed the connection"
                                                 : uv_strerror(status));
}

static void
on_sent(struct conn *conn)
{
    (void)conn;
}

static const struct conn_events events = {
    .on_octets = on_octets,
    .on_ended = on_ended,
    .on_sent = on_sent,
    .on_closed = on_conn_closed,
};

static void
on_idle(uv_timer_t *timer)
{
    close_channel(timer->data);
}

/* ---- asking ------------------------------------------------------------ */

static void
on_deadline(uv_timer_t *timer)
{
    struct mapclient *client = timer->data;
    struct map_question *question;

    while ((question = TAILQ_FIRST(&client->pending)) != NULL &&
           question->deadline <= clock_ms()) {
        struct map_server *server = question->server;
        struct map_channel *channel = question->channel;
        loop_log(&client->daemon->loop, LOG_LEVEL_WARNING,
                 "socketmap %.*s: no answer in time",
                 SLICE_ARG(buf_slice(&server->path)));
        /* Its answer would be taken for the next one's. The asker may ask
         * again at once, so the channel is gone before it is told. */
        if (channel != NULL)
            close_channel(channel);
        answer(question, TABLE_ERROR, (struct slice){ 0 });
        serve_waiting(server);
    }
    set_deadline(client);
}

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
    struct map_server *server = TAILQ_FIRST(&client->servers);

    while (server != NULL && !slice_equal(buf_slice(&server->path), path))
        server = TAILQ_NEXT(server, next);
    if (server != NULL)
        return server;
    server = mem_alloc(sizeof(*server));
    server->client = client;
    TAILQ_INIT(&server->channels);
    TAILQ_INIT(&server->waiting);
    buf_append(&server->path, path);
    if (!parse_address(server)) {
        buf_free(&server->path);
        arena_free(&server->arena);
        free(server);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&client->servers, server, next);
    return server;
}

void
mapclient_ask(struct mapclient *client, struct map_question *question,
              const struct table_query *query)
{
    struct map_server *server = find_server(client, query->table->path);

    if (server == NULL) {
        question->on_answer(question, TABLE_ERROR, (struct slice){ 0 });
        return;
    }
    question->server = server;
    question->deadline = clock_ms() + ANSWER_TIME;
    socketmap_request(query->table->name, query->key, &question->request);
    TAILQ_INSERT_TAIL(&server->waiting, question, waiting);
    TAILQ_INSERT_TAIL(&client->pending, question, pending);
    if (TAILQ_FIRST(&client->pending) == question)
        set_deadline(client);
    serve_waiting(server);
}

struct mapclient *
mapclient_open(struct daemon *daemon)
{
    struct mapclient *client = mem_alloc(sizeof(*client));

    client->daemon = daemon;
    TAILQ_INIT(&client->servers);
    TAILQ_INIT(&client->pending);
    uv_timer_init(&daemon->loop.uv, &client->deadline);
    client->deadline.data = client;
    return client;
}

void
mapclient_close(struct mapclient *client)
{
    struct map_server *server = TAILQ_FIRST(&client->servers);

    for (; server != NULL; server = TAILQ_NEXT(server, next)) {
        struct map_channel *channel;
        while ((channel = TAILQ_FIRST(&server->channels)) != NULL)
            close_channel(channel);
    }
    uv_close((uv_handle_t *)&client->deadline, NULL);
}

void
mapclient_free(struct mapclient *client)
{
    struct map_server *server;

    while ((server = TAILQ_FIRST(&client->servers)) != NULL) {
        TAILQ_REMOVE(&client->servers, server, next);
        buf_free(&server->path);
        arena_free(&server->arena);
        free(server);
    }
    free(client);
}
