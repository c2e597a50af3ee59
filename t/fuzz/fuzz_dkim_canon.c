/* Bodies and fields against a second implementation, written line by line
 * from RFC 6376, 3.4.2 and 3.4.4; where the input is cut must not matter. */
#include "dkim.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* White space at the end dropped, runs squeezed to one space. */
static void
plain_line(struct slice line, struct buf *out)
{
    while (line.len != 0 && is_blank(line.ptr[line.len - 1]))
        line.len--;
    for (size_t i = 0; i < line.len; i++) {
        if (!is_blank(line.ptr[i]))
            buf_putc(out, line.ptr[i]);
        else if (i == 0 || !is_blank(line.ptr[i - 1]))
            buf_putc(out, ' ');
    }
}

static void
plain_body(struct slice body, struct buf *out)
{
    while (body.len != 0) {
        const char *end = memmem(body.ptr, body.len, "\r\n", 2);
        size_t len = end != NULL ? (size_t)(end - body.ptr) : body.len;
        plain_line(slice_head(body, len), out);
        buf_puts(out, "\r\n");
        body = slice_tail(body, end != NULL ? len + 2 : len);
    }
    while (out->len >= 2 && memcmp(out->ptr + out->len - 2, "\r\n", 2) == 0)
        out->len -= 2;
    if (out->len != 0)
        buf_puts(out, "\r\n");
}

static void
plain_field(struct slice raw, struct buf *out)
{
    struct buf unfolded = { 0 };
    struct slice value = raw;
    struct slice name = slice_trim(slice_cut(&value, ':'));

    for (size_t i = 0; i < name.len; i++)
        buf_putc(out, ascii_lower(name.ptr[i]));
    buf_putc(out, ':');
    while (value.len != 0) {
        const char *end = memmem(value.ptr, value.len, "\r\n", 2);
        size_t len = end != NULL ? (size_t)(end - value.ptr) : value.len;
        buf_append(&unfolded, slice_head(value, len));
        value = slice_tail(value, end != NULL ? len + 2 : len);
    }
    plain_line(slice_trim(buf_slice(&unfolded)), out);
    buf_puts(out, "\r\n");
    buf_free(&unfolded);
}

static void
hash_in_pieces(struct slice body, size_t piece, unsigned char hash[32])
{
    struct dkim_body *digest = dkim_body_new(DKIM_RELAXED);

    while (body.len != 0) {
        if (!dkim_body_update(digest, slice_head(body, piece)))
            abort();
        body = slice_tail(body, piece);
    }
    if (!dkim_body_finish(digest, hash))
        abort();
    dkim_body_free(digest);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char want[32];
    unsigned char whole[32];
    unsigned char pieces[32];
    struct buf plain = { 0 };
    struct buf relaxed = { 0 };

    if (size == 0)
        return 0;
    /* The first octet says how large the pieces are. */
    struct slice input = { (const char *)data + 1, size - 1 };
    plain_body(input, &plain);
    if (EVP_Digest(plain.ptr, plain.len, want, NULL, EVP_sha256(), NULL) != 1)
        abort();
    hash_in_pieces(input, SIZE_MAX, whole);
    hash_in_pieces(input, data[0] + 1u, pieces);
    if (memcmp(whole, want, 32) != 0 || memcmp(pieces, want, 32) != 0)
        abort();

    buf_clear(&plain);
    plain_field(input, &plain);
    dkim_relax_field(input, &relaxed);
    if (!slice_equal(buf_slice(&plain), buf_slice(&relaxed)))
        abort();
    buf_free(&plain);
    buf_free(&relaxed);
    return 0;
}
