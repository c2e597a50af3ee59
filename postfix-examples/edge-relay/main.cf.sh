# main.cf, by postconf: run as root, `sh main.cf.sh`.

postconf -e \
    'mydestination =' \
    'relay_domains = cdb:/var/lib/onward/domains, srs.isp.example' \
    'relay_recipient_maps = cdb:/var/lib/onward/mailboxes, cdb:/var/lib/onward/aliases, socketmap:inet:127.0.0.1:10028:recipient' \
    'relay_transport = smtp:[store.isp.example]' \
    'transport_maps = inline:{srs.isp.example=onward:[127.0.0.1]:10025}' \
    'smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination' \
    'disable_mime_output_conversion = yes' \
    'smtpd_forbid_bare_newline = normalize' \
    'smtpd_proxy_timeout = 100s'

# relay_domains, relay_recipient_maps: the tables that Onward reads too; for
#   SRS addresses it is asked. Unknown ones get 550 before any content is sent.
# relay_transport: where mailboxes are.
# transport_maps: bounces that this Postfix makes itself come by Onward too.
# disable_mime_output_conversion: 8-bit mail is not converted for hosts without
#   8BITMIME, which would break our signature and the author's.
# smtpd_forbid_bare_newline: 3.9 and later have it already.
# smtpd_proxy_timeout: longer than Onward's upstream.reply_timeout (90 s).
