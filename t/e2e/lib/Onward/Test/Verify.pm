package Onward::Test::Verify;

# DKIM as others see it: two verifiers written by other people, with DNS from
# a hash (dkimpy also from a real server); and a sender's signer, so that a test message has a signature to
# lose.

use v5.36;
use Exporter qw(import);
use IPC::Open2;
use JSON::PP;
use MIME::Base64;
use Onward::Test;

our @EXPORT = qw(make_key dns_record sign_as verdicts dkimpy mail_dkim);

# A private key in PEM; type is "rsa" (2048) or "ed25519".
sub make_key ($path, $type = 'rsa') {
    my @type = $type eq 'rsa'
        ? (qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048))
        : (qw(-algorithm ED25519));
    system("openssl genpkey @type -out '$path' 2>/dev/null") == 0
        or die "openssl genpkey failed\n";
    chmod 0640, $path;
    return $path;
}

# The TXT record of a private key, made with OpenSSL and not with us.
sub dns_record ($path) {
    my $der = run_out(qw(openssl pkey -pubout -outform DER -in), $path);
    # Ed25519 is published as the raw 32 octets (RFC 8463).
    return 'v=DKIM1; k=ed25519; p=' . encode_base64(substr($der, -32), '')
        if length $der == 44;
    return 'v=DKIM1; k=rsa; p=' . encode_base64($der, '');
}

# The message with a signature of this domain on top, by Mail::DKIM.
sub sign_as ($message, $domain, $selector, $key) {
    require Mail::DKIM::Signer;
    my $signer = Mail::DKIM::Signer->new(
        Algorithm => 'rsa-sha256',
        Method    => 'relaxed/relaxed',
        Domain    => $domain,
        Selector  => $selector,
        KeyFile   => $key,
    );
    $signer->PRINT($message);
    $signer->CLOSE;
    return $signer->signature->as_string . "\r\n" . $message;
}

# One row for each DKIM-Signature, from the top: domain, selector, result
# ("pass" or why not), verifier. $dns maps "selector._domainkey.domain" to the
# record; dkimpy takes the ADDRESS:PORT of a name server as well.
sub verdicts ($message, $dns) {
    return (dkimpy($message, $dns), mail_dkim($message, $dns));
}

sub dkimpy ($message, $dns) {
    my $script = top() . '/t/e2e/lib/dkim_verify.py';
    my $source = $dns;
    if (ref $dns) {
        $source = scratch('dns') . '/dns.json';
        spew($source, encode_json($dns));
    }
    my $pid = open2(my $out, my $in, '/usr/bin/python3', $script, $source);
    binmode $_ for $in, $out;
    print $in $message;
    close $in;
    my @rows = map { decode_json($_) } <$out>;
    waitpid $pid, 0;
    die "$script failed\n" if $?;
    return map { { %$_, verifier => 'dkimpy' } } @rows;
}

sub mail_dkim ($message, $dns) {
    require Mail::DKIM::Verifier;
    require Mail::DKIM::DNS;
    Mail::DKIM::DNS::resolver(bless { dns => $dns }, 'Onward::Test::Resolver');
    my $verifier = Mail::DKIM::Verifier->new;
    $verifier->PRINT($message);
    $verifier->CLOSE;
    return map { {
        verifier => 'Mail::DKIM',
        domain   => $_->domain,
        selector => $_->selector,
        result   => $_->result eq 'pass' ? 'pass' : $_->result_detail,
    } } $verifier->signatures;
}

package Onward::Test::Resolver;

use v5.36;

sub send ($self, $name, $type, @) {
    require Net::DNS;
    my $packet = Net::DNS::Packet->new($name, $type);
    my $text = $self->{dns}{ lc $name };
    if (defined $text && $type eq 'TXT') {
        $packet->push(answer => Net::DNS::RR->new(
            name => $name, type => 'TXT', txtdata => [$text =~ /(.{1,255})/g],
        ));
    } else {
        $packet->header->rcode('NXDOMAIN');
    }
    return $packet;
}

sub errorstring ($self) { return 'NOERROR' }

1;
