/* Forward and reverse of whole addresses: odd local parts, quoting, lengths. */
#include "srs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    JAN_1 = 1767225600
};

static const struct slice domain = SLICE("fwd.example");

static struct srs_conf *
conf_new(enum srs_mac mac)
{
    static const struct slice secret = SLICE("0123456789abcdef");
    struct srs_settings settings = {
        .secrets = &secret,
        .secret_count = 1,
        .mac = mac,
        .hash_length = 6,
        .hash_minimum = 6,
        .max_age_days = 21,
    };
    const char *why;

    return srs_conf_new(&settings, &why);
}

/* ---- senders ----------------------------------------------------------- */

static struct sender {
    const char *name;
    struct slice sender;
    enum srs_status status;
    /* The result with the hash as "HHHHHH"; empty: the sender itself. */
    struct slice result;
    struct slice back; /* ptr NULL: the sender */
} senders[] = {
    { "a plain address",
      SLICE("bob@example.com"),
      SRS_OK,
      SLICE("SRS0=HHHHHH=7G=example.com=bob@fwd.example"),
      { 0 } },
    { "the null sender", SLICE(""), SRS_NULL_SENDER, SLICE(""), { 0 } },
    { "our domain", SLICE("x@fwd.example"), SRS_OUR_DOMAIN, SLICE(""), { 0 } },
    { "our domain in capitals",
      SLICE("x@FWD.EXAMPLE"),
      SRS_OUR_DOMAIN,
      SLICE(""),
      { 0 } },
    { "a sub-domain of ours is not ours",
      SLICE("x@a.fwd.example"),
      SRS_OK,
      SLICE("SRS0=HHHHHH=7G=a.fwd.example=x@fwd.example"),
      { 0 } },
    { "our own SRS address, whatever its hash",
      SLICE("SRS0=x=7G=a.example=b@fwd.example"),
      SRS_OUR_DOMAIN,
      SLICE(""),
      { 0 } },
    { "all of atext",
      SLICE("!#$%&'*+-/=?^_`{|}~@example.com"),
      SRS_OK,
      SLICE("SRS0=HHHHHH=7G=example.com=!#$%&'*+-/=?^_`{|}~@fwd.example"),
      { 0 } },
    { "equal signs at both ends",
      SLICE("==a==b==@example.com"),
      SRS_OK,
      SLICE("SRS0=HHHHHH=7G=example.com===a==b==@fwd.example"),
      { 0 } },
    { "UTF-8",
      SLICE("j\xc3\xbcrgen@b\xc3\xbc"
            "cher.example"),
      SRS_OK,
      SLICE("SRS0=HHHHHH=7G=b\xc3\xbc"
            "cher.example=j\xc3\xbcrgen@fwd.example"),
      { 0 } },
    { "a quoted blank",
      SLICE("\"a b\"@example.com"),
      SRS_OK,
      SLICE("\"SRS0=HHHHHH=7G=example.com=a b\"@fwd.example"),
      { 0 } },
    { "a quoted at sign",
      SLICE("\"a@b\"@example.com"),
      SRS_OK,
      SLICE("\"SRS0=HHHHHH=7G=example.com=a@b\"@fwd.example"),
      { 0 } },
    { "a quoted quote and backslash",
      SLICE("\"a\\\"b\\\\c\"@example.com"),
      SRS_OK,
      SLICE("\"SRS0=HHHHHH=7G=example.com=a\\\"b\\\\c\"@fwd.example"),
      { 0 } },
    { "content that itself has quotes around it",
      SLICE("\"\\\"a b\\\"\"@example.com"),
      SRS_OK,
      SLICE("\"SRS0=HHHHHH=7G=example.com=\\\"a b\\\"\"@fwd.example"),
      { 0 } },
    { "needless quotes", SLICE("\"b\\ob\"@example.com"), SRS_OK,
      SLICE("SRS0=HHHHHH=7G=example.com=bob@fwd.example"),
      SLICE("bob@example.com") },
    { "two dots",
      SLICE("a..b@example.com"),
      SRS_OK,
      SLICE("SRS0=HHHHHH=7G=example.com=a..b@fwd.example"),
      { 0 } },
    { "an IPv4 literal",
      SLICE("a@[192.0.2.1]"),
      SRS_OK,
      SLICE("\"SRS0=HHHHHH=7G=[192.0.2.1]=a\"@fwd.example"),
      { 0 } },
    { "an IPv6 literal",
      SLICE("a@[IPv6:2001:db8::1]"),
      SRS_OK,
      SLICE("\"SRS0=HHHHHH=7G=[IPv6:2001:db8::1]=a\"@fwd.example"),
      { 0 } },
    { "a domain that Postfix lets pass",
      SLICE("a@-host_1-.example"),
      SRS_OK,
      SLICE("SRS0=HHHHHH=7G=-host_1-.example=a@fwd.example"),
      { 0 } },
    { "the root's dot",
      SLICE("a@example.com."),
      SRS_OK,
      SLICE("SRS0=HHHHHH=7G=example.com.=a@fwd.example"),
      { 0 } },
    { "SRS0 of another forwarder",
      SLICE("SRS0+x=y@a.example"),
      SRS_OK,
      SLICE("SRS1=HHHHHH=a.example=+x=y@fwd.example"),
      { 0 } },
    { "SRS0 in lower case gets its tag back in capitals",
      SLICE("srs0=x=y@a.example"), SRS_OK,
      SLICE("SRS1=HHHHHH=a.example==x=y@fwd.example"),
      SLICE("SRS0=x=y@a.example") },
    { "quoted SRS0",
      SLICE("\"SRS0=x=7G=b.example=a b\"@a.example"),
      SRS_OK,
      SLICE("\"SRS1=HHHHHH=a.example==x=7G=b.example=a b\"@fwd.example"),
      { 0 } },
    { "SRS1 of another forwarder", SLICE("SRS1=hash=a.example=-x@b.example"),
      SRS_OK, SLICE("SRS1=HHHHHH=a.example=-x@fwd.example"),
      SLICE("SRS0-x@a.example") },
    { "a long sender's token of another forwarder",
      SLICE("SRS0=abcdabcdabcdabcd=7G==abcdefghijklmnopqrstuvwxyz234567@"
            "a.example"),
      SRS_OK,
      SLICE("SRS1=HHHHHH=a.example==abcdabcdabcdabcd=7G=="
            "abcdefghijklmnopqrstuvwxyz234567@fwd.example"),
      { 0 } },
    { "a bare tag is ordinary",
      SLICE("SRS0@a.example"),
      SRS_OK,
      SLICE("SRS0=HHHHHH=7G=a.example=SRS0@fwd.example"),
      { 0 } },
    { "SRS0 with nothing in it is ordinary",
      SLICE("SRS0=@a.example"),
      SRS_OK,
      SLICE("SRS0=HHHHHH=7G=a.example=SRS0=@fwd.example"),
      { 0 } },
    { "SRS1 without a host is ordinary",
      SLICE("SRS1=x===y@a.example"),
      SRS_OK,
      SLICE("SRS0=HHHHHH=7G=a.example=SRS1=x===y@fwd.example"),
      { 0 } },
    { "SRS1 with a bad host is ordinary",
      SLICE("SRS1=x=a..b==y@a.example"),
      SRS_OK,
      SLICE("SRS0=HHHHHH=7G=a.example=SRS1=x=a..b==y@fwd.example"),
      { 0 } },
    { "SRS1 from before 0.28 is ordinary",
      SLICE("SRS1=a.example==x=y@b.example"),
      SRS_OK,
      SLICE("SRS0=HHHHHH=7G=b.example=SRS1=a.example==x=y@fwd.example"),
      { 0 } },
    { "no domain", SLICE("bob"), SRS_SYNTAX, SLICE(""), { 0 } },
    { "an empty domain", SLICE("bob@"), SRS_SYNTAX, SLICE(""), { 0 } },
    { "an empty local part",
      SLICE("@a.example"),
      SRS_SYNTAX,
      SLICE(""),
      { 0 } },
    { "an empty quoted local part",
      SLICE("\"\"@a.example"),
      SRS_SYNTAX,
      SLICE(""),
      { 0 } },
    { "two at signs", SLICE("a@b@c.example"), SRS_SYNTAX, SLICE(""), { 0 } },
    { "two at signs behind quotes",
      SLICE("\"a\"@b@c.example"),
      SRS_SYNTAX,
      SLICE(""),
      { 0 } },
    { "an unquoted blank",
      SLICE("a b@c.example"),
      SRS_SYNTAX,
      SLICE(""),
      { 0 } },
    { "quotes in mid-atom",
      SLICE("a\"b\"@c.example"),
      SRS_SYNTAX,
      SLICE(""),
      { 0 } },
    { "an open quote", SLICE("\"ab@c.example"), SRS_SYNTAX, SLICE(""), { 0 } },
    { "a backslash at the end", SLICE("\"ab\\"), SRS_SYNTAX, SLICE(""), { 0 } },
    { "something behind the quotes",
      SLICE("\"a\"b@c.example"),
      SRS_SYNTAX,
      SLICE(""),
      { 0 } },
    { "a line break",
      SLICE("\"a\r\nb\"@c.example"),
      SRS_SYNTAX,
      SLICE(""),
      { 0 } },
    { "a NUL", SLICE("a\0b@c.example"), SRS_SYNTAX, SLICE(""), { 0 } },
    { "a line break in the domain",
      SLICE("a@c.example\n"),
      SRS_SYNTAX,
      SLICE(""),
      { 0 } },
    { "not UTF-8", SLICE("a\xff@c.example"), SRS_SYNTAX, SLICE(""), { 0 } },
    { "an equal sign in the domain",
      SLICE("a@b=c.example"),
      SRS_SYNTAX,
      SLICE(""),
      { 0 } },
    { "an empty label", SLICE("a@b..example"), SRS_SYNTAX, SLICE(""), { 0 } },
    { "only the root", SLICE("a@."), SRS_SYNTAX, SLICE(""), { 0 } },
    { "two final dots", SLICE("a@b.example.."), SRS_SYNTAX, SLICE(""), { 0 } },
    { "an open literal", SLICE("a@[192.0.2.1"), SRS_SYNTAX, SLICE(""), { 0 } },
    { "a literal that is no address",
      SLICE("a@[a=b]"),
      SRS_SYNTAX,
      SLICE(""),
      { 0 } },
};
enum {
    SENDERS = sizeof(senders) / sizeof(senders[0])
};

