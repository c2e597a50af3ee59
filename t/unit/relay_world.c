#include "relay_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the recorder ---- */

static void
to_client(void *ctx, struct slice octets)
{
    struct world *world = ctx;

    buf_append(&world->to_client, octets);
}

static void
dial(void *ctx, unsigned outbound, enum relay_dial how)
{
    struct world *world = ctx;

    assert(outbound < WORLD_UPSTREAMS);
    world->up[outbound].state = WORLD_DIALLED;
    buf_printf(&world->effects, "dialled%s %u\n",
               how == RELAY_DIAL_FRESH ? " fresh" : "", outbound);
}

static void
to_upstream(void *ctx, unsigned outbound, struct slice octets)
{
    struct world *world = ctx;

    assert(world->up[outbound].state == WORLD_OPEN);
    buf_append(&world->up[outbound].sent, octets);
    world->up[outbound].wrote = true;
}

/* Less than is offered, and nothing every other time, as sockets do. */
static size_t
file_to_upstream(void *ctx, unsigned outbound, int fd, uint64_t offset,
                 size_t length)
{
    enum {
        TAKES = 30001
    };
    struct world *world = ctx;
    static char octets[TAKES];

    if ((world->file_calls++ & 1) != 0)
        return 0;
    ssize_t got =
        pread(fd, octets, length < TAKES ? length : TAKES, (off_t)offset);
    assert(got > 0);
    to_upstream(ctx, outbound, (struct slice){ octets, (size_t)got });
    world->file_octets += (uint64_t)got;
    return (size_t)got;
}

static void
drop(void *ctx, unsigned outbound)
{
    struct world *world = ctx;

    world->up[outbound].state = WORLD_CLOSED;
    buf_printf(&world->effects, "dropped %u\n", outbound);
}

static void
release(void *ctx, unsigned outbound, const struct smtp_ehlo *ehlo)
{
    struct world *world = ctx;

    world->up[outbound].state = WORLD_CLOSED;
    buf_printf(&world->effects, "%s %u\n", ehlo != NULL ? "released" : "quit",
               outbound);
}

static void
look_up(void *ctx, const struct table_query *query)
{
    struct world *world = ctx;

    world->asked = true;
    buf_printf(&world->effects, "looked up %.*s\n", SLICE_ARG(query->key));
}

static void
store(void *ctx, const struct relay_store_query *query)
{
    struct world *world = ctx;

    world->asked = true;
    switch (query->what) {
    case RELAY_STORE_FIND:
        buf_printf(&world->effects, "fetched\n");
        break;
    case RELAY_STORE_ROOM:
        buf_printf(&world->effects, "room for %.*s\n",
                   SLICE_ARG(query->sender));
        break;
    case RELAY_STORE_PUT:
        buf_printf(&world->effects, "stored %.*s\n", SLICE_ARG(query->sender));
        break;
    }
}

static void
sign(void *ctx, struct relay_sign_job *job)
{
    struct world *world = ctx;

    world->job = job;
}

static bool
upstream_quiet(void *ctx, unsigned outbound)
{
    const struct world *world = ctx;

    return (world->unread >> outbound & 1) == 0;
}

static bool
client_present(void *ctx)
{
    const struct world *world = ctx;

    return !world->client_gone;
}

static void
deadline(void *ctx, unsigned milliseconds)
{
    struct world *world = ctx;

    world->deadline = milliseconds;
}

static void
finish(void *ctx)
{
    struct world *world = ctx;

    world->finished = true;
    buf_puts(&world->effects, "closed\n");
}

static const struct relay_ops ops = {
    to_client, dial,  to_upstream, file_to_upstream, drop,           release,
    look_up,   store, sign,        client_present,   upstream_quiet, deadline,
    finish,
};

static void
log_write(void *ctx, const struct log_line *line)
{
    struct world *world = ctx;

    buf_append(&world->log, buf_slice(&line->text));
    buf_putc(&world->log, '\n');
}

/* ---- the configuration ---- */

