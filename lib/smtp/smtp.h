/* SMTP: addresses, commands, replies, content, and the two engines. */
#ifndef ONWARD_SMTP_H
#define ONWARD_SMTP_H

#include "client.h"
#include "command.h"
#include "dot.h"
#include "ehlo.h"
#include "path.h"
#include "reply.h"
#include "server.h"
#include "suffixes.h"

#endif
