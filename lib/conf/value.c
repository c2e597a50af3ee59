/* Durations, sizes, addresses and networks as people write them. */
#include "value.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* The longest path a unix socket can have on Linux, with its NUL. */
enum {
    UNIX_PATH_MAX = 108
};

struct unit {
    struct slice name;
    uint64_t factor;
};

static bool
parse_number_unit(struct slice text, const struct unit *units, size_t count,
                  uint64_t *value)
{
    size_t digits = 0;
    uint64_t number;

    while (digits < text.len && ascii_is_digit(text.ptr[digits]))
        digits++;
    if (!slice_to_u64(slice_head(text, digits), &number))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!slice_equal(slice_tail(text, digits), units[i].name))
            continue;
        if (number > UINT64_MAX / units[i].factor)
            return false;
        *value = number * units[i].factor;
        return true;
    }
    return false;
}

bool
conf_parse_duration(struct slice text, uint64_t *milliseconds)
{
    static const struct unit units[] = {
        { SLICE("ms"), 1 },       { SLICE("s"), 1000 },
        { SLICE("m"), 60000 },    { SLICE("h"), 3600000 },
        { SLICE("d"), 86400000 },
    };

    return parse_number_unit(text, units, sizeof(units) / sizeof(units[0]),
                             milliseconds);
}

bool
conf_parse_size(struct slice text, uint64_t *octets)
{
    static const struct unit units[] = {
        { SLICE(""), 1 },
        { SLICE("K"), UINT64_C(1) << 10 },
        { SLICE("M"), UINT64_C(1) << 20 },
        { SLICE("G"), UINT64_C(1) << 30 },
    };

    return parse_number_unit(text, units, sizeof(units) / sizeof(units[0]),
                             octets);
}

static bool
parse_port(struct slice text, unsigned *port, const char **why)
{
    uint64_t number;

    if (!slice_to_u64(text, &number) || number > 65535) {
        *why = "the port is a number from 1 to 65535";
        return false;
    }
    if (number == 0) {
        *why = "port 0 is no port one can connect to; choose one";
        return false;
    }
    *port = (unsigned)number;
    return true;
}

/* The octets of a numeric address as IPv6; bits is 32 or 128. */
static bool
parse_ip(struct slice text, unsigned char octets[16], unsigned *bits)
{
    char copy[INET6_ADDRSTRLEN];

    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    memset(octets, 0, 16);
    if (inet_pton(AF_INET, copy, octets + 12) == 1) {
        octets[10] = octets[11] = 0xFF;
        *bits = 32;
        return true;
    }
    *bits = 128;
    return inet_pton(AF_INET6, copy, octets) == 1;
}

static struct slice
print_ip(const unsigned char octets[16], unsigned bits, struct arena *arena)
{
    char text[INET6_ADDRSTRLEN];

    if (bits == 32)
        inet_ntop(AF_INET, octets + 12, text, sizeof(text));
    else
        inet_ntop(AF_INET6, octets, text, sizeof(text));
    return arena_copy(arena, slice_from(text));
}

static bool
parse_unix(struct slice path, struct arena *arena, struct conf_address *address,
           const char **why)
{
    struct buf text = { 0 };

    if (path.len == 0 || path.ptr[0] != '/') {
        *why = "a unix socket has an absolute path: \"unix:/path\"";
        return false;
    }
    if (path.len >= UNIX_PATH_MAX) {
        *why = "the path of a unix socket has at most 107 octets";
        return false;
    }
    address->kind = CONF_UNIX;
    address->path = arena_copy(arena, path);
    buf_puts(&text, "unix:");
    buf_append(&text, path);
    address->text = arena_copy(arena, buf_slice(&text));
    buf_free(&text);
    return true;
}

bool
conf_parse_address(struct slice text, struct arena *arena,
                   struct conf_address *address, const char **why)
{
    static const struct slice scheme = SLICE("unix:");
    unsigned char octets[16];
    unsigned bits;
    size_t colon = slice_find_last(text, ':');
    struct slice host = slice_head(text, colon);

