# main.cf of both instances, by postconf: run as root, `sh main.cf.sh`.

# Who is let in is decided here, of what class an address is and whether it
# exists; nothing is delivered.
postconf -c /etc/postfix-in -e \
    'myhostname = mx.public.example' \
    'mydestination =' \
    'inet_interfaces = all' \
    'relay_domains = public.example, srs.public.example' \
    'relay_recipient_maps = regexp:/etc/onward/recipients, socketmap:inet:127.0.0.1:10028:recipient' \
    'smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination' \
    'smtpd_forbid_bare_newline = normalize'

# What passed Onward is queued here. public.example is relayed to where its
# mailboxes are.
postconf -c /etc/postfix-out -e \
    'myhostname = mx.public.example' \
    'mydestination =' \
    'inet_interfaces = loopback-only' \
    'relay_domains = public.example, srs.public.example' \
    'relay_transport = smtp:[store.public.example]'

# ---- From here on: what `onward setup` prints for onward.conf.

# bounces that this Postfix makes itself come to Onward too, and are reversed
postconf -c /etc/postfix-out -e 'transport_maps = inline:{srs.public.example=onward:[127.0.0.1]:10025}'

# 8-bit mail leaves as it was signed
postconf -c /etc/postfix-out -e 'disable_mime_output_conversion = yes'

# long lines leave as they were signed
postconf -c /etc/postfix-out -e 'smtp_line_length_limit = 0'
