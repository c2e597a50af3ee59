#include "loop.h"

#include <openssl/evp.h>

#include <string.h>

enum {
    BLOCK = 16, /* of AES */
    DIGEST = 32
};

static const struct slice loop_field = SLICE("X-Onward-Loop");

/* ---- keys -------------------------------------------------------------- */

/* HMAC-SHA256(secret, label NUL address), the address lower-cased. */
static bool
hmac(struct slice secret, const char *label, struct slice address,
     unsigned char digest[DIGEST])
{
    unsigned char made[EVP_MAX_MD_SIZE];
    size_t len = 0;
    struct buf input = { 0 };

    /* An address is a path, so its length is bounded; it is a peer's choice
     * all the same. */
    bool ok = buf_try_append(&input, slice_from(label)) &&
              buf_try_append(&input, (struct slice){ "", 1 }) &&
              buf_try_append(&input, address);
    for (size_t i = input.len - address.len; ok && i < input.len; i++)
        input.ptr[i] = ascii_lower(input.ptr[i]);
    ok = ok &&
         EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret.ptr, secret.len,
                   (unsigned char *)input.ptr, input.len, made, sizeof(made),
                   &len) != NULL &&
         len == DIGEST;
    buf_free(&input);
    if (ok)
        memcpy(digest, made, DIGEST);
    return ok;
}

bool
mail_loop_key_make(struct slice secret, struct slice alias,
                   struct mail_loop_key *key)
{
    unsigned char digest[DIGEST];
    bool ok = hmac(secret, "onward-loop-mark", alias, digest);

    if (ok)
        memcpy(key->octets, digest, MAIL_LOOP_KEY);
    return ok;
}

/* AES-128 of whole blocks, each for itself: a pseudorandom function of inputs
 * that are shorter than a block, and of many of them in one call. */
static bool
encrypt(const struct mail_loop_key *key, const unsigned char *in, size_t blocks,
        unsigned char *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0;
    bool ok =
        ctx != NULL &&
        EVP_EncryptInit_ex(ctx, EVP_aes_128_ecb(), NULL, key->octets, NULL) ==
            1 &&
        EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
        EVP_EncryptUpdate(ctx, out, &len, in, (int)(blocks * BLOCK)) == 1 &&
        len == (int)(blocks * BLOCK);

    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

/* ---- writing ----------------------------------------------------------- */

static void
put_hex(const unsigned char *octets, size_t count, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        buf_putc(out, digits[octets[i] >> 4]);
        buf_putc(out, digits[octets[i] & 15]);
    }
}

bool
mail_loop_print(const struct mail_loop_key *key, uint64_t unique,
                struct buf *out)
{
    unsigned char in[BLOCK] = "........thesalt", salted[BLOCK] = { 0 };
    unsigned char salt[BLOCK], mac[BLOCK];

    for (size_t i = 0; i < 8; i++)
        in[i] = (unsigned char)(unique >> (56 - 8 * i));
    if (!encrypt(key, in, 1, salt))
        return false;
    memcpy(salted, salt, MAIL_LOOP_SALT);
    if (!encrypt(key, salted, 1, mac))
        return false;
    buf_append(out, loop_field);
    buf_puts(out, ": ");
    put_hex(salt, MAIL_LOOP_SALT, out);
    buf_putc(out, '-');
    put_hex(mac, MAIL_LOOP_MAC, out);
    buf_puts(out, "\r\n");
    return true;
}

bool
mail_address_token(struct slice secret, struct slice address,
                   char token[MAIL_ADDRESS_TOKEN])
{
    unsigned char digest[DIGEST];
    struct buf text = { 0 };

    if (!hmac(secret, "onward-log-address", address, digest))
        return false;
    put_hex(digest, MAIL_ADDRESS_TOKEN / 2, &text);
    memcpy(token, text.ptr, MAIL_ADDRESS_TOKEN);
    buf_free(&text);
    return true;
}

/* ---- reading ----------------------------------------------------------- */

/* The body of a field without the blanks and folds around it. */
static struct slice
trim_folds(struct slice body)
{
    static const char blanks[] = " \t\r\n";

    while (body.len != 0 && memchr(blanks, body.ptr[0], 4) != NULL)
        body = slice_tail(body, 1);
    while (body.len != 0 && memchr(blanks, body.ptr[body.len - 1], 4) != NULL)
        body.len--;
    return body;
}

static bool
read_hex(struct slice text, size_t count, unsigned char *octets)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < 2 * count; i++) {
        const char *at = memchr(digits, ascii_lower(text.ptr[i]), 16);
        if (at == NULL)
            return false;
        octets[i / 2] = (unsigned char)(octets[i / 2] << 4 | (at - digits));
    }
    return true;
}

static bool
read_mark(struct slice text, unsigned char salt[MAIL_LOOP_SALT],
          unsigned char mac[MAIL_LOOP_MAC])
{
    enum {
        DASH = 2 * MAIL_LOOP_SALT,
        LENGTH = DASH + 1 + 2 * MAIL_LOOP_MAC
    };

    return text.len == LENGTH && text.ptr[DASH] == '-' &&
           read_hex(text, MAIL_LOOP_SALT, salt) &&
           read_hex(slice_tail(text, DASH + 1), MAIL_LOOP_MAC, mac);
}

bool
mail_loop_collect(const struct mail_header *header,
                  struct mail_loop_marks *marks)
{
    size_t fields = 0;

    *marks = (struct mail_loop_marks){ 0 };
    for (size_t i = 0; i < header->count; i++) {
        if (!slice_equal_nocase(mail_header_name(header, i), loop_field))
            continue;
        if (++fields > MAIL_LOOP_MARKS_MAX)
            return false;
        struct slice text = trim_folds(mail_header_field(header, i).body);
        if (read_mark(text, marks->salts[marks->count],
                      marks->macs[marks->count]))
            marks->count++;
    }
    return true;
}

enum mail_loop_status
mail_loop_find(const struct mail_loop_marks *marks,
               const struct mail_loop_key *key)
{
    unsigned char salted[MAIL_LOOP_MARKS_MAX][BLOCK] = { 0 };
    unsigned char made[MAIL_LOOP_MARKS_MAX][BLOCK];

    if (marks->count == 0)
        return MAIL_LOOP_NONE;
    for (size_t i = 0; i < marks->count; i++)
        memcpy(salted[i], marks->salts[i], MAIL_LOOP_SALT);
    if (!encrypt(key, salted[0], marks->count, made[0]))
        return MAIL_LOOP_FAILED;
    for (size_t i = 0; i < marks->count; i++)
        if (memcmp(made[i], marks->macs[i], MAIL_LOOP_MAC) == 0)
            return MAIL_LOOP_FOUND;
    return MAIL_LOOP_NONE;
}
