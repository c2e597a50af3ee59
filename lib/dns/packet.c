#include "packet.h"

#include "name.h"

#include <string.h>

static size_t
put(unsigned char *to, unsigned number)
{
    to[0] = (unsigned char)(number >> 8);
    to[1] = (unsigned char)number;
    return 2;
}

size_t
dns_packet_write(uint16_t id, const struct dns_question *question,
                 enum dns_edns edns, unsigned char packet[DNS_QUERY_MAX])
{
    struct dns_wire name;
    size_t len = 0;

    dns_wire_from(question->name, &name);
    len += put(packet + len, id);
    /* AD says that we would understand it in the answer (RFC 6840, 5.7). */
    len += put(packet + len, DNS_RD | DNS_AD);
    len += put(packet + len, 1); /* questions */
    len += put(packet + len, 0);
    len += put(packet + len, 0);
    len += put(packet + len, edns == DNS_WITH_EDNS); /* additional records */
    memcpy(packet + len, name.octets, name.len);
    len += name.len;
    len += put(packet + len, question->type);
    len += put(packet + len, DNS_CLASS_IN);
    if (edns == DNS_WITHOUT_EDNS)
        return len;
    packet[len++] = 0; /* the root: the name of every OPT */
    len += put(packet + len, DNS_OPT);
    len += put(packet + len, DNS_UDP_MAX); /* instead of a class */
    len += put(packet + len, 0);           /* extended RCODE, version */
    len += put(packet + len, 0);           /* flags */
    len += put(packet + len, 0);           /* length of its options */
    return len;
}
