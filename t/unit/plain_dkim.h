/* A verifier that reads RFC 6376 plainly, for what we sign: relaxed/relaxed,
 * Ed25519, one signature on top. Slow, and not for messages of others. */
#ifndef PLAIN_DKIM_H
#define PLAIN_DKIM_H

#include "dkim.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* The value of a tag, without white space. */
static inline void
plain_tag(struct slice field, const char *tag, struct buf *value)
{
    slice_cut(&field, ':');
    while (field.len != 0) {
        struct slice part = slice_cut(&field, ';');
        struct slice name = slice_cut(&part, '=');
        while (name.len != 0 && name.ptr[0] <= ' ')
            name = slice_tail(name, 1);
        if (!slice_equal(name, slice_from(tag)))
            continue;
        for (size_t i = 0; i < part.len; i++)
            if (part.ptr[i] > ' ')
                buf_putc(value, part.ptr[i]);
    }
}

/* The instance of a name that h= asks for the n-th time: from the bottom. The
 * topmost field is the signature itself. */
static inline void
plain_instance(const struct mail_header *header, struct slice name, size_t n,
               struct buf *input)
{
    for (size_t i = header->count; i > 1; i--) {
        if (!slice_equal_nocase(mail_header_name(header, i - 1), name))
            continue;
        if (n-- == 0) {
            dkim_relax_field(mail_header_field(header, i - 1).raw, input);
            return;
        }
    }
}

static inline void
plain_input(const struct mail_header *header, struct slice names,
            struct buf *input)
{
    struct slice rest = names;

    while (rest.len != 0) {
        struct slice seen = slice_head(names, names.len - rest.len);
        struct slice name = slice_cut(&rest, ':');
        size_t n = 0;
        while (seen.len != 0)
            n += slice_equal_nocase(slice_cut(&seen, ':'), name);
        plain_instance(header, name, n, input);
    }
    /* The field itself, with nothing behind the "b=" that begins its last
     * tag, and without its CRLF. */
    struct slice own = mail_header_field(header, 0).raw;
    const char *at = memmem(own.ptr, own.len, "\r\n b=", 5);
    if (at != NULL)
        own.len = (size_t)(at - own.ptr) + 5;
    dkim_relax_field(own, input);
    input->len -= 2;
}

static inline bool
plain_signature(const struct dkim_key *key, struct slice b,
                const unsigned char digest[32])
{
    unsigned char signature[96];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok =
        b.len == 88 &&
        EVP_DecodeBlock(signature, (const unsigned char *)b.ptr, 88) == 66 &&
        EVP_DigestVerifyInit(md, NULL, NULL, NULL, key->pkey) == 1 &&
        EVP_DigestVerify(md, signature, 64, digest, 32) == 1;

    EVP_MD_CTX_free(md);
    return ok;
}

static inline bool
plain_body_hash(struct slice body, struct slice bh)
{
    unsigned char hash[32];
    char text[64];
    struct dkim_body *digest = dkim_body_new(DKIM_RELAXED);
    bool ok = dkim_body_update(digest, body) && dkim_body_finish(digest, hash);

    dkim_body_free(digest);
    EVP_EncodeBlock((unsigned char *)text, hash, 32);
    return ok && slice_equal(bh, slice_from(text));
}

/* Does the signature on top of the message verify? */
static inline bool
plain_verify(struct slice message, const struct dkim_key *key)
{
    unsigned char digest[32];
    struct mail_header header = { 0 };
    struct buf h = { 0 };
    struct buf b = { 0 };
    struct buf bh = { 0 };
    struct buf input = { 0 };
    bool ok = false;

    if (!mail_header_index(message, &header))
        abort();
    if (header.count != 0 &&
        slice_equal_nocase(mail_header_field(&header, 0).name,
                           SLICE_OF("DKIM-Signature"))) {
        plain_tag(mail_header_field(&header, 0).raw, "h", &h);
        plain_tag(mail_header_field(&header, 0).raw, "b", &b);
        plain_tag(mail_header_field(&header, 0).raw, "bh", &bh);
        plain_input(&header, buf_slice(&h), &input);
        ok =
            EVP_Digest(input.ptr, input.len, digest, NULL, EVP_sha256(),
                       NULL) == 1 &&
            plain_signature(key, buf_slice(&b), digest) &&
            plain_body_hash(slice_tail(message, header.length), buf_slice(&bh));
    }
    mail_header_free(&header);
    buf_free(&h);
    buf_free(&b);
    buf_free(&bh);
    buf_free(&input);
    return ok;
}

#endif
