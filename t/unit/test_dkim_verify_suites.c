/* Messages and key records of others, which are not in the tree: the directory
 * is $ONWARD_SUITES, or suites beside the checkout. */
#include "dkim_made.h"

#include <unistd.h>

static const char *
suite_path(const char *name, struct buf *path)
{
    const char *directory = getenv("ONWARD_SUITES");

    buf_clear(path);
    if (directory != NULL)
        buf_printf(path, "%s/%s", directory, name);
    else
        buf_printf(path, TEST_SOURCE "/../../shared/suites/%s", name);
    return buf_cstr(path);
}

/* The octets of a file, its line ends as they are on the wire. False: it is
 * not there, and the test is skipped. */
static bool
read_suite(const char *name, struct buf *out)
{
    struct buf path = { 0 };
    struct buf octets = { 0 };
    bool is_there = access(suite_path(name, &path), R_OK) == 0;

    if (is_there) {
        read_file(buf_cstr(&path), &octets);
        for (size_t i = 0; i < octets.len; i++) {
            if (octets.ptr[i] == '\n' && (i == 0 || octets.ptr[i - 1] != '\r'))
                buf_putc(out, '\r');
            buf_putc(out, octets.ptr[i]);
        }
    } else {
        printf("# not there: %s\n", buf_cstr(&path));
    }
    buf_free(&path);
    buf_free(&octets);
    return is_there;
}

/* ---- mail-auth: "NAME RECORD" lines, an empty line, the message -------- */

static struct signed_file {
    const char *name;
    int64_t now;
    size_t signatures;
} signed_files[] = {
    { "mail-auth/dkim/001.txt", 1528637909, 2 },
    { "mail-auth/dkim/002.txt", 1615825284, 1 },
    { "mail-auth/dkim/003.txt", 1667592145, 2 },
    { "mail-auth/dkim/004.txt", 1667862801, 1 },
    { "mail-auth/dkim/005.txt", 1667843664, 1 },
    { "mail-auth/dkim/006.txt", 1700000000, 1 },
};
enum {
    SIGNED_FILES = sizeof(signed_files) / sizeof(signed_files[0])
};

/* Cut the records off the text; NUL-terminated in place. */
static size_t
cut_records(struct slice *text, char **records, size_t max)
{
    size_t count = 0;

    for (;;) {
        size_t len = slice_find(*text, '\r');
        struct slice line = slice_head(*text, len);
        *text = slice_tail(*text, len + 2);
        if (line.len == 0 || count + 2 > max)
            return count;
        size_t blank = slice_find(line, ' ');
        records[count++] = strndup(line.ptr, blank);
        records[count++] = strndup(line.ptr + blank + 1, line.len - blank - 1);
    }
}

static void
all_pass(void **state)
{
    const struct signed_file *file = *state;
    char *records[9] = { 0 };
    struct buf octets = { 0 };
    struct made_result result;

    if (!read_suite(file->name, &octets))
        skip();
    struct slice message = buf_slice(&octets);
    size_t count = cut_records(&message, records, 8);
    struct made_zone zone = { .records = (const char *const *)records };
    struct made_options options = { .now = file->now };
    made_verify(message, &zone, &options, &result);
    assert_int_equal(result.count, file->signatures);
    for (size_t i = 0; i < result.count; i++)
        if (result.signatures[i].result != DKIM_PASS)
            fail_msg("signature %zu: %s (%s)", i,
                     dkim_result_word(result.signatures[i].result),
                     dkim_reason_word(result.signatures[i].reason));
    assert_int_equal(result.why, DKIM_REASON_NONE);
    made_free(&result);
    for (size_t i = 0; i < count; i++)
        free(records[i]);
    buf_free(&octets);
}

/* ---- dkimpy ------------------------------------------------------------ */

static struct record_file {
    const char *name;
    enum dkim_result result;
    enum dkim_reason reason;
} record_files[] = {
    { "dkimpy/test.txt", DKIM_PASS, DKIM_REASON_NONE },
    { "dkimpy/test2.txt", DKIM_PASS, DKIM_REASON_NONE },
    { "dkimpy/badk.txt", DKIM_PERMERROR, DKIM_KEY_WEAK },
    { "dkimpy/badversion.txt", DKIM_PERMERROR, DKIM_KEY_MISSING },
    { "dkimpy/test_bad.txt", DKIM_PERMERROR, DKIM_KEY_MISSING },
    { "dkimpy/test_tlsrpt.txt", DKIM_PERMERROR, DKIM_KEY_WEAK },
};
enum {
    RECORD_FILES = sizeof(record_files) / sizeof(record_files[0])
};

