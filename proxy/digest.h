/* SHA-256 of a file, as sha256sum(1) prints it. */
#ifndef ONWARD_DIGEST_H
#define ONWARD_DIGEST_H

#include <stdbool.h>

enum {
    DIGEST_HEX = 64
};

/* Of all octets of the file, wherever its offset stands. hex ends with a NUL.
 * False: it cannot be read, or OpenSSL failed. */
bool digest_file(int fd, char hex[DIGEST_HEX + 1]);

#endif
