/* setup: which commands for which Postfix, and the way back. */
#include "postfix_site.h"
#include "postfix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const struct row {
    const char *name;
    const char *services; /* beside Debian's */
    const char *set;      /* in main.cf */
    const char *has[4];   /* in the script */
    const char *has_not[3];
    const char *refusal; /* then all else is not looked at */
} rows[] = {
    { "port 25 leads to the inbound listener",
      "",
      "",
      { "-P smtp/inet/smtpd_proxy_filter=127.0.0.1:10025\n" },
      { 0 },
      NULL },
    { "so does what stands behind postscreen",
      "smtpd pass - - y - - smtpd\n",
      "",
      { "-P smtpd/pass/smtpd_proxy_filter=127.0.0.1:10025\n" },
      { 0 },
      NULL },
    { "an address before the port is no obstacle",
      "192.0.2.1:25 inet n - y - - smtpd\n[2001:db8::1]:smtp inet n - y - - "
      "smtpd\n",
      "",
      { "-P 192.0.2.1:25/inet/smtpd_proxy_filter=127.0.0.1:10025\n",
        "2001:db8::1]:smtp/inet/smtpd_proxy_filter=127.0.0.1:10025" },
      { 0 },
      NULL },
    { "submission leads to the outbound listener",
      "submission inet n - y - - smtpd\nsmtps inet n - y - - smtpd -o "
      "smtpd_tls_wrappermode=yes\n",
      "",
      { "-P submission/inet/smtpd_proxy_filter=127.0.0.1:10027\n",
        "-P smtps/inet/smtpd_proxy_filter=127.0.0.1:10027\n" },
      { 0 },
      NULL },
    { "another port with AUTH is for users",
      "2525 inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes\n",
      "",
      { "-P 2525/inet/smtpd_proxy_filter=127.0.0.1:10027\n" },
      { 0 },
      NULL },
    { "what amavis gives back to is left alone",
      "127.0.0.1:10030 inet n - y - - smtpd -o content_filter= -o "
      "mynetworks=127.0.0.0/8\n",
      "",
      { "smtp/inet/" },
      { "10030" },
      NULL },
    { "lmtp and pipes are no fronts",
      "lmtp inet n - y - - lmtpd\n",
      "",
      { "smtp/inet/" },
      { "lmtp/inet" },
      NULL },
    { "the service behind holds all fronts twice",
      "submission inet n - y - 30 smtpd\n",
      "",
      { "127.0.0.1:10026 inet n - y - 260 smtpd" },
      { 0 },
      NULL },
    { "no limit in front, none behind",
      "submission inet n - y - 0 smtpd\n",
      "",
      { "127.0.0.1:10026 inet n - y - 0 smtpd" },
      { 0 },
      NULL },
    { "the exclusions are empty",
      "",
      "",
      { " -o smtpd_forbid_bare_newline_exclusions= " },
      { 0 },
      NULL },
    { "options that this Postfix does not have are left out",
      "",
      "",
      { "-o smtpd_timeout=1800s" },
      { "smtpd_upstream_proxy_protocol" },
      NULL },
    { "aliases of the site are expanded behind us",
      "",
      "virtual_alias_maps = hash:/etc/postfix/virtual\n",
      { "receive_override_options=no_unknown_recipient_checks,no_milters",
        "smtp/inet/virtual_alias_maps=hash:/etc/postfix/virtual,socketmap:inet:"
        "127.0.0.1:10028:recipient" },
      { "no_address_mappings" },
      NULL },
    { "PostSRSd's maps are not",
      "",
      "sender_canonical_maps = tcp:localhost:10001\n",
      { "no_address_mappings" },
      { 0 },
      NULL },
    { "an inline map goes by a parameter",
      "",
      "virtual_alias_maps = inline:{{a@b = c@d}}\n",
      { "-e 'onward_virtual_alias_maps = inline:{{a@b = c@d}}, socketmap:",
        "'smtp/inet/virtual_alias_maps=$onward_virtual_alias_maps'" },
      { 0 },
      NULL },
    { "routes are kept",
      "",
      "transport_maps = hash:/etc/postfix/transport\n",
      { "'transport_maps = hash:/etc/postfix/transport, "
        "inline:{srs.example.org=onward:[127.0.0.1]:10025}'" },
      { 0 },
      NULL },
    { "an SRS domain that is known already",
      "",
      "relay_domains = srs.example.org\n",
      { "smtp/inet/" },
      { "relay_domains =", "relay_recipient_maps =" },
      NULL },
    { "relay domains of others and no list of recipients",
      "",
      "relay_domains = backup.example\n",
      { "'relay_domains = backup.example, srs.example.org'" },
      { "relay_recipient_maps =" },
      NULL },
    { "an SRS domain with mailboxes is routed by its SRS addresses",
      "",
      "mydestination = srs.example.org\n",
      { "regexp:{{/^srs[01][-+=].*@srs\\.example\\.org$$/ "
        "onward:[127.0.0.1]:10025}}" },
      { "srs.example.org=onward", "relay_domains =" },
      NULL },
    { "so is one that a table knows",
      "",
      "virtual_mailbox_domains = proxy:mysql:/vd\n",
      { "regexp:{{/^srs[01]" },
      { "srs.example.org=onward", "relay_domains =" },
      NULL },
    { "not one that it does not know",
      "",
      "relay_domains = mysql:/none\n",
      { "inline:{srs.example.org=onward", "mysql:/none, srs.example.org" },
      { "regexp:" },
      NULL },
    { "a table that does not answer may have mailboxes",
      "",
      "virtual_mailbox_domains = mysql:/away\n",
      { "regexp:{{/^srs[01]", "'relay_domains = srs.example.org'" },
      { "srs.example.org=onward" },
      NULL },
    { "a table of virtual aliases that does not answer is none",
      "",
      "virtual_alias_domains = texthash:/nowhere\n",
      { "inline:{srs.example.org=onward" },
      { "regexp:" },
      NULL },
    { "an older Postfix takes no inline pattern",
      "",
      "mydestination = srs.example.org\nmail_version = 3.6.4\n",
      { "smtp/inet/" },
      { "regexp:", "srs.example.org=onward" },
      NULL },
    { "a route for all of it, by hand, is replaced",
      "",
      "mydestination = srs.example.org\n"
      "transport_maps = hash:/t, inline:{a.example=x:y, "
      "srs.example.org=onward:[127.0.0.1]:10025}\n",
      { "'transport_maps = hash:/t, inline:{a.example=x:y, }, regexp:{{" },
      { 0 },
      NULL },
    { "a content filter goes on behind us",
      "",
      "content_filter = amavis:[127.0.0.1]:10024\n",
      { "-o content_filter=amavis:[127.0.0.1]:10024" },
      { 0 },
      NULL },
    { "nothing is converted behind us, where Postfix could",
      "",
      "force_mime_input_conversion = yes\nmessage_size_limit = 0\n",
      { "cleanup -o force_mime_input_conversion=no" },
      { 0 },
      NULL },
    { "no limit of size, no cleanup of its own",
      "",
      "message_size_limit = 0\n",
      { "smtp/inet/" },
      { "onward-cleanup", "message_size_limit=" },
      NULL },
    { "a service behind that is there gets what it lacks",
      "127.0.0.1:10026 inet n - n - - smtpd -o smtpd_timeout=5s\n",
      "",
      { "-P 127.0.0.1:10026/inet/smtpd_timeout=1800s",
        "-F 127.0.0.1:10026/inet/process_limit=200" },
      { "-M '127.0.0.1:10026/inet" },
      NULL },
    { "another filter",
      "submission inet n - y - - smtpd -o smtpd_proxy_filter=127.0.0.1:9\n",
      "",
      { 0 },
      { 0 },
      "submission/inet has smtpd_proxy_filter" },
    { "a listener's port is taken",
      "127.0.0.1:10025 inet n - y - - smtpd\n",
      "",
      { 0 },
      { 0 },
      "give the listener another port" },
    { "the map's port is taken",
      "10028 inet n - y - - smtpd\n",
      "",
      { 0 },
      { 0 },
      "give it another port" },
    { "upstream's port is no smtpd",
      "127.0.0.1:10026 inet n - n - - spawn\n",
      "",
      { 0 },
      { 0 },
      "is no smtpd" },
    { "not a master.cf",
      "half a line\n",
      "",
      { 0 },
      { 0 },
      "not understood: half a line" },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
contains(const char *text, const char *part, bool wanted)
{
    if ((strstr(text, part) != NULL) != wanted)
        fail_msg("%s: \"%s\" in:\n%s", wanted ? "missing" : "unwanted", part,
                 text);
}

static void
plans(void **state)
{
    const struct row *row = *state;
    struct arena arena = { 0 };
    struct conf conf = postfix_site_conf(&arena);
    struct plan_input input = {
        .goal = PLAN_APPLY,
        .conf = &conf,
        .postfix = postfix_site_texts(&arena, row->services, row->set),
    };
    struct plan plan;
    struct buf script = { 0 };

    assert_int_equal(plan_make(&input, &plan), row->refusal == NULL);
    if (row->refusal != NULL) {
        contains(buf_cstr(&plan.refusals), row->refusal, true);
    } else {
        plan_print(&plan, (struct slice){ 0 }, &script);
        for (size_t i = 0; i < 4 && row->has[i] != NULL; i++)
            contains(buf_cstr(&script), row->has[i], true);
        for (size_t i = 0; i < 3 && row->has_not[i] != NULL; i++)
            contains(buf_cstr(&script), row->has_not[i], false);
    }
    buf_free(&script);
    plan_free(&plan);
    arena_free(&arena);
}

/* ---- there, again, and back -------------------------------------------- */

/* Every row that is applied: a second time there is nothing to do, and removal
 * gives back what was. */
static void
goes_and_comes_back(void **state)
{
    const struct row *row = *state;
    struct arena arena = { 0 };
    struct conf conf = postfix_site_conf(&arena);
    struct plan_input input = {
        .goal = PLAN_APPLY,
        .conf = &conf,
        .postfix = postfix_site_texts(&arena, row->services, row->set),
    };
    struct plan nothing_yet = { 0 };
    struct plan plan, again, back;

    if (row->refusal != NULL) {
        arena_free(&arena);
        return;
    }
    /* In the printer's own spelling, so that texts can be compared. */
    struct postconf_texts before =
        postfix_site_run(&input.postfix, &nothing_yet.commands, &arena);
    before.values = input.postfix.values;
    input.postfix = before;
    assert_true(plan_make(&input, &plan));
    assert_true(plan.commands.count > 0);
    input.postfix = postfix_site_run(&before, &plan.commands, &arena);
    input.state = buf_slice(&plan.state);
    assert_true(plan_make(&input, &again));
    assert_int_equal(again.commands.count, 0);
    assert_true(slice_equal(buf_slice(&again.state), input.state));

    input.goal = PLAN_REMOVE;
    input.conf = NULL;
    assert_true(plan_make(&input, &back));
    struct postconf_texts after =
        postfix_site_run(&input.postfix, &back.commands, &arena);
    assert_true(slice_equal(after.services, before.services));
    assert_true(slice_equal(after.set, before.set));
    assert_int_equal(back.state.len, 0);
    plan_free(&plan);
    plan_free(&again);
    plan_free(&back);
    arena_free(&arena);
}

/* What smtp(8) would make of 8-bit mail is not what was signed. */
static void
eight_bit_mail_stays_as_signed(void **state)
{
    static const struct {
        const char *keys, *set;
        bool wanted;
    } cases[] = {
        { "/etc/onward/dkim", "disable_mime_output_conversion = no\n", true },
        { "/etc/onward/dkim", "disable_mime_output_conversion = yes\n", false },
        { "", "disable_mime_output_conversion = no\n", false },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena = { 0 };
        struct conf conf = postfix_site_conf(&arena);
        struct plan_input input = {
            .goal = PLAN_APPLY,
            .conf = &conf,
            .postfix = postfix_site_texts(&arena, "", cases[i].set),
        };
        struct plan plan;
        struct buf script = { 0 };
        conf.dkim.key_directory = slice_from(cases[i].keys);
        assert_true(plan_make(&input, &plan));
        plan_print(&plan, (struct slice){ 0 }, &script);
        contains(buf_cstr(&script), "disable_mime_output_conversion = yes",
                 cases[i].wanted);
        buf_free(&script);
        plan_free(&plan);
        arena_free(&arena);
    }
}

/* An alias domain in no address class gets "Relay access denied". */
static void
alias_domains_are_told_by_the_map(void **state)
{
    static const char map[] = "socketmap:inet:127.0.0.1:10028:domain";
    static const struct {
        const char *domain, *set;
        bool wanted;
    } cases[] = {
        { "old.example", "", true },
        { "OLD.example", "mydestination = old.example\n", false },
        { "old.example", "relay_domains = mysql:/away\n", false },
        { "srs.example.org", "", false },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena = { 0 };
        struct conf conf = postfix_site_conf(&arena);
        struct slice domain = slice_from(cases[i].domain);
        struct plan_input input = {
            .goal = PLAN_APPLY,
            .conf = &conf,
            .postfix = postfix_site_texts(&arena, "", cases[i].set),
        };
        struct plan plan;
        struct buf script = { 0 };
        conf.forward.every_domain = &domain;
        conf.forward.every_domain_count = 1;
        conf.srs.every = conf.srs.domains;
        conf.srs.every_count = 1;
        assert_true(plan_make(&input, &plan));
        plan_print(&plan, (struct slice){ 0 }, &script);
        contains(buf_cstr(&script), map, cases[i].wanted);
        buf_free(&script);
        plan_free(&plan);
        arena_free(&arena);
    }
}

static void
refuses_a_damaged_state(void **state)
{
    static const char *const texts[] = {
        "main\n",
        "main\tx\told\ta\tb\n",
        "what\tx\tnew\t\tb\n",
        "main\t\tnew\t\tb\n",
        "service\tx/inet\thad\thalf a line\tb\n",
        "# fine\nmain\tx\tnew\n",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct arena arena = { 0 };
        struct plan plan;
        struct plan_input input = {
            .goal = PLAN_REMOVE,
            .postfix = postfix_site_texts(&arena, "", ""),
            .state = slice_from(texts[i]),
        };
        assert_false(plan_make(&input, &plan));
        contains(buf_cstr(&plan.refusals), "damaged at line", true);
        plan_free(&plan);
        arena_free(&arena);
    }
}

int
main(void)
{
    struct CMUnitTest tests[2 * ROWS + 3] = { 0 };

    for (size_t i = 0; i < ROWS; i++) {
        void *row = (void *)(uintptr_t)&rows[i];
        tests[2 * i] =
            (struct CMUnitTest){ rows[i].name, plans, NULL, NULL, row };
        tests[2 * i + 1] =
            (struct CMUnitTest){ rows[i].name, goes_and_comes_back, NULL, NULL,
                                 row };
    }
    tests[2 * ROWS] =
        (struct CMUnitTest)cmocka_unit_test(refuses_a_damaged_state);
    tests[2 * ROWS + 1] =
        (struct CMUnitTest)cmocka_unit_test(eight_bit_mail_stays_as_signed);
    tests[2 * ROWS + 2] =
        (struct CMUnitTest)cmocka_unit_test(alias_domains_are_told_by_the_map);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
