/*
 * A listening socket for this host alone, loopback or unix: what the HTTP
 * listener and the socketmap server have in common. Bound by us, or inherited
 * from systemd by its name.
 */
#ifndef ONWARD_LOCAL_H
#define ONWARD_LOCAL_H

#include "conn.h"
#include "sockets.h"

struct local {
    union {
        uv_handle_t handle; /* handle.data: the owner's */
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    enum conn_kind kind;
    struct conf_listener conf; /* as at start; its slices in the arena */
    struct arena arena;
    bool made; /* the unix socket is ours to remove */
};

struct local_wish {
    struct slice name; /* systemd's, and for words */
    const struct conf_address *address;
    unsigned mode; /* of a unix socket */
};

/*
 * False: it could not be bound, and there is no handle; local_free all the
 * same. True: the handle exists and wants local_close. Either way why is a
 * sentence if something is wrong.
 */
bool local_open(struct local *local, uv_loop_t *loop,
                struct inherited *inherited, const struct local_wish *wish,
                struct buf *why);

/* Takes the next connection into conn, which was set up for local->kind.
 * False: none, or it does not come from this host; the caller closes. */
bool local_accept(struct local *local, struct conn *conn);

void local_close(struct local *local); /* no callback: free after the loop */
void local_free(struct local *local);

#endif
