# `onward verify`: what it says of a message and a client, in words and in JSON,
# its exit codes, and that it agrees with verifiers of others.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use Test::More;
use Onward::Test;
use Onward::Test::Verify qw(mail_dkim);

need qw(binary python3-dkim Mail::DKIM);

my $data = top() . '/t/data/dkim';
my $dir  = scratch('verify');
my $keys = decode_json(slurp("$data/dns.json"));

# Standard output, exit code, standard error; no configuration is there.
sub verify (@arguments) {
    my $out = run_out(
        'sh', '-c', 'exec "$@" 2>"$0"', "$dir/stderr",
        binary(), '-c', "$dir/none.conf", 'verify', @arguments
    );
    return ($out, $? >> 8, slurp("$dir/stderr"));
}

sub quoted ($text) {
    my @strings = $text =~ /(.{1,200})/g;
    return join ' ', map {qq("$_")} @strings;
}

my $zone = spew("$dir/zone", join '', map {"$_\n"}
    '; what all cases share',
    'example.org          TXT "v=spf1 ip4:192.0.2.0/24 -all"',
    'Helo.Example.ORG.    TXT "v=spf1 ip4:192.0.2.0/24 -all"',
    '_dmarc.example.org   TXT "v=DMARC1; p=reject; " "rua=mailto:r@example.org"',
    'none.example         TXT "v=spf1 ip4:192.0.2.0/24 -all"',
    '_dmarc.none.example  TXT "v=DMARC1; p=none"',
    'soft.example         TXT "v=spf1 include:deep.example ~all"',
    'deep.example         TXT "v=spf1 mx -all"',
    'deep.example         MX  10 mx.deep.example',
    'mx.deep.example      A   198.51.100.7',
    'slow.example         TIMEOUT',
    '_dmarc.slow.example  SERVFAIL',
    'weak.example         TXT "v=spf1 ip4:192.0.2.0/24 -all"',
    'broken._domainkey.example.org  SERVFAIL',
    "s._domainkey.example.org       TXT " . quoted($keys->{'ed25519._domainkey.example.org'}),
    "r._domainkey.example.org       TXT " . quoted($keys->{'rsa2048._domainkey.example.org'}));

# A message of this author, signed as it would be if its domain is signed for.
mkdir "$dir/keys";
mkdir "$dir/keys/example.org";
spew("$dir/keys/example.org/r.pem", slurp("$data/keys/rsa2048.pem"), 0640);
spew("$dir/keys/example.org/s.pem", slurp("$data/keys/ed25519.pem"), 0640);
spew("$dir/onward.conf", <<"END");
hostname = "mx.example.org";
listeners = ( { name = "out"; address = "127.0.0.1:10027"; role = "outbound"; } );
upstream = { address = "127.0.0.1:10026"; };
dkim = { key_directory = "$dir/keys"; };
state_directory = "$dir";
postfix = { config_directory = ""; };
END

sub message ($author) {
    return join '', map {"$_\r\n"} "From: $author", 'To: bob@example.net',
        'Subject: hello', 'Date: Tue, 24 Nov 2026 08:00:00 +0000',
        'Message-ID: <1@example.org>', '', 'Hi  there.', '';
}

my $signed = do {
    my $plain = spew("$dir/plain", message('alice@example.org'));
    run_out(binary(), '-c', "$dir/onward.conf", 'dkim', 'sign', $plain);
};
is $?, 0, 'a message is signed';
like $signed, qr/\ADKIM-Signature:.*DKIM-Signature:/s, 'twice';

# The verdict as one word a part.
sub judged ($message, @arguments) {
    my $path = spew("$dir/message", $message);
    my ($out, $exit, $err) = verify('--message', $path, '--dns-file', $zone,
        '--json', @arguments);
    is $err, '', 'nothing on standard error';
    my $json = decode_json($out);
    return join ' ', $exit, $json->{spf}{result} // '-',
        join(',', map {"$_->{result}($_->{reason})"} @{ $json->{dkim} }),
        $json->{dmarc}{result}, $json->{dmarc}{policy} // '-',
        join('+', @{ $json->{dmarc}{aligned} }), $json->{arrival};
}

my @good     = ('--client-ip', '192.0.2.7',    '--helo', 'helo.example.org');
my @stranger = ('--client-ip', '203.0.113.9',  '--helo', 'x.example');