void
world_begin(struct world *world)
{
    *world = (struct world){ .now = { 1767225600, 1000 } };
    snprintf(world->directory, sizeof(world->directory), "/tmp/relay.XXXXXX");
    if (mkdtemp(world->directory) == NULL) {
        perror(world->directory);
        exit(1);
    }
}

void
world_write(const struct world *world, const char *name, struct slice text)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", world->directory, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(text.ptr, 1, text.len, file) != text.len ||
        fclose(file) != 0 || chmod(path, 0640) != 0) {
        perror(path);
        exit(1);
    }
}

void
world_key(const struct world *world, const char *domain, const char *selector)
{
    /* Of RFC 8032, 7.1: known to everybody, made for tests. */
    static const struct slice pem =
        SLICE("-----BEGIN PRIVATE KEY-----\n"
              "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"
              "\n-----END PRIVATE KEY-----\n");
    char path[512];

    snprintf(path, sizeof(path), "%s/dkim", world->directory);
    mkdir(path, 0750);
    snprintf(path, sizeof(path), "%s/dkim/%s", world->directory, domain);
    mkdir(path, 0750);
    snprintf(path, sizeof(path), "dkim/%s/%s.pem", domain, selector);
    world_write(world, path, pem);
}

static const struct {
    const char *name;
    const char *text;
} groups[] = {
    { "hostname", "hostname = \"proxy.example\";\n" },
    { "listeners",
      "listeners = ( { name = \"mx\"; address = \"127.0.0.1:10025\"; "
      "role = \"inbound\"; }, { name = \"submission\"; "
      "address = \"127.0.0.1:10027\"; role = \"outbound\"; } );\n" },
    { "upstream", "upstream = { address = \"127.0.0.1:10026\"; };\n" },
    { "forward",
      "forward = { local_domains = ( \"local.example\" ); aliases = ( "
      "{ match = \"fwd.*@public.example\"; "
      "to = ( \"me@private.example\" ); } ); };\n" },
    { "srs", "srs = { domain = \"srs.example\"; "
             "secret_file = \"@DIR@/secret\"; };\n" },
    { "postfix", "postfix = { config_directory = \"\"; };\n" },
    { "state_directory", "state_directory = \"@DIR@\";\n" },
};

static bool
has_group(struct slice conf, const char *name)
{
    while (conf.len != 0) {
        struct slice line = slice_cut(&conf, '\n');
        if (slice_starts_nocase(line, slice_from(name)) &&
            (line.ptr[strlen(name)] == ' ' || line.ptr[strlen(name)] == '='))
            return true;
    }
    return false;
}

/* With the directory in the place of @DIR@. */
static void
put_directory(const struct world *world, struct slice text, struct buf *out)
{
    while (text.len != 0) {
        bool more = slice_find(text, '@') < text.len;
        buf_append(out, slice_cut(&text, '@'));
        if (slice_starts_nocase(text, SLICE_OF("DIR@"))) {
            buf_puts(out, world->directory);
            text = slice_tail(text, 4);
        } else if (more) {
            buf_putc(out, '@');
        }
    }
}

bool
world_load(struct world *world, struct slice text, struct buf *errors)
{
    struct buf all = { 0 }, full = { 0 }, warnings = { 0 };
    char path[128];

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        if (!has_group(text, groups[i].name) &&
            !(world->no_srs && strcmp(groups[i].name, "srs") == 0))
            buf_puts(&all, groups[i].text);
    buf_append(&all, text);
    put_directory(world, buf_slice(&all), &full);
    world_write(world, "onward.conf", buf_slice(&full));
    snprintf(path, sizeof(path), "%s/onward.conf", world->directory);
    struct conf_inputs inputs = { .path = path,
                                  .fqdn = SLICE("proxy.example"),
                                  .now = world->now.wall,
                                  .threads = 1 };
    world->conf = conf_load(&inputs, errors, &warnings);
    buf_free(&all);
    buf_free(&full);
    buf_free(&warnings);
    return world->conf != NULL;
}

