/* Whatever we sign, a plain reading of RFC 6376 verifies it; and any line of
 * the field is one that every mail server takes. */
#include "../unit/plain_dkim.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsrMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

static void
check_lines(struct slice field)
{
    while (field.len != 0) {
        const char *end = memmem(field.ptr, field.len, "\r\n", 2);
        if (end == NULL || end - field.ptr > 78)
            abort();
        size_t len = (size_t)(end - field.ptr);
        for (size_t i = 0; i < len; i++)
            if (field.ptr[i] < ' ' || field.ptr[i] > '~')
                abort();
        if (slice_trim(slice_head(field, len)).len == 0)
            abort();
        field = slice_tail(field, len + 2);
    }
}

/* Made once: a key takes longer to read than all the rest. */
static const struct dkim_key *
our_key(void)
{
    static struct dkim_key *key;
    const char *why = NULL;

    if (key == NULL)
        key = dkim_key_parse((struct slice){ pem, sizeof(pem) - 1 },
                             SLICE_OF("example.org"), SLICE_OF("s2026"), &why);
    if (key == NULL)
        abort();
    return key;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char hash[32];
    struct dkim_body *body = dkim_body_new(DKIM_RELAXED);
    struct slice message = { (const char *)data, size };
    struct mail_header header = { 0 };
    struct buf field = { 0 };
    const struct dkim_key *key = our_key();

    if (!mail_header_index(message, &header))
        abort();
    if (!dkim_body_update(body, slice_tail(message, header.length)) ||
        !dkim_body_finish(body, hash))
        abort();
    dkim_body_free(body);
    const struct dkim_key *keys[] = { key };
    struct dkim_request request = { .header = &header,
                                    .body_hash = hash,
                                    .keys = keys,
                                    .key_count = 1,
                                    .headers = dkim_default_headers,
                                    .oversign = dkim_default_oversign,
                                    .now = 1795507200 };
    if (dkim_examine(&header, &dkim_default_headers) == NULL) {
        if (!dkim_sign(&request, &field))
            abort();
        check_lines(buf_slice(&field));
        buf_append(&field, message);
        if (!plain_verify(buf_slice(&field), key))
            abort();
    }
    mail_header_free(&header);
    buf_free(&field);
    return 0;
}
