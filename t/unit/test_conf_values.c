/* Durations, sizes, addresses, networks, and how they are printed. */
#include "reading.h"
#include "value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const struct number {
    const char *text;
    bool ok;
    uint64_t value;
} durations[] = {
    { "0s", true, 0 },
    { "500ms", true, 500 },
    { "30s", true, 30000 },
    { "5m", true, 300000 },
    { "2h", true, 7200000 },
    { "21d", true, 1814400000 },
    { "213503982334d", true, UINT64_C(18446744073657600000) },
    { "213503982335d", false, 0 },
    { "99999999999999999999s", false, 0 },
    { "", false, 0 },
    { "s", false, 0 },
    { "10", false, 0 },
    { " 10s", false, 0 },
    { "10 s", false, 0 },
    { "10s ", false, 0 },
    { "10S", false, 0 },
    { "10sec", false, 0 },
    { "-1s", false, 0 },
    { "+1s", false, 0 },
    { "1.5s", false, 0 },
    { "1h30m", false, 0 },
    { "0x10s", false, 0 },
}, sizes[] = {
    { "0", true, 0 },
    { "1", true, 1 },
    { "256K", true, 262144 },
    { "50M", true, 52428800 },
    { "2G", true, UINT64_C(2147483648) },
    { "17179869183G", true, UINT64_C(18446744072635809792) },
    { "17179869184G", false, 0 },
    { "18446744073709551615", true, UINT64_MAX },
    { "18446744073709551616", false, 0 },
    { "", false, 0 },
    { "K", false, 0 },
    { "1k", false, 0 },
    { "1KB", false, 0 },
    { "1T", false, 0 },
    { "-1", false, 0 },
    { "1 M", false, 0 },
};

static void
parses_durations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        uint64_t value = 0;
        bool ok = conf_parse_duration(slice_from(durations[i].text), &value);
        if (ok != durations[i].ok || (ok && value != durations[i].value))
            fail_msg("%s", durations[i].text);
    }
}

static void
parses_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t value = 0;
        bool ok = conf_parse_size(slice_from(sizes[i].text), &value);
        if (ok != sizes[i].ok || (ok && value != sizes[i].value))
            fail_msg("%s", sizes[i].text);
    }
}

/* What is printed reads as the same value. */
static void
prints_what_it_reads(void **state)
{
    static const uint64_t values[] = { 0,
                                       1,
                                       999,
                                       1000,
                                       1001,
                                       1024,
                                       1536,
                                       60000,
                                       90000,
                                       65536,
                                       3600000,
                                       86400000,
                                       UINT64_C(5) << 30 };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct buf text = { 0 };
        uint64_t back = 1;
        conf_print_duration(&text, values[i]);
        assert_true(conf_parse_duration(buf_slice(&text), &back));
        assert_int_equal(back, values[i]);
        buf_clear(&text);
        conf_print_size(&text, values[i]);
        assert_true(conf_parse_size(buf_slice(&text), &back));
        assert_int_equal(back, values[i]);
        buf_free(&text);
    }
}

