/*
 * Socketmap servers for tests of the client, in memory: each channel records
 * what was sent on it. A channel's memory is freed when the client closes it,
 * so a client that touches it afterwards is found by AddressSanitizer.
 */
#ifndef ONWARD_TEST_SERVICE_MAPS_H
#define ONWARD_TEST_SERVICE_MAPS_H

#include "service.h"

enum {
    MAPS_CHANNELS = 64 /* ever */
};

struct maps_channel {
    struct map_channel channel;
    struct buf sent; /* since maps_says */
    unsigned number;
    bool unread; /* something waits to be read */
};

struct maps {
    struct mapclient *client;
    struct maps_channel *channels[MAPS_CHANNELS]; /* NULL: closed */
    unsigned opened;
    bool refuses; /* to open one */
    uint64_t now, wake;
    struct log_sink log;
    unsigned warnings;
};

void maps_open(struct maps *maps);
void maps_close(struct maps *maps);

unsigned maps_count(const struct maps *maps); /* open channels */
void maps_connected(struct maps *maps, unsigned number);
void maps_says(struct maps *maps, unsigned number, const char *octets);
void maps_lost(struct maps *maps, unsigned number);
void maps_at(struct maps *maps, uint64_t now); /* time passes, events fire */
/* What was sent on it since it last said something. */
const char *maps_sent(struct maps *maps, unsigned number);

/* A question that remembers its answer, and may ask another when it has it. */
struct maps_question {
    struct map_question question;
    struct maps *maps;
    unsigned answers;
    enum table_status status;
    char value[64];
    struct maps_question *then;
    const char *key;
};

void maps_ask(struct maps *maps, struct maps_question *question,
              const char *key);

extern const struct table maps_table; /* "inet:127.0.0.1:1234", map "m" */

#endif
