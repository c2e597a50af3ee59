/* Several signatures, several keys: which are examined, in which order, how
 * often DNS is asked, and what happens when memory is short. */
#include "dkim_made.h"

#define H "h=From:To:Subject; "

static const char plain[] = "From: Alice <alice@example.org>\r\n"
                            "To: bob@example.net\r\n"
                            "Subject: dinner\r\n"
                            "\r\n"
                            "Ready?\r\n";

static struct dkim_key *
ed25519(void)
{
    return read_key("ed25519.pem", "example.org", "s");
}

static void
record_of(const struct dkim_key *key, struct buf *record)
{
    assert_true(dkim_key_record(key, record));
}

/* Put one more signature on top. */
static void
sign_again(struct buf *message, const struct dkim_key *key, const char *tags)
{
    struct made_signer signer = { key,
                                  key->algorithm == DKIM_RSA_SHA256
                                      ? "rsa-sha256"
                                      : "ed25519-sha256",
                                  tags };
    struct buf text = { 0 };

    if (message->len == 0)
        buf_puts(message, plain);
    made_sign(&signer, buf_slice(message), &text);
    buf_free(message);
    *message = text;
}

/* ---- order and number -------------------------------------------------- */

static void
decoys_do_not_push_out_the_authors(void **state)
{
    struct dkim_key *key = ed25519();
    struct buf record = { 0 };
    struct buf message = { 0 };
    struct made_result result;
    struct slice author = SLICE_OF("mail.example.org");

    (void)state;
    record_of(key, &record);
    sign_again(&message, key, "v=1; d=example.org; s=s; " H);
    for (int i = 0; i < 11; i++)
        sign_again(&message, key, "v=1; d=xexample.org; s=s; " H);
    const char *records[] = { "s._domainkey.example.org", buf_cstr(&record),
                              NULL };
    struct made_zone zone = { .records = records };
    struct made_options options = { .authors = &author, .author_count = 1 };
    made_verify(buf_slice(&message), &zone, &options, &result);
    assert_int_equal(result.count, 12);
    assert_int_equal(result.signatures[11].result, DKIM_PASS);
    for (int i = 0; i < 11; i++) {
        bool examined = i < 7;
        assert_int_equal(result.signatures[i].result,
                         examined ? DKIM_PERMERROR : DKIM_NONE);
        assert_int_equal(result.signatures[i].reason,
                         examined ? DKIM_KEY_MISSING : DKIM_NOT_EXAMINED);
        assert_true(slice_equal(result.signatures[i].domain,
                                examined ? SLICE_OF("xexample.org")
                                         : result.signatures[i].domain));
    }
    assert_int_equal(zone.questions, 2); /* each name once */
    assert_int_equal(result.why, DKIM_REASON_NONE);
    struct dkim_signature examined[16];
    assert_int_equal(dkim_verifier_examined(result.verifier, examined, 16), 8);
    assert_true(slice_equal(examined[0].domain, SLICE_OF("xexample.org")));
    assert_true(slice_equal(examined[7].domain, SLICE_OF("example.org")));
    made_free(&result);

    /* Without the author the decoys win, and the word says so. */
    made_verify(buf_slice(&message), &zone, NULL, &result);
    assert_int_equal(result.signatures[11].reason, DKIM_NOT_EXAMINED);
    assert_true(
        slice_equal(result.signatures[11].domain, SLICE_OF("example.org")));
    assert_int_equal(result.why, DKIM_TOO_MANY);
    made_free(&result);
    dkim_key_unref(key);
    buf_free(&record);
    buf_free(&message);
}

