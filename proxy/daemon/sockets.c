#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    FIRST_INHERITED = 3, /* SD_LISTEN_FDS_START */
    INHERITED_MAX = 256,
    UNIX_MODE = 0660,
};

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_storage storage;
};

/* ---- addresses --------------------------------------------------------- */

/* 0: not an address. */
static socklen_t
address_of(const struct conf_address *from, union address *to)
{
    struct buf host = { 0 };
    socklen_t size = 0;

    memset(to, 0, sizeof(*to));
    if (from->kind == CONF_UNIX) {
        if (from->path.len >= sizeof(to->un.sun_path))
            return 0;
        to->un.sun_family = AF_UNIX;
        memcpy(to->un.sun_path, from->path.ptr, from->path.len);
        return sizeof(to->un);
    }
    buf_append(&host, from->host);
    if (inet_pton(AF_INET, buf_cstr(&host), &to->in.sin_addr) == 1) {
        to->in.sin_family = AF_INET;
        to->in.sin_port = htons((uint16_t)from->port);
        size = sizeof(to->in);
    } else if (inet_pton(AF_INET6, buf_cstr(&host), &to->in6.sin6_addr) == 1) {
        to->in6.sin6_family = AF_INET6;
        to->in6.sin6_port = htons((uint16_t)from->port);
        size = sizeof(to->in6);
    }
    buf_free(&host);
    return size;
}

bool
socket_address_bytes(const struct sockaddr *peer, unsigned char address[16])
{
    static const unsigned char mapped[12] = { [10] = 0xFF, [11] = 0xFF };

    if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)peer;
        memcpy(address, mapped, sizeof(mapped));
        memcpy(address + sizeof(mapped), &in->sin_addr, 4);
        return true;
    }
    if (peer->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)peer;
        memcpy(address, &in6->sin6_addr, 16);
        return true;
    }
    return false;
}

