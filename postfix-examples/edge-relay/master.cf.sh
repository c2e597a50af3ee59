# master.cf, by postconf: run as root after main.cf.sh, `sh master.cf.sh`.

# postscreen answers port 25, and passes what it likes to smtpd.
postconf -M 'smtp/inet=smtp inet n - y - 1 postscreen'
postconf -M 'dnsblog/unix=dnsblog unix - - y - 0 dnsblog'
postconf -M 'tlsproxy/unix=tlsproxy unix - - y - 0 tlsproxy'
postconf -M "smtpd/pass=smtpd pass - - y - 500 smtpd \
    -o syslog_name=postfix/front \
    -o message_size_limit=50000000 \
    -o smtpd_proxy_filter=127.0.0.1:10025 \
    -o smtpd_proxy_options=speed_adjust"

# Customers: signed with their own domains' keys.
postconf -M "submission/inet=submission inet n - y - 100 smtpd \
    -o syslog_name=postfix/submission \
    -o message_size_limit=50000000 \
    -o smtpd_tls_security_level=encrypt \
    -o smtpd_sasl_auth_enable=yes \
    -o smtpd_relay_restrictions=permit_sasl_authenticated,reject \
    -o smtpd_proxy_filter=127.0.0.1:10027"

# Where Onward hands it back: on loopback, never reachable from outside. Twice
# the processes of all fronts: a message may need two transactions. Its limit,
# and that of its cleanup, leave room for our header fields.
postconf -M "127.0.0.1:10026/inet=127.0.0.1:10026 inet n - y - 1200 smtpd \
    -o syslog_name=postfix/reinject \
    -o smtpd_authorized_xforward_hosts=127.0.0.0/8 \
    -o mynetworks=127.0.0.0/8,[::1]/128 \
    -o smtpd_client_restrictions= \
    -o smtpd_helo_restrictions= \
    -o smtpd_sender_restrictions= \
    -o smtpd_relay_restrictions= \
    -o smtpd_recipient_restrictions=permit_mynetworks,reject \
    -o smtpd_data_restrictions= \
    -o smtpd_end_of_data_restrictions= \
    -o smtpd_delay_reject=yes \
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
    -o content_filter= \
    -o smtpd_proxy_filter= \
    -o local_header_rewrite_clients= \
    -o message_size_limit=50065536 \
    -o cleanup_service_name=onward-cleanup"
postconf -M "onward-cleanup/unix=onward-cleanup unix n - y - 0 cleanup \
    -o message_size_limit=50065536 -o always_add_missing_headers=no"

# The way to Onward for what this Postfix sends itself, without what main.cf
# sets for the Internet.
postconf -M "onward/unix=onward unix - - y - - smtp \
    -o smtp_tls_security_level=none -o smtp_sasl_auth_enable=no \
    -o smtp_bind_address= -o smtp_generic_maps= -o smtp_fallback_relay="