for my $case (
    [   'genuine', $signed, [@good, '--from', 'alice@example.org'],
        '0 pass pass(),pass() pass reject dkim+spf survives'
    ],
    [   'forwarded once before', $signed,
        [@stranger, '--from', '<srs=x@elsewhere.example>'],
        '0 none pass(),pass() pass reject dkim survives'
    ],
    [   'without a client', $signed, [],
        '0 - pass(),pass() pass reject dkim survives'
    ],
    [   'SPF alone', message('alice@example.org'),
        [@good, '--from', 'alice@example.org'],
        '0 pass  pass reject spf fragile'
    ],
    [   'a bounce: SPF of HELO', message('mailer-daemon@helo.example.org'),
        [@good, '--from', '<>'], '0 pass  pass reject spf fragile'
    ],
    [   'a forgery', message('alice@example.org'),
        [@stranger, '--from', 'alice@example.org'],
        '0 fail  fail reject  fails'
    ],
    [   'a forgery by someone with SPF of his own',
        message('alice@example.org'), [@good, '--from', 'a@none.example'],
        '0 pass  fail reject  fails'
    ],
    [   'changed after it was signed', $signed =~ s/hello/hullo/r,
        [@stranger, '--from', 'alice@example.org'],
        '0 fail fail(signature),fail(signature) fail reject  fails'
    ],
    [   'a body that was changed', $signed . "PS\r\n", [],
        '0 - fail(body-hash),fail(body-hash) fail reject  fails'
    ],
    [   'no policy, SPF', message('a@weak.example'),
        [@good, '--from', 'a@weak.example'], '0 pass  none -  plain'
    ],
    [   'p=none, nothing passes', message('a@none.example'),
        [@stranger, '--from', 'a@none.example'],
        '0 fail  fail none  unauthenticated'
    ],
    [   'no policy, nothing', message('a@nowhere.example'),
        [@stranger, '--from', 'a@nowhere.example'],
        '0 none  none -  unauthenticated'
    ],
    [   'a key in trouble', $signed =~ s/\bs=[rs];/s=broken;/gr, [],
        '75 - temperror(trouble),temperror(trouble) temperror -  error'
    ],
    [   'SPF in trouble', message('a@slow.example'),
        [@good, '--from', 'a@slow.example'],
        '75 temperror  temperror -  error'
    ],
    [   'a policy in trouble matters to nobody who is a stranger to it',
        message('a@none.example'), [@good, '--from', 'a@slow.example'],
        '75 temperror  fail none  error'
    ],
    [   'two authors, one with a policy',
        message('a@none.example, alice@example.org'),
        [@good, '--from', 'a@none.example'], '0 pass  none -  fails'
    ],
    [   'an author who cannot be read', message('nobody'), [@good],
        '0 pass  none -  unauthenticated'
    ],
    [   'expired', $signed =~ s/\bt=(\d+);/t=$1; x=1;/gr, [],
        '0 - permerror(syntax),permerror(syntax) fail reject  fails'
    ],
) {
    my ($name, $message, $arguments, $want) = @$case;
    is judged($message, @$arguments), $want, $name;
}

# ---- forms -------------------------------------------------------------

{
    my ($out, $exit) = verify('--client-ip', '198.51.100.7', '--from',
        'a@soft.example', '--dns-file', $zone, '--json');
    is_deeply decode_json($out), {
        spf => { result => 'pass', domain => 'soft.example',
            identity => 'mailfrom', mechanism => 'mx', queries => 2,
            void     => 0 }
        }, 'SPF alone: the parts that were not evaluated are absent';
    is $exit, 0, 'exit code';

    my $path = spew("$dir/message", $signed =~ s/\r\n/\n/gr);
    ($out, $exit) = verify('--message', $path, '--dns-file', $zone);
    like $out, qr/^DKIM     pass       d=example\.org s=r/m,
        'a file with the line ends of this system';
    like $out, qr/^DMARC    pass       author example\.org by DKIM; p=reject at _dmarc\.example\.org$/m,
        'DMARC in words';
    like $out, qr/^arrival  survives$/m, 'arrival in words';

    ($out) = run_out('sh', '-c',
        qq('@{[binary()]}' verify --message - --dns-file '$zone' <'$path'));
    like $out, qr/^arrival  survives$/m, 'from standard input';

    my ($t) = $signed =~ /\bt=(\d+)/;
    ($out) = verify('--message', $path, '--dns-file', $zone, '--time', $t - 301);
    like $out, qr/^DKIM     permerror .*  syntax$/m, 'signed in the future';
    ($out) = verify('--message', $path, '--dns-file', $zone, '--time', $t - 300);
    like $out, qr/^DKIM     pass /m, 'a clock that is a little behind';
}

