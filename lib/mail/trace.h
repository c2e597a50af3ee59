/*
 * What a message carries about its way: Received fields, the loop mark; and
 * what an outbound message lacks: Date, Message-ID (RFC 6409, 8).
 */
#ifndef ONWARD_MAIL_TRACE_H
#define ONWARD_MAIL_TRACE_H

#include "header.h"

unsigned mail_trace_hops(const struct mail_header *header);

/*
 * The loop mark: a keyed 64-bit MAC of the alias address (lower-cased), as 16
 * hex digits. The key is the first SRS secret; label "onward-loop".
 */
enum {
    MAIL_LOOP_TOKEN = 16
};
bool mail_loop_token(struct slice secret, struct slice alias,
                     char token[MAIL_LOOP_TOKEN]);

/* Was the message marked by any Onward at all? */
bool mail_trace_is_marked(const struct mail_header *header);

/* Does a field X-Onward-Loop with this token stand in the header? */
bool mail_trace_has_token(const struct mail_header *header,
                          const char token[MAIL_LOOP_TOKEN]);

/* "X-Onward-Loop: TOKEN" CRLF */
void mail_loop_print(const char token[MAIL_LOOP_TOKEN], struct buf *out);

/* "Date: Tue, 24 Nov 2026 08:00:00 +0000" CRLF, in UTC. */
void mail_date_print(int64_t now, struct buf *out);

/* "Message-ID: <TIME.RANDOM@hostname>" CRLF; unique: an argument. */
void mail_message_id_print(int64_t now, uint64_t unique, struct slice hostname,
                           struct buf *out);

#endif
