/*
 * What must hold for any address: it comes back as it was, no octet of hash
 * or stamp (with our MAC: of anything) may change, and lack of memory neither
 * crashes nor leaves half an address.
 *
 * ONWARD_TEST_ALL in the environment: a million addresses instead of 100,000.
 */
#include "srs.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    JAN_1 = 1767225600,
    DAY = 86400
};

static const struct slice domain = SLICE("fwd.example");

static struct srs_conf *
conf_new(enum srs_mac mac)
{
    static const struct slice secrets[] = { SLICE("0123456789abcdef"),
                                            SLICE("fedcba9876543210") };
    struct srs_settings settings = {
        .secrets = secrets,
        .secret_count = 2,
        .mac = mac,
        .hash_length = 6,
        .hash_minimum = 6,
        .max_age_days = 21,
    };
    const char *why;

    return srs_conf_new(&settings, &why);
}

/* xorshift64*: the same addresses in every run */
static uint64_t
next_random(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 2685821657736338717u;
}

static char
pick(uint64_t *seed, const char *from)
{
    return from[next_random(seed) % strlen(from)];
}

static void
random_domain(uint64_t *seed, struct buf *out)
{
    size_t labels = 1 + next_random(seed) % 3;

    for (size_t l = 0; l < labels; l++) {
        for (size_t i = 1 + next_random(seed) % 12; i > 0; i--)
            buf_putc(out, pick(seed, "abcdefXYZ0123456789-_"));
        buf_putc(out, '.');
    }
    buf_puts(out, "example");
}

/* Canonical: quoted only if it must be. */
static void
random_address(uint64_t *seed, struct buf *out)
{
    static const char *const tags[] = { "SRS0=", "SRS0", "SRS1=", "SRS1+x=" };
    struct buf local = { 0 };
    uint64_t kind = next_random(seed) % 8;

    if (kind == 1)
        buf_puts(&local, tags[next_random(seed) % 4]);
    for (size_t i = 1 + next_random(seed) % 40; i > 0; i--)
        buf_putc(&local, pick(seed, "abcxyzABCXYZ0189!#$%&'*+-/=?^_`{|}~."));
    if (kind == 0) {
        buf_putc(&local, ' ');
        for (size_t i = next_random(seed) % 10; i > 0; i--)
            buf_putc(&local, pick(seed, " @\"\\ab.,:;<>[]()="));
        smtp_local_print(buf_slice(&local), out);
    } else {
        buf_append(out, buf_slice(&local));
    }
    buf_putc(out, '@');
    random_domain(seed, out);
    buf_free(&local);
}

static void
identity(enum srs_mac mac, uint64_t seed)
{
    struct srs_conf *conf = conf_new(mac);
    struct buf sender = { 0 }, out = { 0 }, back = { 0 };
    unsigned wrapped = 0;
    unsigned count = getenv("ONWARD_TEST_ALL") != NULL ? 500000 : 50000;

    for (unsigned i = 0; i < count; i++) {
        struct srs_found found;
        int64_t now = JAN_1 + (int64_t)(i % 1024) * DAY;
        buf_clear(&sender);
        buf_clear(&out);
        buf_clear(&back);
        random_address(&seed, &sender);
        assert_int_equal(
            srs_forward(conf, now, buf_slice(&sender), domain, &out), SRS_OK);
        assert_int_equal(srs_reverse(conf, now, buf_slice(&out), &back, &found),
                         SRS_OK);
        if (found.kind == 1) {
            wrapped++; /* its SRS0 comes back, not its SRS1 */
            assert_true(srs_has_tag(buf_slice(&back)));
            continue;
        }
        assert_int_equal(back.len, sender.len);
        assert_memory_equal(back.ptr, sender.ptr, sender.len);
    }
    /* The generator reaches both kinds. */
    assert_true(wrapped > count / 100 && wrapped < count / 2);
    buf_free(&sender);
    buf_free(&out);
    buf_free(&back);
    srs_conf_free(conf);
}

