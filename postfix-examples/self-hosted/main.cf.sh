# main.cf, by postconf: run as root, `sh main.cf.sh`. Take it out again with
# postconf -X, or put the earlier values back (postconf -n shows them before).

postconf -e \
    'relay_domains = srs.public.example' \
    'relay_recipient_maps = regexp:/etc/onward/recipients' \
    'transport_maps = inline:{srs.public.example=smtp:[127.0.0.1]:10025}' \
    'disable_mime_output_conversion = yes' \
    'smtpd_forbid_bare_newline = normalize'

# relay_domains, relay_recipient_maps: bounces to SRS addresses are let in.
# transport_maps: bounces that this Postfix makes itself come by Onward too.
# disable_mime_output_conversion: 8-bit mail is not converted for hosts without
# 8BITMIME, which would break our signature and the author's.
# smtpd_forbid_bare_newline: 3.9 and later have it already.
