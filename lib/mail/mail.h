/* Messages: header fields, the author, trace fields, the spool. */
#ifndef ONWARD_MAIL_H
#define ONWARD_MAIL_H

#include "claims.h"
#include "from.h"
#include "header.h"
#include "loop.h"
#include "spool.h"
#include "trace.h"

#endif
