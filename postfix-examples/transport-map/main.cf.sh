# main.cf, by postconf: run as root, `sh main.cf.sh`. Values that are there
# already (postconf -n) have to be kept beside these.

postconf -e \
    'relay_domains = alias.example, srs.alias.example' \
    'relay_recipient_maps = socketmap:inet:127.0.0.1:10028:recipient' \
    'transport_maps = inline:{alias.example=onward:[127.0.0.1]:10025, srs.alias.example=onward:[127.0.0.1]:10025}' \
    'disable_mime_output_conversion = yes' \
    'smtpd_forbid_bare_newline = normalize'

# relay_recipient_maps: unknown aliases and forged SRS addresses are refused.
# transport_maps: both domains go to Onward. Bounces that this Postfix makes
#   itself go that way as well.
# disable_mime_output_conversion: 8-bit mail is not converted for hosts without
#   8BITMIME, which would break our signature and the author's.
