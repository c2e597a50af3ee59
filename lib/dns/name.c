#include "name.h"

#include <assert.h>
#include <string.h>

enum {
    POINTER = 0xC0,
    /* A name has at most 127 labels, and a pointer stands for at least one. */
    POINTERS_MAX = 127,
};

bool
dns_name_is_askable(struct slice name)
{
    if (name.len == 0 || name.len > DNS_NAME_MAX)
        return false;
    for (;;) {
        const size_t label = slice_find(name, '.');

        if (label == 0 || label > DNS_LABEL_MAX)
            return false;
        if (label == name.len)
            return true;
        name = slice_tail(name, label + 1);
    }
}

bool
dns_question_equal(const struct dns_question *a, const struct dns_question *b)
{
    return a->type == b->type && slice_equal(a->name, b->name);
}

void
dns_wire_from(struct slice name, struct dns_wire *wire)
{
    assert(dns_name_is_askable(name));
    wire->len = 0;
    while (name.len != 0) {
        const struct slice label = slice_cut(&name, '.');

        wire->octets[wire->len++] = (unsigned char)label.len;
        memcpy(wire->octets + wire->len, label.ptr, label.len);
        wire->len += label.len;
    }
    wire->octets[wire->len++] = 0;
}

static unsigned char
octet(struct slice message, size_t at)
{
    return (unsigned char)message.ptr[at];
}

static void
add_label(struct dns_wire *wire, const char *label, size_t len)
{
    wire->octets[wire->len++] = (unsigned char)len;
    for (size_t i = 0; i < len; i++)
        wire->octets[wire->len++] = (unsigned char)ascii_lower(label[i]);
}

bool
dns_wire_read(struct slice message, size_t *at, struct dns_wire *wire)
{
    size_t from = *at; /* where the octets that are being read began */
    size_t here = *at;
    unsigned pointers = 0;

    wire->len = 0;
    while (here < message.len) {
        const unsigned len = octet(message, here);

        if (len == 0) {
            if (pointers == 0)
                *at = here + 1;
            wire->octets[wire->len++] = 0;
            return true;
        }
        if ((len & POINTER) == POINTER) {
            if (message.len - here < 2)
                return false;
            /* What a pointer leads to stands before the octets that it ends,
             * so each leads further back and none leads in a circle. */
            const size_t to = (size_t)(len & ~(unsigned)POINTER) << 8 |
                              octet(message, here + 1);
            if (to >= from || ++pointers > POINTERS_MAX)
                return false;
            if (pointers == 1)
                *at = here + 2;
            from = here = to;
            continue;
        }
        /* One octet stays free for the final 0. */
        if (len > DNS_LABEL_MAX || message.len - here - 1 < len ||
            wire->len + 1 + len >= DNS_WIRE_MAX)
            return false;
        add_label(wire, message.ptr + here + 1, len);
        here += 1 + len;
    }
    return false;
}

bool
dns_wire_skip(struct slice message, size_t *at)
{
    size_t here = *at;

    while (here < message.len) {
        const unsigned len = octet(message, here);

        if ((len & POINTER) == POINTER || len == 0) {
            *at = here + (len == 0 ? 1 : 2);
            return *at <= message.len;
        }
        if (len > DNS_LABEL_MAX)
            return false;
        here += 1 + len;
    }
    return false;
}

bool
dns_wire_equal(const struct dns_wire *a, const struct dns_wire *b)
{
    return a->len == b->len && memcmp(a->octets, b->octets, a->len) == 0;
}

bool
dns_wire_text(const struct dns_wire *wire, char text[DNS_WIRE_MAX], size_t *len)
{
    *len = 0;
    for (size_t at = 0; wire->octets[at] != 0;) {
        const size_t label = wire->octets[at++];

        if (memchr(wire->octets + at, '.', label) != NULL)
            return false;
        if (*len != 0)
            text[(*len)++] = '.';
        memcpy(text + *len, wire->octets + at, label);
        *len += label;
        at += label;
    }
    return true;
}