static void
broken_ones_count(void **state)
{
    struct dkim_key *key = ed25519();
    struct buf message = { 0 };
    struct made_zone zone = { 0 };
    struct made_result result;

    (void)state;
    buf_puts(&message, plain);
    sign_again(&message, key, "v=1; d=example.org; s=s; " H);
    for (int i = 0; i < 9; i++) {
        struct buf above = { 0 };
        buf_puts(&above, "DKIM-Signature: v=1; broken\r\n");
        buf_append(&above, buf_slice(&message));
        buf_free(&message);
        message = above;
    }
    struct made_options options = { .max = 3 };
    made_verify(buf_slice(&message), &zone, &options, &result);
    assert_int_equal(result.count, 10);
    assert_int_equal(result.signatures[0].reason, DKIM_SYNTAX);
    assert_int_equal(result.signatures[1].reason, DKIM_SYNTAX);
    for (size_t i = 2; i < 9; i++)
        assert_int_equal(result.signatures[i].reason, DKIM_NOT_EXAMINED);
    assert_int_equal(result.signatures[9].reason, DKIM_KEY_MISSING);
    made_free(&result);
    dkim_key_unref(key);
    buf_free(&message);
}

static void
enough(void **state)
{
    static const struct {
        const char *tags; /* of the author's */
        enum dkim_extent extent;
        size_t authors;
        enum dkim_result other;
    } cases[] = {
        { "v=1; d=example.org; s=s; " H, DKIM_CHECK_ENOUGH, 1, DKIM_NONE },
        { "v=1; d=example.org; s=s; " H, DKIM_CHECK_ALL, 1, DKIM_PASS },
        { "v=1; d=example.org; s=s; " H, DKIM_CHECK_ENOUGH, 2, DKIM_PASS },
        { "v=1; d=example.org; s=s; x=1795939200; " H, DKIM_CHECK_ENOUGH, 1,
          DKIM_NONE }, /* 5 days */
        { "v=1; d=example.org; s=s; x=1795939199; " H, DKIM_CHECK_ENOUGH, 1,
          DKIM_PASS },
        { "v=1; d=example.org; s=s; l=1; " H, DKIM_CHECK_ENOUGH, 1, DKIM_PASS },
    };
    struct slice authors[] = { SLICE("example.org"), SLICE("example.net") };
    struct dkim_key *key = ed25519();
    struct buf record = { 0 };

    (void)state;
    record_of(key, &record);
    const char *records[] = { "s._domainkey.example.org", buf_cstr(&record),
                              "s._domainkey.esp.example", buf_cstr(&record),
                              NULL };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct made_zone zone = { .records = records };
        struct made_options options = { .authors = authors,
                                        .author_count = cases[i].authors,
                                        .extent = cases[i].extent };
        struct buf message = { 0 };
        struct made_result result;
        sign_again(&message, key, cases[i].tags);
        sign_again(&message, key, "v=1; d=esp.example; s=s; " H);
        made_verify(buf_slice(&message), &zone, &options, &result);
        assert_int_equal(result.signatures[0].result, cases[i].other);
        made_free(&result);
        buf_free(&message);
    }
    dkim_key_unref(key);
    buf_free(&record);
}

/* ---- keys -------------------------------------------------------------- */

static void
several_records_of_one_name(void **state)
{
    static const char spf[] = "v=spf1 -all";
    static const char other[] =
        "v=DKIM1; k=ed25519; p=x+5rQHrZcHMF6za1XcwcWJs35vkizfcsIGRNfDAjnO8=";
    struct dkim_key *key = ed25519();
    struct buf record = { 0 };
    struct buf message = { 0 };
    struct made_result result;

    (void)state;
    record_of(key, &record);
    const char *good = buf_cstr(&record);
    const char *name = "s._domainkey.example.org";
    const char *third[] = { name, spf,           name, other, name, "",
                            name, "v=DKIM1; p=", name, good,  NULL };
    const char *fourth[] = { name,  other, name, other, name,
                             other, name,  good, NULL };
    const char *none[] = { name, spf, name, "", NULL };
    struct {
        const char *const *records;
        enum dkim_reason reason;
    } cases[] = { { third, DKIM_REASON_NONE },
                  { fourth, DKIM_SIGNATURE },
                  { none, DKIM_KEY_MISSING } };
    sign_again(&message, key, "v=1; d=example.org; s=s; " H);
    for (size_t i = 0; i < 3; i++) {
        struct made_zone zone = { .records = cases[i].records };
        made_verify(buf_slice(&message), &zone, NULL, &result);
        assert_int_equal(result.signatures[0].reason, cases[i].reason);
        made_free(&result);
    }
    dkim_key_unref(key);
    buf_free(&record);
    buf_free(&message);
}

