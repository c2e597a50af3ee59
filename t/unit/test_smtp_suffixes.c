/* The public suffix list: who registered a name. */
#include "smtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *name;
    const char *registrable;
} rows[] = {
    { "example.org", "example.org" },
    { "srs.example.org", "example.org" },
    { "a.b.c.example.org", "example.org" },
    { "example.co.uk", "example.co.uk" },
    { "mail.example.co.uk", "example.co.uk" },
    { "co.uk", "" },
    { "org", "" },
    { "localhost", "" },
    /* A top domain that the list does not know. */
    { "srs.public.example", "public.example" },
    { "public.example", "public.example" },
    /* Exception and wildcard rules. */
    { "x.city.kobe.jp", "city.kobe.jp" },
    { "a.b.c.kobe.jp", "b.c.kobe.jp" },
    /* The part of the list that hosters asked for. */
    { "x.github.io", "x.github.io" },
    { "github.io", "" },
    /* A-labels, in suffixes too. */
    { "a.xn--bcher-kva.de", "xn--bcher-kva.de" },
    { "a.b.xn--55qx5d.cn", "b.xn--55qx5d.cn" },
    /* What is no name. */
    { "", "" },
    { ".", "" },
    { "..", "" },
    { ".example.org", "" },
    { "example.org.", "" },
    { "a..example.org", "" },
};

static void
registrable(void **state)
{
    struct smtp_suffixes *suffixes = smtp_suffixes_load();

    (void)state;
    assert_non_null(suffixes);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice name = slice_from(rows[i].name);
        struct slice got = smtp_registrable(suffixes, name);
        if (!slice_equal(got, slice_from(rows[i].registrable)))
            fail_msg("%s: %.*s", rows[i].name, SLICE_ARG(got));
        if (got.len != 0)
            assert_ptr_equal(got.ptr + got.len, name.ptr + name.len);
    }
    smtp_suffixes_free(suffixes);
    smtp_suffixes_free(NULL);
}

static void
no_name(void **state)
{
    struct smtp_suffixes *suffixes = smtp_suffixes_load();
    char longest[300];

    (void)state;
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + sizeof(longest) - 8, ".example", 8);
    assert_int_equal(
        smtp_registrable(suffixes, (struct slice){ longest, sizeof(longest) })
            .len,
        0);
    assert_int_equal(
        smtp_registrable(suffixes, SLICE_OF("evil.example\0.example.org")).len,
        0);
    smtp_suffixes_free(suffixes);
}

static void
within(void **state)
{
    (void)state;
    static const struct {
        const char *domain, *parent;
        bool is;
    } pairs[] = {
        { "example.org", "example.org", true },
        { "a.example.org", "example.org", true },
        { "A.EXAMPLE.org", "example.ORG", true },
        { "xexample.org", "example.org", false },
        { "example.org", "a.example.org", false },
        { "example.org.evil.example", "example.org", false },
        { "example.org", "", false },
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        assert_int_equal(smtp_domain_is_within(slice_from(pairs[i].domain),
                                               slice_from(pairs[i].parent)),
                         pairs[i].is);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registrable),
        cmocka_unit_test(no_name),
        cmocka_unit_test(within),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
