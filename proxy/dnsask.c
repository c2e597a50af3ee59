#include "dnsask.h"

#include "status.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    IN_FLIGHT_MAX = 100,
    TIMEOUT_MS = 3000, /* without a configuration */
};

struct asking {
    ares_channel channel;
    struct arena *arena;
    size_t in_flight;
};

struct pending {
    struct asking *asking;
    struct dns_query *query;
};

/* ---- answers ----------------------------------------------------------- */

static void
set_trouble(struct dns_query *query, int error)
{
    query->status = DNS_TROUBLE;
    query->why = ares_strerror(error);
}

/* False: as many as are kept are there. */
static bool
add_record(struct dns_query *query, struct slice record, struct arena *arena)
{
    size_t count = query->count;

    if (count == DNS_RECORDS_KEPT)
        return false;
    if ((count & (count - 1)) == 0) { /* a power of two, or none: full */
        struct slice *more =
            arena_alloc(arena, (count != 0 ? 2 * count : 1) * sizeof(*more));
        if (count != 0)
            memcpy(more, query->records, count * sizeof(*more));
        query->records = more;
    }
    query->records[query->count++] = arena_copy(arena, record);
    return true;
}

/* One record is one list of strings, which belong together as they are. */
static int
read_txt(struct dns_query *query, const unsigned char *reply, int len,
         struct arena *arena)
{
    struct ares_txt_ext *strings = NULL;
    struct buf record = { 0 };
    int error = ares_parse_txt_reply_ext(reply, len, &strings);
    bool room = true;

    for (struct ares_txt_ext *s = strings; s != NULL && room; s = s->next) {
        buf_append(&record, (struct slice){ (const char *)s->txt, s->length });
        if (s->next != NULL && !s->next->record_start)
            continue;
        room = add_record(query, buf_slice(&record), arena);
        buf_clear(&record);
    }
    buf_free(&record);
    if (strings != NULL)
        ares_free_data(strings);
    return error;
}

static int
read_mx(struct dns_query *query, const unsigned char *reply, int len,
        struct arena *arena)
{
    struct ares_mx_reply *hosts = NULL;
    int error = ares_parse_mx_reply(reply, len, &hosts);

    for (struct ares_mx_reply *h = hosts;
         h != NULL && add_record(query, slice_from(h->host), arena);
         h = h->next)
        continue;
    if (hosts != NULL)
        ares_free_data(hosts);
    return error;
}

/* c-ares has no reader for these. */
static int
read_cname(struct dns_query *query, const unsigned char *reply, int len,
           struct arena *arena)
{
    struct slice message = { (const char *)reply, (size_t)len };
    struct buf target = { 0 };
    int error = ARES_SUCCESS;

    switch (dns_answer_cname(message, &target)) {
    case DNS_ANSWER_FOUND:
        add_record(query, buf_slice(&target), arena);
        break;
    case DNS_ANSWER_NONE:
        error = ARES_ENODATA;
        break;
    case DNS_ANSWER_BAD:
        error = ARES_EBADRESP;
        break;
    }
    buf_free(&target);
    return error;
}

static int
read_records(struct dns_query *query, const unsigned char *reply, int len,
             struct arena *arena)
{
    switch (query->type) {
    case DNS_TXT:
        return read_txt(query, reply, len, arena);
    case DNS_MX:
        return read_mx(query, reply, len, arena);
    case DNS_CNAME:
        return read_cname(query, reply, len, arena);
    case DNS_A:
    case DNS_AAAA:
    case DNS_PTR:
        break; /* no command asks for them here */
    }
    return ARES_EFORMERR;
}

static void
on_answer(void *arg, int error, int timeouts, unsigned char *reply, int len)
{
    struct pending *pending = arg;
    struct dns_query *query = pending->query;

    (void)timeouts;
    pending->asking->in_flight--;
    if (error == ARES_SUCCESS)
        error = read_records(query, reply, len, pending->asking->arena);
    switch (error) {
    case ARES_SUCCESS:
        query->status = query->count != 0 ? DNS_FOUND : DNS_NO_DATA;
        break;
    case ARES_ENOTFOUND:
        query->status = DNS_NO_NAME;
        break;
    case ARES_ENODATA:
        query->status = DNS_NO_DATA;
        break;
    default:
        set_trouble(query, error);
        break;
    }
}

/* ---- questions --------------------------------------------------------- */

static int
set_servers(ares_channel channel, const struct conf *conf)
{
    struct buf list = { 0 };

    if (conf == NULL || conf->dns.server_count == 0)
        return ARES_SUCCESS;
    for (size_t i = 0; i < conf->dns.server_count; i++) {
        const struct conf_address *server = &conf->dns.servers[i];
        bool is_ipv6 = slice_find(server->host, ':') < server->host.len;
        buf_printf(&list, is_ipv6 ? "%s[%.*s]:%u" : "%s%.*s:%u",
                   i != 0 ? "," : "", SLICE_ARG(server->host), server->port);
    }
    int error = ares_set_servers_ports_csv(channel, buf_cstr(&list));
    buf_free(&list);
    return error;
}

static int
open_channel(ares_channel *channel, const struct conf *conf)
{
    struct ares_options options = {
        /* The second try waits twice as long as the first. */
        .timeout = (int)((conf != NULL ? conf->dns.timeout : TIMEOUT_MS) / 3),
        .tries = 2,
        .flags = ARES_FLAG_NOALIASES, /* what is long comes over TCP */
    };
    int error = ares_library_init(ARES_LIB_INIT_ALL);

    if (error == ARES_SUCCESS)
        error = ares_init_options(channel, &options,
                                  ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                      ARES_OPT_FLAGS);
    if (error != ARES_SUCCESS)
        return error;
    error = set_servers(*channel, conf);
    if (error != ARES_SUCCESS)
        ares_destroy(*channel);
    return error;
}

