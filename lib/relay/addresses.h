/*
 * Things that have an address, found by it, ASCII letters in either case. The
 * tree is balanced, so the time does not depend on which addresses strangers
 * choose: a message of n recipients takes n log n.
 *
 * A thing begins with its address (struct slice) and belongs to its owner; it
 * must be there as long as it is in the set.
 */
#ifndef ONWARD_RELAY_ADDRESSES_H
#define ONWARD_RELAY_ADDRESSES_H

#include "base.h"

struct addresses { /* all zeroes is the empty set */
    void *root;
};

/* The thing with this address, or NULL. */
void *addresses_find(const struct addresses *set, struct slice address);

/* No other thing of its address may be in the set. False: memory is gone. */
bool addresses_add(struct addresses *set, const struct slice *thing);

/* Nothing happens if it is not in the set, but another of its address is. */
void addresses_remove(struct addresses *set, const struct slice *thing);

void addresses_free(struct addresses *set); /* the things are not touched */

#endif
