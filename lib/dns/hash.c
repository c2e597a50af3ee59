#include "hash.h"

#include <string.h>

static uint64_t
rotated(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void
sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotated(v[1], 13) ^ v[0];
    v[0] = rotated(v[0], 32);
    v[2] += v[3];
    v[3] = rotated(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotated(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotated(v[1], 17) ^ v[2];
    v[2] = rotated(v[2], 32);
}

void
dns_hash_key_from(const unsigned char octets[16], struct dns_hash_key *key)
{
    memcpy(key->words, octets, sizeof(key->words));
}

uint64_t
dns_hash(const struct dns_hash_key *key, const struct dns_question *question)
{
    uint64_t v[4] = { key->words[0] ^ 0x736f6d6570736575,
                      key->words[1] ^ 0x646f72616e646f6d,
                      key->words[0] ^ 0x6c7967656e657261,
                      key->words[1] ^ 0x7465646279746573 };
    struct slice name = question->name;
    uint64_t last = (uint64_t)question->type << 56 ^ (uint64_t)name.len << 48;

    while (name.len >= 8) {
        uint64_t word;

        memcpy(&word, name.ptr, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
        name = slice_tail(name, 8);
    }
    for (size_t i = 0; i < name.len; i++)
        last ^= (uint64_t)(unsigned char)name.ptr[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
