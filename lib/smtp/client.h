/*
 * The client's side of the dialogue, without I/O. It reads the greeting, says
 * EHLO (HELO where that is refused with 5xx), then sends what it is told and
 * matches replies to commands in order. Everything upstream says is hostile
 * input: too much of it, anything unasked or malformed ends the connection.
 */
#ifndef ONWARD_SMTP_CLIENT_H
#define ONWARD_SMTP_CLIENT_H

#include "ehlo.h"

enum smtp_step {
    SMTP_STEP_GREETING,
    SMTP_STEP_EHLO,
    SMTP_STEP_HELO,
    SMTP_STEP_XFORWARD,
    SMTP_STEP_MAIL,
    SMTP_STEP_RCPT,
    SMTP_STEP_DATA,
    SMTP_STEP_DOT,
    SMTP_STEP_RSET,
    SMTP_STEP_QUIT,
};

struct smtp_client {
    struct smtp_reply_parser parser;
    struct buf expected; /* one octet (smtp_step) for each reply to come */
    size_t answered;     /* of those, how many are behind us */
    struct smtp_ehlo ehlo;
    bool ready;        /* greeting and EHLO are done */
    bool broken;       /* unasked or malformed octets came: BAD for ever */
    struct slice name; /* what EHLO says; outlives the client */
};

enum smtp_client_event {
    SMTP_CLIENT_MORE,
    SMTP_CLIENT_READY,   /* the handshake is done; client->ehlo is known */
    SMTP_CLIENT_REPLY,   /* to `step` */
    SMTP_CLIENT_REFUSED, /* greeting or EHLO and HELO were not 2xx: `reply` */
    SMTP_CLIENT_BAD,     /* malformed, unasked or endless: close, no QUIT */
};

void smtp_client_open(struct smtp_client *client, struct slice name);
void smtp_client_free(struct smtp_client *client);

/* Handed over with the handshake done: an idle connection that is reused. */
void smtp_client_resume(struct smtp_client *client, struct slice name,
                        const struct smtp_ehlo *ehlo);

/* A command (with its CRLF) goes to out, and one reply is expected. False if
 * memory is gone: the connection is of no use any more. */
bool smtp_client_send(struct smtp_client *client, enum smtp_step step,
                      struct slice command, struct buf *out);

/* No octets, but a reply to come: the final dot was written by the caller. */
bool smtp_client_expect(struct smtp_client *client, enum smtp_step step);

/* How many replies are still to come. */
size_t smtp_client_pending(const struct smtp_client *client);

/*
 * Use octets from *in up to the next event. EHLO and HELO go to out by
 * themselves. reply->text lives until the next call. 1xx, and 3xx where it
 * does not belong (or its absence where it does), are SMTP_CLIENT_BAD.
 */
enum smtp_client_event smtp_client_take(struct smtp_client *client,
                                        struct slice *in, struct buf *out,
                                        enum smtp_step *step,
                                        struct smtp_reply *reply);

#endif
