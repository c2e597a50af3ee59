# main.cf, by postconf: run as root, `sh main.cf.sh`. Values that are there
# already (postconf -n) have to be kept beside these.

# relay_recipient_maps: unknown aliases and forged SRS addresses are refused.
# transport_maps: both domains go to Onward. Bounces that this Postfix makes
#   itself go that way as well.
# local_header_rewrite_clients: what your users submit is not a stranger's mail
#   for Onward, so that their name is theirs there.
postconf -e \
    'local_header_rewrite_clients = permit_inet_interfaces, permit_sasl_authenticated' \
    'relay_domains = alias.example, srs.alias.example' \
    'relay_recipient_maps = socketmap:inet:127.0.0.1:10028:recipient' \
    'transport_maps = inline:{alias.example=onward:[127.0.0.1]:10025, srs.alias.example=onward:[127.0.0.1]:10025}'

# ---- From here on: what `onward setup` prints for onward.conf.

# no second message can be smuggled in behind the first
postconf -e 'smtpd_forbid_bare_newline = normalize'

# 8-bit mail leaves as it was signed
postconf -e 'disable_mime_output_conversion = yes'

# long lines leave as they were signed
postconf -e 'smtp_line_length_limit = 0'
