/*
 * The socketmap server and peers that pipeline, cut, stall, leave while their
 * request is worked on, and say garbage. The first octet of the input is how
 * it is cut; the others are what the peer says, and 0xff to 0xf8 things that
 * happen meanwhile.
 *
 * Answers are as many as requests that were taken, in their order, one at a
 * time; the sums of the server are right. A peer's memory is freed when it is
 * closed and nothing is asked for it, as the process does.
 */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct peer {
    struct map_peer peer; /* first: found by a cast */
    bool asking, closed, room;
    unsigned asked, answered;
};

static struct peer *current; /* NULL: freed */
static struct mapserver server;
static bool at_once;

static void
check(bool holds)
{
    if (!holds)
        abort();
}

static void
free_if_done(struct peer *peer)
{
    if (!peer->closed || peer->asking)
        return;
    check(peer == current);
    current = NULL;
    free(peer);
}

static void
op_send(struct map_peer *peer, struct slice octets)
{
    struct peer *p = (struct peer *)peer;
    struct slice payload;

    check(!p->closed && !p->asking && p->room);
    check(netstring_take(&octets, 200, &payload) == NETSTRING_DONE &&
          octets.len == 0);
    if (slice_starts_nocase(payload, SLICE_OF("PERM ")))
        return;
    char want[32];
    int len = snprintf(want, sizeof(want), "OK %u", p->answered++);
    check(slice_equal(payload, (struct slice){ want, (size_t)len }));
}

static bool
op_has_room(struct map_peer *peer)
{
    return ((struct peer *)peer)->room;
}

static void
op_nothing(struct map_peer *peer)
{
    check(!((struct peer *)peer)->closed);
}

static void
op_timer(struct map_peer *peer, unsigned milliseconds)
{
    (void)milliseconds;
    op_nothing(peer);
}

static bool
op_ask(struct map_peer *peer, enum map_name name, struct slice key,
       struct buf *reply)
{
    struct peer *p = (struct peer *)peer;

    check(!p->asking && !p->closed && p->asked == p->answered);
    check(name <= MAP_REVERSE && key.len < MAPSERVER_REQUEST);
    if (at_once)
        buf_printf(reply, "OK %u", p->asked);
    p->asked++;
    p->asking = !at_once;
    return at_once;
}

static void
op_close(struct map_peer *peer)
{
    struct peer *p = (struct peer *)peer;

    check(!p->closed);
    p->closed = true;
}

static const struct mapserver_ops ops = {
    .send = op_send,
    .has_room = op_has_room,
    .read = op_nothing,
    .hold = op_nothing,
    .timer = op_timer,
    .ask = op_ask,
    .close = op_close,
};

static void
give_answer(void)
{
    char text[32];

    if (!current->asking)
        return;
    int len = snprintf(text, sizeof(text), "OK %u", current->answered);
    current->asking = false;
    bool was = current->room;
    current->room = true;
    mapserver_on_answer(&current->peer, (struct slice){ text, (size_t)len });
    current->room = was;
}

static void
happen(unsigned what)
{
    switch (what) {
    case 0:
        at_once = !at_once;
        break;
    case 1:
        give_answer();
        break;
    case 2:
        current->room = !current->room;
        if (current->room)
            mapserver_on_sent(&current->peer);
        break;
    case 3:
        mapserver_on_ended(&current->peer);
        break;
    case 4:
        mapserver_on_broken(&current->peer);
        break;
    case 5:
        mapserver_on_time(&current->peer);
        break;
    case 6:
        mapserver_make_room(&server);
        break;
    case 7:
        mapserver_close(&server);
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct log_sink none = { .level = LOG_LEVEL_ERROR };
    size_t most = size != 0 ? 1 + data[0] : 1;

    at_once = false;
    mapserver_init(&server, &ops, &none);
    for (size_t i = 1; i < size;) {
        if (current == NULL) {
            current = mem_alloc(sizeof(*current));
            current->room = true;
            mapserver_add(&server, &current->peer);
        }
        size_t len = 0;
        while (i + len < size && len < most && data[i + len] < 0xf8)
            len++;
        if (len == 0)
            happen(data[i++] - 0xf8U);
        else if (!current->closed)
            mapserver_on_octets(&current->peer,
                                (struct slice){ (const char *)data + i, len });
        i += len;
        check(server.peer_count == !current->closed);
        check(server.kept == current->peer.counted);
        if (current->closed && current->asking && len != 0)
            give_answer();
        free_if_done(current);
    }
    if (current != NULL) {
        mapserver_close(&server);
        current->asking = false;
        free_if_done(current);
    }
    check(server.peer_count == 0 && server.kept == 0);
    return 0;
}