static void
check_result(struct slice got, struct slice want)
{
    size_t hash = slice_find(want, 'H');

    assert_int_equal(got.len, want.len);
    for (size_t i = 0; i < want.len; i++)
        if (i < hash || i >= hash + 6)
            assert_int_equal(got.ptr[i], want.ptr[i]);
}

static void
check_sender(const struct sender *s, enum srs_mac mac)
{
    struct srs_conf *conf = conf_new(mac);
    struct buf out = { 0 }, back = { 0 };

    buf_puts(&out, "before");
    assert_int_equal(srs_forward(conf, JAN_1, s->sender, domain, &out),
                     s->status);
    buf_drop(&out, strlen("before")); /* output is appended */
    if (s->status == SRS_OK) {
        struct slice want = s->back.ptr != NULL ? s->back : s->sender;
        check_result(buf_slice(&out), s->result);
        assert_int_equal(srs_reverse(conf, JAN_1, buf_slice(&out), &back, NULL),
                         SRS_OK);
        assert_int_equal(back.len, want.len);
        assert_memory_equal(back.ptr, want.ptr, want.len);
    } else if (s->status == SRS_OUR_DOMAIN) {
        assert_int_equal(out.len, s->sender.len);
        assert_memory_equal(out.ptr, s->sender.ptr, out.len);
    } else {
        assert_int_equal(out.len, 0);
    }
    buf_free(&out);
    buf_free(&back);
    srs_conf_free(conf);
}

