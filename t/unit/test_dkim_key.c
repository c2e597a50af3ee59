#include "test_dkim.h"

#include "key.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- parsing ----------------------------------------------------------- */

static struct row {
    const char *file; /* below t/data/dkim/keys */
    const char *why;  /* NULL: is a key */
    enum dkim_algorithm algorithm;
    unsigned bits;
} rows[] = {
    { "rsa1024.pem", NULL, DKIM_RSA_SHA256, 1024 },
    { "rsa2048.pem", NULL, DKIM_RSA_SHA256, 2048 },
    { "rsa3072.pem", NULL, DKIM_RSA_SHA256, 3072 },
    { "rsa4096.pem", NULL, DKIM_RSA_SHA256, 4096 },
    { "rsa2048e3.pem", NULL, DKIM_RSA_SHA256, 2048 },
    { "rsa2048-pkcs1.pem", NULL, DKIM_RSA_SHA256, 2048 },
    { "rsa2048-pkcs8.der", NULL, DKIM_RSA_SHA256, 2048 },
    { "rsa2048-crlf.pem", NULL, DKIM_RSA_SHA256, 2048 },
    { "rsa2048-comments.pem", NULL, DKIM_RSA_SHA256, 2048 },
    { "ed25519.pem", NULL, DKIM_ED25519_SHA256, 256 },
    { "ed25519b.pem", NULL, DKIM_ED25519_SHA256, 256 },
    { "rsa768.pem", "less than 1024 bits", 0, 0 },
    { "ed25519-seed.b64", "holds no private key", 0, 0 },
    { "bad/certificate.pem", "certificate", 0, 0 },
    { "bad/ec-p256.pem", "EC key", 0, 0 },
    { "bad/ed448.pem", "Ed448", 0, 0 },
    { "bad/empty.pem", "is empty", 0, 0 },
    { "bad/encrypted.pem", "encrypted", 0, 0 },
    { "bad/garbage.pem", "holds no private key", 0, 0 },
    { "bad/public-only.pem", "public key", 0, 0 },
    { "bad/rsa-pss.pem", "RSA-PSS", 0, 0 },
    { "bad/truncated.pem", "cut off or damaged", 0, 0 },
    { "bad/x25519.pem", "key exchange", 0, 0 },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static struct dkim_key *
parse(struct slice octets, const char **why)
{
    return dkim_key_parse(octets, SLICE_OF("Example.ORG"), SLICE_OF("S1"), why);
}

static void
parse_row(void **state)
{
    const struct row *row = *state;
    struct buf path = { 0 };
    struct buf octets = { 0 };
    const char *why = NULL;

    buf_printf(&path, DKIM_DATA "keys/%s", row->file);
    read_file(buf_cstr(&path), &octets);
    struct dkim_key *key = parse(buf_slice(&octets), &why);
    if (row->why != NULL) {
        assert_null(key);
        if (strstr(why, row->why) == NULL)
            fail_msg("%s: %s", row->file, why);
    } else {
        assert_non_null(key);
        assert_int_equal(key->algorithm, row->algorithm);
        assert_int_equal(key->bits, row->bits);
        assert_string_equal(key->domain.ptr, "example.org");
        assert_string_equal(key->selector.ptr, "s1");
    }
    dkim_key_unref(key);
    buf_free(&path);
    buf_free(&octets);
}

/* Cut anywhere, a key file is refused and nothing else happens. Only the line
 * end behind it may be missing. */
static void
cut_anywhere(void **state)
{
    static const char *const files[] = { "rsa1024.pem", "ed25519.pem",
                                         "rsa2048-pkcs8.der" };

    (void)state;
    for (size_t f = 0; f < 3; f++) {
        struct buf path = { 0 };
        struct buf octets = { 0 };
        const char *why = NULL;
        buf_printf(&path, DKIM_DATA "keys/%s", files[f]);
        read_file(buf_cstr(&path), &octets);
        for (size_t len = 0; len + 1 < octets.len; len += 1 + f * 6) {
            struct dkim_key *key =
                parse(slice_head(buf_slice(&octets), len), &why);
            if (key != NULL)
                fail_msg("%s cut to %zu octets is a key", files[f], len);
            assert_non_null(why);
        }
        buf_free(&path);
        buf_free(&octets);
    }
}

/* RSA: the modulus says one thing, the private parts another. */
static void
halves_that_do_not_match(void **state)
{
    struct buf octets = { 0 };
    unsigned refused = 0;

    (void)state;
    read_file(DKIM_DATA "keys/rsa2048-pkcs8.der", &octets);
    for (size_t at = 40; at < octets.len; at += 97) {
        const char *why = NULL;
        octets.ptr[at] ^= 4;
        struct dkim_key *key = parse(buf_slice(&octets), &why);
        octets.ptr[at] ^= 4;
        /* A changed prime is no harm: OpenSSL finds out and signs with d
         * instead, which is slow and right. What loads must work. */
        if (key == NULL)
            refused++;
        dkim_key_unref(key);
    }
    assert_true(refused >= 3); /* those in the modulus */
    buf_free(&octets);
}

static void
two_keys_in_a_file(void **state)
{
    struct buf octets = { 0 };
    const char *why = NULL;

    (void)state;
    read_file(DKIM_DATA "keys/rsa1024.pem", &octets);
    read_file(DKIM_DATA "keys/ed25519.pem", &octets);
    assert_null(parse(buf_slice(&octets), &why));
    assert_non_null(strstr(why, "more than one"));
    buf_free(&octets);
}

/* Other shapes of what lies in t/data: made from it, not kept. */
static void
shapes(void **state)
{
    static const struct {
        const char *name;
        const char *file;
        struct slice before, behind;
        const char *why;
    } shapes[] = {
        { "text behind PEM", "rsa2048.pem", SLICE(""),
          SLICE("Bag Attributes: none\n"), NULL },
        { "octets behind PEM", "ed25519.pem", SLICE(""), SLICE("\0\xff\n"),
          NULL },
        { "byte-order mark", "ed25519.pem", SLICE("\xef\xbb\xbf"), SLICE(""),
          NULL },
        { "a line behind DER", "rsa2048-pkcs8.der", SLICE(""), SLICE("\n"),
          "something behind its key" },
        { "text before DER", "rsa2048-pkcs8.der", SLICE("# key\n"), SLICE(""),
          "holds no private key" },
        { "the record instead of the key", "bad/empty.pem",
          SLICE("v=DKIM1; k=rsa; p="), SLICE("MIIB\n"),
          "holds no private key" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct buf path = { 0 };
        struct buf octets = { 0 };
        const char *why = NULL;
        buf_append(&octets, shapes[i].before);
        buf_printf(&path, DKIM_DATA "keys/%s", shapes[i].file);
        read_file(buf_cstr(&path), &octets);
        buf_append(&octets, shapes[i].behind);
        struct dkim_key *key = parse(buf_slice(&octets), &why);
        if (shapes[i].why == NULL
                ? key == NULL
                : key != NULL || strstr(why, shapes[i].why) == NULL)
            fail_msg("%s: %s", shapes[i].name, why);
        dkim_key_unref(key);
        buf_free(&path);
        buf_free(&octets);
    }
}

/* DER that no command line of OpenSSL calls a private key for DKIM is named
 * all the same. */
static void
other_der(void **state)
{
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    EVP_PKEY *rsa = EVP_RSA_gen(1024);
    struct {
        int (*encode)(const EVP_PKEY *key, unsigned char **out);
        EVP_PKEY *key;
        const char *why;
    } rows_der[] = {
        { i2d_PrivateKey, ec, "EC key" },
        { i2d_PUBKEY, ec, "public key" },
        { i2d_PUBKEY, rsa, "public key" },
        { i2d_PublicKey, rsa, "public key" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows_der) / sizeof(rows_der[0]); i++) {
        unsigned char *der = NULL;
        const char *why = NULL;
        int len = rows_der[i].encode(rows_der[i].key, &der);
        assert_true(len > 0);
        assert_null(
            parse((struct slice){ (const char *)der, (size_t)len }, &why));
        if (strstr(why, rows_der[i].why) == NULL)
            fail_msg("%zu: %s", i, why);
        OPENSSL_free(der);
    }
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
}

static void
generated(void **state)
{
    static const struct {
        enum dkim_algorithm algorithm;
        unsigned bits;
    } kinds[] = { { DKIM_RSA_SHA256, 1024 }, { DKIM_ED25519_SHA256, 256 } };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct buf one = { 0 };
        struct buf two = { 0 };
        const char *why = NULL;
        assert_true(dkim_key_generate(kinds[i].algorithm, kinds[i].bits, &one));
        assert_true(dkim_key_generate(kinds[i].algorithm, kinds[i].bits, &two));
        assert_true(slice_starts_nocase(
            buf_slice(&one), SLICE_OF("-----BEGIN PRIVATE KEY-----\n")));
        assert_false(slice_equal(buf_slice(&one), buf_slice(&two)));
        struct dkim_key *key = parse(buf_slice(&one), &why);
        assert_non_null(key);
        assert_int_equal(key->algorithm, kinds[i].algorithm);
        assert_int_equal(key->bits, kinds[i].bits);
        dkim_key_unref(key);
        buf_free_secret(&one);
        buf_free_secret(&two);
    }
}

/* ---- files ------------------------------------------------------------- */

struct place {
    char directory[64];
    char path[128];
};

static void
make_place(struct place *place, const char *name)
{
    snprintf(place->directory, sizeof(place->directory),
             "/tmp/test-dkim-key-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->path, sizeof(place->path), "%s/%s", place->directory, name);
}

static void
remove_place(struct place *place)
{
    unlink(place->path);
    rmdir(place->path);
    rmdir(place->directory);
}

static void
write_file(const char *path, struct slice octets, mode_t mode)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    if (octets.len != 0)
        assert_int_equal(fwrite(octets.ptr, 1, octets.len, file), octets.len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static struct file_row {
    const char *name; /* of the file */
    mode_t mode;
    const char *why;
    const char *selector;
    enum dkim_key_state state;
} file_rows[] = {
    { "s1.pem", 0600, NULL, "s1", DKIM_KEY_ACTIVE },
    { "s1.pem", 0640, NULL, "s1", DKIM_KEY_ACTIVE },
    { "s1.next.pem", 0640, NULL, "s1", DKIM_KEY_NEXT },
    { "s1.old.pem", 0400, NULL, "s1", DKIM_KEY_OLD },
    { "dotted.sel.2026.pem", 0640, NULL, "dotted.sel.2026", DKIM_KEY_ACTIVE },
    { "UPPER.pem", 0640, NULL, "upper", DKIM_KEY_ACTIVE },
    { "s1.pem", 0644, "mode 0644: readable by everybody; run: chmod 0640 /tmp/",
      NULL, 0 },
    { "s1.pem", 0642, "mode 0642: usable by everybody", NULL, 0 },
    { "s1.pem", 0641, "mode 0641: usable by everybody", NULL, 0 },
    { "s1", 0600, "the name is not", NULL, 0 },
    { ".pem", 0600, "the name is not", NULL, 0 },
    { ".next.pem", 0600, "the name is not", NULL, 0 },
    { "a_b-c.pem", 0600, NULL, "a_b-c", DKIM_KEY_ACTIVE },
    { "-a.pem", 0600, "the name is not", NULL, 0 },
    { "a..b.pem", 0600, "the name is not", NULL, 0 },
    { "a b.pem", 0600, "the name is not", NULL, 0 },
    { "a;d=x.pem", 0600, "the name is not", NULL, 0 },
};

static void
check_file(const struct file_row *row, struct slice pem)
{
    struct place place = { "", "" };
    struct buf why = { 0 };

    make_place(&place, row->name);
    write_file(place.path, pem, row->mode);
    struct dkim_key *key =
        dkim_key_load(place.path, SLICE_OF("example.org"), &why);
    if (row->why != NULL) {
        assert_null(key);
        assert_non_null(strstr(buf_cstr(&why), row->why));
    } else {
        assert_non_null(key);
        assert_string_equal(key->selector.ptr, row->selector);
        assert_string_equal(key->path.ptr, place.path);
        assert_int_equal(key->state, row->state);
        assert_int_equal(key->size, pem.len);
        assert_int_equal(why.len, 0);
    }
    dkim_key_unref(key);
    buf_free(&why);
    remove_place(&place);
}

static void
names_and_modes(void **state)
{
    struct buf pem = { 0 };

    (void)state;
    read_file(DKIM_DATA "keys/ed25519.pem", &pem);
    for (size_t i = 0; i < sizeof(file_rows) / sizeof(file_rows[0]); i++)
        check_file(&file_rows[i], buf_slice(&pem));
    buf_free(&pem);
}

static void
expect_refusal(const char *path, const char *text)
{
    struct buf why = { 0 };

    assert_null(dkim_key_load(path, SLICE_OF("example.org"), &why));
    if (strstr(buf_cstr(&why), text) == NULL)
        fail_msg("%s: %s", path, buf_cstr(&why));
    buf_free(&why);
}

static void
make_socket(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_true(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

static void
what_is_no_file(void **state)
{
    struct place place = { "", "" };
    static const char zeroes[65537];

    (void)state;
    make_place(&place, "s.pem");
    expect_refusal(place.path, "No such file");
    assert_int_equal(mkfifo(place.path, 0600), 0);
    expect_refusal(place.path, "not a regular file"); /* and does not hang */
    unlink(place.path);
    assert_int_equal(mkdir(place.path, 0700), 0);
    expect_refusal(place.path, "is a directory");
    rmdir(place.path);
    write_file(place.path, (struct slice){ NULL, 0 }, 0600);
    expect_refusal(place.path, "is empty");
    write_file(place.path, (struct slice){ zeroes, sizeof(zeroes) }, 0600);
    expect_refusal(place.path, "64 KiB");
    unlink(place.path);
    assert_int_equal(symlink("/dev/zero", place.path), 0);
    expect_refusal(place.path, "not a regular file");
    unlink(place.path);
    assert_int_equal(symlink("/nonexistent", place.path), 0);
    expect_refusal(place.path, "a link to a file that is not there");
    unlink(place.path);
    assert_int_equal(symlink("s.pem", place.path), 0);
    expect_refusal(place.path, "Too many levels of symbolic links");
    unlink(place.path);
    make_socket(place.path);
    expect_refusal(place.path, "not a regular file");
    remove_place(&place);
}

static void
links(void **state)
{
    struct place place = { "", "" };
    struct place target = { "", "" };
    struct buf pem = { 0 };
    struct buf why = { 0 };

    (void)state;
    read_file(DKIM_DATA "keys/ed25519.pem", &pem);
    make_place(&place, "s.pem");
    make_place(&target, "key");
    write_file(target.path, buf_slice(&pem), 0600);
    assert_int_equal(symlink(target.path, place.path), 0);
    struct dkim_key *key =
        dkim_key_load(place.path, SLICE_OF("example.org"), &why);
    assert_non_null(key);
    dkim_key_unref(key);
    assert_int_equal(chmod(place.directory, 0777), 0);
    expect_refusal(place.path, "is a link in a directory");
    remove_place(&place);
    remove_place(&target);
    buf_free(&pem);
    buf_free(&why);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 9] = { 0 };
    size_t count = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[count++] = (struct CMUnitTest){ rows[i].file, parse_row, NULL,
                                              NULL, &rows[i] };
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(cut_anywhere);
    tests[count++] =
        (struct CMUnitTest)cmocka_unit_test(halves_that_do_not_match);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(two_keys_in_a_file);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(shapes);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(other_der);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(generated);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(names_and_modes);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(what_is_no_file);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(links);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
