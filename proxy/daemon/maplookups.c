#include "maplookups.h"

#include "tablestats.h"

static void
on_later(struct later *later)
{
    struct maplookups *maps =
        (struct maplookups *)((char *)later -
                              offsetof(struct maplookups, deliver));

    lookups_deliver(maps->lookups);
}

static void
op_later(void *ctx)
{
    struct maplookups *maps = ctx;

    loop_later(maps->sockets.loop, &maps->deliver);
}

static void
op_observe(void *ctx, struct slice spec, enum table_status status,
           uint64_t milliseconds)
{
    struct maplookups *maps = ctx;

    tablestats_looked_up(maps->stats, spec, status, milliseconds * 1000000);
}

static const struct lookups_ops ops = {
    .later = op_later,
    .observe = op_observe,
};

void
maplookups_open(struct maplookups *maps, struct loop *loop,
                struct tablestats *stats)
{
    maps->stats = stats;
    maps->deliver.run = on_later;
    mapsockets_open(&maps->sockets, loop);
    maps->lookups = lookups_new(maps->sockets.client, &ops, maps);
}

void
maplookups_close(struct maplookups *maps)
{
    mapsockets_close(&maps->sockets);
}

void
maplookups_free(struct maplookups *maps)
{
    lookups_free(maps->lookups);
    mapsockets_free(&maps->sockets);
}
