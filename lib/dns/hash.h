/*
 * The place of a question in a table: SipHash-1-3 (Aumasson, Bernstein), so
 * that names which strangers choose cannot be made to meet in one place.
 */
#ifndef ONWARD_DNS_HASH_H
#define ONWARD_DNS_HASH_H

#include "dns.h"

struct dns_hash_key {
    uint64_t words[2];
};

void dns_hash_key_from(const unsigned char octets[16],
                       struct dns_hash_key *key);
uint64_t dns_hash(const struct dns_hash_key *key,
                  const struct dns_question *question);

#endif