/* Wait for an answer or a deadline of c-ares, and let it work. */
static void
turn(ares_channel channel)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    struct pollfd fds[ARES_GETSOCK_MAXNUM];
    /* As ARES_GETSOCK_READABLE and _WRITABLE, which shift into the sign. */
    unsigned mask =
        (unsigned)ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
    struct timeval most = { .tv_sec = 1 };
    struct timeval wait = { 0 };
    nfds_t count = 0;

    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        short events = 0;
        if ((mask >> i & 1) != 0)
            events |= POLLIN;
        if ((mask >> (i + ARES_GETSOCK_MAXNUM) & 1) != 0)
            events |= POLLOUT;
        if (events != 0)
            fds[count++] =
                (struct pollfd){ .fd = sockets[i], .events = events };
    }
    struct timeval *next = ares_timeout(channel, &most, &wait);
    int ms = (int)(next->tv_sec * 1000 + next->tv_usec / 1000) + 1;
    if (poll(fds, count, ms) < 0)
        count = 0;
    ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* timeouts */
    for (nfds_t i = 0; i < count; i++)
        if (fds[i].revents != 0)
            ares_process_fd(
                channel,
                (fds[i].events & POLLIN) != 0 ? fds[i].fd : ARES_SOCKET_BAD,
                (fds[i].events & POLLOUT) != 0 ? fds[i].fd : ARES_SOCKET_BAD);
}

void
dns_ask(const struct conf *conf, struct dns_query *queries, size_t count,
        struct arena *arena)
{
    struct asking asking = { .arena = arena };
    struct pending *pending = mem_alloc(count * sizeof(*pending));
    int error = open_channel(&asking.channel, conf);

    for (size_t i = 0; i < count; i++) {
        struct dns_query *query = &queries[i];
        query->records = NULL;
        query->count = 0;
        query->why = NULL;
        if (error != ARES_SUCCESS) {
            set_trouble(query, error);
            continue;
        }
        pending[i] = (struct pending){ &asking, query };
        asking.in_flight++;
        ares_query(asking.channel, query->name, ns_c_in, (int)query->type,
                   on_answer, &pending[i]);
        while (asking.in_flight >= IN_FLIGHT_MAX)
            turn(asking.channel);
    }
    while (asking.in_flight != 0)
        turn(asking.channel);
    if (error == ARES_SUCCESS)
        ares_destroy(asking.channel);
    ares_library_cleanup();
    free(pending);
}

/* ---- of any type ------------------------------------------------------- */

struct wanting {
    struct asking *asking;
    struct dns_wanted *wanted;
};

/* An answer that says no has a packet too, which c-ares has looked at. */
static void
on_packet(void *arg, int error, int timeouts, unsigned char *packet, int len)
{
    struct wanting *wanting = arg;
    struct dns_wanted *wanted = wanting->wanted;
    struct slice octets = { (const char *)packet, len > 0 ? (size_t)len : 0 };

    (void)timeouts;
    wanting->asking->in_flight--;
    wanted->answer = (struct dns_answer){ .status = DNS_TROUBLE };
    if ((error != ARES_SUCCESS && error != ARES_ENOTFOUND &&
         error != ARES_ENODATA) ||
        octets.len < 2)
        return;
    uint16_t id = (uint16_t)(packet[0] << 8 | packet[1]);
    if (dns_packet_read(octets, id, &wanted->question, wanting->asking->arena,
                        &wanted->answer) != DNS_READ_ANSWER)
        wanted->answer = (struct dns_answer){ .status = DNS_TROUBLE };
}

static void
ask_any(struct wanting *wanting)
{
    struct dns_wanted *wanted = wanting->wanted;
    struct buf name = { 0 };

    if (!dns_name_is_askable(wanted->question.name)) {
        wanted->answer = (struct dns_answer){ .status = DNS_NO_NAME };
        return;
    }
    /* c-ares reads a backslash as the start of an escape. */
    for (size_t i = 0; i < wanted->question.name.len; i++) {
        if (wanted->question.name.ptr[i] == '\\')
            buf_putc(&name, '\\');
        buf_putc(&name, wanted->question.name.ptr[i]);
    }
    wanting->asking->in_flight++;
    ares_query(wanting->asking->channel, buf_cstr(&name), ns_c_in,
               (int)wanted->question.type, on_packet, wanting);
    buf_free(&name);
}

void
dns_ask_any(const struct conf *conf, struct dns_wanted *wanted, size_t count,
            struct arena *arena)
{
    struct asking asking = { .arena = arena };
    struct wanting *wanting = mem_alloc(count * sizeof(*wanting));
    int error = open_channel(&asking.channel, conf);

    for (size_t i = 0; i < count; i++) {
        wanting[i] = (struct wanting){ &asking, &wanted[i] };
        wanted[i].answer = (struct dns_answer){ .status = DNS_TROUBLE };
        if (error != ARES_SUCCESS)
            continue;
        ask_any(&wanting[i]);
        while (asking.in_flight >= IN_FLIGHT_MAX)
            turn(asking.channel);
    }
    while (asking.in_flight != 0)
        turn(asking.channel);
    if (error == ARES_SUCCESS)
        ares_destroy(asking.channel);
    ares_library_cleanup();
    free(wanting);
}
