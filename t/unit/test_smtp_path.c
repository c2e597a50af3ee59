#include "test_smtp.h"

enum kind {
    REVERSE = SMTP_REVERSE_PATH,
    FORWARD = SMTP_FORWARD_PATH,
};

static struct row {
    const char *name;
    struct slice wire;
    enum kind kind;
    struct slice local, domain, text;
    bool null;
    struct slice left;
} rows[] = {
    { "plain", SLICE("<a@b.example>"), FORWARD, SLICE("a"), SLICE("b.example"),
      SLICE("a@b.example"), false, SLICE("") },
    { "case is kept", SLICE("<User@B.Example>"), FORWARD, SLICE("User"),
      SLICE("B.Example"), SLICE("User@B.Example"), false, SLICE("") },
    { "parameters are left", SLICE("<a@b> SIZE=1"), FORWARD, SLICE("a"),
      SLICE("b"), SLICE("a@b"), false, SLICE(" SIZE=1") },
    { "parameters behind a tab", SLICE("<a@b>\tX"), FORWARD, SLICE("a"),
      SLICE("b"), SLICE("a@b"), false, SLICE("\tX") },
    { "no brackets", SLICE("u@d"), FORWARD, SLICE("u"), SLICE("d"),
      SLICE("u@d"), false, SLICE("") },
    { "no brackets, parameter", SLICE("u@d NOTIFY=NEVER"), FORWARD, SLICE("u"),
      SLICE("d"), SLICE("u@d"), false, SLICE(" NOTIFY=NEVER") },
    { "blanks ahead", SLICE(" \t <u@d>"), FORWARD, SLICE("u"), SLICE("d"),
      SLICE("u@d"), false, SLICE("") },
    { "blanks inside of the brackets", SLICE("< u@d >"), FORWARD, SLICE("u"),
      SLICE("d"), SLICE("u@d"), false, SLICE("") },
    { "null reverse-path", SLICE("<>"), REVERSE, SLICE(""), SLICE(""),
      SLICE(""), true, SLICE("") },
    { "null reverse-path, parameter", SLICE("<> SIZE=1"), REVERSE, SLICE(""),
      SLICE(""), SLICE(""), true, SLICE(" SIZE=1") },
    { "postmaster", SLICE("<Postmaster>"), FORWARD, SLICE("Postmaster"),
      SLICE(""), SLICE("Postmaster"), false, SLICE("") },
    { "postmaster without brackets", SLICE("postmaster"), FORWARD,
      SLICE("postmaster"), SLICE(""), SLICE("postmaster"), false, SLICE("") },
    { "source route", SLICE("<@a,@b:u@d>"), FORWARD, SLICE("u"), SLICE("d"),
      SLICE("u@d"), false, SLICE("") },
    { "source route over a literal", SLICE("<@[IPv6:::1]:u@d>"), FORWARD,
      SLICE("u"), SLICE("d"), SLICE("u@d"), false, SLICE("") },
    { "source route without brackets", SLICE("@fwd:user@victim"), FORWARD,
      SLICE("user"), SLICE("victim"), SLICE("user@victim"), false, SLICE("") },
    { "quoted for nothing", SLICE("<\"a.b\"@d>"), FORWARD, SLICE("a.b"),
      SLICE("d"), SLICE("a.b@d"), false, SLICE("") },
    { "quoted blank", SLICE("<\"a b\"@d>"), FORWARD, SLICE("a b"), SLICE("d"),
      SLICE("\"a b\"@d"), false, SLICE("") },
    { "quoted without brackets", SLICE("\"a b\"@d X=1"), FORWARD, SLICE("a b"),
      SLICE("d"), SLICE("\"a b\"@d"), false, SLICE(" X=1") },
    { "quoted at and bracket", SLICE("<\"a>@b\"@d>"), FORWARD, SLICE("a>@b"),
      SLICE("d"), SLICE("\"a>@b\"@d"), false, SLICE("") },
    { "escapes that need not be", SLICE("<\"\\a\\b\"@d>"), FORWARD, SLICE("ab"),
      SLICE("d"), SLICE("ab@d"), false, SLICE("") },
    { "escapes that must be", SLICE("<\"a\\\"\\\\b\"@d>"), FORWARD,
      SLICE("a\"\\b"), SLICE("d"), SLICE("\"a\\\"\\\\b\"@d"), false,
      SLICE("") },
    { "dots where none belong", SLICE("<.a..b.@d>"), FORWARD, SLICE(".a..b."),
      SLICE("d"), SLICE("\".a..b.\"@d"), false, SLICE("") },
    { "SRS with quotes in mid-atom",
      SLICE("<SRS0=h=ts=d.example=\"a b\"@f.example>"), FORWARD,
      SLICE("SRS0=h=ts=d.example=\"a b\""), SLICE("f.example"),
      SLICE("\"SRS0=h=ts=d.example=\\\"a b\\\"\"@f.example"), false,
      SLICE("") },
    { "... an @ between them", SLICE("<srs0+h=ts=d=\"a@b\"@f>"), FORWARD,
      SLICE("srs0+h=ts=d=\"a@b\""), SLICE("f"),
      SLICE("\"srs0+h=ts=d=\\\"a@b\\\"\"@f"), false, SLICE("") },
    { "every atext", SLICE("<!#$%&'*+-/=?^_`{|}~0@d>"), FORWARD,
      SLICE("!#$%&'*+-/=?^_`{|}~0"), SLICE("d"),
      SLICE("!#$%&'*+-/=?^_`{|}~0@d"), false, SLICE("") },
    { "percent is no route", SLICE("<user%victim@fwd>"), FORWARD,
      SLICE("user%victim"), SLICE("fwd"), SLICE("user%victim@fwd"), false,
      SLICE("") },
    { "bang is no route", SLICE("<victim!user@fwd>"), FORWARD,
      SLICE("victim!user"), SLICE("fwd"), SLICE("victim!user@fwd"), false,
      SLICE("") },
    { "pipe is an octet", SLICE("<|id@fwd>"), FORWARD, SLICE("|id"),
      SLICE("fwd"), SLICE("|id@fwd"), false, SLICE("") },
    { "literal", SLICE("<a@[192.0.2.1]>"), FORWARD, SLICE("a"),
      SLICE("[192.0.2.1]"), SLICE("a@[192.0.2.1]"), false, SLICE("") },
    { "IPv6 literal", SLICE("<a@[IPv6:2001:db8::1]>"), FORWARD, SLICE("a"),
      SLICE("[IPv6:2001:db8::1]"), SLICE("a@[IPv6:2001:db8::1]"), false,
      SLICE("") },
    { "underscore in a domain", SLICE("<a@b_c.example>"), FORWARD, SLICE("a"),
      SLICE("b_c.example"), SLICE("a@b_c.example"), false, SLICE("") },
    { "label of 63",
      SLICE("<a@"
            "012345678901234567890123456789012345678901234567890123456789012>"),
      FORWARD, SLICE("a"),
      SLICE("012345678901234567890123456789012345678901234567890123456789012"),
      SLICE("a@"
            "012345678901234567890123456789012345678901234567890123456789012"),
      false, SLICE("") },
    { "UTF-8", SLICE("<грета@пример.example>"), FORWARD, SLICE("грета"),
      SLICE("пример.example"), SLICE("грета@пример.example"), false,
      SLICE("") },
    { "UTF-8 in quotes", SLICE("<\"г р\"@d>"), FORWARD, SLICE("г р"),
      SLICE("d"), SLICE("\"г р\"@d"), false, SLICE("") },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static struct bad {
    const char *name;
    struct slice wire;
    enum kind kind;
} bad[] = {
    { "null forward-path", SLICE("<>"), FORWARD },
    { "quotes in mid-atom", SLICE("<bob=\"a b\"@d>"), FORWARD },
    { "... of SRS without an = before", SLICE("<SRS0=h\"a b\"@d>"), FORWARD },
    { "... of SRS that are not closed", SLICE("<SRS0=h=\"a b@d>"), FORWARD },
    { "... of SRS with more behind", SLICE("<SRS0=h=\"a b\"c@d>"), FORWARD },
    { "nothing at all", SLICE(""), REVERSE },
    { "only blanks", SLICE("  "), REVERSE },
    { "no domain", SLICE("<user>"), FORWARD },
    { "empty domain", SLICE("<postmaster@>"), FORWARD },
    { "no local part", SLICE("<@dom>"), FORWARD },
    { "empty quoted local part", SLICE("<\"\"@dom>"), FORWARD },
    { "source route to nowhere", SLICE("<@a,@b:>"), FORWARD },
    { "source route with a bad host", SLICE("<@a b:u@d>"), FORWARD },
    { "source route without at", SLICE("<@a,b:u@d>"), FORWARD },
    { "source route, only", SLICE("<@a,@b>"), FORWARD },
    { "source route before null", SLICE("<@a:>"), REVERSE },
    { "open quote", SLICE("<\"a@d>"), FORWARD },
    { "open escape", SLICE("<\"a\\"), FORWARD },
    { "text behind a quoted string", SLICE("<\"a\"b@d>"), FORWARD },
    { "bare CR in a quoted string", SLICE("<\"a\rb\"@d>"), FORWARD },
    { "escaped LF", SLICE("<\"a\\\nb\"@d>"), FORWARD },
    { "tab in a quoted string", SLICE("<\"a\tb\"@d>"), FORWARD },
    { "NUL in a quoted string", SLICE("<\"a\0b\"@d>"), FORWARD },
    { "control in the local part", SLICE("<a\x01@d>"), FORWARD },
    { "DEL in the local part", SLICE("<a\x7f@d>"), FORWARD },
    { "control in the domain", SLICE("<a@d\x07>"), FORWARD },
    { "NUL in the domain", SLICE("<a@d\0>"), FORWARD },
    { "C1 control", SLICE("<a\xC2\x85@d>"), FORWARD },
    { "include", SLICE("<:include:/x@fwd>"), FORWARD },
    { "two ats", SLICE("<a@b@c>"), FORWARD },
    { "two brackets", SLICE("<<a@b>>"), FORWARD },
    { "no closing bracket", SLICE("<a@b"), FORWARD },
    { "no opening bracket", SLICE("a@b>"), FORWARD },
    { "text behind the bracket", SLICE("<a@b>c"), FORWARD },
    { "bracket behind the bracket", SLICE("<a@b>>"), FORWARD },
    { "comma list", SLICE("<a@b,c@d>"), FORWARD },
    { "comment", SLICE("<a(x)@b>"), FORWARD },
    { "blank in the local part", SLICE("<a b@c>"), FORWARD },
    { "literal without end", SLICE("<a@[1.2.3.4>"), FORWARD },
    { "literal of nothing", SLICE("<a@[]>"), FORWARD },
    { "literal out of range", SLICE("<a@[1.2.3.400]>"), FORWARD },
    { "literal and more", SLICE("<a@[1.2.3.4]b>"), FORWARD },
    { "IPv6 without tag", SLICE("<a@[::1]>"), FORWARD },
    { "IPv6 with a zone", SLICE("<a@[IPv6:fe80::1%eth0]>"), FORWARD },
    { "unknown tag", SLICE("<a@[foo:bar]>"), FORWARD },
    { "trailing dot", SLICE("<a@b.example.>"), FORWARD },
    { "leading dot", SLICE("<a@.b>"), FORWARD },
    { "two dots", SLICE("<a@b..c>"), FORWARD },
    { "star in a domain", SLICE("<a@*>"), FORWARD },
    { "label of 64",
      SLICE(
          "<a@"
          "0123456789012345678901234567890123456789012345678901234567890123>"),
      FORWARD },
    { "Latin-1", SLICE("<gr\xE4ta@d>"), FORWARD },
    { "Latin-1 in the domain", SLICE("<a@gr\xE4ta>"), FORWARD },
    { "overlong UTF-8", SLICE("<a\xC0\xAF@d>"), FORWARD },
    { "surrogate", SLICE("<a\xED\xA0\x80@d>"), FORWARD },
    { "cut UTF-8", SLICE("<a@d\xC3>"), FORWARD },
};
enum {
    BAD = sizeof(bad) / sizeof(bad[0])
};

/* Whatever is cut off: no octet behind the end is looked at. */
static void
check_prefixes(struct slice wire, enum kind kind)
{
    struct arena arena = { 0 };

    for (size_t n = 0; n <= wire.len; n++) {
        struct slice prefix = exact(slice_head(wire, n));
        struct slice in = prefix;
        struct smtp_path path;
        smtp_path_parse(&in, (enum smtp_path_kind)kind, &arena, &path);
        smtp_address_parse(prefix, &arena, &path);
        free((char *)prefix.ptr);
    }
    arena_free(&arena);
}

static void
accepted(void **state)
{
    const struct row *row = *state;
    struct arena arena = { 0 };
    struct slice wire = exact(row->wire);
    struct slice in = wire;
    struct smtp_path path;

    assert_true(
        smtp_path_parse(&in, (enum smtp_path_kind)row->kind, &arena, &path));
    assert_slice(in, row->left);
    free((char *)wire.ptr); /* the path is the arena's alone */
    assert_slice(path.local, row->local);
    assert_slice(path.domain, row->domain);
    assert_slice(path.text, row->text);
    assert_int_equal(smtp_path_is_null(&path), row->null);
    arena_free(&arena);
    check_prefixes(row->wire, row->kind);
}

static void
refused(void **state)
{
    const struct bad *row = *state;
    struct arena arena = { 0 };
    struct slice wire = exact(row->wire);
    struct slice in = wire;
    struct smtp_path path;

    assert_int_equal(
        smtp_path_read(&in, (enum smtp_path_kind)row->kind, &arena, &path),
        SMTP_PATH_BAD);
    assert_ptr_equal(in.ptr, wire.ptr); /* not advanced */
    free((char *)wire.ptr);
    arena_free(&arena);
    check_prefixes(row->wire, row->kind);
}

static void
round_trip(void **state)
{
    struct arena arena = { 0 };
    (void)state;

    for (size_t i = 0; i < ROWS; i++) {
        struct smtp_path first, second, third;
        struct buf wire = { 0 };
        struct slice in = rows[i].wire;
        if (!smtp_path_parse(&in, (enum smtp_path_kind)rows[i].kind, &arena,
                             &first) ||
            smtp_path_is_null(&first))
            continue;
        buf_printf(&wire, "<%.*s>", SLICE_ARG(first.text));
        in = buf_slice(&wire);
        assert_true(smtp_path_parse(&in, SMTP_FORWARD_PATH, &arena, &second));
        assert_slice(second.text, first.text);
        assert_slice(second.local, first.local);
        assert_true(smtp_address_parse(first.text, &arena, &second));
        assert_slice(second.text, first.text);
        assert_true(smtp_path_make(first.local, first.domain, &arena, &third));
        assert_slice(third.text, first.text);
        assert_true(smtp_path_equal(&first, &third));
        buf_free(&wire);
    }
    arena_free(&arena);
}

static void
local_parts_print(void **state)
{
    struct buf out = { 0 };
    (void)state;

    buf_puts(&out, "to=");
    smtp_local_print(SLICE_OF("a.b"), &out);
    buf_putc(&out, ' ');
    smtp_local_print(SLICE_OF("a \"\\b"), &out);
    buf_putc(&out, ' ');
    smtp_local_print(SLICE_OF(""), &out);
    assert_slice(buf_slice(&out), SLICE_OF("to=a.b \"a \\\"\\\\b\" \"\""));
    buf_free(&out);
}

static void
address_is_whole(void **state)
{
    static const char *const wrong[] = {
        "", "<a@b>", "a@b c", "a@b ", "a", "@b", "@a:u@d", "a@", "a@b\n",
    };
    struct arena arena = { 0 };
    struct smtp_path path;
    (void)state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(smtp_address_parse(slice_from(wrong[i]), &arena, &path));
    assert_true(smtp_address_parse(SLICE_OF("\"a b\"@c"), &arena, &path));
    assert_slice(path.local, SLICE_OF("a b"));
    assert_true(smtp_address_parse(SLICE_OF("postmaster"), &arena, &path));
    arena_free(&arena);
}

static void
lengths(void **state)
{
    struct arena arena = { 0 };
    struct smtp_path path;
    (void)state;

    /* text of exactly SMTP_PATH_MAX octets */
    assert_true(smtp_address_parse(
        padded(&arena, "", 'a', SMTP_PATH_MAX - 2, "@b"), &arena, &path));
    assert_int_equal(path.text.len, SMTP_PATH_MAX);
    assert_false(smtp_address_parse(
        padded(&arena, "", 'a', SMTP_PATH_MAX - 1, "@b"), &arena, &path));
    assert_false(smtp_address_parse(
        padded(&arena, "\"", ' ', SMTP_PATH_MAX - 3, "\"@b"), &arena, &path));
    assert_false(smtp_address_parse(padded(&arena, "\"", 'a', 5000, "\"@b"),
                                    &arena, &path));
    assert_false(
        smtp_address_parse(padded(&arena, "a@", 'b', 64, ""), &arena, &path));
    /* each quote doubles */
    assert_false(smtp_path_make(padded(&arena, "", '"', SMTP_PATH_MAX - 4, ""),
                                SLICE_OF("b"), &arena, &path));
    assert_true(
        smtp_path_make(padded(&arena, "", '"', SMTP_PATH_MAX / 2 - 2, ""),
                       SLICE_OF("b"), &arena, &path));
    assert_int_equal(path.text.len, SMTP_PATH_MAX);
    arena_free(&arena);
}

static void
comparison(void **state)
{
    struct arena arena = { 0 };
    struct smtp_path a, b;
    (void)state;

    assert_true(
        smtp_path_make(SLICE_OF("User"), SLICE_OF("One.example"), &arena, &a));
    assert_true(
        smtp_address_parse(SLICE_OF("\"user\"@one.EXAMPLE"), &arena, &b));
    assert_true(smtp_path_equal(&a, &b));
    assert_true(smtp_address_parse(SLICE_OF("users@one.example"), &arena, &b));
    assert_false(smtp_path_equal(&a, &b));
    assert_true(smtp_address_parse(SLICE_OF("user@two.example"), &arena, &b));
    assert_false(smtp_path_equal(&a, &b));
    arena_free(&arena);
}

static void
made_from_bad_parts(void **state)
{
    struct arena arena = { 0 };
    struct smtp_path path;
    (void)state;

    assert_false(smtp_path_make(SLICE_OF(""), SLICE_OF("b"), &arena, &path));
    assert_false(smtp_path_make(SLICE_OF("a"), SLICE_OF(""), &arena, &path));
    assert_false(
        smtp_path_make(SLICE_OF("a\r\nb"), SLICE_OF("b"), &arena, &path));
    assert_false(smtp_path_make(SLICE_OF("a"), SLICE_OF("b>c"), &arena, &path));
    assert_false(smtp_path_make(SLICE_OF("a"), SLICE_OF("b c"), &arena, &path));
    assert_true(
        smtp_path_make(SLICE_OF("a b"), SLICE_OF("[1.2.3.4]"), &arena, &path));
    assert_slice(path.text, SLICE_OF("\"a b\"@[1.2.3.4]"));
    arena_free(&arena);
}

static void
host_names(void **state)
{
    static const struct {
        const char *domain;
        bool valid;
    } names[] = {
        { "example.org", true },
        { "a", true },
        { "1.2.3.4", true },
        { "xn--e1afmkfd.example", true },
        { "пример.example", true },
        { "a-b.c", true },
        { "", false },
        { ".", false },
        { "a.", false },
        { "-a.b", false },
        { "a-.b", false },
        { "a_b.c", false },
        { "a..b", false },
        { "a b", false },
        { "a/b", false },
        { "[1.2.3.4]", false },
        { "a\xff", false },
        { "a\x7f", false },
    };
    struct arena arena = { 0 };
    (void)state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(smtp_domain_is_valid(slice_from(names[i].domain)),
                         names[i].valid);
    struct buf name = { 0 };
    while (name.len < 254)
        buf_puts(&name, "a.");
    buf_putc(&name, 'b');
    assert_int_equal(name.len, 255);
    assert_true(smtp_domain_is_valid(buf_slice(&name)));
    buf_putc(&name, 'b');
    assert_false(smtp_domain_is_valid(buf_slice(&name)));
    buf_free(&name);
    arena_free(&arena);
}

static void
a_labels(void **state)
{
    static const struct {
        const char *domain;
        const char *ascii; /* NULL: not IDNA */
    } names[] = {
        { "Example.ORG", "example.org" },
        { "", "" },
        { "пример.Example", "xn--e1afmkfd.example" },
        { "ПРИМЕР.example", "xn--e1afmkfd.example" },
        { "faß.de", "xn--fa-hia.de" }, /* nontransitional */
        { "a。пример", "a.xn--e1afmkfd" },
        { "пример..example", NULL },
        { "\xff", NULL },
        { "a\xE2\x80\x8D"
          "b.example",
          NULL },                         /* a joiner out of place */
        { "\xE2\x84\x80.example", NULL }, /* folds to "a/c" */
    };
    struct arena arena = { 0 };
    (void)state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct slice ascii;
        bool ok =
            smtp_domain_to_ascii(slice_from(names[i].domain), &arena, &ascii);
        assert_int_equal(ok, names[i].ascii != NULL);
        if (ok)
            assert_slice(ascii, slice_from(names[i].ascii));
    }
    arena_free(&arena);
}

static void
memory_is_gone(void **state)
{
    struct arena arena = { 0 };
    struct slice in = SLICE("<a@b> X");
    struct smtp_path path;
    (void)state;

    mem_fail_nth(1);
    assert_int_equal(smtp_path_read(&in, SMTP_FORWARD_PATH, &arena, &path),
                     SMTP_PATH_NO_MEMORY);
    mem_fail_nth(0);
    assert_int_equal(in.len, 7);
    arena_free(&arena);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + BAD + 9] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, accepted, NULL, NULL, &rows[i] };
    for (size_t i = 0; i < BAD; i++)
        tests[n++] =
            (struct CMUnitTest){ bad[i].name, refused, NULL, NULL, &bad[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(round_trip);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(local_parts_print);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(address_is_whole);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(lengths);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(comparison);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(made_from_bad_parts);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(host_names);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_labels);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(memory_is_gone);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("path", tests, n, NULL, NULL);
}
