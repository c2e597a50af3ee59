/*
 * Inside of the server engine: what a command line does in which state.
 */
#ifndef ONWARD_SMTP_VERBS_H
#define ONWARD_SMTP_VERBS_H

#include "server.h"

/* What one call of smtp_server_take works with. */
struct smtp_turn {
    struct smtp_server *server;
    struct slice argument;
    size_t behind; /* octets that stand behind the line */
    bool suspect;  /* it came behind a DATA that was refused */
    struct arena *arena;
    struct smtp_request *request;
    struct buf *out;
};

/* Do what the line says, or refuse it. line: without its CRLF. */
enum smtp_server_event smtp_turn_obey(struct smtp_turn *turn,
                                      struct slice line);

/* A refusal of ours. 5xx is an error of the client, 4xx our own trouble. */
enum smtp_server_event smtp_turn_refuse(struct smtp_turn *turn, unsigned code,
                                        const char *text);

/* At limits.errors 421 follows and the state is CLOSED. */
void smtp_turn_count_error(struct smtp_turn *turn);

/* The last reply of the session. */
enum smtp_server_event smtp_turn_close(struct smtp_turn *turn, unsigned code,
                                       const char *text);

#endif
