#include "digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>

static bool
update_all(EVP_MD_CTX *md, int fd)
{
    unsigned char octets[65536];
    off_t position = 0;

    for (;;) {
        ssize_t n = pread(fd, octets, sizeof(octets), position);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        if (EVP_DigestUpdate(md, octets, (size_t)n) != 1)
            return false;
        position += n;
    }
}

bool
digest_file(int fd, char hex[DIGEST_HEX + 1])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    bool ok = false;
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        goto out;
    ok = update_all(md, fd) && EVP_DigestFinal_ex(md, hash, &len) == 1;
    for (unsigned i = 0; ok && i < DIGEST_HEX / 2; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
out:
    EVP_MD_CTX_free(md);
    return ok;
}