static void
forwarded(void **state)
{
    check_sender(*state, SRS_MAC_SHA256);
    check_sender(*state, SRS_MAC_CLASSIC);
}

/* ---- recipients: what is refused before any hash is computed ------------ */

static struct rcpt {
    const char *name;
    struct slice rcpt;
    enum srs_status status;
} rcpts[] = {
    { "no tag", SLICE("bob@fwd.example"), SRS_NOT_SRS },
    { "another tag", SLICE("SRS2=a=7G=b=c@fwd.example"), SRS_NOT_SRS },
    { "no separator", SLICE("SRS0bob@fwd.example"), SRS_NOT_SRS },
    { "a bare tag", SLICE("SRS0@fwd.example"), SRS_NOT_SRS },
    { "an encoded tag", SLICE("S\\RS0=a=7G=b=c@fwd.example"), SRS_NOT_SRS },
    { "nothing", SLICE(""), SRS_SYNTAX },
    { "no domain", SLICE("SRS0=aaaaaa=7G=b=c"), SRS_SYNTAX },
    { "no fields", SLICE("SRS0=@fwd.example"), SRS_SYNTAX },
    { "an empty hash", SLICE("SRS0==7G=b=c@fwd.example"), SRS_SYNTAX },
    { "an empty stamp", SLICE("SRS0=aaaaaa==b=c@fwd.example"), SRS_SYNTAX },
    { "a long stamp", SLICE("SRS0=aaaaaa=7777777777777=b=c@fwd.example"),
      SRS_SYNTAX },
    { "a bad stamp", SLICE("SRS0=aaaaaa=!!=b=c@fwd.example"), SRS_SYNTAX },
    { "an empty host: a token", SLICE("SRS0=aaaaaa=7G==c@fwd.example"),
      SRS_SYNTAX },
    { "a bad host", SLICE("SRS0=aaaaaa=7G=a..b=c@fwd.example"), SRS_SYNTAX },
    { "a bad literal", SLICE("SRS0=aaaaaa=7G=[x]=c@fwd.example"), SRS_SYNTAX },
    { "an empty user", SLICE("SRS0=aaaaaa=7G=b=@fwd.example"), SRS_SYNTAX },
    { "no user", SLICE("SRS0=aaaaaa=7G=b@fwd.example"), SRS_SYNTAX },
    { "two at signs", SLICE("SRS0=aaaaaa=7G=b=c@d@fwd.example"), SRS_SYNTAX },
    { "a line break", SLICE("SRS0=aaaaaa=7G=b=c\n@fwd.example"), SRS_SYNTAX },
    { "SRS1 without rest", SLICE("SRS1=aaaaaa=b@fwd.example"), SRS_SYNTAX },
    { "SRS1 with a separator only", SLICE("SRS1=aaaaaa=b==@fwd.example"),
      SRS_SYNTAX },
    { "SRS1 without the inner separator", SLICE("SRS1=aaaaaa=b=c@fwd.example"),
      SRS_SYNTAX },
    { "SRS1 without a hash", SLICE("SRS1=b==c=d@fwd.example"), SRS_SYNTAX },
    { "SRS1 with a bad host", SLICE("SRS1=aaaaaa=b c==d@fwd.example"),
      SRS_SYNTAX },
    { "SRS0 with a wrong hash", SLICE("SRS0=aaaaaa=7G=b=c@fwd.example"),
      SRS_HASH_BAD },
    { "SRS1 with a wrong hash", SLICE("SRS1=aaaaaa=b==c@fwd.example"),
      SRS_HASH_BAD },
    { "a wrong hash and an old stamp", SLICE("SRS0=aaaaaa=AA=b=c@fwd.example"),
      SRS_HASH_BAD },
    { "a short hash", SLICE("SRS1=aaaaa=b==c@fwd.example"), SRS_HASH_SHORT },
};
enum {
    RCPTS = sizeof(rcpts) / sizeof(rcpts[0])
};

