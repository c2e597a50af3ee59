/* Authentication-Results (RFC 8601), octet for octet, and what strangers cannot
 * put into it. */
#include "auth_dmarc.h"

static struct dkim_signature
signature(const char *domain, const char *selector, const char *b,
          enum dkim_result result)
{
    return (struct dkim_signature){ .domain = slice_from(domain),
                                    .selector = slice_from(selector),
                                    .algorithm = SLICE("rsa-sha256"),
                                    .b = slice_from(b),
                                    .result = result };
}

static void
prints(const struct auth_results *results, const char *want)
{
    struct buf out = { 0 };

    assert_true(auth_results_print(results, &out));
    assert_string_equal(buf_cstr(&out), want);
    buf_free(&out);
}

static void
all_parts(void **state)
{
    struct dkim_signature signatures[] = {
        signature("sender.example", "s1", "AbCdEfGh", DKIM_PASS),
        signature("esp.example", "k2", "Ab/dEfG=", DKIM_PERMERROR),
    };
    struct auth_results results = { .id = SLICE("mx.public.example"),
                                    .spf = "pass",
                                    .spf_domain = SLICE("bounce.example"),
                                    .has_dkim = true,
                                    .signatures = signatures,
                                    .signature_count = 2,
                                    .dmarc = "pass",
                                    .author = SLICE("sender.example"),
                                    .dmarc_policy = "reject" };

    (void)state;
    prints(&results,
           "Authentication-Results: mx.public.example;\r\n"
           "\tspf=pass smtp.mailfrom=bounce.example;\r\n"
           "\tdkim=pass header.d=sender.example header.s=s1 "
           "header.a=rsa-sha256\r\n"
           "\theader.b=AbCdEfGh;\r\n"
           "\tdkim=permerror header.d=esp.example header.s=k2 "
           "header.a=rsa-sha256\r\n"
           "\theader.b=\"Ab/dEfG=\";\r\n"
           "\tdmarc=pass header.from=sender.example policy.dmarc=reject\r\n");
}

static void
parts_that_are_missing(void **state)
{
    struct auth_results results = { .id = SLICE("mx") };

    (void)state;
    prints(&results, "Authentication-Results: mx; none\r\n");
    results.spf = "fail";
    results.spf_domain = SLICE_OF("helo.example");
    results.spf_is_helo = true;
    results.has_dkim = true;
    results.dmarc = "none";
    results.author = SLICE_OF("a.example");
    prints(&results, "Authentication-Results: mx;\r\n"
                     "\tspf=fail smtp.helo=helo.example;\r\n"
                     "\tdkim=none;\r\n"
                     "\tdmarc=none header.from=a.example\r\n");
}

static void
values_of_strangers(void **state)
{
    static const char *const bad[] = {
        "",
        "a; spf=pass smtp.mailfrom=bank.example",
        "a b",
        "a\tb",
        "a\r\n b",
        "a(comment)",
        "a\"b",
        "a\\b",
        "[192.0.2.1]",
        "a\xc3\xa4",
        "a\x7f",
        "a/b",
        "a=b",
        "a,b",
        "a:b",
        "a@b",
        "<a>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct dkim_signature one =
            signature(bad[i], bad[i], bad[i], DKIM_FAIL);
        one.algorithm = slice_from(bad[i]);
        /* Of b= a slash and an equals sign are its alphabet. */
        if (strcmp(bad[i], "a/b") == 0 || strcmp(bad[i], "a=b") == 0)
            one.b = SLICE_OF(";");
        struct auth_results results = { .id = SLICE("mx"),
                                        .spf = "none",
                                        .spf_domain = slice_from(bad[i]),
                                        .has_dkim = true,
                                        .signatures = &one,
                                        .signature_count = 1,
                                        .dmarc = "fail",
                                        .author = slice_from(bad[i]) };
        prints(&results, "Authentication-Results: mx;\r\n\tspf=none;\r\n"
                         "\tdkim=fail;\r\n\tdmarc=fail\r\n");
        struct buf out = { 0 };
        results.id = slice_from(bad[i]);
        assert_false(auth_results_print(&results, &out));
        assert_int_equal(out.len, 0);
        auth_arrival_print(AUTH_FAILS, slice_from(bad[i]), DMARC_POLICY_REJECT,
                           &out);
        assert_string_equal(buf_cstr(&out),
                            "X-Onward-Arrival: fails; policy=reject\r\n");
        buf_free(&out);
    }
}

static void
long_values_and_lines(void **state)
{
    char name[260];
    struct buf out = { 0 };

    (void)state;
    memset(name, 'a', sizeof(name));
    for (size_t i = 50; i < sizeof(name); i += 51)
        name[i] = '.';
    struct auth_results results = { .id = SLICE("mx"),
                                    .spf = "pass",
                                    .spf_domain = { name, 253 } };
    assert_true(auth_results_print(&results, &out));
    size_t longest = 0;
    for (struct slice rest = buf_slice(&out); rest.len != 0;) {
        struct slice line = slice_cut(&rest, '\n');
        longest = line.len > longest ? line.len : longest;
    }
    assert_in_range(longest, 253, 300);
    buf_free(&out);
    results.spf_domain.len = 256;
    prints(&results, "Authentication-Results: mx;\r\n\tspf=pass\r\n");
}

static void
in_the_log(void **state)
{
    struct dkim_signature signatures[] = {
        signature("a.example", "s1", "x", DKIM_PASS),
        signature("b.example", "s2", "x", DKIM_FAIL),
        signature("c.example", "s3", "x", DKIM_PASS),
    };
    struct buf out = { 0 };

    (void)state;
    auth_verified_print(signatures, 3, DKIM_REASON_NONE, &out);
    assert_string_equal(buf_cstr(&out), "a.example/s1,c.example/s3");
    buf_clear(&out);
    auth_verified_print(signatures + 1, 1, DKIM_KEY_REVOKED, &out);
    assert_string_equal(buf_cstr(&out), "none(key-revoked)");
    buf_clear(&out);
    auth_verified_print(NULL, 0, DKIM_NO_SIGNATURE, &out);
    assert_string_equal(buf_cstr(&out), "none(no-signature)");
    buf_clear(&out);
    auth_arrival_print(AUTH_UNAUTHENTICATED, SLICE_OF("x.example"),
                       DMARC_NO_POLICY, &out);
    assert_string_equal(
        buf_cstr(&out),
        "X-Onward-Arrival: unauthenticated; domain=x.example; policy=none\r\n");
    buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_parts),
        cmocka_unit_test(parts_that_are_missing),
        cmocka_unit_test(values_of_strangers),
        cmocka_unit_test(long_values_and_lines),
        cmocka_unit_test(in_the_log),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
