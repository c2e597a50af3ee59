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
# mailboxes are. 8-bit mail is not converted for hosts without 8BITMIME, which
# would break our signature and the author's.
postconf -c /etc/postfix-out -e \
    'myhostname = mx.public.example' \
    'mydestination =' \
    'inet_interfaces = loopback-only' \
    'relay_domains = public.example, srs.public.example' \
    'relay_transport = smtp:[store.public.example]' \
    'disable_mime_output_conversion = yes' \
    'transport_maps = inline:{srs.public.example=onward:[127.0.0.1]:10025}'