static void
refused(void **state)
{
    const struct rcpt *r = *state;
    struct srs_conf *conf = conf_new(SRS_MAC_SHA256);
    struct srs_found found;
    struct buf out = { 0 };

    assert_int_equal(srs_reverse(conf, JAN_1, r->rcpt, &out, &found),
                     r->status);
    assert_int_equal(out.len, 0);
    srs_conf_free(conf);
}

/* ---- lengths ----------------------------------------------------------- */

static void
length_limits(void **state)
{
    struct srs_conf *conf = conf_new(SRS_MAC_SHA256);
    struct buf sender = { 0 }, out = { 0 }, back = { 0 };
    const size_t added =
        strlen("SRS0=HHHHHH=7G=a.example=@fwd.example") - strlen("@a.example");
    (void)state;

    for (size_t n = 1; n < SMTP_PATH_MAX + 10; n++) {
        buf_clear(&sender);
        buf_clear(&out);
        buf_clear(&back);
        for (size_t i = 0; i < n; i++)
            buf_putc(&sender, 'x');
        buf_puts(&sender, "@a.example");
        enum srs_status status =
            srs_forward(conf, JAN_1, buf_slice(&sender), domain, &out);
        if (sender.len + added > SMTP_PATH_MAX) {
            assert_int_equal(status, SRS_TOO_LONG);
            assert_int_equal(out.len, 0);
            continue;
        }
        assert_int_equal(status, SRS_OK);
        assert_int_equal(out.len, sender.len + added);
        assert_int_equal(srs_reverse(conf, JAN_1, buf_slice(&out), &back, NULL),
                         SRS_OK);
        assert_int_equal(back.len, sender.len);
        assert_int_equal(srs_local_length(buf_slice(&sender)), n);
    }
    buf_clear(&out);
    for (size_t i = 0; i < SMTP_PATH_MAX + 1; i++)
        buf_putc(&out, 'x');
    assert_int_equal(srs_reverse(conf, JAN_1, buf_slice(&out), &back, NULL),
                     SRS_TOO_LONG);
    buf_free(&sender);
    buf_free(&out);
    buf_free(&back);
    srs_conf_free(conf);
}

