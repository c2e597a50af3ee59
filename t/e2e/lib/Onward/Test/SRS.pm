package Onward::Test::SRS;

# SRS0 with Onward's sha256 MAC, written from its description alone: a second
# opinion on what the program makes, and a way to make what it made on another
# day.

use v5.36;
use Digest::SHA  qw(hmac_sha1 hmac_sha256);
use Exporter     qw(import);
use MIME::Base64 qw(encode_base64 encode_base64url);

our @EXPORT = qw(srs0 stamp srs_address);

my @base32 = ('A' .. 'Z', 2 .. 7);

sub stamp ($time = time) {
    my $slot = int($time / 86400) % 1024;
    return $base32[ $slot >> 5 ] . $base32[ $slot & 31 ];
}

sub counted ($field) {
    return pack 'n/a', $field =~ tr/A-Z/a-z/r;
}

sub srs0 ($address, $domain, $secret, %opt) {
    my ($user, $host) = $address =~ /^(.*)@([^@]+)$/s or die $address;
    my $stamp = stamp($opt{time} // time);
    my $mac = hmac_sha256(
        join('', 'onward-srs0', map { counted($_) } $stamp, $host, $user,
            $domain),
        $secret
    );
    my $hash = substr encode_base64url($mac), 0, $opt{hash_length} // 8;
    return "SRS0=$hash=$stamp=$host=$user\@$domain";
}

# The address that a forwarder makes of a sender: SRS0, or SRS1 of what another
# forwarder made. domain, secret; time, classic, length, separator; quotes: as
# Mail::SRS and PostSRSd do with quoted local parts.
sub srs_address ($address, %opt) {
    my ($local, $host) = $address =~ /^(.*)@([^@]+)$/s or die $address;
    $local =~ s/\\(.)/$1/gs if $local =~ s/^"(.*)"$/$1/s && !$opt{quotes};
    $local = qq("$local") if $opt{quotes};
    my ($kind, @fields) = (0, stamp($opt{time} // time), $host, $local);
    if ($local =~ /^SRS0([-+=].+)$/is) {
        ($kind, @fields) = (1, $host, $1);
    } elsif ($local =~ /^SRS1[-+=][^=]*=([^=]+)=([-+=].+)$/is) {
        ($kind, @fields) = (1, $1, $2);
    }
    my $mac = $opt{classic}
        ? encode_base64(
            hmac_sha1(join('', @fields) =~ tr/A-Z/a-z/r, $opt{secret}), '')
        : encode_base64url(
            hmac_sha256(
                join('', "onward-srs$kind",
                    map { counted($_) } @fields, $opt{domain}),
                $opt{secret}
            )
        );
    my $text = join '', "SRS$kind", $opt{separator} // '=',
        join '=', substr($mac, 0, $opt{length} // ($opt{classic} ? 6 : 8)), @fields;
    my $plain = $text =~ m{^[\w!#\$%&'*+/=?^`{|}~\x80-\xff-]+
        (?:\.[\w!#\$%&'*+/=?^`{|}~\x80-\xff-]+)*$}x;
    $text = '"' . $text =~ s/(["\\])/\\$1/gr . '"' if !$plain && !$opt{quotes};
    return "$text\@$opt{domain}";
}

1;