    *address = (struct conf_address){ .kind = CONF_TCP };
    if (slice_equal(slice_head(text, scheme.len), scheme))
        return parse_unix(slice_tail(text, scheme.len), arena, address, why);
    if (colon == text.len) {
        *why = "write \"host:port\", \"[::1]:port\" or \"unix:/path\"";
        return false;
    }
    bool brackets =
        host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (brackets)
        host = slice_head(slice_tail(host, 1), host.len - 2);
    if (slice_equal_nocase(host, SLICE_OF("localhost")))
        host = SLICE_OF("127.0.0.1");
    if (host.len == 0) {
        *why = "the address before the port is missing";
        return false;
    }
    if (!parse_ip(host, octets, &bits)) {
        if (slice_starts_nocase(host, SLICE_OF("inet:")))
            *why = "write it without \"inet:\"";
        else
            *why = "write the IP address instead of a host name: no name is "
                   "looked up";
        return false;
    }
    if (bits == 128 && !brackets) {
        *why = "an IPv6 address stands in brackets: \"[::1]:port\"";
        return false;
    }
    if (bits == 32 && brackets) {
        *why = "brackets are for IPv6 addresses only";
        return false;
    }
    if (!parse_port(slice_tail(text, colon + 1), &address->port, why))
        return false;
    struct buf all = { 0 };
    address->host = print_ip(octets, bits, arena);
    buf_printf(&all, bits == 128 ? "[%.*s]:%u" : "%.*s:%u",
               SLICE_ARG(address->host), address->port);
    address->text = arena_copy(arena, buf_slice(&all));
    buf_free(&all);
    return true;
}

bool
conf_parse_network(struct slice text, struct arena *arena,
                   struct conf_network *network, const char **why)
{
    size_t slash = slice_find(text, '/');
    struct slice host = slice_head(text, slash);
    unsigned bits;
    uint64_t prefix;

    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = slice_head(slice_tail(host, 1), host.len - 2);
    if (!parse_ip(host, network->address, &bits)) {
        *why = "write a network as \"192.0.2.0/24\" or \"2001:db8::/32\"";
        return false;
    }
    prefix = bits;
    if (slash < text.len &&
        (!slice_to_u64(slice_tail(text, slash + 1), &prefix) ||
         prefix > bits)) {
        *why = bits == 32 ? "the number behind / is 0 to 32"
                          : "the number behind / is 0 to 128";
        return false;
    }
    network->bits = (unsigned)prefix + 128 - bits;
    bool set = false;
    for (unsigned i = network->bits; i < 128; i++) {
        unsigned char bit = (unsigned char)(0x80 >> (i % 8));
        set |= (network->address[i / 8] & bit) != 0;
        network->address[i / 8] &= (unsigned char)~bit;
    }
    if (set) {
        struct buf said = { 0 };
        struct slice right = print_ip(network->address, bits, arena);
        buf_printf(&said,
                   "has bits behind the prefix; did you mean \"%.*s/%u\"?",
                   SLICE_ARG(right), (unsigned)prefix);
        *why = arena_cstr(arena, buf_slice(&said));
        buf_free(&said);
        return false;
    }
    return true;
}

bool
conf_address_is_loopback(const struct conf_address *address)
{
    unsigned char octets[16];
    unsigned bits;

    if (address->kind == CONF_UNIX)
        return true;
    if (!parse_ip(address->host, octets, &bits))
        return false;
    static const unsigned char mapped[12] = { [10] = 0xFF, [11] = 0xFF };
    if (memcmp(octets, mapped, sizeof(mapped)) == 0)
        return octets[12] == 127;
    static const unsigned char one[16] = { [15] = 1 };
    return memcmp(octets, one, sizeof(one)) == 0;
}

bool
conf_address_is_any(const struct conf_address *address)
{
    return address->kind == CONF_TCP &&
           (slice_equal(address->host, SLICE_OF("0.0.0.0")) ||
            slice_equal(address->host, SLICE_OF("::")));
}

bool
conf_address_overlaps(const struct conf_address *a,
                      const struct conf_address *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == CONF_UNIX)
        return slice_equal(a->path, b->path);
    if (a->port != b->port)
        return false;
    return slice_equal(a->host, b->host) ||
           (conf_address_is_any(a) &&
            (conf_address_is_any(b) || conf_address_is_loopback(b))) ||
           (conf_address_is_any(b) && conf_address_is_loopback(a));
}