bool
socket_is_within(const unsigned char address[16],
                 const struct conf_network *network)
{
    unsigned whole = network->bits / 8;
    unsigned rest = network->bits % 8;

    if (memcmp(address, network->address, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    return ((address[whole] ^ network->address[whole]) >> (8 - rest)) == 0;
}

bool
socket_is_loopback(const unsigned char address[16])
{
    static const struct conf_network four = {
        .address = { [10] = 0xFF, [11] = 0xFF, [12] = 127 }, .bits = 104
    };
    static const struct conf_network six = { .address = { [15] = 1 },
                                             .bits = 128 };

    return socket_is_within(address, &four) || socket_is_within(address, &six);
}

/* ---- inherited --------------------------------------------------------- */

static bool
number_of(const char *variable, uint64_t *number)
{
    return slice_to_u64(slice_from(getenv(variable)), number);
}

void
inherited_take(struct inherited *inherited)
{
    struct slice names = slice_from(getenv("LISTEN_FDNAMES"));
    uint64_t pid, count;

    *inherited = (struct inherited){ 0 };
    if (number_of("LISTEN_PID", &pid) && pid == (uint64_t)getpid() &&
        number_of("LISTEN_FDS", &count) && count <= INHERITED_MAX) {
        inherited->sockets =
            mem_alloc((count + 1) * sizeof(*inherited->sockets));
        inherited->count = count;
    }
    for (size_t i = 0; i < inherited->count; i++) {
        int fd = FIRST_INHERITED + (int)i;
        inherited->sockets[i].fd = fd;
        inherited->sockets[i].name =
            arena_copy(&inherited->arena, slice_cut(&names, ':'));
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    /* They are not for the programs that we run. */
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

static bool
is_bound_to(int fd, const struct conf_address *wanted)
{
    union address want, have;
    socklen_t size = sizeof(have), want_size = address_of(wanted, &want);

    memset(&have, 0, sizeof(have));
    if (want_size == 0 || getsockname(fd, &have.any, &size) != 0 ||
        have.any.sa_family != want.any.sa_family)
        return false;
    switch (have.any.sa_family) {
    case AF_INET:
        return have.in.sin_port == want.in.sin_port &&
               have.in.sin_addr.s_addr == want.in.sin_addr.s_addr;
    case AF_INET6:
        return have.in6.sin6_port == want.in6.sin6_port &&
               memcmp(&have.in6.sin6_addr, &want.in6.sin6_addr, 16) == 0;
    case AF_UNIX:
        return strcmp(have.un.sun_path, want.un.sun_path) == 0;
    default:
        return false;
    }
}

/* What is no listening socket of that family must not be taken for one. */
static bool
is_listening(int fd, const struct conf_address *wanted)
{
    union address have;
    socklen_t size = sizeof(have);
    int listening = 0;
    socklen_t length = sizeof(listening);

    if (getsockname(fd, &have.any, &size) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0)
        return false;
    return listening != 0 &&
           (have.any.sa_family == AF_UNIX) == (wanted->kind == CONF_UNIX);
}

int
inherited_find(struct inherited *inherited,
               const struct conf_listener *listener)
{
    for (int by_name = 1; by_name >= 0; by_name--)
        for (size_t i = 0; i < inherited->count; i++) {
            struct inherited_socket *have = &inherited->sockets[i];
            int fd = have->fd;
            if (fd < 0 || !is_listening(fd, &listener->address))
                continue;
            if (by_name ? slice_equal(have->name, listener->name)
                        : is_bound_to(fd, &listener->address)) {
                have->fd = -1;
                return fd;
            }
        }
    return -1;
}

void
inherited_free(struct inherited *inherited, struct buf *unwanted)
{
    for (size_t i = 0; i < inherited->count; i++)
        if (inherited->sockets[i].fd >= 0) {
            close(inherited->sockets[i].fd);
            buf_printf(unwanted, "%s%.*s", unwanted->len != 0 ? ", " : "",
                       SLICE_ARG(inherited->sockets[i].name));
        }
    free(inherited->sockets);
    arena_free(&inherited->arena);
}

/* ---- our own ----------------------------------------------------------- */

/* Somebody listens at that path? */
static bool
is_alive(const union address *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive;

    if (fd < 0)
        return true; /* not known: leave it alone */
    alive = connect(fd, &address->any, sizeof(address->un)) == 0 ||
            (errno != ECONNREFUSED && errno != ENOENT);
    close(fd);
    return alive;
}

static bool
bind_unix(int fd, const union address *address)
{
    struct stat st;
    /* Nobody connects before group and mode are what they should be. */
    mode_t mask = umask(0777);
    int error = bind(fd, &address->any, sizeof(address->un)) == 0 ? 0 : errno;

    /* Left behind by a process that was killed: nobody listens there. */
    if (error == EADDRINUSE && !is_alive(address) &&
        lstat(address->un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
        unlink(address->un.sun_path) == 0)
        error = bind(fd, &address->any, sizeof(address->un)) == 0 ? 0 : errno;
    umask(mask);
    errno = error;
    return error == 0;
}

static bool
set_access(const struct conf_listener *listener, const union address *address,
           struct buf *why)
{
    mode_t mode = listener->mode != 0 ? listener->mode : UNIX_MODE;

    if (listener->group.len != 0) {
        struct buf name = { 0 };
        buf_append(&name, listener->group);
        const struct group *group = getgrnam(buf_cstr(&name));
        buf_free(&name);
        if (group == NULL) {
            buf_puts(why, "there is no such group: ");
            buf_append(why, listener->group);
            return false;
        }
        if (chown(address->un.sun_path, (uid_t)-1, group->gr_gid) != 0) {
            buf_printf(why, "cannot give it to group %.*s: %s",
                       SLICE_ARG(listener->group), strerror(errno));
            return false;
        }
    }
    if (chmod(address->un.sun_path, mode) != 0) {
        buf_puts(why, strerror(errno));
        return false;
    }
    return true;
}

static bool
bind_tcp(int fd, const struct conf_listener *listener,
         const union address *address, socklen_t size)
{
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (listener->reuse_port &&
         setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        (address->any.sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0))
        return false;
    return bind(fd, &address->any, size) == 0;
}

int
socket_bind(const struct conf_listener *listener, struct buf *why)
{
    union address address;
    socklen_t size = address_of(&listener->address, &address);
    int fd;
    bool ok;

    if (size == 0) {
        buf_puts(why, "not an address");
        return -1;
    }
    fd = socket(address.any.sa_family,
                SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        buf_puts(why, strerror(errno));
        return -1;
    }
    ok = listener->address.kind == CONF_UNIX
             ? bind_unix(fd, &address)
             : bind_tcp(fd, listener, &address, size);
    if (!ok)
        buf_puts(why, strerror(errno));
    else if (listener->address.kind == CONF_UNIX &&
             !set_access(listener, &address, why)) {
        unlink(address.un.sun_path);
        ok = false;
    }
    if (ok)
        return fd;
    close(fd);
    return -1;
}