/* What dns.json has under selectors of the test domain. */
static void
kinds_of_rsa(void **state)
{
    static const struct {
        const char *file;
        unsigned bits;
    } kinds[] = {
        { "rsa1024.pem", 1024 },   { "rsa2048.pem", 2048 },
        { "rsa3072.pem", 3072 },   { "rsa4096.pem", 4096 },
        { "rsa2048e3.pem", 2048 },
    };
    struct made_result result;

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct dkim_key *key = read_key(kinds[i].file, "example.org", "s");
        struct buf record = { 0 };
        struct buf message = { 0 };
        record_of(key, &record);
        sign_again(&message, key, "v=1; d=example.org; s=s; " H);
        const char *records[] = { "s._domainkey.example.org", buf_cstr(&record),
                                  NULL };
        struct made_zone zone = { .records = records };
        made_verify(buf_slice(&message), &zone, NULL, &result);
        assert_int_equal(result.signatures[0].result, DKIM_PASS);
        assert_int_equal(result.signatures[0].bits, kinds[i].bits);
        assert_true(slice_equal(result.signatures[0].algorithm,
                                SLICE_OF("rsa-sha256")));
        made_free(&result);
        dkim_key_unref(key);
        buf_free(&record);
        buf_free(&message);
    }
}

static void
domain_in_u_labels(void **state)
{
    struct dkim_key *key = ed25519();
    struct buf record = { 0 };
    struct buf message = { 0 };
    struct made_result result;

    (void)state;
    record_of(key, &record);
    sign_again(&message, key,
               "v=1; d=B\xc3\xbc"
               "cher.example; s=s; " H);
    const char *records[] = { "s._domainkey.xn--bcher-kva.example",
                              buf_cstr(&record), NULL };
    struct made_zone zone = { .records = records };
    made_verify(buf_slice(&message), &zone, NULL, &result);
    assert_int_equal(result.count, 1);
    assert_int_equal(result.signatures[0].result, DKIM_PASS);
    assert_true(slice_equal(result.signatures[0].domain,
                            SLICE_OF("xn--bcher-kva.example")));
    made_free(&result);
    dkim_key_unref(key);
    buf_free(&record);
    buf_free(&message);
}

static void
cached_keys(void **state)
{
    struct dkim_keycache *cache = dkim_keycache_new(16);
    struct dkim_key *key = ed25519();
    struct buf record = { 0 };
    struct buf message = { 0 };

    (void)state;
    record_of(key, &record);
    sign_again(&message, key, "v=1; d=example.org; s=s; " H);
    for (int i = 0; i < 200; i++) {
        struct buf noted = { 0 };
        struct made_result result;
        /* Another text for every second message: the same key. */
        buf_append(&noted, buf_slice(&record));
        if (i % 2 != 0)
            buf_printf(&noted, "; n=%d", i);
        const char *records[] = { "s._domainkey.example.org", buf_cstr(&noted),
                                  NULL };
        struct made_zone zone = { .records = records };
        struct made_options options = { .cache = cache };
        made_verify(buf_slice(&message), &zone, &options, &result);
        assert_int_equal(result.signatures[0].result, DKIM_PASS);
        assert_true(dkim_keycache_count(cache) <= 16);
        made_free(&result);
        buf_free(&noted);
    }
    assert_true(dkim_keycache_count(cache) > 8);
    dkim_keycache_free(cache);
    dkim_key_unref(key);
    buf_free(&record);
    buf_free(&message);
}

