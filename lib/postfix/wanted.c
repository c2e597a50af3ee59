#include "wanted.h"

/* ---- values that do as well -------------------------------------------- */

static bool
is_empty(struct slice value)
{
    return value.len == 0;
}

static bool
is_not_empty(struct slice value)
{
    return value.len != 0;
}

static bool
is_not_no(struct slice value)
{
    return !slice_equal_nocase(value, SLICE_OF("no"));
}

static bool
is_not_yes(struct slice value)
{
    return !postconf_is_yes(value);
}

static bool
is_not_encrypt(struct slice value)
{
    return !slice_equal_nocase(value, SLICE_OF("encrypt"));
}

/* Whoever speaks to the service is on loopback, and may go on. */
static bool
lets_us_pass(struct slice value)
{
    static const struct slice first = SLICE("permit_mynetworks");

    return slice_starts_nocase(slice_trim(value), first);
}

static bool
lets_us_pass_or_empty(struct slice value)
{
    return value.len == 0 || lets_us_pass(value);
}

static bool
holds_loopback(struct slice value)
{
    return site_mentions(value, SLICE_OF("127.0.0."));
}

static bool
is_loopback_or_empty(struct slice value)
{
    return value.len == 0 || site_is_loopback(value);
}

static bool
is_long_field(struct slice value)
{
    uint64_t number = 0;

    return !slice_to_u64(value, &number) || number >= 102400;
}

/* ---- the table --------------------------------------------------------- */

#define ROW(s, n, does, gravity, mends)                                        \
    .scope = SCOPE_##s, .name = n, .setup = SETUP_##does,                      \
    .severity = FINDING_##gravity, .cure = CURE_##mends
#define LOOPBACK "127.0.0.0/8,[::1]/128"
#define CHANGES "runs after the signature; what it changes breaks it"
#define JUDGED "%: the front has judged already; behind us that is done again"