/* ---- the session ---- */

void
world_open(struct world *world, struct slice listener,
           enum relay_welcome welcome)
{
    size_t which = 0;

    for (size_t i = 0; i < world->conf->listener_count; i++)
        if (slice_equal(world->conf->listeners[i].name, listener))
            which = i;
    world->counters[0].reasons =
        mem_alloc(relay_outcome_count() * sizeof(uint64_t));
    world->shared.log =
        (struct log_sink){ log_write, world, LOG_LEVEL_INFO, LOG_FORMAT_TEXT };
    world->shared.spool.limit = 100000000;
    world->shared.counters = world->counters;
    world->shared.next_id = 1000;
    world->shared.unique = 0x1234;
    world->session = relay_new(world->conf, &world->conf->listeners[which],
                               &world->shared, world->counters, &ops, world,
                               SLICE_OF("127.0.0.1"), welcome, world->now);
}

void
world_settle(struct world *world)
{
    for (bool moved = true; moved;) {
        moved = false;
        if (world->job != NULL && !world->hold_sign) {
            struct relay_sign_job *job = world->job;
            world->job = NULL;
            relay_sign(job);
            relay_on_signed(world->session, world->now);
            moved = true;
        }
        for (unsigned i = 0; i < WORLD_UPSTREAMS; i++)
            if (world->up[i].wrote && world->up[i].state == WORLD_OPEN) {
                world->up[i].wrote = false;
                relay_on_writable(world->session, i, world->now);
                moved = true;
            }
        while (world->from_client.len != 0 &&
               relay_wants_client(world->session)) {
            size_t used = relay_on_client_octets(
                world->session, buf_slice(&world->from_client), world->now);
            buf_drop(&world->from_client, used);
            if (used == 0)
                break;
            moved = true;
        }
    }
}

void
world_client_says(struct world *world, struct slice octets)
{
    buf_append(&world->from_client, octets);
    world_settle(world);
}

void
world_upstream_says(struct world *world, unsigned i, struct slice octets)
{
    if (world->up[i].state == WORLD_DIALLED) {
        world->up[i].state = WORLD_OPEN;
        relay_on_upstream_open(world->session, i, NULL, world->now);
    }
    relay_on_upstream_octets(world->session, i, octets, world->now);
    world_settle(world);
}

/* ---- the end ---- */

static void
remove_directory(const char *directory)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    if (system(command) != 0)
        perror(directory);
}

bool
world_end(struct world *world)
{
    struct table_answer none = { .status = TABLE_ERROR };

    if (world->session != NULL) {
        relay_on_client_lost(world->session, world->now);
        if (world->job != NULL)
            relay_on_signed(world->session, world->now);
        if (world->asked) {
            relay_on_looked_up(world->session, &none, world->now);
            relay_on_stored(world->session, &none, world->now);
        }
        relay_free(world->session);
    }
    bool ok =
        world->shared.spool.used == 0 && world->shared.spool.in_memory == 0;
    spool_files_drop(&world->shared.spool.files);
    conf_unref(world->conf);
    free(world->counters[0].reasons);
    buf_free(&world->from_client);
    buf_free(&world->to_client);
    buf_free(&world->log);
    buf_free(&world->effects);
    for (unsigned i = 0; i < WORLD_UPSTREAMS; i++)
        buf_free(&world->up[i].sent);
    remove_directory(world->directory);
    return ok;
}

bool
world_matches(struct slice pattern, struct slice text)
{
    while (pattern.len != 0 && pattern.ptr[0] != '*') {
        if (text.len == 0 || text.ptr[0] != pattern.ptr[0])
            return false;
        pattern = slice_tail(pattern, 1);
        text = slice_tail(text, 1);
    }
    if (pattern.len == 0)
        return text.len == 0;
    pattern = slice_tail(pattern, 1);
    for (size_t i = 0; i <= text.len; i++)
        if (world_matches(pattern, slice_tail(text, i)))
            return true;
    return false;
}
