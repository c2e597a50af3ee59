/*
 * What a message carries about its way: Received fields (for loop marks see
 * loop.h); and what an outbound message lacks: Date, Message-ID (RFC 6409, 8).
 */
#ifndef ONWARD_MAIL_TRACE_H
#define ONWARD_MAIL_TRACE_H

#include "header.h"

unsigned mail_trace_hops(const struct mail_header *header);

/* "X-Original-To: ALIAS" CRLF. Nothing where that were no field: a line over
 * 998 octets, or not ASCII in a message that is not utf8 (RFC 6532). */
void mail_original_to_print(struct slice alias, bool utf8, struct buf *out);

/* "Date: Tue, 24 Nov 2026 08:00:00 +0000" CRLF, in UTC. */
void mail_date_print(int64_t now, struct buf *out);

/* "Message-ID: <TIME.RANDOM@hostname>" CRLF; unique: an argument. */
void mail_message_id_print(int64_t now, uint64_t unique, struct slice hostname,
                           struct buf *out);

#endif
