#include "parts.h"
#include "srs_conf.h"

#include <string.h>

static void
turn_to(struct srs_guesses *guesses, int64_t now)
{
    if (guesses->minute == now / 60)
        return;
    *guesses = (struct srs_guesses){ .minute = now / 60 };
}

bool
srs_guesses_block(struct srs_guesses *guesses, int64_t now, unsigned max,
                  struct slice local)
{
    struct srs_parts parts;

    turn_to(guesses, now);
    if (guesses->count < max)
        return false;
    if (!srs_has_tag(local))
        return true;
    srs_parts_split(local, &parts);
    return parts.hash.len < SRS_HASH_UNLIMITED;
}

void
srs_guesses_add(struct srs_guesses *guesses, const struct srs_conf *conf,
                int64_t now, struct slice address)
{
    unsigned char digest[SRS_DIGEST];
    uint64_t mark = 0;

    turn_to(guesses, now);
    /* Keyed, so that nobody can choose addresses that look like one. */
    if (srs_mac_digest(conf->keys, SLICE_OF("onward-guess"), address, digest))
        memcpy(&mark, digest, sizeof(mark));
    uint64_t *seen = &guesses->seen[mark % SRS_GUESSES_SEEN];
    if (mark != 0 && *seen == mark)
        return;
    *seen = mark;
    guesses->count++;
}
