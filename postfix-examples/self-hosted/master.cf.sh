# master.cf, by postconf: run as root after main.cf.sh, `sh master.cf.sh`.
# Out again: postconf -PX for each option, -MX 127.0.0.1:10026/inet
# onward-cleanup/unix.

# Port 25 hands each message to Onward. It knows the aliases, so that it can
# refuse other addresses, and does not expand them.
postconf -P \
    'smtp/inet/syslog_name=postfix/front' \
    'smtp/inet/smtpd_proxy_filter=127.0.0.1:10025' \
    'smtp/inet/virtual_alias_maps=regexp:/etc/onward/recipients,texthash:/etc/onward/aliases'
postconf -F 'smtp/inet/process_limit=50'

# The submission port, where there is one: what your users send is signed
# with the key of their own domain.
if postconf -M submission/inet | grep -q .; then
    postconf -P 'submission/inet/smtpd_proxy_filter=127.0.0.1:10027'
fi

# Where Onward hands it back: on loopback, never reachable from outside. Its
# message_size_limit, and that of its cleanup, leave room for our header fields
# above what port 25 takes (Postfix' default here).
postconf -M "127.0.0.1:10026/inet=127.0.0.1:10026 inet n - y - - smtpd \
    -o syslog_name=postfix/reinject \
    -o smtpd_authorized_xforward_hosts=127.0.0.0/8 \
    -o smtpd_client_restrictions= \
    -o smtpd_helo_restrictions= \
    -o smtpd_sender_restrictions= \
    -o smtpd_relay_restrictions= \
    -o smtpd_recipient_restrictions=permit_mynetworks,reject \
    -o smtpd_data_restrictions= \
    -o smtpd_end_of_data_restrictions= \
    -o mynetworks=127.0.0.0/8,[::1]/128 \
    -o receive_override_options=no_unknown_recipient_checks,no_address_mappings,no_milters \
    -o smtpd_tls_security_level=none \
    -o smtpd_sasl_auth_enable=no \
    -o smtpd_forbid_bare_newline=normalize \
    -o smtpd_forbid_bare_newline_exclusions= \
    -o smtpd_timeout=1800s \
    -o smtpd_hard_error_limit=1000 \
    -o smtpd_soft_error_limit=1001 \
    -o smtpd_error_sleep_time=0 \
    -o smtpd_junk_command_limit=1000 \
    -o smtpd_client_connection_count_limit=0 \
    -o smtpd_client_connection_rate_limit=0 \
    -o smtpd_discard_ehlo_keywords=chunking,etrn,vrfy,silent-discard \
    -o smtpd_delay_reject=yes \
    -o content_filter= \
    -o smtpd_proxy_filter= \
    -o local_header_rewrite_clients= \
    -o message_size_limit=10305536 \
    -o cleanup_service_name=onward-cleanup"
postconf -M "onward-cleanup/unix=onward-cleanup unix n - y - 0 cleanup \
    -o message_size_limit=10305536 -o always_add_missing_headers=no"
