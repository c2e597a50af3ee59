#include "field.h"
#include "key.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

bool
dkim_key_public(const struct dkim_key *key, struct buf *out)
{
    unsigned char raw[DKIM_ED25519_KEY];
    size_t raw_len = sizeof(raw);
    unsigned char *der = NULL;
    int len = 0;

    switch (key->algorithm) {
    case DKIM_RSA_SHA256:
        len = i2d_PUBKEY(key->pkey, &der);
        if (len <= 0)
            return false;
        buf_append(out, (struct slice){ (const char *)der, (size_t)len });
        OPENSSL_free(der);
        return true;
    case DKIM_ED25519_SHA256:
        if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &raw_len) != 1)
            return false;
        buf_append(out, (struct slice){ (const char *)raw, raw_len });
        return true;
    }
    return false;
}

bool
dkim_key_record(const struct dkim_key *key, struct buf *out)
{
    struct buf octets = { 0 };
    bool ok = dkim_key_public(key, &octets);

    if (ok) {
        buf_puts(out, key->algorithm == DKIM_RSA_SHA256
                          ? "v=DKIM1; k=rsa; p="
                          : "v=DKIM1; k=ed25519; p=");
        ok = dkim_base64(buf_slice(&octets), out);
    }
    buf_free(&octets);
    return ok;
}