for my $case (
    [ 'nothing to evaluate',  64, '--json' ],
    [ 'no address',           64, '--client-ip', '192.0.2.256' ],
    [ 'an argument too many', 64, '--client-ip', '192.0.2.1', 'x' ],
    [ 'no time',              64, '--message', '/dev/null', '--time', 'now' ],
    [ 'an empty message',     65, '--message', '/dev/null', '--dns-file', $zone ],
    [ 'no file',              65, '--message', "$dir/absent" ],
    [ 'no zone',              65, '--client-ip', '::1', '--dns-file', "$dir/absent" ],
    [ 'a zone that is none',  65, '--client-ip', '::1', '--dns-file', "$dir/onward.conf" ],
) {
    my ($name, $want, @arguments) = @$case;
    my ($out, $exit, $err) = verify(@arguments);
    is $exit, $want, "$name: exit code";
    is $out, '', "$name: nothing on standard output";
    isnt $err, '', "$name: said on standard error";
}

# Signatures beyond the eighth are listed, not examined.
{
    my $path = spew("$dir/message",
        join('', map {"DKIM-Signature: v=1; a=rsa-sha256; d=d$_.example; s=s; h=From; bh=x; b=x\r\n"} 1 .. 9)
            . $signed);
    my ($out) = verify('--message', $path, '--dns-file', $zone, '--json');
    my @dkim = @{ decode_json($out)->{dkim} };
    is scalar(@dkim), 11, 'each signature has its element';
    is_deeply [ map {"$_->{domain} $_->{result} $_->{reason}"} @dkim[5, 6, 8, 9, 10] ],
        [ 'd6.example permerror syntax', 'd7.example none not-examined',
        'd9.example none not-examined', 'example.org pass ', 'example.org pass ' ],
        'those of the author are examined first';
}

# ---- verifiers of others -----------------------------------------------

{
    mkdir "$dir/signed";
    my $verdicts = run_out('/usr/bin/python3', "$Bin/lib/dkim_signed.py", $data,
        "$dir/signed");
    is $?, 0, 'dkimpy signs';
    my %dkimpy = map { split /\t/ } split /\n/, $verdicts;
    cmp_ok scalar(keys %dkimpy), '>', 300, 'several hundred messages';
    spew("$dir/zone.others", join '', map {
        "$_._domainkey.example.org TXT "
            . quoted($keys->{"$_._domainkey.example.org"}) . "\n"
    } qw(rsa1024 ed25519));
    my (@false, @missed, %count);
    for my $name (sort keys %dkimpy) {
        my ($out) = verify('--message', "$dir/signed/$name", '--dns-file',
            "$dir/zone.others", '--json');
        # No signature is left where its name was changed.
        my $ours = decode_json($out)->{dkim}[0]{result} // 'none';
        my $theirs = $dkimpy{$name};
        $count{"$ours, dkimpy $theirs"}++;
        my ($theirs_too) = $name =~ /[1357]$/    # RSA
            ? mail_dkim(slurp("$dir/signed/$name"), $keys) : ();
        my $mail_dkim = $theirs_too->{result} // 'unknown';
        push @false, "$name: dkimpy $theirs, Mail::DKIM $mail_dkim"
            if $ours eq 'pass' && $theirs ne 'pass' && $mail_dkim ne 'pass';
        # What dkimpy alone reads otherwise: white space at the very end of a
        # body, form feeds (see t/data/dkim/README.md).
        push @missed, "$name: $ours, Mail::DKIM $mail_dkim"
            if $ours ne 'pass' && $theirs eq 'pass' && $name !~ /^(?:012|034|072)/;
    }
    diag "$count{$_} times $_" for sort keys %count;
    is_deeply \@false, [], 'nothing passes that no other verifier passes';
    is_deeply \@missed, [], 'and what dkimpy passes passes';
}

done_testing;
