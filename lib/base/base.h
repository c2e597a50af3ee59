/* Everything of lib/base. */
#ifndef ONWARD_BASE_H
#define ONWARD_BASE_H

#include "arena.h"
#include "buf.h"
#include "escape.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "slice.h"

#endif
