/* A reader of the two forms of RSA keys. OpenSSL's decoders try every kind of
 * key that there is, which takes four times as long as all the rest. */
#include "pubkey.h"

enum {
    INTEGER = 0x02,
    BIT_STRING = 0x03,
    OBJECT = 0x06,
    SEQUENCE = 0x30,
};

/* The value of the next element of *in, which is left after it. Lengths are
 * definite and of at most two octets. */
static bool
take(struct slice *in, unsigned char tag, struct slice *value)
{
    const unsigned char *at = (const unsigned char *)in->ptr;
    size_t head = 2;

    if (in->len < 2 || at[0] != tag)
        return false;
    size_t len = at[1];
    if (len >= 0x80) {
        size_t octets = len & 0x7f;
        if (octets == 0 || octets > 2 || in->len < 2 + octets)
            return false;
        len = 0;
        for (size_t i = 0; i < octets; i++)
            len = len << 8 | at[2 + i];
        head += octets;
    }
    if (in->len - head < len)
        return false;
    *value = (struct slice){ in->ptr + head, len };
    *in = slice_tail(*in, head + len);
    return true;
}

/* A positive number, without its leading zeros. */
static bool
take_number(struct slice *in, struct slice *number)
{
    if (!take(in, INTEGER, number) || number->len == 0 ||
        ((unsigned char)number->ptr[0] & 0x80) != 0)
        return false;
    while (number->len != 0 && number->ptr[0] == 0)
        *number = slice_tail(*number, 1);
    return number->len != 0;
}

/* RSAPublicKey (RFC 8017, A.1.1), the SEQUENCE already taken. */
static bool
take_numbers(struct slice key, struct slice *modulus, struct slice *exponent)
{
    return take_number(&key, modulus) && take_number(&key, exponent) &&
           key.len == 0;
}

/* The rest of SubjectPublicKeyInfo (RFC 5280, 4.1), its AlgorithmIdentifier
 * taken: no other algorithm than rsaEncryption, whose parameters are NULL. */
static bool
take_info(struct slice algorithm, struct slice info, struct slice *modulus,
          struct slice *exponent)
{
    static const struct slice rsa_encryption =
        SLICE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
    struct slice object = { 0 };
    struct slice bits = { 0 };
    struct slice key = { 0 };

    if (!take(&algorithm, OBJECT, &object) ||
        !slice_equal(object, rsa_encryption) ||
        (algorithm.len != 0 && !slice_equal(algorithm, SLICE_OF("\x05\0"))))
        return false;
    if (!take(&info, BIT_STRING, &bits) || bits.len == 0 || bits.ptr[0] != 0)
        return false;
    bits = slice_tail(bits, 1);
    return take(&bits, SEQUENCE, &key) && take_numbers(key, modulus, exponent);
}

bool
dkim_rsa_numbers(struct slice der, struct slice *modulus,
                 struct slice *exponent)
{
    struct slice key = { 0 };
    struct slice algorithm = { 0 };

    if (!take(&der, SEQUENCE, &key))
        return false;
    struct slice info = key;
    if (take(&info, SEQUENCE, &algorithm))
        return take_info(algorithm, info, modulus, exponent);
    return take_numbers(key, modulus, exponent);
}
