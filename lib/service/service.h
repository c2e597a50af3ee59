/*
 * The machines of the process, without its loop: events come in as function
 * calls that carry the time, effects go out through structs of function
 * pointers, in which proxy/daemon puts sockets and timers and tests put a
 * recorder. An operation never calls back into its machine.
 */
#ifndef ONWARD_SERVICE_H
#define ONWARD_SERVICE_H

#include "logqueue.h"
#include "lookups.h"
#include "mapclient.h"
#include "mapserver.h"
#include "pool.h"

#endif
