/* check --postfix: what is found in a Postfix that setup has changed, and then
 * somebody else. (t/e2e/check-postfix.t runs the commands that are named.) */
#include "postfix_site.h"
#include "postfix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define BACK "127.0.0.1:10026/inet"

static const struct row {
    const char *name;
    enum postconf_verb verb;
    const char *target, *value;
    enum finding_severity severity;
    const char *said;
} rows[] = {
    { "no filter in front", POSTCONF_OPTION_DROP,
      "smtp/inet/smtpd_proxy_filter", "", FINDING_ERROR,
      "nothing sends mail to listener mx" },
    { "a filter that leads elsewhere", POSTCONF_OPTION,
      "smtp/inet/smtpd_proxy_filter", "127.0.0.1:9", FINDING_ERROR,
      "leads to 127.0.0.1:9, where no listener of ours is" },
    { "localhost is 127.0.0.1", POSTCONF_OPTION, "smtp/inet/smtpd_proxy_filter",
      "inet:localhost:10025", FINDING_ERROR, NULL },
    { "a port alone is this host's", POSTCONF_OPTION,
      "smtp/inet/smtpd_proxy_filter", "10025", FINDING_ERROR, NULL },
    { "strangers at the outbound listener", POSTCONF_OPTION,
      "smtp/inet/smtpd_proxy_filter", "127.0.0.1:10027", FINDING_ERROR,
      "leads strangers to listener submission" },
    { "nothing behind", POSTCONF_SERVICE_DROP, BACK, "", FINDING_ERROR,
      "where nothing listens" },
    { "a loop", POSTCONF_OPTION, BACK "/smtpd_proxy_filter", "127.0.0.1:10025",
      FINDING_ERROR, "again and again" },
    { "too few processes behind", POSTCONF_LIMIT, BACK "/process_limit", "99",
      FINDING_ERROR, "99 processes behind us, and 100 in front" },
    { "just enough processes behind", POSTCONF_LIMIT, BACK "/process_limit",
      "100", FINDING_ERROR, NULL },
    { "a timeout as long as ours", POSTCONF_OPTION,
      "smtp/inet/smtpd_proxy_timeout", "90s", FINDING_ERROR,
      "not longer than upstream.reply_timeout" },
    { "one second more will do", POSTCONF_OPTION,
      "smtp/inet/smtpd_proxy_timeout", "91", FINDING_ERROR, NULL },
    { "no room behind", POSTCONF_OPTION,
      "onward-cleanup/unix/message_size_limit", "10240000", FINDING_WARNING,
      "leaves no room" },
    { "no route for bounces", POSTCONF_MAIN_DROP, "transport_maps", "",
      FINDING_WARNING, "no route for the SRS domain" },
    { "a mail domain that is routed to us whole", POSTCONF_MAIN,
      "mydestination", "srs.example.org", FINDING_ERROR,
      "their mail circles until it bounces" },
    { "recipients are verified", POSTCONF_MAIN, "smtpd_recipient_restrictions",
      "permit_mynetworks, reject_unverified_recipient", FINDING_ERROR,
      "postconf -e 'smtpd_recipient_restrictions = permit_mynetworks'" },
    { "a restriction that names no domain", POSTCONF_MAIN,
      "smtpd_relay_restrictions", "permit_mynetworks, reject", FINDING_ERROR,
      "'smtpd_relay_restrictions = "
      "permit_mynetworks,permit_auth_destination,reject'" },
    { "one that asks for the classes", POSTCONF_MAIN,
      "smtpd_relay_restrictions", "reject_unauth_destination, reject",
      FINDING_ERROR, NULL },
    { "a transport that comes from elsewhere", POSTCONF_OPTION,
      "onward/unix/smtp_bind_address", "192.0.2.1", FINDING_ERROR,
      "a listener on loopback refuses" },
    { "one from loopback", POSTCONF_OPTION, "onward/unix/smtp_bind_address",
      "127.0.0.1", FINDING_ERROR, NULL },
    { "8-bit mail converted", POSTCONF_OPTION,
      "onward-cleanup/unix/force_mime_input_conversion", "yes", FINDING_ERROR,
      "quoted-printable after the signature" },
    { "exclusions behind", POSTCONF_OPTION,
      BACK "/smtpd_forbid_bare_newline_exclusions", "$mynetworks",
      FINDING_WARNING, "does not hold for what comes from us" },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

struct found {
    struct buf errors, warnings;
};

static void
on_found(void *ctx, enum finding_severity severity, const char *file,
         struct slice setting, struct slice sentence, struct slice command)
{
    struct found *found = ctx;
    struct buf *out =
        severity == FINDING_ERROR ? &found->errors : &found->warnings;

    buf_printf(out, "%s: %.*s: %.*s; %.*s\n", file, SLICE_ARG(setting),
               SLICE_ARG(sentence), SLICE_ARG(command));
}

static void
look(const struct conf *conf, const struct postconf_texts *texts,
     struct found *found)
{
    struct arena arena = { 0 };
    struct postconf postconf;
    struct slice bad;
    const struct finding_sink sink = { on_found, found };

    assert_true(postconf_parse(texts, &arena, &postconf, &bad));
    findings_report(conf, &postconf, (struct slice){ 0 }, &sink);
    arena_free(&arena);
}

/* Debian's Postfix after `setup --apply`. */
static struct postconf_texts
set_up(const struct conf *conf, struct plan *plan, struct arena *arena)
{
    struct plan_input input = {
        .goal = PLAN_APPLY,
        .conf = conf,
        .postfix = postfix_site_texts(arena, "", ""),
    };

    assert_true(plan_make(&input, plan));
    return postfix_site_run(&input.postfix, &plan->commands, arena);
}

static void
finds(void **state)
{
    const struct row *row = *state;
    struct arena arena = { 0 };
    struct conf conf = postfix_site_conf(&arena);
    struct plan plan;
    struct found before = { 0 }, after = { 0 };
    struct postconf_texts texts = set_up(&conf, &plan, &arena);
    struct postconf_command command = {
        .verb = row->verb,
        .target = slice_from(row->target),
        .value = slice_from(row->value),
    };
    const struct postconf_commands list = { &command, 1, 1 };

    look(&conf, &texts, &before);
    if (before.errors.len != 0)
        fail_msg("an error after setup: %s", buf_cstr(&before.errors));
    texts = postfix_site_run(&texts, &list, &arena);
    look(&conf, &texts, &after);
    struct buf *out =
        row->severity == FINDING_ERROR ? &after.errors : &after.warnings;
    if (row->said == NULL && out->len != 0)
        fail_msg("unwanted: %s", buf_cstr(out));
    if (row->said != NULL && strstr(buf_cstr(out), row->said) == NULL)
        fail_msg("missing \"%s\": %s", row->said, buf_cstr(out));
    buf_free(&before.errors);
    buf_free(&before.warnings);
    buf_free(&after.errors);
    buf_free(&after.warnings);
    plan_free(&plan);
    arena_free(&arena);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS] = { 0 };

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, finds, NULL, NULL,
                                        (void *)(uintptr_t)&rows[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
