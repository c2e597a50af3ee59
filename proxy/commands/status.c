/*
 * `status`: what the running process says of itself, asked at its HTTP
 * listener. The answers are the process's; this only asks and prints.
 */
#include "commands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    PATIENCE = 5, /* seconds */
    ANSWER_MAX = 4 * 1024 * 1024
};

static int
open_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = { .tv_sec = PATIENCE };

    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    }
    return fd;
}

static int
connect_or_close(int fd, const struct sockaddr *address, socklen_t size)
{
    if (fd >= 0 && connect(fd, address, size) == 0)
        return fd;
    if (fd >= 0) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return -1;
}

static int
dial(const struct conf_address *address)
{
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    struct sockaddr_in four = { .sin_family = AF_INET };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
    struct buf host = { 0 };
    int fd = -1;

    if (address->kind == CONF_UNIX) {
        if (address->path.len >= sizeof(local.sun_path)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(local.sun_path, address->path.ptr, address->path.len);
        return connect_or_close(open_socket(AF_UNIX), (struct sockaddr *)&local,
                                sizeof(local));
    }
    errno = EINVAL; /* no numeric address */
    buf_append(&host, address->host);
    four.sin_port = six.sin6_port = htons((uint16_t)address->port);
    if (inet_pton(AF_INET, buf_cstr(&host), &four.sin_addr) == 1)
        fd = connect_or_close(open_socket(AF_INET), (struct sockaddr *)&four,
                              sizeof(four));
    else if (inet_pton(AF_INET6, buf_cstr(&host), &six.sin6_addr) == 1)
        fd = connect_or_close(open_socket(AF_INET6), (struct sockaddr *)&six,
                              sizeof(six));
    buf_free(&host);
    return fd;
}

/* The body of what is at the path. */
static bool
fetch(const struct conf_address *address, const char *path, struct buf *body)
{
    struct buf request = { 0 };
    char octets[8192];
    ssize_t count = -1;
    int fd = dial(address);
    bool sent;

    if (fd < 0)
        return false;
    buf_printf(&request, "GET %s HTTP/1.0\r\n\r\n", path);
    sent = send(fd, request.ptr, request.len, MSG_NOSIGNAL) ==
           (ssize_t)request.len;
    buf_free(&request);
    buf_clear(body);
    while (sent && (count = recv(fd, octets, sizeof(octets), 0)) != 0) {
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 || body->len > ANSWER_MAX)
            break;
        buf_append(body, (struct slice){ octets, (size_t)count });
    }
    int error = !sent || count < 0 ? errno : EPROTO;
    close(fd);
    sent = sent && count == 0;
    for (size_t i = 3; sent && i < body->len; i++)
        if (memcmp(body->ptr + i - 3, "\r\n\r\n", 4) == 0) {
            sent =
                slice_starts_nocase(buf_slice(body), SLICE_OF("HTTP/1.1 200 "));
            buf_drop(body, i + 1);
            return sent;
        }
    errno = error;
    return false;
}

/* The first line of the screen ends with the verdict; JSON has "ready". */
static int
verdict(struct slice body, bool json)
{
    struct slice line = slice_cut(&body, '\n');

    if (!json)
        return slice_ends_nocase(line, SLICE_OF("NOT READY")) ? CLI_NO : CLI_OK;
    for (size_t i = 0; i < line.len; i++)
        if (slice_starts_nocase(slice_tail(line, i),
                                SLICE_OF("\"ready\":true")) ||
            slice_starts_nocase(slice_tail(line, i),
                                SLICE_OF("\"ready\": true")))
            return CLI_OK;
    return CLI_NO;
}

static void
complain(const struct conf_address *address, int error)
{
    const char *why = strerror(error);

    switch (error) {
    case ENOENT:
    case ECONNREFUSED:
        cli_error("not running: nobody answers at %.*s: %s",
                  SLICE_ARG(address->text), why);
        break;
    case EACCES:
        cli_error("%.*s: %s: ask as root or as a member of the group onward",
                  SLICE_ARG(address->text), why);
        break;
    case EAGAIN: /* PATIENCE is over */
        cli_error("it hangs: no answer at %.*s within %d s",
                  SLICE_ARG(address->text), PATIENCE);
        break;
    default:
        cli_error("no answer of Onward at %.*s: %s", SLICE_ARG(address->text),
                  why);
        break;
    }
}

static int
show(const struct conf_address *address, bool json, bool redraw)
{
    struct buf body = { 0 }, shown = { 0 };
    int status = CLI_UNREACHABLE;

    if (redraw)
        fputs("\033[H\033[J", stdout);
    if (fetch(address, json ? "/status" : "/status.txt", &body)) {
        /* A stranger's program may hold the port while the daemon is down. */
        cli_show(&shown, json ? LOG_ESCAPE_JSON : LOG_ESCAPE_TEXT,
                 buf_slice(&body));
        cli_print(stdout, buf_slice(&shown));
        status = verdict(buf_slice(&body), json);
    } else {
        complain(address, errno);
    }
    fflush(stdout);
    buf_free(&shown);
    buf_free(&body);
    return status;
}

/*
 * Where to ask. The configuration is not loaded: it may be wrong by now, its
 * tables large, its secrets for the process alone to read.
 */
static bool
find_listener(const struct cli *cli, struct arena *arena,
              struct conf_address *address, int *status)
{
    struct buf listen = { 0 };
    const char *why = NULL;
    bool found = false;

    if (!conf_peek(cli->conf_path, "http.listen", &listen)) {
        /* Says what is wrong with the file. */
        conf_unref(cli_load(cli));
        *status = CLI_BAD_CONF;
    } else if (listen.len == 0) {
        cli_error("http.listen is off: there is nobody to ask");
        *status = CLI_UNREACHABLE;
    } else if (!conf_parse_address(buf_slice(&listen), arena, address, &why)) {
        cli_error("http.listen: \"%s\": %s", buf_cstr(&listen), why);
        *status = CLI_BAD_CONF;
    } else {
        found = true;
    }
    buf_free(&listen);
    return found;
}

int
command_status(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "watch", no_argument, NULL, 'w' },
        { NULL, 0, NULL, 0 },
    };
    bool json = false, watch = false;
    int letter, status;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter == 'j')
            json = true;
        else if (letter == 'w')
            watch = true;
        else
            return CLI_USAGE;
    }
    if (optind != argc || (json && watch))
        return cli_usage(argv[0]);
    struct conf_address address;
    struct arena arena = { 0 };
    if (!find_listener(cli, &arena, &address, &status)) {
        arena_free(&arena);
        return status;
    }
    do {
        status = show(&address, json, watch && isatty(STDOUT_FILENO));
        if (watch)
            sleep(2);
    } while (watch && !ferror(stdout));
    arena_free(&arena);
    return status;
}
