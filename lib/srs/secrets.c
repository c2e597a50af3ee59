#include "srs.h"

bool
srs_secrets_parse(struct slice text, struct slice *secrets, size_t max,
                  size_t *count, unsigned *line, const char **why)
{
    *count = 0;
    *line = 0;
    while (text.len != 0) {
        struct slice secret = slice_cut(&text, '\n');

        (*line)++;
        while (secret.len != 0 && secret.ptr[secret.len - 1] == '\r')
            secret.len--;
        if (secret.len == 0)
            continue;
        *why = NULL;
        if (slice_find(secret, '\0') != secret.len)
            *why = "a NUL octet in the secret";
        else if (secret.len < SRS_SECRET_MIN)
            *why = "the secret is shorter than 16 octets; make one with: "
                   "openssl rand -base64 24";
        else if (secret.len > SRS_SECRET_MAX)
            *why = "the secret is longer than 256 octets";
        else if (*count == max)
            *why = "too many secrets";
        if (*why != NULL)
            return false;
        secrets[(*count)++] = secret;
    }
    if (*count != 0)
        return true;
    *why = "there is no secret";
    return false;
}