static void
comes_back_sha256(void **state)
{
    (void)state;
    identity(SRS_MAC_SHA256, 1);
}

static void
comes_back_classic(void **state)
{
    (void)state;
    identity(SRS_MAC_CLASSIC, 2);
}

/* ---- one changed octet -------------------------------------------------- */

static char
folded(char c)
{
    return c == '-' ? '+' : c == '_' ? '/' : ascii_lower(c);
}

static void
check_changes(const struct srs_conf *conf, struct slice srs, size_t from,
              size_t to)
{
    struct buf changed = { 0 }, out = { 0 };

    for (size_t i = from; i < to; i++) {
        for (unsigned c = 0; c < 256; c++) {
            if (folded((char)c) == folded(srs.ptr[i]))
                continue;
            buf_clear(&changed);
            buf_append(&changed, srs);
            changed.ptr[i] = (char)c;
            enum srs_status status =
                srs_reverse(conf, JAN_1, buf_slice(&changed), &out, NULL);
            assert_int_not_equal(status, SRS_OK);
            /* With a changed stamp the hash is wrong; nobody may learn from
             * "expired" that it would have been right. */
            assert_int_not_equal(status, SRS_EXPIRED);
            assert_int_equal(out.len, 0);
        }
    }
    buf_free(&changed);
    buf_free(&out);
}

static void
no_octet_of_hash_or_stamp(void **state)
{
    enum srs_mac macs[] = { SRS_MAC_SHA256, SRS_MAC_CLASSIC };
    (void)state;

    for (size_t m = 0; m < 2; m++) {
        struct srs_conf *conf = conf_new(macs[m]);
        struct buf srs = { 0 };
        srs_forward(conf, JAN_1, SLICE_OF("bob@example.com"), domain, &srs);
        check_changes(conf, buf_slice(&srs), strlen("SRS0="),
                      strlen("SRS0=HHHHHH=7G="));
        buf_free(&srs);
        srs_conf_free(conf);
    }
}

static void
no_octet_of_anything(void **state)
{
    struct srs_conf *conf = conf_new(SRS_MAC_SHA256);
    struct buf srs = { 0 };
    (void)state;

    /* Everything but tag and first separator, the domain included. The hash
     * has no "+", "-", "/" or "_": folding them is not a change. */
    srs_forward(conf, JAN_1, SLICE_OF("bob@example.com"), domain, &srs);
    struct slice all = buf_slice(&srs);
    size_t host = strlen("SRS0=HHHHHH=7G=");
    check_changes(conf, all, strlen("SRS0="), host);
    for (size_t i = host; i < all.len; i++) {
        char before = srs.ptr[i];
        for (unsigned c = 0; c < 256; c++) {
            struct buf out = { 0 };
            srs.ptr[i] = (char)c;
            enum srs_status status = srs_reverse(conf, JAN_1, all, &out, NULL);
            if (ascii_lower((char)c) == ascii_lower(before))
                assert_int_equal(status, SRS_OK);
            else
                assert_int_not_equal(status, SRS_OK);
            buf_free(&out);
        }
        srs.ptr[i] = before;
    }
    buf_free(&srs);
    srs_conf_free(conf);
}

/* Two octets exchanged, one left out, one doubled: also across the bounds of
 * fields, where the classic MAC does not look. */
