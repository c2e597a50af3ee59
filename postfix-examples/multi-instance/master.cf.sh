# master.cf of both instances, by postconf: run as root, `sh master.cf.sh`.

# Port 25 hands each message to Onward.
postconf -c /etc/postfix-in -P \
    'smtp/inet/smtpd_proxy_filter=127.0.0.1:10025'
postconf -c /etc/postfix-in -F 'smtp/inet/process_limit=100'

# The other instance has no port 25.
postconf -c /etc/postfix-out -MX smtp/inet

# Where Onward hands it back: on loopback, never reachable from outside. Twice
# the processes of all fronts: a message may need two transactions. Its limit,
# and that of its cleanup, leave room for our header fields.
postconf -c /etc/postfix-out -M "127.0.0.1:10026/inet=127.0.0.1:10026 inet n - y - 200 smtpd \
    -o syslog_name=postfix-out/reinject \
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
    -o message_size_limit=10305536 \
    -o cleanup_service_name=onward-cleanup"
postconf -c /etc/postfix-out -M "onward-cleanup/unix=onward-cleanup unix n - y - 0 cleanup \
    -o message_size_limit=10305536 -o always_add_missing_headers=no"

# The way to Onward for what this Postfix sends itself, without what main.cf
# sets for the Internet.
postconf -c /etc/postfix-out -M "onward/unix=onward unix - - y - - smtp \
    -o smtp_tls_security_level=none -o smtp_sasl_auth_enable=no \
    -o smtp_bind_address= -o smtp_generic_maps= -o smtp_fallback_relay="
