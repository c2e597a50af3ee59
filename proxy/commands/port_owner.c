#include "port_owner.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LISTENING = 0x0A, /* in the column st of /proc/net/tcp */
    LINE_MAX_LENGTH = 512,
};

/* The address column is the octets in host order of 32-bit words. */
static bool
is_address(const char *hex, const struct conf_address *address)
{
    unsigned char want[16] = { 0 };
    unsigned words[4];
    struct buf host = { 0 };
    size_t count = strlen(hex) / 8;
    bool any = strspn(hex, "0") == strlen(hex);
    bool same = false;

    if (count != 1 && count != 4)
        return false;
    buf_append(&host, address->host);
    int family =
        slice_find(address->host, ':') < address->host.len ? AF_INET6 : AF_INET;
    if (inet_pton(family, buf_cstr(&host), want) == 1 &&
        (family == AF_INET) == (count == 1)) {
        for (size_t i = 0; i < count; i++)
            memcpy(&words[i], want + 4 * i, 4);
        same = true;
        for (size_t i = 0; i < count; i++) {
            char word[9];
            snprintf(word, sizeof(word), "%08X", words[i]);
            same = same && strncmp(word, hex + 8 * i, 8) == 0;
        }
    }
    buf_free(&host);
    return same || any;
}

/* The inode of the listening socket, 0 if there is none. */
static unsigned long
find_inode(const char *file, const struct conf_address *address)
{
    char line[LINE_MAX_LENGTH];
    unsigned long found = 0;
    FILE *table = fopen(file, "re");

    while (table != NULL && found == 0 &&
           fgets(line, sizeof(line), table) != NULL) {
        char host[33];
        unsigned port, state;
        unsigned long inode;
        if (sscanf(line, "%*s %32[0-9A-F]:%x %*s %x %*s %*s %*s %*s %*s %lu",
                   host, &port, &state, &inode) == 4 &&
            state == LISTENING && port == address->port &&
            is_address(host, address))
            found = inode;
    }
    if (table != NULL)
        fclose(table);
    return found;
}

static bool
holds(const char *pid, unsigned long inode)
{
    char path[300], link[64], want[64];
    bool found = false;

    snprintf(want, sizeof(want), "socket:[%lu]", inode);
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory != NULL && !found &&
           (entry = readdir(directory)) != NULL) {
        snprintf(path, sizeof(path), "/proc/%s/fd/%.20s", pid, entry->d_name);
        ssize_t n = readlink(path, link, sizeof(link) - 1);
        if (n <= 0)
            continue;
        link[n] = '\0';
        found = strcmp(link, want) == 0;
    }
    if (directory != NULL)
        closedir(directory);
    return found;
}

static void
name_owner(unsigned long inode, struct port_owner *owner)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    char path[300];

    while (processes != NULL && owner->pid == 0 &&
           (entry = readdir(processes)) != NULL) {
        if (!ascii_is_digit(entry->d_name[0]) || !holds(entry->d_name, inode))
            continue;
        owner->pid = strtol(entry->d_name, NULL, 10);
        snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        FILE *name = fopen(path, "re");
        if (name != NULL) {
            if (fgets(owner->program, sizeof(owner->program), name) == NULL)
                owner->program[0] = '\0';
            owner->program[strcspn(owner->program, "\n")] = '\0';
            fclose(name);
        }
    }
    if (processes != NULL)
        closedir(processes);
}

struct port_owner
port_owner(const struct conf_address *address)
{
    struct port_owner owner = { 0 };
    unsigned long inode = 0;

    if (address->kind != CONF_TCP)
        return owner;
    inode = find_inode("/proc/net/tcp", address);
    if (inode == 0)
        inode = find_inode("/proc/net/tcp6", address);
    owner.taken = inode != 0;
    if (owner.taken)
        name_owner(inode, &owner);
    return owner;
}

unsigned
port_find_free(unsigned from)
{
    struct conf_address address = { .kind = CONF_TCP,
                                    .host = SLICE_OF("127.0.0.1") };

    for (address.port = from; address.port < from + 1000; address.port++)
        if (find_inode("/proc/net/tcp", &address) == 0 &&
            find_inode("/proc/net/tcp6", &address) == 0)
            return address.port;
    return 0;
}
