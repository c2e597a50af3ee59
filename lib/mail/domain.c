#include "domain.h"

#include "from.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

enum {
    DOMAIN_MAX = 253,
    LABEL_MAX = 63,
    /* U-labels take more octets than the A-labels that they become. */
    WRITTEN_MAX = 4 * DOMAIN_MAX,
};

static bool
is_host_name(struct slice s)
{
    if (s.len == 0 || s.len > DOMAIN_MAX)
        return false;
    for (;;) {
        size_t len = slice_find(s, '.');
        if (len == 0 || len > LABEL_MAX || s.ptr[0] == '-' ||
            s.ptr[len - 1] == '-')
            return false;
        for (size_t i = 0; i < len; i++)
            if (!ascii_is_alnum(s.ptr[i]) && s.ptr[i] != '-' && s.ptr[i] != '_')
                return false;
        if (len == s.len)
            return true;
        s = slice_tail(s, len + 1);
    }
}

static enum mail_domain_status
fold(struct slice name, struct arena *arena, struct slice *domain)
{
    if (!is_host_name(name))
        return MAIL_DOMAIN_BAD;
    char *lower = arena_try(arena, name.len);
    if (lower == NULL)
        return MAIL_DOMAIN_NO_MEMORY;
    for (size_t i = 0; i < name.len; i++)
        lower[i] = ascii_lower(name.ptr[i]);
    *domain = (struct slice){ lower, name.len };
    return MAIL_DOMAIN_OK;
}

static int
to_a_labels(const char *utf8, enum mail_domain_reading reading, char **ascii)
{
    /* IDNA is without case only for ASCII: the caller's letters are folded. */
    switch (reading) {
    case MAIL_DOMAIN_STRICT:
        /* No mapping (TR46): a name that is not valid as it stands, decomposed
         * for example, is one that others may look up differently. */
        return idn2_lookup_u8((const uint8_t *)utf8, (uint8_t **)ascii,
                              IDN2_NO_TR46 | IDN2_ALABEL_ROUNDTRIP);
    case MAIL_DOMAIN_MAPPED:
        return idn2_lookup_u8((const uint8_t *)utf8, (uint8_t **)ascii,
                              IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    }
    return IDN2_OK;
}

enum mail_domain_status
mail_domain_read(struct slice written, enum mail_domain_reading reading,
                 struct arena *arena, struct slice *domain)
{
    char utf8[WRITTEN_MAX + 1];
    char *ascii = NULL;
    bool is_ascii = true;

    for (size_t i = 0; i < written.len && is_ascii; i++)
        is_ascii = (unsigned char)written.ptr[i] < 128;
    if (is_ascii)
        return fold(written, arena, domain);
    if (written.len > WRITTEN_MAX)
        return MAIL_DOMAIN_BAD;
    for (size_t i = 0; i < written.len; i++)
        utf8[i] = ascii_lower(written.ptr[i]);
    utf8[written.len] = '\0';
    int error = to_a_labels(utf8, reading, &ascii);
    if (error == IDN2_MALLOC)
        return MAIL_DOMAIN_NO_MEMORY;
    if (error != IDN2_OK)
        return MAIL_DOMAIN_BAD;
    enum mail_domain_status status = fold(slice_from(ascii), arena, domain);
    idn2_free(ascii);
    return status;
}

bool
mail_domain_a_labels(struct slice written, struct arena *arena,
                     struct slice *domain)
{
    return (written.len == 0 ||
            memchr(written.ptr, '\0', written.len) == NULL) &&
           mail_domain_read(written, MAIL_DOMAIN_STRICT, arena, domain) ==
               MAIL_DOMAIN_OK;
}