/* A key that takes long is refused before it is used. */
static void
huge_keys(void **state)
{
    struct dkim_key *key = read_key("rsa1024.pem", "example.org", "s");
    struct buf message = { 0 };
    struct buf record = { 0 };
    struct made_result result;

    (void)state;
    sign_again(&message, key, "v=1; d=example.org; s=s; " H);
    buf_puts(&record, "v=DKIM1; p=");
    for (int i = 0; i < 64 * 1024; i++)
        buf_putc(&record, 'A');
    const char *records[] = { "s._domainkey.example.org", buf_cstr(&record),
                              NULL };
    struct made_zone zone = { .records = records };
    made_verify(buf_slice(&message), &zone, NULL, &result);
    assert_int_equal(result.signatures[0].result, DKIM_PERMERROR);
    assert_int_equal(result.signatures[0].reason, DKIM_KEY_WEAK);
    made_free(&result);
    dkim_key_unref(key);
    buf_free(&message);
    buf_free(&record);
}

/* ---- bounds ------------------------------------------------------------ */

static void
names_of_h(void **state)
{
    struct dkim_key *key = ed25519();
    struct buf record = { 0 };

    (void)state;
    record_of(key, &record);
    const char *records[] = { "s._domainkey.example.org", buf_cstr(&record),
                              NULL };
    for (int names = 1000; names <= 1001; names++) {
        struct made_zone zone = { .records = records };
        struct buf tags = { 0 };
        struct buf message = { 0 };
        struct made_result result;
        buf_puts(&tags, "v=1; d=example.org; s=s; h=From");
        for (int i = 1; i < names; i++)
            buf_puts(&tags, ":a");
        buf_puts(&tags, "; ");
        sign_again(&message, key, buf_cstr(&tags));
        made_verify(buf_slice(&message), &zone, NULL, &result);
        assert_int_equal(result.signatures[0].result,
                         names <= 1000 ? DKIM_PASS : DKIM_PERMERROR);
        made_free(&result);
        buf_free(&tags);
        buf_free(&message);
    }
    dkim_key_unref(key);
    buf_free(&record);
}

/* A From below more fields than are indexed would be the one that h= means:
 * what cannot be seen is not vouched for. */
static void
a_header_without_end(void **state)
{
    struct dkim_key *key = ed25519();
    struct buf record = { 0 };
    struct buf message = { 0 };
    struct buf long_one = { 0 };
    struct made_result result;

    (void)state;
    record_of(key, &record);
    sign_again(&message, key, "v=1; d=example.org; s=s; " H);
    const char *records[] = { "s._domainkey.example.org", buf_cstr(&record),
                              NULL };
    size_t end =
        (size_t)((const char *)memmem(message.ptr, message.len, "\r\n\r\n", 4) -
                 message.ptr) +
        2;
    for (int more = 0; more <= 1; more++) {
        struct made_zone zone = { .records = records };
        buf_clear(&long_one);
        buf_append(&long_one, slice_head(buf_slice(&message), end));
        for (int i = 4; i < MAIL_FIELDS_MAX; i++)
            buf_puts(&long_one, "a:\r\n");
        if (more)
            buf_puts(&long_one, "From: boss@bank.example\r\n");
        buf_append(&long_one, slice_tail(buf_slice(&message), end));
        made_verify(buf_slice(&long_one), &zone, NULL, &result);
        assert_int_equal(result.signatures[0].result,
                         more ? DKIM_PERMERROR : DKIM_PASS);
        made_free(&result);
    }
    dkim_key_unref(key);
    buf_free(&record);
    buf_free(&message);
    buf_free(&long_one);
}

