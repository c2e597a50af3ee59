/*
 * The server's side of the dialogue, without I/O: octets in, requests and
 * reply octets out. It knows the order of commands (RFC 5321, 4.1.4), their
 * syntax and its limits; what an address means it does not know.
 *
 * One command is in flight at a time: after a request has been handed out,
 * smtp_server_take gives SMTP_SERVER_BUSY until smtp_server_reply answers it.
 * Pipelined octets wait with the caller meanwhile, so an idle session holds
 * no buffer.
 *
 * What it answers itself: EHLO, HELO, NOOP, VRFY, HELP, XFORWARD, RSET, QUIT,
 * unknown commands, everything out of order, bad syntax and parameters.
 */
#ifndef ONWARD_SMTP_SERVER_H
#define ONWARD_SMTP_SERVER_H

#include "command.h"
#include "dot.h"
#include "ehlo.h"

enum smtp_server_state {
    SMTP_SERVER_START,    /* greeted, no EHLO or HELO yet */
    SMTP_SERVER_READY,    /* no transaction */
    SMTP_SERVER_ENVELOPE, /* MAIL was accepted */
    SMTP_SERVER_CONTENT,  /* 354 was sent */
    SMTP_SERVER_CLOSED,   /* nothing more is read */
};
enum {
    SMTP_SERVER_STATES = SMTP_SERVER_CLOSED + 1
};

struct smtp_server_limits {
    unsigned errors;     /* refusals of commands until 421 */
    unsigned recipients; /* per transaction */
    uint64_t size;       /* of SIZE=, 0: none */
};

struct smtp_server {
    enum smtp_server_state state;
    bool busy;         /* a request waits for smtp_server_reply */
    bool esmtp;        /* EHLO, not HELO */
    bool skipping;     /* an overlong line is read to its end */
    bool content_done; /* between DOT_END and the reply */
    bool forget;       /* the XFORWARD values, before the next command */
    bool quit;         /* the client said QUIT, and nothing behind it */
    unsigned errors;
    unsigned recipients; /* accepted in this transaction */
    unsigned attempts;   /* RCPTs that were handed out in it */
    size_t skipped;
    size_t behind_data;  /* octets that came with it, before it was answered */
    size_t suspect;      /* those of a DATA that was refused */
    enum smtp_verb verb; /* of the request in flight */
    struct slice hostname; /* outlives the server */
    struct smtp_server_limits limits;
    struct smtp_ehlo upstream; /* what EHLO may offer */
    struct buf helo;           /* the client's name */
    struct xforward xforward;
    struct dot_decoder decoder;
};

enum smtp_server_event {
    SMTP_SERVER_MORE,        /* all octets used up, or a line is incomplete */
    SMTP_SERVER_BUSY,        /* answer the request first */
    SMTP_SERVER_MAIL,        /* request.mail */
    SMTP_SERVER_RCPT,        /* request.rcpt */
    SMTP_SERVER_DATA,        /* may be answered with 354 */
    SMTP_SERVER_DECODED,     /* content was appended to the content buf */
    SMTP_SERVER_CONTENT_END, /* CRLF.CRLF; the decoder's flags are final. The
                              * last content came with DECODED before it */
    SMTP_SERVER_RESET,       /* RSET, EHLO or HELO ended a transaction; answered
                              * already, nothing to reply */
    SMTP_SERVER_QUIT,      /* the last reply is in the output; close when it is
                            * written. In state CLOSED always */
    SMTP_SERVER_NO_MEMORY, /* end the session with 421 or none */
};

struct smtp_request {
    struct smtp_mail mail;
    struct smtp_rcpt rcpt;
};

/* Writes the greeting. hostname outlives the server. */
void smtp_server_open(struct smtp_server *server, struct slice hostname,
                      const struct smtp_server_limits *limits,
                      const struct smtp_ehlo *upstream, struct buf *out);
void smtp_server_free(struct smtp_server *server);

/*
 * Use octets from *in (which advances) up to the next event. Own replies go
 * to out, decoded content to content; addresses and parameters live in the
 * arena, which the caller resets with the transaction. Call again until
 * SMTP_SERVER_MORE or SMTP_SERVER_BUSY. A line is used only when it is
 * complete, so the caller must be able to hold SMTP_LINE_MAX octets.
 */
enum {
    SMTP_LINE_MAX = 4096
};
enum smtp_server_event smtp_server_take(struct smtp_server *server,
                                        struct slice *in, struct arena *arena,
                                        struct smtp_request *request,
                                        struct buf *out, struct buf *content);

/*
 * XFORWARD values are forgotten as by Postfix, at RSET, EHLO and the end of
 * content, but only when the next command is read: until then they say whose
 * the transaction was.
 *
 * The answer to MAIL, RCPT, DATA or the end of content. 2xx (354 for DATA)
 * moves the state on; anything else leaves it, but the end of content always
 * ends the transaction. A 5xx that is SMTP_REPLY_OURS counts as an error of the
 * client; 4xx and what upstream says do not (lib/README, section 5). At the
 * last error 421 follows and the state is CLOSED; likewise when DATA is refused
 * and what came with it looks like content.
 */
enum smtp_reply_origin {
    SMTP_REPLY_OURS,
    SMTP_REPLY_UPSTREAM
};
void smtp_server_reply(struct smtp_server *server,
                       const struct smtp_reply *reply,
                       enum smtp_reply_origin origin, struct buf *out);

/* Say 421 with this text and close: deadline, shutdown, overload. Inside of
 * content nothing can be said: the caller closes. */
void smtp_server_close(struct smtp_server *server, struct slice text,
                       struct buf *out);

#endif