static void
local_length(void **state)
{
    (void)state;
    assert_int_equal(srs_local_length(SLICE_OF("abc@d")), 3);
    assert_int_equal(srs_local_length(SLICE_OF("\"a b\"@d")), 3);
    assert_int_equal(srs_local_length(SLICE_OF("\"a\\\"b@\\\\\"@d")), 5);
    assert_int_equal(srs_local_length(SLICE_OF("")), 0);
    assert_int_equal(srs_local_length(SLICE_OF("\"")), 0);
    assert_int_equal(srs_local_length(SLICE_OF("\"\\")), 1);
    assert_int_equal(srs_local_length(SLICE_OF("postmaster")), 10);
}

static void
tags(void **state)
{
    (void)state;
    assert_true(srs_has_tag(SLICE_OF("SRS0=a")));
    assert_true(srs_has_tag(SLICE_OF("srs1+")));
    assert_true(srs_has_tag(SLICE_OF("sRS1-x")));
    assert_false(srs_has_tag(SLICE_OF("SRS0")));
    assert_false(srs_has_tag(SLICE_OF("SRS2=x")));
    assert_false(srs_has_tag(SLICE_OF("SRS0:x")));
    assert_false(srs_has_tag(SLICE_OF("xSRS0=x")));
    assert_false(srs_has_tag(SLICE_OF("SRS0bob")));
    assert_false(srs_has_tag(SLICE_OF("")));
}

int
main(void)
{
    struct CMUnitTest tests[3 + SENDERS + RCPTS] = {
        cmocka_unit_test(length_limits),
        cmocka_unit_test(local_length),
        cmocka_unit_test(tags),
    };
    size_t n = 3;

    for (size_t i = 0; i < SENDERS; i++)
        tests[n++] = (struct CMUnitTest){ senders[i].name, forwarded, NULL,
                                          NULL, &senders[i] };
    for (size_t i = 0; i < RCPTS; i++)
        tests[n++] = (struct CMUnitTest){ rcpts[i].name, refused, NULL, NULL,
                                          &rcpts[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
