#include "plan_parts.h"

/* The service that takes mail back from us. What depends on the site is in
 * plan.c: limits, sizes, mappings, content_filter, the name in the log. */
const struct back_option back_options[] = {
    { "smtpd_authorized_xforward_hosts", "127.0.0.0/8,[::1]/128",
      "the log shows the true client and not us" },
    { "mynetworks", "127.0.0.0/8,[::1]/128", "only this host may speak to it" },
    { "smtpd_client_restrictions", "", NULL },
    { "smtpd_helo_restrictions", "", NULL },
    { "smtpd_sender_restrictions", "", NULL },
    { "smtpd_relay_restrictions", "", NULL },
    { "smtpd_recipient_restrictions", "permit_mynetworks,reject",
      "the front has judged already; nobody else gets in" },
    { "smtpd_data_restrictions", "", NULL },
    { "smtpd_end_of_data_restrictions", "", NULL },
    { "smtpd_reject_unlisted_sender", "no", NULL },
    { "smtpd_delay_reject", "yes", NULL },
    { "smtpd_tls_security_level", "none", NULL },
    { "smtpd_tls_wrappermode", "no", NULL },
    { "smtpd_sasl_auth_enable", "no", NULL },
    { "smtpd_upstream_proxy_protocol", "", NULL },
    { "smtpd_command_filter", "", "the front applies it" },
    { "smtpd_forbid_bare_newline", "normalize",
      "no second message can be smuggled past the front" },
    { "smtpd_forbid_bare_newline_exclusions", "",
      "which by default does not hold for this host" },
    { "smtpd_timeout", "1800s",
      "it waits while a slow client sends; 10 s under stress by default" },
    { "smtpd_hard_error_limit", "1000",
      "limits for strangers, which become 1 under stress" },
    { "smtpd_soft_error_limit", "1001", NULL },
    { "smtpd_error_sleep_time", "0", NULL },
    { "smtpd_junk_command_limit", "1000", NULL },
    { "smtpd_client_connection_count_limit", "0",
      "all connections come from one client, us" },
    { "smtpd_client_connection_rate_limit", "0", NULL },
    { "smtpd_client_message_rate_limit", "0", NULL },
    { "smtpd_client_recipient_rate_limit", "0", NULL },
    { "smtpd_discard_ehlo_keywords", "chunking,etrn,vrfy,silent-discard",
      "we do not speak BDAT" },
    { "smtpd_proxy_filter", "", "one in main.cf would make a loop" },
    { "local_header_rewrite_clients", "",
      "nothing is completed after the signature" },
    { NULL, NULL, NULL },
};

/* PostSRSd's maps are what we replace. */
static bool
is_postsrsd(struct slice map)
{
    static const struct slice ends[] = { SLICE(":10001"), SLICE(":10002"),
                                         SLICE(":forward"), SLICE(":reverse") };

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (slice_ends_nocase(map, ends[i]))
            return true;
    return false;
}

bool
back_keeps_mappings(const struct postconf *postconf)
{
    static const char *const names[] = {
        "virtual_alias_maps",    "canonical_maps",
        "sender_canonical_maps", "recipient_canonical_maps",
        "masquerade_domains",    "always_bcc",
        "sender_bcc_maps",       "recipient_bcc_maps",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct slice list = postconf_value(postconf, names[i]);
        struct slice element;
        while (postconf_next(&list, &element))
            if (!is_postsrsd(element))
                return true;
    }
    return false;
}

const char *
back_overrides(const struct postconf *postconf)
{
    return back_keeps_mappings(postconf)
               ? "no_unknown_recipient_checks,no_milters"
               : "no_unknown_recipient_checks,no_address_mappings,no_milters";
}

/* With room for what we put on top. */
uint64_t
back_message_size(const struct postconf *postconf)
{
    uint64_t size;

    if (!slice_to_u64(postconf_value(postconf, "message_size_limit"), &size) ||
        size == 0)
        return 0;
    return size + 65536;
}