static const struct address {
    const char *text;
    const char *canonical; /* NULL: refused */
    const char *host;
    unsigned port;
    bool loopback;
} addresses[] = {
    { "127.0.0.1:25", "127.0.0.1:25", "127.0.0.1", 25, true },
    { "localhost:25", "127.0.0.1:25", "127.0.0.1", 25, true },
    { "LocalHost:25", "127.0.0.1:25", "127.0.0.1", 25, true },
    { "127.9.9.9:1", "127.9.9.9:1", "127.9.9.9", 1, true },
    { "192.0.2.1:65535", "192.0.2.1:65535", "192.0.2.1", 65535, false },
    { "0.0.0.0:25", "0.0.0.0:25", "0.0.0.0", 25, false },
    { "[::1]:25", "[::1]:25", "::1", 25, true },
    { "[0:0:0:0:0:0:0:1]:25", "[::1]:25", "::1", 25, true },
    { "[2001:DB8::1]:25", "[2001:db8::1]:25", "2001:db8::1", 25, false },
    { "[::]:25", "[::]:25", "::", 25, false },
    { "[::ffff:127.0.0.1]:25", "[::ffff:127.0.0.1]:25", "::ffff:127.0.0.1", 25,
      true },
    { "unix:/run/x.sock", "unix:/run/x.sock", "", 0, true },
    { "unix:run/x.sock", NULL, NULL, 0, false },
    { "unix:", NULL, NULL, 0, false },
    { "127.0.0.1", NULL, NULL, 0, false },
    { "127.0.0.1:", NULL, NULL, 0, false },
    { "127.0.0.1:0", NULL, NULL, 0, false },
    { "127.0.0.1:65536", NULL, NULL, 0, false },
    { "127.0.0.1:25x", NULL, NULL, 0, false },
    { "127.0.0.1:+25", NULL, NULL, 0, false },
    { "127.1:25", NULL, NULL, 0, false },
    { "127.0.0.256:25", NULL, NULL, 0, false },
    { ":25", NULL, NULL, 0, false },
    { "*:25", NULL, NULL, 0, false },
    { "[]:25", NULL, NULL, 0, false },
    { "::1:25", NULL, NULL, 0, false },
    { "[127.0.0.1]:25", NULL, NULL, 0, false },
    { "[::1%lo]:25", NULL, NULL, 0, false },
    { "[::1]", NULL, NULL, 0, false },
    { "mail.example:25", NULL, NULL, 0, false },
    { "", NULL, NULL, 0, false },
};

static void
parses_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        const struct address *row = &addresses[i];
        struct arena arena = { 0 };
        struct conf_address address;
        const char *why = NULL;
        bool ok =
            conf_parse_address(slice_from(row->text), &arena, &address, &why);
        if (ok != (row->canonical != NULL) || (!ok && why == NULL))
            fail_msg("%s: %s", row->text, why);
        if (ok) {
            assert_true(slice_equal(address.text, slice_from(row->canonical)));
            assert_true(slice_equal(address.host, slice_from(row->host)));
            assert_int_equal(address.port, row->port);
            assert_int_equal(conf_address_is_loopback(&address), row->loopback);
        }
        arena_free(&arena);
    }
}

static void
bounds_unix_paths(void **state)
{
    struct arena arena = { 0 };
    struct conf_address address;
    struct buf text = { 0 };
    const char *why = NULL;

    (void)state;
    buf_puts(&text, "unix:/");
    for (size_t i = 0; i < 106; i++)
        buf_putc(&text, 'a');
    assert_true(conf_parse_address(buf_slice(&text), &arena, &address, &why));
    buf_putc(&text, 'a');
    assert_false(conf_parse_address(buf_slice(&text), &arena, &address, &why));
    buf_free(&text);
    arena_free(&arena);
}

static const struct overlap {
    const char *a;
    const char *b;
    bool yes;
} overlaps[] = {
    { "127.0.0.1:25", "localhost:25", true },
    { "127.0.0.1:25", "127.0.0.1:26", false },
    { "127.0.0.1:25", "127.0.0.2:25", false },
    { "0.0.0.0:25", "127.0.0.1:25", true },
    { "[::]:25", "127.0.0.1:25", true },
    { "[::]:25", "0.0.0.0:25", true },
    { "0.0.0.0:25", "192.0.2.1:25", false },
    { "unix:/a", "unix:/a", true },
    { "unix:/a", "unix:/b", false },
    { "unix:/a", "127.0.0.1:25", false },
};

static void
finds_overlaps(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(overlaps) / sizeof(overlaps[0]); i++) {
        const struct overlap *row = &overlaps[i];
        struct arena arena = { 0 };
        struct conf_address a;
        struct conf_address b;
        const char *why;
        assert_true(conf_parse_address(slice_from(row->a), &arena, &a, &why));
        assert_true(conf_parse_address(slice_from(row->b), &arena, &b, &why));
        if (conf_address_overlaps(&a, &b) != row->yes ||
            conf_address_overlaps(&b, &a) != row->yes)
            fail_msg("%s %s", row->a, row->b);
        arena_free(&arena);
    }
}

