/* More about addresses than conf.h needs to tell. */
#ifndef ONWARD_CONF_VALUE_H
#define ONWARD_CONF_VALUE_H

#include "conf.h"

/* "192.0.2.0/24"; *why may live in the arena. */
bool conf_parse_network(struct slice text, struct arena *arena,
                        struct conf_network *network, const char **why);

bool conf_address_is_loopback(const struct conf_address *address);
bool conf_address_is_any(const struct conf_address *address);

/* Would whoever connects to one reach the other? A wildcard address covers
 * loopback at its port. */
bool conf_address_overlaps(const struct conf_address *a,
                           const struct conf_address *b);

#endif
