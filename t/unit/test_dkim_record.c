#include "test_dkim.h"

/* The public keys of rsa1024.pem, rsa2048.pem and ed25519.pem are in
 * dns.json; the rows name its records. */
struct row {
    const char *name;
    const char *key;
    const char *record; /* name of dns.json; or text, with "p=" from there */
    const char *why;    /* part of the sentence; NULL: the same */
};

static struct row dns_rows[] = {
    { "RSA", "rsa2048.pem", "rsa2048", NULL },
    { "RSA 4096", "rsa4096.pem", "rsa4096", NULL },
    { "Ed25519", "ed25519.pem", "ed25519", NULL },
    { "p= alone", "rsa2048.pem", "min", NULL },
    { "test mode", "rsa2048.pem", "testing", NULL },
    { "strict", "rsa2048.pem", "strict", NULL },
    { "revoked", "rsa2048.pem", "revoked", "revoked" },
    { "sha1 only", "rsa2048.pem", "sha1only", "sha256" },
    { "other service", "rsa2048.pem", "svcother", "not for email" },
    { "PKCS#1", "rsa2048.pem", "pkcs1", "PKCS#1" },
    { "Ed25519 as SubjectPublicKeyInfo", "ed25519.pem", "spki-ed",
      "SubjectPublicKeyInfo" },
    { "another key", "rsa2048.pem", "wrongkey", "another key" },
    { "another Ed25519 key", "ed25519b.pem", "ed25519", "another key" },
    { "RSA key, record of Ed25519", "rsa2048.pem", "ed25519",
      "not for an RSA key" },
    { "Ed25519 key, record of RSA", "ed25519.pem", "rsa2048",
      "not for an Ed25519 key" },
};
enum {
    DNS_ROWS = sizeof(dns_rows) / sizeof(dns_rows[0])
};

#define ED "OXkdqdutnZMY3Xtoev6XTTDd/T8esCR8P3B8CSV2r8Q="

static struct row text_rows[] = {
    { "empty", "ed25519.pem", "", "is empty" },
    { "blanks", "ed25519.pem", "  \t", "is empty" },
    { "v= wrong", "ed25519.pem", "v=DKIM2; k=ed25519; p=" ED,
      "is not v=DKIM1" },
    { "v= in lower case", "ed25519.pem", "v=dkim1; k=ed25519; p=" ED,
      "is not v=DKIM1" },
    { "v= not first", "ed25519.pem", "k=ed25519; v=DKIM1; p=" ED, "not first" },
    { "no p=", "ed25519.pem", "v=DKIM1; k=ed25519", "has no p=" },
    { "an SPF record", "ed25519.pem", "v=spf1 -all", "is not v=DKIM1" },
    { "any text", "ed25519.pem", "hello", "is not a list of tags" },
    { "a tag twice", "ed25519.pem", "p=x; p=" ED, "twice" },
    { "with its quotes", "ed25519.pem", "\"v=DKIM1; k=ed25519; p=" ED "\"",
      "quotation mark" },
    { "quotes inside", "ed25519.pem",
      "k=ed25519; p=OXkdqdutnZMY3Xto\" \"ev6XTTDd/T8esCR8P3B8CSV2r8Q=",
      "quotation marks inside" },
    { "cut off unevenly", "ed25519.pem",
      "k=ed25519; p=OXkdqdutnZMY3Xtoev6XTTDd/T8esCR8P3B8CSV2r8", "cut off" },
    { "cut off evenly", "ed25519.pem",
      "k=ed25519; p=OXkdqdutnZMY3Xtoev6XTTDd/T8esCR8P3B8CSV2",
      "only the beginning" },
    { "not base64", "ed25519.pem", "k=ed25519; p=OXkd-dut_ZMY", "not base64" },
    { "padding inside", "ed25519.pem", "k=ed25519; p=OX==dqdu", "not base64" },
    { "white space everywhere", "ed25519.pem",
      " v = DKIM1 ;\tk = ed25519 ; p = OXkdqdutnZMY3Xtoev6X TTDd/T8e\r\n "
      "sCR8P3B8CSV2r8Q= ; ",
      NULL },
    { "unknown tags", "ed25519.pem", "v=DKIM1; n=a note; x=y; k=ed25519; p=" ED,
      NULL },
    { "several hashes and services", "ed25519.pem",
      "v=DKIM1; h=sha1:sha256; s=foo:email; k=ed25519; p=" ED, NULL },
    { "any service", "ed25519.pem", "v=DKIM1; s=*; k=ed25519; p=" ED, NULL },
    { "no k= means RSA", "ed25519.pem", "v=DKIM1; p=" ED,
      "not for an Ed25519 key" },
    { "unknown k=", "rsa2048.pem", "v=DKIM1; k=ec; p=" ED,
      "not for an RSA key" },
};
enum {
    TEXT_ROWS = sizeof(text_rows) / sizeof(text_rows[0])
};

static void
compare(const struct row *row, struct slice record)
{
    struct dkim_key *key = read_key(row->key, "example.org", "s");
    const char *why = dkim_record_compare(key, record);

    if (row->why == NULL) {
        if (why != NULL)
            fail_msg("%s", why);
    } else {
        assert_non_null(why);
        if (strstr(why, row->why) == NULL)
            fail_msg("%s", why);
    }
    dkim_key_unref(key);
}

static void
text_row(void **state)
{
    const struct row *row = *state;

    compare(row, slice_from(row->record));
}

