#include "test_dkim.h"

#include "key.h"

#include <openssl/evp.h>
#include <time.h>

static const char body_text[] = "Hi.\r\n\r\nWe lost the game.\r\n";

/* Sign a header with these keys; what comes out is in `out`. */
static bool
sign(struct slice message, struct slice prepended,
     const struct dkim_key *const *keys, size_t key_count, int64_t expire,
     struct buf *out)
{
    unsigned char hash[32];
    struct mail_header header = { 0 };

    hash_body(SLICE_OF(body_text), SIZE_MAX, hash);
    assert_true(mail_header_index(message, &header));
    struct dkim_request request = { .header = &header,
                                    .prepended = prepended,
                                    .body_hash = hash,
                                    .keys = keys,
                                    .key_count = key_count,
                                    .headers = dkim_default_headers,
                                    .oversign = dkim_default_oversign,
                                    .now = 1795507200,
                                    .expire_seconds = expire };
    bool ok = dkim_sign(&request, out);
    mail_header_free(&header);
    return ok;
}

/* The value of a tag, without white space. */
static void
tag_value(struct slice field, const char *tag, struct buf *value)
{
    size_t colon = slice_find(field, ':');
    struct slice rest = slice_tail(field, colon + 1);

    while (rest.len != 0) {
        struct slice part = slice_cut(&rest, ';');
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

/* ---- fixed key and time: a fixed field --------------------------------- */

static void
fixed_field(void **state)
{
    static const struct slice message =
        SLICE("From: Joe <joe@example.org>\r\nTo: sue@example.net\r\n"
              "Subject: Is dinner ready?\r\n\r\n");
    struct buf want = { 0 };
    struct buf got = { 0 };
    struct dkim_key *rsa = read_key("rsa2048.pem", "example.org", "rsa2048");
    struct dkim_key *ed = read_key("ed25519.pem", "example.org", "ed25519");
    const struct dkim_key *keys[] = { rsa, ed };

    (void)state;
    assert_true(sign(message, (struct slice){ 0 }, keys, 2, 0, &got));
    read_file(DKIM_DATA "fixed-field.txt", &want);
    assert_string_equal(buf_cstr(&got), buf_cstr(&want));
    buf_free(&want);
    buf_free(&got);
    dkim_key_unref(rsa);
    dkim_key_unref(ed);
}

/* ---- h= ---------------------------------------------------------------- */

#define ABSENT ":To:Subject:Date:Message-ID"

static struct names_row {
    const char *name;
    struct slice header;
    struct slice prepended;
    const char *names; /* NULL: refused */
} names_rows[] = {
    { "absent names are oversigned", SLICE("From: a@b\r\n\r\n"), SLICE(""),
      "From:From" ABSENT },
    { "every instance, and once more where others are not wanted",
      SLICE("Cc: 1\r\nFrom: a@b\r\ncc: 2\r\nCC : 3\r\n\r\n"), SLICE(""),
      "From:From:To:Cc:Cc:Cc:Subject:Date:Message-ID" },
    { "names that lists add: as often as they are there",
      SLICE("From: a@b\r\nReply-To: x\r\nMIME-Version: 1.0\r\n\r\n"), SLICE(""),
      "From:From:Reply-To:To:Subject:Date:Message-ID:MIME-Version" },
    { "not oversigned: as often as it is there",
      SLICE("From: a@b\r\nReferences: x\r\nReferences: y\r\n\r\n"), SLICE(""),
      "From:From:To:Subject:Date:Message-ID:References:References" },
    { "never trace fields, Bcc, X-, ARC-",
      SLICE("Received: x\r\nReturn-Path: <>\r\nFrom: a@b\r\nBcc: x\r\n"
            "X-Y: z\r\nARC-Seal: i=1\r\nDKIM-Signature: v=1\r\n\r\n"),
      SLICE(""), "From:From" ABSENT },
    { "what we put above is signed too", SLICE("From: a@b\r\n\r\n"),
      SLICE("Date: now\r\nMessage-ID: <x@y>\r\nX-Onward-Loop: 1\r\n"),
      "From:From:To:Subject:Date:Date:Message-ID:Message-ID" },
    { "a name that holds a semicolon",
      SLICE("From: a@b\r\nTo;l=0;x: y\r\n\r\n"), SLICE(""),
      "From:From" ABSENT },
    { "no From", SLICE("To: a@b\r\n\r\n"), SLICE(""), NULL },
    { "only a name like From", SLICE("Fromm: a@b\r\n\r\n"), SLICE(""), NULL },
};
enum {
    NAMES_ROWS = sizeof(names_rows) / sizeof(names_rows[0])
};

static void
names_row(void **state)
{
    const struct names_row *row = *state;
    struct dkim_key *key = read_key("ed25519.pem", "example.org", "s");
    const struct dkim_key *keys[] = { key };
    struct buf out = { 0 };
    struct buf names = { 0 };

    bool ok = sign(row->header, row->prepended, keys, 1, 0, &out);
    assert_int_equal(ok, row->names != NULL);
    if (ok) {
        tag_value(buf_slice(&out), "h", &names);
        assert_string_equal(buf_cstr(&names), row->names);
    } else {
        assert_int_equal(out.len, 0);
    }
    buf_free(&out);
    buf_free(&names);
    dkim_key_unref(key);
}

static void
repeat(struct buf *header, const char *field, size_t times)
{
    for (size_t i = 0; i < times; i++)
        buf_puts(header, field);
}

static void
fifty_instances(void **state)
{
    struct dkim_key *key = read_key("ed25519.pem", "example.org", "s");
    const struct dkim_key *keys[] = { key };

    (void)state;
    for (size_t times = 49; times <= 52; times++) {
        struct buf header = { 0 };
        struct buf out = { 0 };
        struct buf names = { 0 };
        size_t count = 0;

        buf_puts(&header, "From: a@b\r\n");
        repeat(&header, "List-Id: x\r\n", times);
        buf_puts(&header, "\r\n");
        assert_true(
            sign(buf_slice(&header), (struct slice){ 0 }, keys, 1, 0, &out));
        tag_value(buf_slice(&out), "h", &names);
        struct slice rest = buf_slice(&names);
        while (rest.len != 0)
            count += slice_equal(slice_cut(&rest, ':'), SLICE_OF("List-Id"));
        assert_int_equal(count, times <= 50 ? times : 0);
        buf_free(&header);
        buf_free(&out);
        buf_free(&names);
    }
    dkim_key_unref(key);
}

static void
hundred_thousand_fields(void **state)
{
    struct dkim_key *key = read_key("ed25519.pem", "example.org", "s");
    const struct dkim_key *keys[] = { key };
    struct buf header = { 0 };
    struct buf out = { 0 };

    (void)state;
    buf_puts(&header, "From: a@b\r\n");
    repeat(&header, "Received: x\r\nTo: y\r\n", 50000);
    buf_puts(&header, "\r\n");
    clock_t start = clock();
    assert_true(
        sign(buf_slice(&header), (struct slice){ 0 }, keys, 1, 0, &out));
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    /* 20 ms as released; quadratic would be minutes, and what is between is
     * left to sanitizers and busy machines. */
    assert_true(seconds < 10.0);
    buf_free(&header);
    buf_free(&out);
    dkim_key_unref(key);
}

/* ---- layout ------------------------------------------------------------ */

static void
check_lines(struct slice field)
{
    assert_true(slice_ends_nocase(field, SLICE_OF("\r\n")));
    while (field.len != 0) {
        struct slice line = slice_cut(&field, '\r');
        assert_true(field.len >= 1 && field.ptr[0] == '\n');
        field = slice_tail(field, 1);
        assert_true(slice_trim(line).len != 0);
        /* A word that is longer than a line stands on one of its own. */
        if (line.len > 78)
            assert_int_equal(slice_find(slice_trim(line), ' '),
                             slice_trim(line).len);
        assert_true(line.len <= 998);
        if (field.len != 0)
            assert_true(field.ptr[0] == ' ');
    }
}

static void
every_layout(void **state)
{
    static const struct slice message = SLICE("From: a@b\r\n\r\n");

    (void)state;
    for (size_t len = 1; len <= 250; len++) {
        char domain[256] = "";
        struct buf out = { 0 };
        struct buf tag = { 0 };
        for (size_t i = 0; i < len; i++)
            domain[i] = i % 40 == 39 && i + 1 < len ? '.' : 'd';
        struct dkim_key *key = read_key("ed25519.pem", domain, "s2026");
        const struct dkim_key *keys[] = { key };

        assert_true(sign(message, (struct slice){ 0 }, keys, 1,
                         len % 2 == 0 ? 0 : 604800, &out));
        check_lines(buf_slice(&out));
        tag_value(buf_slice(&out), "d", &tag);
        assert_string_equal(buf_cstr(&tag), domain);
        buf_clear(&tag);
        tag_value(buf_slice(&out), "x", &tag);
        assert_string_equal(buf_cstr(&tag), len % 2 == 0 ? "" : "1796112000");
        buf_clear(&tag);
        tag_value(buf_slice(&out), "b", &tag);
        assert_int_equal(tag.len, 88);
        buf_free(&out);
        buf_free(&tag);
        dkim_key_unref(key);
    }
}

/* ---- RFC 8463, appendix A ---------------------------------------------- */

static void
append_relaxed(const struct mail_header *header, const char *name, size_t n,
               struct buf *out)
{
    struct mail_field field;

    assert_true(mail_header_find(header, slice_from(name), n, &field));
    dkim_relax_field(field.raw, out);
}

static void
rfc8463(void **state)
{
    static const unsigned char pkcs8[] = {
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
        0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    };
    static const char secret[] = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    static const char *const names[] = { "From", "To", "Subject", "Date",
                                         "Message-ID" };
    unsigned char der[16 + 48];
    unsigned char hash[32];
    char text[64];
    const char *why = NULL;
    struct buf message = { 0 };
    struct buf input = { 0 };
    struct buf signature = { 0 };
    struct buf b = { 0 };
    struct buf bh = { 0 };
    struct mail_header header = { 0 };

    (void)state;
    memcpy(der, pkcs8, 16);
    assert_int_equal(EVP_DecodeBlock(der + 16, (const unsigned char *)secret,
                                     sizeof(secret) - 1),
                     33);
    struct dkim_key *key = dkim_key_parse(
        (struct slice){ (const char *)der, 48 },
        SLICE_OF("football.example.com"), SLICE_OF("brisbane"), &why);
    assert_non_null(key);

    read_file(DKIM_DATA "vector-rfc8463.eml", &message);
    assert_true(mail_header_index(buf_slice(&message), &header));
    struct slice field = mail_header_field(&header, 0).raw;
    tag_value(field, "bh", &bh);
    hash_body(slice_tail(buf_slice(&message), header.length), SIZE_MAX, hash);
    EVP_EncodeBlock((unsigned char *)text, hash, 32);
    assert_string_equal(text, buf_cstr(&bh));

    for (size_t i = 0; i < 5; i++)
        append_relaxed(&header, names[i], 0, &input);
    /* The second instances that h= names are not there. The field itself is
     * relaxed up to the "b=" that begins its last line but one. */
    tag_value(field, "b", &b);
    const char *at = memmem(field.ptr, field.len, " b=", 3);
    assert_non_null(at);
    dkim_relax_field(slice_head(field, (size_t)(at - field.ptr) + 3), &input);
    input.len -= 2;
    assert_int_equal(
        EVP_Digest(input.ptr, input.len, hash, NULL, EVP_sha256(), NULL), 1);
    assert_true(dkim_key_sign(key, hash, &signature));
    char encoded[96];
    EVP_EncodeBlock((unsigned char *)encoded,
                    (const unsigned char *)signature.ptr, 64);
    assert_string_equal(encoded, buf_cstr(&b));

    dkim_key_unref(key);
    mail_header_free(&header);
    buf_free(&message);
    buf_free(&input);
    buf_free(&signature);
    buf_free(&b);
    buf_free(&bh);
}

/* ---- memory ------------------------------------------------------------ */

/* Whichever request for memory fails: no signature, and nothing in out. */
static void
no_memory(void **state)
{
    static const struct slice message = SLICE("From: a@b\r\nTo: c@d\r\n\r\n");
    struct dkim_key *key = read_key("rsa1024.pem", "example.org", "s");
    const struct dkim_key *keys[] = { key, key };
    bool ok = false;
    size_t n = 0;

    (void)state;
    while (!ok) {
        struct buf out = { 0 };
        buf_puts(&out, "before");
        mem_fail_nth(++n);
        /* The header index of the message asks for memory as well. */
        unsigned char hash[32] = { 0 };
        struct mail_header header = { 0 };
        ok = mail_header_index(message, &header);
        if (ok) {
            struct dkim_request request = { .header = &header,
                                            .body_hash = hash,
                                            .keys = keys,
                                            .key_count = 2,
                                            .headers = dkim_default_headers,
                                            .oversign = dkim_default_oversign };
            ok = dkim_sign(&request, &out);
        }
        mem_fail_nth(0);
        if (!ok)
            assert_string_equal(buf_cstr(&out), "before");
        mail_header_free(&header);
        buf_free(&out);
        assert_true(n < 1000);
    }
    assert_true(n > 5);
    dkim_key_unref(key);
}

int
main(void)
{
    struct CMUnitTest tests[NAMES_ROWS + 6] = { 0 };
    size_t count = 0;

    for (size_t i = 0; i < NAMES_ROWS; i++)
        tests[count++] = (struct CMUnitTest){ names_rows[i].name, names_row,
                                              NULL, NULL, &names_rows[i] };
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(fixed_field);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(fifty_instances);
    tests[count++] =
        (struct CMUnitTest)cmocka_unit_test(hundred_thousand_fields);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(every_layout);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(rfc8463);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(no_memory);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