/* clang-format off */
const struct wanted wanted_rows[] = {
    /* ---- our own addresses ---- */
    { ROW(LISTENER, "address", LEAVES, ERROR, NONE),
      .judge = listener_collides },
    { ROW(MAIN, "socketmap.listen", LEAVES, ERROR, NONE),
      .judge = map_collides },

    /* ---- in front of us ---- */
    { ROW(FRONT, "smtpd_proxy_filter", SETS, ERROR, NONE),
      .work_out = front_filter, .concerns = front_is_mx,
      .judge = front_filter_is_wrong,
      .why = "what comes in passes through Onward before it is queued" },
    { ROW(FRONT, "smtpd_proxy_filter", SETS, ERROR, NONE),
      .work_out = front_filter, .concerns = front_is_submission,
      .judge = front_filter_is_wrong,
      .why = "what your users send passes through Onward and is signed" },
    { ROW(LISTENER, "smtpd_proxy_filter", LEAVES, WARNING, NONE),
      .judge = listener_has_no_sender },
    { ROW(FRONT, "smtpd_proxy_timeout", SETS, ERROR, SET),
      .work_out = front_timeout, .concerns = front_leads_to_us,
      .judge = front_timeout_is_short,
      .why = "longer than upstream.reply_timeout: a front that gives up first "
             "gets the mail twice" },
    { ROW(FRONT, "smtpd_proxy_filter", LEAVES, ERROR, NONE),
      .concerns = front_leads_to_us, .judge = front_socket_is_outside },
    { ROW(FRONT, "virtual_alias_maps", LEAVES, ERROR, NONE),
      .concerns = front_leads_to_us, .judge = front_map_is_outside },
    { ROW(FRONT, "virtual_alias_maps", SETS, WARNING, SETUP),
      .work_out = front_recipients, .concerns = front_leads_to_us,
      .judge = front_knows_no_aliases,
      .why = "aliases and SRS addresses are known at RCPT, of any address "
             "class; nothing is\nexpanded here. Unknown ones are refused "
             "before any content is sent" },
    { ROW(FRONT, "smtpd_proxy_options", LEAVES, WARNING, DROP),
      .concerns = front_leads_to_us, .judge = front_is_hasty },
    { ROW(FRONT, "smtpd_milters", NOTES, WARNING, SET), .value = "",
      .concerns = front_leads_to_us, .judge = front_has_milters },
    { ROW(FRONT, "content_filter", LEAVES, WARNING, NONE),
      .concerns = front_leads_to_us, .judge = front_content_filter_is_lost },
    { ROW(FRONT, "cleanup_service_name", NOTES, WARNING, DROP),
      .concerns = front_leads_to_us, .judge = front_cleanup_is_lost },
    { ROW(FRONT, "smtpd_client_restrictions", LEAVES, ERROR, NONE),
      .concerns = front_leads_to_us, .judge = front_verifies_recipients },
    { ROW(FRONT, "smtpd_helo_restrictions", LEAVES, ERROR, NONE),
      .concerns = front_leads_to_us, .judge = front_verifies_recipients },
    { ROW(FRONT, "smtpd_sender_restrictions", LEAVES, ERROR, NONE),
      .concerns = front_leads_to_us, .judge = front_verifies_recipients },
    { ROW(FRONT, "smtpd_relay_restrictions", LEAVES, ERROR, NONE),
      .concerns = front_leads_to_us, .judge = front_verifies_recipients },
    { ROW(FRONT, "smtpd_recipient_restrictions", LEAVES, ERROR, NONE),
      .concerns = front_leads_to_us, .judge = front_verifies_recipients },
    { ROW(FRONT, "smtpd_data_restrictions", LEAVES, ERROR, NONE),
      .concerns = front_leads_to_us, .judge = front_verifies_recipients },
    { ROW(FRONT, "smtpd_relay_restrictions", LEAVES, ERROR, NONE),
      .concerns = front_leads_to_us, .judge = front_refuses_ours },
    { ROW(FRONT, "smtpd_recipient_restrictions", LEAVES, ERROR, NONE),
      .concerns = front_leads_to_us, .judge = front_refuses_ours },
    { ROW(FRONT, "mynetworks", NOTES, NOTE, NONE),
      .concerns = front_leads_to_us, .judge = own_hosts_are_strangers },
    { ROW(MAIN, "virtual_alias_maps", NOTES, NOTE, NONE),
      .judge = rules_are_unknown },

    /* ---- main.cf ---- */
    { ROW(MAIN, "relay_domains", SETS, ERROR, SETUP),
      .work_out = srs_relay_domains, .judge = srs_domain_is_unknown,
      .why = "bounces come back to SRS addresses, and outside may write to "
             "aliases" },
    { ROW(MAIN, "relay_domains", LEAVES, ERROR, SETUP),
      .judge = alias_domain_is_unknown },
    { ROW(MAIN, "relay_recipient_maps", SETS, ERROR, SETUP),
      .work_out = srs_relay_recipients, .judge = srs_addresses_are_refused,
      .why = "forged SRS addresses are refused at RCPT" },
    { ROW(MAIN, "relay_recipient_maps", NOTES, NONE, NONE),
      .judge = relay_domains_are_open },
    { ROW(MAIN, "transport_maps", SETS, WARNING, SETUP), .work_out = srs_routes,
      .judge = srs_domain_has_no_route,
      .why = "bounces that this Postfix makes itself come to Onward too, and "
             "are reversed" },
    { ROW(MAIN, "transport_maps", LEAVES, ERROR, SETUP),
      .judge = mail_domain_circles },
    { ROW(MAIN, "virtual_mailbox_domains", LEAVES, WARNING, NONE),
      .judge = local_domain_is_unknown },
    { ROW(MAIN, "smtpd_forbid_bare_newline", MENDS, WARNING, SET),
      .value = "normalize", .is_enough = is_not_no,
      .why = "no second message can be smuggled in behind the first",
      .sentence = "no: strangers can smuggle messages in before we see them" },
    { ROW(MAIN, "smtpd_forbid_bare_newline", NOTES, WARNING, NONE),
      .judge = bare_newlines_pass },
    { ROW(MAIN, "sender_canonical_maps", LEAVES, ERROR, DROP),
      .judge = maps_are_postsrsd },
    { ROW(MAIN, "recipient_canonical_maps", LEAVES, ERROR, DROP),
      .judge = maps_are_postsrsd },
    { ROW(MAIN, "smtpd_milters", LEAVES, WARNING, DROP),
      .judge = milters_are_opendkim },
    { ROW(MAIN, "non_smtpd_milters", LEAVES, WARNING, DROP),
      .judge = milters_are_opendkim },
    { ROW(PICKUP, "content_filter", NOTES, WARNING, SET),
      .work_out = pickup_filter, .judge = pickup_passes_us },
    { ROW(PICKUP, "content_filter", LEAVES, ERROR, SET),
      .work_out = pickup_filter, .judge = pickup_comes_from_elsewhere },

    /* ---- the service behind us ---- */
    { ROW(MAIN, "upstream.address", LEAVES, ERROR, NONE),
      .judge = back_is_missing },
    { ROW(MAIN, "upstream.address", LEAVES, ERROR, NONE),
      .judge = back_is_a_front },
    { ROW(BACK, "inet", LEAVES, ERROR, NONE), .judge = back_is_exposed },
    { ROW(BACK, "syslog_name", SETS, NONE, NONE), .work_out = back_log_name },
    { ROW(BACK, "smtpd_authorized_xforward_hosts", SETS, WARNING, SET),
      .value = LOOPBACK, .is_enough = is_not_empty,
      .why = "the log shows the true client and not us",
      .sentence = "empty: the log behind us does not show the client" },
    { ROW(BACK, "mynetworks", SETS, ERROR, SET), .value = LOOPBACK,
      .is_enough = holds_loopback, .why = "only this host may speak to it",
      .sentence = "%: without 127.0.0.0/8 it refuses what we send" },
    { ROW(BACK, "smtpd_client_restrictions", SETS, WARNING, SET), .value = "",
      .is_enough = lets_us_pass_or_empty, .sentence = JUDGED },
    { ROW(BACK, "smtpd_helo_restrictions", SETS, WARNING, SET), .value = "",
      .is_enough = lets_us_pass_or_empty, .sentence = JUDGED },
    { ROW(BACK, "smtpd_sender_restrictions", SETS, WARNING, SET), .value = "",
      .is_enough = lets_us_pass_or_empty, .sentence = JUDGED },
    { ROW(BACK, "smtpd_relay_restrictions", SETS, WARNING, SET), .value = "",
      .is_enough = lets_us_pass_or_empty, .sentence = JUDGED },
    { ROW(BACK, "smtpd_recipient_restrictions", SETS, WARNING, SET),
      .value = "permit_mynetworks,reject", .is_enough = lets_us_pass,
      .why = "the front has judged already; nobody else gets in",
      .sentence = "%: does not begin with permit_mynetworks: what the front "
                  "has taken is judged a second time, or refused" },
    { ROW(BACK, "smtpd_data_restrictions", SETS, WARNING, SET), .value = "",
      .is_enough = lets_us_pass_or_empty, .sentence = JUDGED },
    { ROW(BACK, "smtpd_end_of_data_restrictions", SETS, WARNING, SET),
      .value = "", .is_enough = lets_us_pass_or_empty, .sentence = JUDGED },
    { ROW(BACK, "smtpd_reject_unlisted_sender", SETS, WARNING, SET),
      .value = "no", .is_enough = is_not_yes,
      .sentence = "yes: senders are judged a second time" },
    { ROW(BACK, "smtpd_delay_reject", SETS, NONE, NONE), .value = "yes" },
    { ROW(BACK, "smtpd_tls_security_level", SETS, ERROR, SET), .value = "none",
      .is_enough = is_not_encrypt,
      .sentence = "encrypt: we speak no TLS, and every message is refused" },
    { ROW(BACK, "smtpd_tls_wrappermode", SETS, ERROR, SET), .value = "no",
      .is_enough = is_not_yes,
      .sentence = "yes: we speak no TLS, and every message fails" },
    { ROW(BACK, "smtpd_sasl_auth_enable", SETS, WARNING, SET), .value = "no",
      .is_enough = is_not_yes,
      .sentence = "yes: the service behind us offers AUTH" },
    { ROW(BACK, "smtpd_upstream_proxy_protocol", SETS, ERROR, SET), .value = "",
      .is_enough = is_empty,
      .sentence = "%: it waits for a header that we do not send" },
    { ROW(BACK, "smtpd_command_filter", SETS, WARNING, SET), .value = "",
      .is_enough = is_empty, .why = "the front applies it",
      .sentence = "%: changes commands, which the front has done, again" },
    { ROW(BACK, "smtpd_forbid_bare_newline", SETS, WARNING, SET),
      .value = "normalize", .is_enough = is_not_no,
      .why = "no second message can be smuggled past the front",
      .sentence = "no: the last guard against smuggled messages is off" },
    { ROW(BACK, "smtpd_forbid_bare_newline_exclusions", SETS, WARNING, SET),
      .value = "", .is_enough = is_empty,
      .why = "which by default does not hold for this host",
      .sentence = "not empty: smtpd_forbid_bare_newline does not hold for "
                  "what comes from us" },
    { ROW(BACK, "smtpd_timeout", SETS, WARNING, SET), .value = "1800s",
      .judge = back_gives_up,
      .why = "it waits while a slow client sends; 10 s under stress by "
             "default" },
    { ROW(BACK, "smtpd_hard_error_limit", SETS, NONE, NONE), .value = "1000",
      .why = "limits for strangers, which become 1 under stress" },
    { ROW(BACK, "smtpd_soft_error_limit", SETS, NONE, NONE), .value = "1001" },
    { ROW(BACK, "smtpd_error_sleep_time", SETS, NONE, NONE), .value = "0" },
    { ROW(BACK, "smtpd_junk_command_limit", SETS, NONE, NONE),
      .value = "1000" },
    { ROW(BACK, "smtpd_client_connection_count_limit", SETS, NONE, NONE),
      .value = "0", .why = "all connections come from one client, us" },
    { ROW(BACK, "smtpd_client_connection_rate_limit", SETS, NONE, NONE),
      .value = "0" },
    { ROW(BACK, "smtpd_client_message_rate_limit", SETS, NONE, NONE),
      .value = "0" },
    { ROW(BACK, "smtpd_client_recipient_rate_limit", SETS, NONE, NONE),
      .value = "0" },
    { ROW(BACK, "smtpd_discard_ehlo_keywords", SETS, NONE, NONE),
      .value = "chunking,etrn,vrfy,silent-discard",
      .why = "we do not speak BDAT" },
    { ROW(BACK, "smtpd_proxy_filter", SETS, ERROR, SET), .value = "",
      .judge = back_loops, .why = "one in main.cf would make a loop" },
    { ROW(BACK, "local_header_rewrite_clients", SETS, WARNING, SET),
      .value = "", .is_enough = is_empty,
      .why = "nothing is completed after the signature",
      .sentence = "not empty: header fields are completed after the "
                  "signature" },
    { ROW(BACK, "receive_override_options", SETS, WARNING, SET),
      .work_out = back_overrides, .judge = back_judges_recipients,
      .why = "aliases are Onward's, and milters have run in front. Maps\n"
             "    of the site's own (virtual_alias_maps, canonical...) go on "
             "working: keep\n    their keys apart from Onward's" },
    { ROW(BACK, "content_filter", SETS, NOTE, NONE),
      .work_out = back_content_filter, .judge = back_scans_after_us,
      .why = "what port 25 had goes on behind us" },
    { ROW(BACK, "message_size_limit", SETS, ERROR, SETUP),
      .work_out = back_message_size, .judge = back_has_no_room,
      .why = "room for our header fields" },
    { ROW(BACK, "cleanup_service_name", SETS, NONE, NONE),
      .work_out = back_cleanup, .why = "with the same limit" },
    { ROW(BACK, "process_limit", SETS, ERROR, SET),
      .work_out = back_process_limit, .judge = back_has_few_processes,
      .why = "twice what all fronts may have, or they wait for each other" },
    { ROW(BACK, "process_limit", NOTES, WARNING, NONE),
      .judge = fronts_exceed_sessions },
    { ROW(BACK, "smtpd_milters", LEAVES, WARNING, SET), .value = "",
      .judge = back_runs_milters },
    { ROW(BACK, "virtual_alias_maps", LEAVES, WARNING, NONE),
      .judge = back_maps_addresses },
    { ROW(BACK, "canonical_maps", LEAVES, WARNING, NONE),
      .judge = back_maps_addresses },
    { ROW(BACK, "sender_canonical_maps", LEAVES, WARNING, NONE),
      .judge = back_maps_addresses },
    { ROW(BACK, "recipient_canonical_maps", LEAVES, WARNING, NONE),
      .judge = back_maps_addresses },
    { ROW(BACK, "masquerade_domains", LEAVES, WARNING, NONE),
      .judge = back_maps_addresses },

    /* ---- what changes mail after the signature ---- */
    { ROW(CLEANUP, "message_size_limit", SETS, NONE, NONE),
      .work_out = back_message_size },
    { ROW(CLEANUP, "always_add_missing_headers", SETS, WARNING, SET),
      .value = "no", .is_enough = is_not_yes,
      .sentence = "yes: header fields are added after the signature" },
    { ROW(CLEANUP, "force_mime_input_conversion", SETS, ERROR, SET),
      .value = "no", .is_enough = is_not_yes,
      .sentence = "yes: 8-bit mail becomes quoted-printable after the "
                  "signature, ours and the author's" },
    { ROW(CLEANUP, "remote_header_rewrite_domain", MENDS, WARNING, SET),
      .value = "", .is_enough = is_empty,
      .sentence = "not empty: addresses in header fields are completed and "
                  "mapped after the signature" },
    { ROW(CLEANUP, "header_checks", LEAVES, WARNING, NONE),
      .concerns = cleanup_checks_content, .judge = cleanup_checks },
    { ROW(CLEANUP, "body_checks", LEAVES, WARNING, NONE),
      .concerns = cleanup_checks_content, .judge = cleanup_checks },
    { ROW(CLEANUP, "mime_header_checks", LEAVES, WARNING, NONE),
      .concerns = cleanup_checks_content, .judge = cleanup_checks },
    { ROW(CLEANUP, "nested_header_checks", LEAVES, WARNING, NONE),
      .concerns = cleanup_checks_content, .judge = cleanup_checks },
    { ROW(CLEANUP, "message_drop_headers", LEAVES, WARNING, NONE),
      .concerns = we_sign, .judge = cleanup_drops_signed },
    { ROW(CLEANUP, "message_strip_characters", LEAVES, WARNING, SET),
      .value = "", .concerns = we_sign, .is_enough = is_empty,
      .sentence = "not empty: characters are removed after the signature" },
    { ROW(CLEANUP, "header_size_limit", MENDS, WARNING, SET), .value = "102400",
      .concerns = we_sign, .is_enough = is_long_field,
      .sentence = "below 102400: longer header fields are cut off after the "
                  "signature" },
    { ROW(SMTP, "disable_mime_output_conversion", MENDS, WARNING, SET),
      .value = "yes", .concerns = we_sign, .is_enough = postconf_is_yes,
      .why = "8-bit mail leaves as it was signed",
      .sentence = "not yes: for hosts without 8BITMIME 8-bit mail becomes "
                  "quoted-printable after the signature" },
    { ROW(SMTP, "smtp_line_length_limit", MENDS, WARNING, SET),
      .value = "0", .concerns = we_sign,
      .why = "long lines leave as they were signed",
      .sentence = "%: longer lines are folded after the signature, ours and "
                  "the author's" },
    { ROW(SMTP, "smtp_generic_maps", LEAVES, WARNING, NONE),
      .concerns = we_sign, .is_enough = is_empty,
      .sentence = "addresses in header fields are mapped after the "
                  "signature" },
    { ROW(SMTP, "smtp_header_checks", LEAVES, WARNING, NONE),
      .concerns = we_sign, .is_enough = is_empty, .sentence = CHANGES },
    { ROW(SMTP, "smtp_mime_header_checks", LEAVES, WARNING, NONE),
      .concerns = we_sign, .is_enough = is_empty, .sentence = CHANGES },
    { ROW(SMTP, "smtp_nested_header_checks", LEAVES, WARNING, NONE),
      .concerns = we_sign, .is_enough = is_empty, .sentence = CHANGES },
    { ROW(SMTP, "smtp_body_checks", LEAVES, WARNING, NONE), .concerns = we_sign,
      .is_enough = is_empty, .sentence = CHANGES },

    /* ---- smtp(8) to us: not what main.cf sets for the Internet ---- */
    { ROW(TRANSPORT, "smtp_tls_security_level", SETS, NONE, NONE),
      .value = "none" },
    { ROW(TRANSPORT, "smtp_tls_policy_maps", SETS, NONE, NONE), .value = "" },
    { ROW(TRANSPORT, "smtp_sasl_auth_enable", SETS, NONE, NONE),
      .value = "no" },
    /* Whose mail it is: a stranger's, or this Postfix' own (SOURCE=LOCAL). */
    { ROW(TRANSPORT, "smtp_send_xforward_command", SETS, NONE, NONE),
      .value = "yes" },
    { ROW(TRANSPORT, "smtp_bind_address", SETS, ERROR, SET),
      .value = "", .is_enough = is_loopback_or_empty,
      .sentence = "%: mail to Onward comes from an address that a listener on "
                  "loopback refuses" },
    { ROW(TRANSPORT, "smtp_bind_address6", SETS, ERROR, SET),
      .value = "", .is_enough = is_loopback_or_empty,
      .sentence = "%: mail to Onward comes from an address that a listener on "
                  "loopback refuses" },
    { ROW(TRANSPORT, "smtp_generic_maps", SETS, NONE, NONE), .value = "" },
    { ROW(TRANSPORT, "smtp_header_checks", SETS, NONE, NONE), .value = "" },
    { ROW(TRANSPORT, "smtp_fallback_relay", SETS, NONE, NONE), .value = "" },
    { .name = NULL },
};
/* clang-format on */