static const struct network {
    const char *text;
    bool ok;
    unsigned bits;
    unsigned char last[4]; /* octets 12 to 15 */
} networks[] = {
    { "192.0.2.0/24", true, 120, { 192, 0, 2, 0 } },
    { "192.0.2.7", true, 128, { 192, 0, 2, 7 } },
    { "0.0.0.0/0", true, 96, { 0, 0, 0, 0 } },
    { "::/0", true, 0, { 0, 0, 0, 0 } },
    { "2001:db8::/32", true, 32, { 0, 0, 0, 0 } },
    { "[2001:db8::]/32", true, 32, { 0, 0, 0, 0 } },
    { "::1", true, 128, { 0, 0, 0, 1 } },
    { "192.0.2.1/24", false, 0, { 0 } },
    { "192.0.2.0/33", false, 0, { 0 } },
    { "192.0.2.0/", false, 0, { 0 } },
    { "192.0.2.0/-1", false, 0, { 0 } },
    { "2001:db8::/129", false, 0, { 0 } },
    { "2001:db8::1/32", false, 0, { 0 } },
    { "localhost", false, 0, { 0 } },
    { "", false, 0, { 0 } },
};

static void
parses_networks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
        const struct network *row = &networks[i];
        struct arena arena = { 0 };
        struct conf_network network = { 0 };
        const char *why = NULL;
        bool ok =
            conf_parse_network(slice_from(row->text), &arena, &network, &why);
        if (ok != row->ok || (!ok && why == NULL))
            fail_msg("%s: %s", row->text, why);
        if (ok) {
            assert_int_equal(network.bits, row->bits);
            assert_memory_equal(network.address + 12, row->last, 4);
        }
        arena_free(&arena);
    }
}

/* Every default must be a value of its own setting. */
static void
defaults_are_valid(void **state)
{
    static const struct conf_node nothing = { .kind = NODE_GROUP };
    struct arena arena = { 0 };
    struct conf_reading r = { .arena = &arena, .root = &nothing };

    (void)state;
    for (size_t i = 0; i < conf_setting_count; i++) {
        const struct conf_setting *s = &conf_settings[i];
        struct conf_got got = conf_get(&r, NULL, s->name);
        if ((s->type == CONF_COUNT || s->type == CONF_DURATION ||
             s->type == CONF_SIZE) &&
            (s->fallback == NULL || got.number < s->least ||
             got.number > s->most))
            fail_msg("%s", s->name);
        if (s->type == CONF_CHOICE && s->fallback != NULL) {
            unsigned index;
            assert_true(conf_choice_parse(s, slice_from(s->fallback), &index));
        }
        assert_true(conf_setting_find(slice_from(s->name)) == s);
        assert_non_null(s->text);
    }
    arena_free(&arena);
}

static const struct near {
    const char *group;
    const char *name;
    const char *found; /* NULL: nothing */
} nears[] = {
    { "srs", "domian", "srs.domain" },
    { "srs", "secret", "srs.secret_file" },
    { "srs", "secretfile", "srs.secret_file" },
    { "limits", "Hops", "limits.hops" },
    { "limits", "session", "limits.sessions" },
    { "limits", "header_sise", "limits.header_size" },
    { "", "listener", "listeners" },
    { "", "forwards", "forward" },
    { "", "secret_file", "srs.secret_file" },
    { "listeners[]", "adress", "listeners[].address" },
    { "listeners[]", "port", NULL },
    { "dkim", "frobnicate", NULL },
};

static void
finds_the_nearest_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(nears) / sizeof(nears[0]); i++) {
        const struct conf_setting *s = conf_setting_nearest(
            slice_from(nears[i].group), slice_from(nears[i].name));
        const char *found = s == NULL ? NULL : s->name;
        if ((found == NULL) != (nears[i].found == NULL) ||
            (found != NULL && strcmp(found, nears[i].found) != 0))
            fail_msg("%s.%s: %s", nears[i].group, nears[i].name,
                     found == NULL ? "nothing" : found);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_durations),
        cmocka_unit_test(parses_sizes),
        cmocka_unit_test(prints_what_it_reads),
        cmocka_unit_test(parses_addresses),
        cmocka_unit_test(bounds_unix_paths),
        cmocka_unit_test(finds_overlaps),
        cmocka_unit_test(parses_networks),
        cmocka_unit_test(defaults_are_valid),
        cmocka_unit_test(finds_the_nearest_name),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