static void
no_answer_is_trouble(void **state)
{
    struct dkim_key *key = ed25519();
    struct buf message = { 0 };
    struct mail_header header = { 0 };
    struct dns_question question;
    size_t ticket = 0;

    (void)state;
    sign_again(&message, key, "v=1; d=example.org; s=s; " H);
    assert_true(mail_header_index(buf_slice(&message), &header));
    struct dkim_verify_request request = { .header = &header,
                                           .max = 8,
                                           .now = MADE_NOW };
    struct dkim_verifier *verifier = dkim_verifier_new(&request);
    assert_true(dkim_verifier_ask(verifier, &question, &ticket));
    assert_true(dkim_verifier_waits(verifier));
    assert_int_equal(dkim_verifier_signature(verifier, 0).result,
                     DKIM_TEMPERROR);
    dkim_verifier_check(verifier, NULL);
    assert_int_equal(dkim_verifier_signature(verifier, 0).result,
                     DKIM_TEMPERROR);
    assert_int_equal(dkim_verifier_why(verifier), DKIM_TROUBLE);
    dkim_verifier_free(verifier);
    mail_header_free(&header);
    dkim_key_unref(key);
    buf_free(&message);
}

/* One allocation after the other fails: DNS was fine, so the result is a pass
 * or trouble, never a judgement on the sender. */
static void
memory_is_short(void **state)
{
    struct dkim_key *key = ed25519();
    struct buf record = { 0 };
    struct buf message = { 0 };
    struct mail_header header = { 0 };
    size_t failing = 1;
    bool passed = false;

    (void)state;
    record_of(key, &record);
    sign_again(&message, key, "v=1; d=example.org; s=s; " H);
    assert_true(mail_header_index(buf_slice(&message), &header));
    struct dns_record txt = { .text = buf_slice(&record) };
    struct dns_answer answer = { .status = DNS_FOUND,
                                 .records = &txt,
                                 .count = 1 };
    for (; !passed; failing++) {
        struct dkim_verify_request request = { .header = &header,
                                               .max = 8,
                                               .now = MADE_NOW };
        struct dns_question question;
        size_t ticket = 0;
        assert_true(failing < 100);
        struct dkim_keycache *cache = dkim_keycache_new(8);
        mem_fail_nth(failing);
        struct dkim_verifier *verifier = dkim_verifier_new(&request);
        if (verifier != NULL) {
            assert_true(dkim_verifier_ask(verifier, &question, &ticket));
            dkim_verifier_answer(verifier, ticket, &answer, cache);
            struct dkim_bodies *bodies =
                dkim_bodies_new(verifier, DKIM_BODIES_VERIFY_AND_SIGN);
            if (bodies != NULL) {
                dkim_bodies_update(
                    bodies, slice_tail(buf_slice(&message), header.length));
                dkim_bodies_finish(bodies, NULL);
            }
            dkim_verifier_check(verifier, bodies);
            enum dkim_result result =
                dkim_verifier_signature(verifier, 0).result;
            assert_true(result == DKIM_PASS || result == DKIM_TEMPERROR);
            passed = mem_fail_nth(0) < failing && result == DKIM_PASS;
            dkim_bodies_free(bodies);
        }
        mem_fail_nth(0);
        dkim_verifier_free(verifier);
        dkim_keycache_free(cache);
    }
    assert_true(failing > 5);
    mail_header_free(&header);
    dkim_key_unref(key);
    buf_free(&record);
    buf_free(&message);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoys_do_not_push_out_the_authors),
        cmocka_unit_test(broken_ones_count),
        cmocka_unit_test(enough),
        cmocka_unit_test(several_records_of_one_name),
        cmocka_unit_test(kinds_of_rsa),
        cmocka_unit_test(domain_in_u_labels),
        cmocka_unit_test(cached_keys),
        cmocka_unit_test(huge_keys),
        cmocka_unit_test(names_of_h),
        cmocka_unit_test(a_header_without_end),
        cmocka_unit_test(no_answer_is_trouble),
        cmocka_unit_test(memory_is_short),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