/* "NAME": "VALUE" on one line of dns.json. */
static struct slice
dns_record(struct slice json, const char *selector)
{
    struct buf name = { 0 };

    buf_printf(&name, "\"%s._domainkey.example.org\": \"", selector);
    const char *at = memmem(json.ptr, json.len, name.ptr, name.len);
    assert_non_null(at);
    struct slice rest = slice_tail(json, (size_t)(at - json.ptr) + name.len);
    buf_free(&name);
    return slice_cut(&rest, '"');
}

static void
dns_row(void **state)
{
    const struct row *row = *state;
    struct buf json = { 0 };

    read_file(DKIM_DATA "dns.json", &json);
    compare(row, dns_record(buf_slice(&json), row->record));
    buf_free(&json);
}

static void
notes(void **state)
{
    (void)state;
    assert_null(dkim_record_note(SLICE_OF("v=DKIM1; p=x")));
    assert_null(dkim_record_note(SLICE_OF("v=DKIM1; t=s; p=x")));
    assert_non_null(dkim_record_note(SLICE_OF("v=DKIM1; t=y; p=x")));
    assert_non_null(dkim_record_note(SLICE_OF("v=DKIM1; t=s:y; p=x")));
}

/* What we print is what dns.json has. */
static void
printed(void **state)
{
    static const struct {
        const char *key;
        const char *selector;
    } kinds[] = {
        { "rsa1024.pem", "rsa1024" },     { "rsa2048.pem", "rsa2048" },
        { "rsa3072.pem", "rsa3072" },     { "rsa4096.pem", "rsa4096" },
        { "rsa2048e3.pem", "rsa2048e3" }, { "ed25519.pem", "ed25519" },
        { "ed25519b.pem", "ed25519b" },
    };
    struct buf json = { 0 };

    (void)state;
    read_file(DKIM_DATA "dns.json", &json);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct dkim_key *key = read_key(kinds[i].key, "example.org", "s");
        struct buf record = { 0 };
        assert_true(dkim_key_record(key, &record));
        struct slice want = dns_record(buf_slice(&json), kinds[i].selector);
        assert_int_equal(record.len, want.len);
        assert_memory_equal(record.ptr, want.ptr, want.len);
        assert_null(dkim_record_compare(key, buf_slice(&record)));
        buf_free(&record);
        dkim_key_unref(key);
    }
    buf_free(&json);
}

/* Strings of at most 255 octets that give the record when joined. */
static void
zone_strings(void **state)
{
    struct dkim_key *key = read_key("rsa4096.pem", "example.org", "s2026");
    static const char start[] = "s2026._domainkey.example.org. 3600 IN TXT ( ";
    struct buf zone = { 0 };
    struct buf joined = { 0 };
    struct buf record = { 0 };

    (void)state;
    assert_true(dkim_zone_print(key, DKIM_ZONE_BIND, &zone));
    assert_true(dkim_key_record(key, &record));
    struct slice rest = buf_slice(&zone);
    assert_memory_equal(rest.ptr, start, sizeof(start) - 1);
    assert_true(slice_ends_nocase(rest, SLICE_OF("\" )\n")));
    slice_cut(&rest, '"');
    while (rest.len != 0) {
        struct slice string = slice_cut(&rest, '"');
        assert_in_range(string.len, 1, 255);
        buf_append(&joined, string);
        slice_cut(&rest, '"');
    }
    assert_string_equal(buf_cstr(&joined), buf_cstr(&record));
    buf_free(&zone);
    buf_free(&joined);
    buf_free(&record);
    dkim_key_unref(key);
}

static void
zone_formats(void **state)
{
    static const struct {
        enum dkim_zone_format format;
        const char *text;
    } kinds[] = {
        { DKIM_ZONE_BIND, "s._domainkey.a.example. 3600 IN TXT ( "
                          "\"v=DKIM1; k=ed25519; p=" ED "\" )\n" },
        { DKIM_ZONE_PLAIN,
          "s._domainkey.a.example v=DKIM1; k=ed25519; p=" ED "\n" },
        { DKIM_ZONE_NSUPDATE, "update delete s._domainkey.a.example. TXT\n"
                              "update add s._domainkey.a.example. 3600 TXT "
                              "\"v=DKIM1; k=ed25519; p=" ED "\"\n" },
        { DKIM_ZONE_JSON,
          "{\"name\": \"s._domainkey.a.example\", \"type\": \"TXT\", "
          "\"ttl\": 3600, \"domain\": \"a.example\", \"selector\": \"s\", "
          "\"algorithm\": \"ed25519\", \"state\": \"active\", "
          "\"value\": \"v=DKIM1; k=ed25519; p=" ED "\", "
          "\"strings\": [\"v=DKIM1; k=ed25519; p=" ED "\"]}" },
    };
    struct dkim_key *key = read_key("ed25519.pem", "a.example", "s");

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct buf zone = { 0 };
        assert_true(dkim_zone_print(key, kinds[i].format, &zone));
        assert_string_equal(buf_cstr(&zone), kinds[i].text);
        buf_free(&zone);
    }
    dkim_key_unref(key);
}

int
main(void)
{
    struct CMUnitTest tests[DNS_ROWS + TEXT_ROWS + 4] = { 0 };
    size_t count = 0;

    for (size_t i = 0; i < DNS_ROWS; i++)
        tests[count++] = (struct CMUnitTest){ dns_rows[i].name, dns_row, NULL,
                                              NULL, &dns_rows[i] };
    for (size_t i = 0; i < TEXT_ROWS; i++)
        tests[count++] = (struct CMUnitTest){ text_rows[i].name, text_row, NULL,
                                              NULL, &text_rows[i] };
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(notes);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(printed);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(zone_strings);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(zone_formats);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
