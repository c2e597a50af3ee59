# master.cf, by postconf: run as root after main.cf.sh, `sh master.cf.sh`.
# Port 25 stays as it is, milters and all.

# ---- From here on: what `onward setup` prints for onward.conf.

# where Onward gives mail back: on loopback, for nobody else
#   smtpd_authorized_xforward_hosts: the log shows the true client and not us
#   mynetworks: only this host may speak to it
#   smtpd_recipient_restrictions: the front has judged already; nobody else gets in
#   smtpd_command_filter: the front applies it
#   smtpd_forbid_bare_newline: no second message can be smuggled past the front
#   smtpd_forbid_bare_newline_exclusions: which by default does not hold for this host
#   smtpd_timeout: it waits while a slow client sends; 10 s under stress by default
#   smtpd_hard_error_limit: limits for strangers, which become 1 under stress
#   smtpd_client_connection_count_limit: all connections come from one client, us
#   smtpd_discard_ehlo_keywords: we do not speak BDAT
#   smtpd_proxy_filter: one in main.cf would make a loop
#   local_header_rewrite_clients: nothing is completed after the signature
#   receive_override_options: aliases are Onward's, and milters have run in front. Maps
#     of the site's own (virtual_alias_maps, canonical...) go on working: keep
#     their keys apart from Onward's
#   message_size_limit: room for our header fields
#   cleanup_service_name: with the same limit
postconf -M '127.0.0.1:10026/inet=127.0.0.1:10026 inet n - y - 200 smtpd -o syslog_name=postfix/reinject -o smtpd_authorized_xforward_hosts=127.0.0.0/8,[::1]/128 -o mynetworks=127.0.0.0/8,[::1]/128 -o smtpd_client_restrictions= -o smtpd_helo_restrictions= -o smtpd_sender_restrictions= -o smtpd_relay_restrictions= -o smtpd_recipient_restrictions=permit_mynetworks,reject -o smtpd_data_restrictions= -o smtpd_end_of_data_restrictions= -o smtpd_reject_unlisted_sender=no -o smtpd_delay_reject=yes -o smtpd_tls_security_level=none -o smtpd_tls_wrappermode=no -o smtpd_sasl_auth_enable=no -o smtpd_upstream_proxy_protocol= -o smtpd_command_filter= -o smtpd_forbid_bare_newline=normalize -o smtpd_forbid_bare_newline_exclusions= -o smtpd_timeout=1800s -o smtpd_hard_error_limit=1000 -o smtpd_soft_error_limit=1001 -o smtpd_error_sleep_time=0 -o smtpd_junk_command_limit=1000 -o smtpd_client_connection_count_limit=0 -o smtpd_client_connection_rate_limit=0 -o smtpd_client_message_rate_limit=0 -o smtpd_client_recipient_rate_limit=0 -o smtpd_discard_ehlo_keywords=chunking,etrn,vrfy,silent-discard -o smtpd_proxy_filter= -o local_header_rewrite_clients= -o receive_override_options=no_unknown_recipient_checks,no_address_mappings,no_milters -o content_filter= -o message_size_limit=10305536 -o cleanup_service_name=onward-cleanup'

# the way to Onward for what this Postfix sends itself, without what
# main.cf sets for the Internet (TLS, addresses to bind to, a fallback)
postconf -M 'onward/unix=onward unix - - y - - smtp -o smtp_tls_security_level=none -o smtp_tls_policy_maps= -o smtp_sasl_auth_enable=no -o smtp_send_xforward_command=yes -o smtp_bind_address= -o smtp_bind_address6= -o smtp_generic_maps= -o smtp_header_checks= -o smtp_fallback_relay='

# room for our header fields on a message that is just below the limit, and
# no fields below our signature
postconf -M 'onward-cleanup/unix=onward-cleanup unix n - y - 0 cleanup -o message_size_limit=10305536 -o always_add_missing_headers=no'
