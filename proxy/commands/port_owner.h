/* Who listens on a TCP port of this host, from /proc (Linux). */
#ifndef ONWARD_PORT_OWNER_H
#define ONWARD_PORT_OWNER_H

#include "conf.h"

struct port_owner {
    bool taken;
    char program[32]; /* "amavisd-new"; "" not known */
    long pid;         /* 0: not known */
};

/* Of a unix socket, or without /proc: not taken. */
struct port_owner port_owner(const struct conf_address *address);

/* A port on 127.0.0.1 from `from` on that nobody listens on. */
unsigned port_find_free(unsigned from);

#endif
