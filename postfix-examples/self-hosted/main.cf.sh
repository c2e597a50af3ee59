# main.cf, by postconf: run as root, `sh main.cf.sh`. Instead of this and of
# master.cf.sh: `onward setup --apply`, and out again: `onward setup --remove`.

# ---- From here on: what `onward setup` prints for onward.conf.

# bounces come back to SRS addresses, and outside may write to aliases
postconf -e 'relay_domains = srs.public.example'

# forged SRS addresses are refused at RCPT
postconf -e 'relay_recipient_maps = socketmap:inet:127.0.0.1:10028:recipient'

# bounces that this Postfix makes itself come to Onward too, and are reversed
postconf -e 'transport_maps = inline:{srs.public.example=onward:[127.0.0.1]:10025}'

# no second message can be smuggled in behind the first
postconf -e 'smtpd_forbid_bare_newline = normalize'

# 8-bit mail leaves as it was signed
postconf -e 'disable_mime_output_conversion = yes'

# long lines leave as they were signed
postconf -e 'smtp_line_length_limit = 0'
