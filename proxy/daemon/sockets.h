/*
 * Listening sockets: made, or inherited from systemd (sd_listen_fds(3)).
 */
#ifndef ONWARD_SOCKETS_H
#define ONWARD_SOCKETS_H

#include "conf.h"

/* The sockets that systemd passed, taken out of the environment. */
struct inherited {
    size_t count;
    struct inherited_socket {
        int fd; /* -1: taken */
        struct slice name;
    } * sockets;
    struct arena arena;
};
void inherited_take(struct inherited *inherited);
/* Closes those that nobody wanted; their names go to unwanted. */
void inherited_free(struct inherited *inherited, struct buf *unwanted);

/* The inherited socket of that name, or else the one that is bound to the
 * address; -1: none. */
int inherited_find(struct inherited *inherited,
                   const struct conf_listener *listener);

/* A bound socket, not listening yet. -1: a sentence in why. */
int socket_bind(const struct conf_listener *listener, struct buf *why);

/* A peer's address as IPv6, IPv4 as ::ffff:a.b.c.d. */
struct sockaddr;
bool socket_address_bytes(const struct sockaddr *peer,
                          unsigned char address[16]);
bool socket_is_loopback(const unsigned char address[16]);
bool socket_is_within(const unsigned char address[16],
                      const struct conf_network *network);

#endif
