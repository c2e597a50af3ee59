/* The bodies of t/data/dkim/random_bodies.py: what dkimpy made of them is in
 * random-bodies.sha256, and t/e2e/dkim-verify.t makes that anew. */
#include "test_dkim.h"

#include <openssl/evp.h>

static const struct slice pieces[] = {
    SLICE("a"),
    SLICE("word"),
    SLICE("."),
    SLICE(" "),
    SLICE(" "),
    SLICE("  "),
    SLICE("\t"),
    SLICE(" \t "),
    SLICE("\r\n"),
    SLICE("\r\n"),
    SLICE("\r\n\r\n"),
    SLICE("\r\n \r\n"),
    SLICE("\r"),
    SLICE("\n"),
    SLICE("\v"),
    SLICE("\f"),
    SLICE("\xa0"),
    SLICE("\0"),
    SLICE("=20"),
    SLICE("0123456789012345678901234567890123456789012345678901234567890123456"
          "789"),
    SLICE("                                                                 "),
    SLICE("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xx"),
};
enum {
    PIECES = sizeof(pieces) / sizeof(pieces[0])
};

static uint32_t
below(uint32_t *random, uint32_t n)
{
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    return *random % n;
}

static void
random_bodies(void **state)
{
    EVP_MD_CTX *total = EVP_MD_CTX_new();
    uint32_t random = 2463534242;
    unsigned char hash[32];
    struct buf body = { 0 };
    struct buf want = { 0 };
    struct buf got = { 0 };

    (void)state;
    assert_int_equal(EVP_DigestInit_ex(total, EVP_sha256(), NULL), 1);
    for (size_t n = 0; n < 10000; n++) {
        buf_clear(&body);
        for (uint32_t i = below(&random, 60); i != 0; i--)
            buf_append(&body, pieces[below(&random, PIECES)]);
        if (body.len != 0)
            buf_puts(&body, "\r\n");
        hash_body(buf_slice(&body), 1 + n % 300, hash);
        assert_int_equal(EVP_DigestUpdate(total, hash, 32), 1);
    }
    assert_int_equal(EVP_DigestFinal_ex(total, hash, NULL), 1);
    for (size_t i = 0; i < 32; i++)
        buf_printf(&got, "%02x", hash[i]);
    buf_putc(&got, '\n');
    read_file(DKIM_DATA "random-bodies.sha256", &want);
    assert_string_equal(buf_cstr(&got), buf_cstr(&want));
    EVP_MD_CTX_free(total);
    buf_free(&body);
    buf_free(&want);
    buf_free(&got);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_bodies),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
