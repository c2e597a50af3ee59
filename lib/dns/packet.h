/* The header of a message and the fixed part of a record (RFC 1035, 4.1). */
#ifndef ONWARD_DNS_PACKET_H
#define ONWARD_DNS_PACKET_H

#include "dns.h"

enum {
    DNS_HEADER = 12,
    DNS_CLASS_IN = 1,
    DNS_SOA = 6,
    DNS_OPT = 41,
};

/* Bits of the two octets of flags. */
enum {
    DNS_QR = 0x8000, /* an answer */
    DNS_OPCODE = 0x7800,
    DNS_AA = 0x0400, /* from the authority itself */
    DNS_TC = 0x0200, /* truncated */
    DNS_RD = 0x0100, /* recursion wanted */
    DNS_RA = 0x0080, /* recursion to be had */
    DNS_AD = 0x0020, /* checked by DNSSEC */
    DNS_RCODE = 0x000F,
};

#endif
