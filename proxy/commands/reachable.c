#include "reachable.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

union any {
    struct sockaddr plain;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    struct sockaddr_un path;
};

/* Length; 0: no such address. */
static socklen_t
fill(const struct conf_address *address, union any *to)
{
    struct buf text = { 0 };
    socklen_t size = 0;

    *to = (union any){ 0 };
    buf_append(&text,
               address->kind == CONF_UNIX ? address->path : address->host);
    const char *name = buf_cstr(&text);
    if (address->kind == CONF_UNIX) {
        to->path.sun_family = AF_UNIX;
        if (text.len < sizeof(to->path.sun_path)) {
            memcpy(to->path.sun_path, name, text.len);
            size = sizeof(to->path);
        }
    } else if (inet_pton(AF_INET, name, &to->four.sin_addr) == 1) {
        to->four.sin_family = AF_INET;
        to->four.sin_port = htons((uint16_t)address->port);
        size = sizeof(to->four);
    } else if (inet_pton(AF_INET6, name, &to->six.sin6_addr) == 1) {
        to->six.sin6_family = AF_INET6;
        to->six.sin6_port = htons((uint16_t)address->port);
        size = sizeof(to->six);
    }
    buf_free(&text);
    return size;
}

bool
reachable(const struct conf_address *address)
{
    const struct timeval limit = { .tv_sec = 3 };
    union any to;
    socklen_t size = fill(address, &to);
    int fd;

    if (size == 0)
        return false;
    fd = socket(to.plain.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    bool ok = connect(fd, &to.plain, size) == 0;
    close(fd);
    return ok;
}