static void
no_octet_moved(void **state)
{
    struct srs_conf *conf = conf_new(SRS_MAC_SHA256);
    struct buf srs = { 0 }, changed = { 0 }, out = { 0 };
    (void)state;

    srs_forward(conf, JAN_1, SLICE_OF("ab.cd@ef.example"), domain, &srs);
    struct slice all = buf_slice(&srs);
    for (size_t i = strlen("SRS0="); i < all.len; i++) {
        for (size_t j = strlen("SRS0="); j <= all.len; j++) {
            buf_clear(&changed);
            buf_append(&changed, slice_head(all, i));
            buf_append(&changed, slice_tail(all, i + 1));
            buf_append(&changed, slice_tail(all, changed.len));
            if (j < all.len) { /* put it elsewhere */
                memmove(changed.ptr + j, changed.ptr + j - 1, changed.len - j);
                changed.ptr[j] = all.ptr[i];
            }
            if (slice_equal_nocase(buf_slice(&changed), all))
                continue;
            assert_int_not_equal(
                srs_reverse(conf, JAN_1, buf_slice(&changed), &out, NULL),
                SRS_OK);
            assert_int_equal(out.len, 0);
        }
    }
    buf_free(&srs);
    buf_free(&changed);
    buf_free(&out);
    srs_conf_free(conf);
}

/* ---- threads ----------------------------------------------------------- */

struct reader {
    pthread_t thread;
    const struct srs_conf *conf;
    uint64_t seed;
    unsigned wrong;
};

static void *
read_conf(void *arg)
{
    struct reader *reader = arg;
    struct buf sender = { 0 }, out = { 0 }, back = { 0 };

    for (unsigned i = 0; i < 2000; i++) {
        buf_clear(&sender);
        buf_clear(&out);
        buf_clear(&back);
        random_address(&reader->seed, &sender);
        reader->wrong += srs_forward(reader->conf, JAN_1, buf_slice(&sender),
                                     domain, &out) != SRS_OK ||
                         srs_reverse(reader->conf, JAN_1, buf_slice(&out),
                                     &back, NULL) != SRS_OK;
    }
    buf_free(&sender);
    buf_free(&out);
    buf_free(&back);
    return NULL;
}

/* One conf serves any number of threads without a lock. */
static void
threads_share_a_conf(void **state)
{
    struct srs_conf *conf = conf_new(SRS_MAC_SHA256);
    struct reader readers[4] = { 0 };
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        readers[i].conf = conf;
        readers[i].seed = i + 1;
        assert_int_equal(
            pthread_create(&readers[i].thread, NULL, read_conf, &readers[i]),
            0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].wrong, 0);
    }
    srs_conf_free(conf);
}

/* ---- memory ------------------------------------------------------------ */

static void
memory_runs_out(void **state)
{
    static const struct slice senders[] = { SLICE("bob@example.com"),
                                            SLICE("\"a b\"@example.com"),
                                            SLICE("SRS0=x=y@a.example"),
                                            SLICE("bob@fwd.example") };
    struct srs_conf *conf = conf_new(SRS_MAC_SHA256);
    unsigned failures = 0;
    (void)state;

    for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
        struct buf srs = { 0 };
        srs_forward(conf, JAN_1, senders[i], domain, &srs);
        for (size_t n = 1; n < 6; n++) {
            struct buf out = { 0 };
            mem_fail_nth(n);
            enum srs_status status =
                srs_forward(conf, JAN_1, senders[i], domain, &out);
            mem_fail_nth(0);
            failures += status == SRS_NO_MEMORY;
            assert_int_equal(out.len, status == SRS_NO_MEMORY ? 0 : srs.len);
            buf_free(&out);

            mem_fail_nth(n);
            status = srs_reverse(conf, JAN_1, buf_slice(&srs), &out, NULL);
            mem_fail_nth(0);
            failures += status == SRS_NO_MEMORY;
            assert_int_equal(out.len != 0, status == SRS_OK);
            buf_free(&out);
        }
        buf_free(&srs);
    }
    assert_true(failures >= 12);
    srs_conf_free(conf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_sha256),
        cmocka_unit_test(comes_back_classic),
        cmocka_unit_test(no_octet_of_hash_or_stamp),
        cmocka_unit_test(no_octet_of_anything),
        cmocka_unit_test(no_octet_moved),
        cmocka_unit_test(threads_share_a_conf),
        cmocka_unit_test(memory_runs_out),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
