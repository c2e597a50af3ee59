#include "httprequest.h"

static bool
is_target(struct slice target)
{
    if (target.len == 0 || target.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < target.len; i++)
        if (target.ptr[i] <= ' ' || target.ptr[i] > '~')
            return false;
    return true;
}

/* localhost, 127.0.0.1, [::1]: a name of DNS has a letter and is not
 * localhost. */
static bool
is_own_name(struct slice host)
{
    bool letter = false;

    if (host.len == 0 || host.ptr[0] == '[')
        return true;
    host = slice_head(host, slice_find(host, ':'));
    for (size_t i = 0; i < host.len; i++)
        letter = letter || !(ascii_is_digit(host.ptr[i]) || host.ptr[i] == '.');
    return !letter || slice_equal_nocase(host, SLICE_OF("localhost"));
}

static struct slice
cut_line(struct slice *rest)
{
    struct slice line = slice_cut(rest, '\n');

    if (line.len != 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* Without the request line: up to the empty line. */
static enum status_request
look_at_fields(struct slice rest)
{
    unsigned hosts = 0;

    while (slice_find(rest, '\n') < rest.len) {
        struct slice line = cut_line(&rest);
        if (line.len == 0)
            return STATUS_REQUEST_GET;
        struct slice value = line;
        struct slice name = slice_cut(&value, ':');
        if (name.len == 0 || name.len == line.len || name.ptr[0] == ' ' ||
            name.ptr[0] == '\t' || name.ptr[name.len - 1] == ' ')
            return STATUS_REQUEST_BAD;
        if (!slice_equal_nocase(name, SLICE_OF("host")))
            continue;
        if (++hosts > 1)
            return STATUS_REQUEST_BAD;
        if (!is_own_name(slice_trim(value)))
            return STATUS_REQUEST_FOREIGN;
    }
    return STATUS_REQUEST_MORE;
}

enum status_request
status_request_parse(struct slice octets, struct slice *path, bool *head)
{
    struct slice rest = octets;
    enum status_request result;

    if (slice_find(octets, '\n') == octets.len)
        return octets.len >= STATUS_REQUEST_MAX ? STATUS_REQUEST_BIG
                                                : STATUS_REQUEST_MORE;
    struct slice version = cut_line(&rest);
    struct slice method = slice_cut(&version, ' ');
    struct slice target = slice_cut(&version, ' ');
    if (!is_target(target) || !(slice_equal(version, SLICE_OF("HTTP/1.0")) ||
                                slice_equal(version, SLICE_OF("HTTP/1.1"))))
        return STATUS_REQUEST_BAD;
    result = look_at_fields(rest);
    if (result == STATUS_REQUEST_MORE && octets.len >= STATUS_REQUEST_MAX)
        return STATUS_REQUEST_BIG;
    if (result != STATUS_REQUEST_GET)
        return result;
    *head = slice_equal(method, SLICE_OF("HEAD"));
    if (!*head && !slice_equal(method, SLICE_OF("GET")))
        return STATUS_REQUEST_METHOD;
    *path = slice_head(target, slice_find(target, '?'));
    return STATUS_REQUEST_GET;
}
