/* Whatever we sign, a plain reading of RFC 6376 verifies it; and any line of
 * the field is one that every mail server takes. */
#include "dkim.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsrMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

/* The value of a tag, without white space. */
static void
tag_value(struct slice field, const char *tag, struct buf *value)
{
    slice_cut(&field, ':');
    while (field.len != 0) {
        struct slice part = slice_cut(&field, ';');
        struct slice name = slice_cut(&part, '=');
        while (name.len != 0 && name.ptr[0] <= ' ')
            name = slice_tail(name, 1);
        for (size_t i = 0; i < part.len && slice_equal(name, slice_from(tag));
             i++)
            if (part.ptr[i] > ' ')
                buf_putc(value, part.ptr[i]);
    }
}

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

/* The instance of a name that h= asks for the n-th time: from the bottom. */
static void
add_instance(const struct mail_header *header, struct slice name, size_t n,
             struct buf *input)
{
    for (size_t i = header->count; i > 0; i--) {
        if (!slice_equal_nocase(header->fields[i - 1].name, name))
            continue;
        if (n-- == 0) {
            dkim_relax_field(header->fields[i - 1].raw, input);
            return;
        }
    }
}

static void
verify(const struct mail_header *header, struct slice field,
       const struct dkim_key *key)
{
    unsigned char digest[32];
    unsigned char signature[96];
    struct buf names = { 0 };
    struct buf b = { 0 };
    struct buf input = { 0 };
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    tag_value(field, "h", &names);
    tag_value(field, "b", &b);
    struct slice rest = buf_slice(&names);
    size_t from = 0;
    while (rest.len != 0) {
        size_t before = 0;
        struct slice done = buf_slice(&names);
        size_t at = (size_t)(rest.ptr - names.ptr);
        struct slice name = slice_cut(&rest, ':');
        done = slice_head(done, at);
        while (done.len != 0)
            before += slice_equal_nocase(slice_cut(&done, ':'), name);
        add_instance(header, name, before, &input);
        from += slice_equal_nocase(name, SLICE_OF("From"));
    }
    if (from != 2) /* the one that is there, and no other */
        abort();
    const char *at = memmem(field.ptr, field.len, "\r\n b=", 5);
    if (at == NULL)
        abort();
    dkim_relax_field(slice_head(field, (size_t)(at - field.ptr) + 5), &input);
    input.len -= 2;
    if (EVP_Digest(input.ptr, input.len, digest, NULL, EVP_sha256(), NULL) !=
            1 ||
        b.len != 88 ||
        EVP_DecodeBlock(signature, (const unsigned char *)b.ptr, 88) != 66 ||
        EVP_DigestVerifyInit(md, NULL, NULL, NULL, key->pkey) != 1 ||
        EVP_DigestVerify(md, signature, 64, digest, 32) != 1)
        abort();
    EVP_MD_CTX_free(md);
    buf_free(&names);
    buf_free(&b);
    buf_free(&input);
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
    static const unsigned char hash[32];
    struct slice message = { (const char *)data, size };
    struct mail_header header = { 0 };
    struct buf field = { 0 };
    const struct dkim_key *key = our_key();

    if (!mail_header_index(message, &header))
        abort();
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
        verify(&header, buf_slice(&field), key);
    }
    mail_header_free(&header);
    buf_free(&field);
    return 0;
}
