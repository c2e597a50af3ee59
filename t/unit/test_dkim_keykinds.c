/* Files that hold something else than a key for DKIM are named for what they
 * are, in PEM and in DER. */
#include "test_dkim.h"

#include <openssl/evp.h>

static void
is(struct slice octets, const char *wanted)
{
    const char *why = NULL;
    struct dkim_key *key =
        dkim_key_parse(octets, SLICE_OF("a.example"), SLICE_OF("s"), &why);

    assert_null(key);
    if (strstr(why, wanted) == NULL)
        fail_msg("%s: %s", wanted, why);
}

/* The base64 between the lines of hyphens. */
static void
der_of(const char *name, struct buf *der)
{
    struct buf path = { 0 }, pem = { 0 }, base64 = { 0 };

    buf_printf(&path, DKIM_DATA "keys/%s", name);
    read_file(buf_cstr(&path), &pem);
    struct slice rest = buf_slice(&pem);
    while (rest.len != 0) {
        struct slice line = slice_cut(&rest, '\n');
        if (line.len != 0 && line.ptr[0] != '-')
            buf_append(&base64, line);
    }
    buf_reserve(der, base64.len);
    int len =
        EVP_DecodeBlock((unsigned char *)der->ptr,
                        (const unsigned char *)base64.ptr, (int)base64.len);
    assert_true(len > 2);
    der->len = (size_t)len;
    for (size_t i = 1; i <= 2 && base64.ptr[base64.len - i] == '='; i++)
        der->len--;
    buf_free(&path);
    buf_free(&pem);
    buf_free(&base64);
}

static void
in_der(void **state)
{
    static const struct {
        const char *file, *why;
    } rows[] = {
        { "bad/certificate.pem", "certificate" },
        { "bad/public-only.pem", "public key" },
        { "bad/encrypted.pem", "encrypted" },
        { "bad/ed448.pem", "Ed448" },
        { "bad/rsa-pss.pem", "RSA-PSS" },
        { "bad/x25519.pem", "key exchange" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf der = { 0 };
        der_of(rows[i].file, &der);
        is(buf_slice(&der), rows[i].why);
        buf_free(&der);
    }
}

static void
in_pem_by_its_name(void **state)
{
    static const struct {
        const char *name, *header, *why;
    } rows[] = {
        { "EC PRIVATE KEY", "", "EC key" },
        { "DSA PRIVATE KEY", "", "DSA key" },
        { "OPENSSH PRIVATE KEY", "", "OpenSSH" },
        { "ENCRYPTED PRIVATE KEY", "", "encrypted" },
        { "RSA PRIVATE KEY",
          "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", "encrypted" },
        { "PRIVATE KEY", "", "cut off or damaged" },
        { "RSA PRIVATE KEY", "", "cut off or damaged" },
        { "RSA PUBLIC KEY", "", "public key" },
        { "TRUSTED CERTIFICATE", "", "certificate" },
        { "EC PARAMETERS", "", "cut off or damaged" },
        { "DH PARAMETERS", "", "no private key" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf pem = { 0 };
        buf_printf(&pem, "-----BEGIN %s-----\n%sAAAA\n-----END %s-----\n",
                   rows[i].name, rows[i].header, rows[i].name);
        is(buf_slice(&pem), rows[i].why);
        buf_free(&pem);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_der),
        cmocka_unit_test(in_pem_by_its_name),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