/* Their message, signed with their key, under each of their records. */
static void
record_of_dkimpy(void **state)
{
    const struct record_file *file = *state;
    struct buf message = { 0 };
    struct buf pem = { 0 };
    struct buf record = { 0 };
    struct buf text = { 0 };
    const char *why = NULL;
    struct made_result result;

    if (!read_suite("dkimpy/test.message", &message) ||
        !read_suite("dkimpy/test.private", &pem) ||
        !read_suite(file->name, &record))
        skip();
    struct dkim_key *key = dkim_key_parse(
        buf_slice(&pem), SLICE_OF("example.com"), SLICE_OF("test"), &why);
    assert_non_null(key);
    struct made_signer signer = { key, "rsa-sha256",
                                  "v=1; d=example.com; s=test; "
                                  "h=From:To:Subject; " };
    made_sign(&signer, buf_slice(&message), &text);
    const char *records[] = { "test._domainkey.example.com", buf_cstr(&record),
                              NULL };
    struct made_zone zone = { .records = records };
    made_verify(buf_slice(&text), &zone, NULL, &result);
    assert_int_equal(result.count, 1);
    assert_int_equal(result.signatures[0].result, file->result);
    assert_int_equal(result.signatures[0].reason, file->reason);
    made_free(&result);
    dkim_key_unref(key);
    buf_free(&message);
    buf_free(&pem);
    buf_free(&record);
    buf_free(&text);
}

static struct message_file {
    const char *name;
    const char *records[5];
    size_t count;
    enum dkim_result result; /* of each signature */
    enum dkim_reason reason;
} message_files[] = {
    { "dkimpy/ed25519test2.msg",
      { "sed._domainkey.test.ex",
        "v=DKIM1; k=ed25519; p=sPs07Vu29FpHT/80UXUcYHFOHifD4o2ZlP2+XUh9g6E=" },
      1,
      DKIM_PASS,
      DKIM_REASON_NONE },
    { "dkimpy/rfc6376.signed.msg",
      { "brisbane._domainkey.football.example.com",
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        "test._domainkey.football.example.com",
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
        "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"
        "DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
        "Ip3G+2kryOTIKT+l/K4w3QIDAQAB" },
      2,
      DKIM_PASS,
      DKIM_REASON_NONE },
    /* Folded in odd places, which is no matter of syntax; the key is gone. */
    { "dkimpy/test2.message", { NULL }, 1, DKIM_PERMERROR, DKIM_KEY_MISSING },
};
enum {
    MESSAGE_FILES = sizeof(message_files) / sizeof(message_files[0])
};

static void
message_of_dkimpy(void **state)
{
    const struct message_file *file = *state;
    struct buf message = { 0 };
    struct made_result result;

    if (!read_suite(file->name, &message))
        skip();
    struct made_zone zone = { .records = file->records };
    made_verify(buf_slice(&message), &zone, NULL, &result);
    assert_int_equal(result.count, file->count);
    for (size_t i = 0; i < result.count; i++) {
        if (result.signatures[i].result != file->result ||
            result.signatures[i].reason != file->reason)
            fail_msg("signature %zu: %s (%s)", i,
                     dkim_result_word(result.signatures[i].result),
                     dkim_reason_word(result.signatures[i].reason));
    }
    made_free(&result);
    buf_free(&message);
}

int
main(void)
{
    struct CMUnitTest tests[SIGNED_FILES + RECORD_FILES + MESSAGE_FILES] = {
        0
    };
    size_t count = 0;

    for (size_t i = 0; i < SIGNED_FILES; i++)
        tests[count++] = (struct CMUnitTest){ signed_files[i].name, all_pass,
                                              NULL, NULL, &signed_files[i] };
    for (size_t i = 0; i < RECORD_FILES; i++)
        tests[count++] =
            (struct CMUnitTest){ record_files[i].name, record_of_dkimpy, NULL,
                                 NULL, &record_files[i] };
    for (size_t i = 0; i < MESSAGE_FILES; i++)
        tests[count++] =
            (struct CMUnitTest){ message_files[i].name, message_of_dkimpy, NULL,
                                 NULL, &message_files[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
