# main.cf, by postconf: run as root, `sh main.cf.sh`.

# relay_domains, relay_recipient_maps: the tables that Onward reads too; for
#   SRS addresses it is asked. Unknown ones get 550 before any content is sent.
# relay_transport: where mailboxes are.
# smtpd_proxy_timeout: longer than Onward's upstream.reply_timeout (90 s).
postconf -e \
    'mydestination =' \
    'relay_domains = cdb:/var/lib/onward/domains' \
    'relay_recipient_maps = cdb:/var/lib/onward/mailboxes, cdb:/var/lib/onward/aliases, socketmap:inet:127.0.0.1:10028:recipient' \
    'relay_transport = smtp:[store.isp.example]' \
    'smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination' \
    'message_size_limit = 50000000' \
    'smtpd_proxy_timeout = 100s'

# ---- From here on: what `onward setup` prints, at HAProxy's address.

# bounces come back to SRS addresses, and outside may write to aliases
postconf -e 'relay_domains = cdb:/var/lib/onward/domains, srs.isp.example'

# bounces that this Postfix makes itself come to Onward too, and are reversed
postconf -e 'transport_maps = inline:{srs.isp.example=onward:[127.0.0.1]:10025}'

# no second message can be smuggled in behind the first
postconf -e 'smtpd_forbid_bare_newline = normalize'

# 8-bit mail leaves as it was signed
postconf -e 'disable_mime_output_conversion = yes'

# long lines leave as they were signed
postconf -e 'smtp_line_length_limit = 0'
