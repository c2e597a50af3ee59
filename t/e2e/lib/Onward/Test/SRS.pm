package Onward::Test::SRS;

# SRS0 with Onward's sha256 MAC, written from its description alone: a second
# opinion on what the program makes, and a way to make what it made on another
# day.

use v5.36;
use Digest::SHA  qw(hmac_sha256);
use Exporter     qw(import);
use MIME::Base64 qw(encode_base64url);

our @EXPORT = qw(srs0 stamp);

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
    my $hash = substr encode_base64url($mac), 0, $opt{hash_length} // 6;
    return "SRS0=$hash=$stamp=$host=$user\@$domain";
}

1;
