# `check --dns`: MX and SPF of the SRS domain, and the records of the keys.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP qw(decode_json);
use Test::More;
use Onward::Test;
use Onward::Test::DNS;

need qw(binary Net::DNS);

my $dir = scratch('check-dns');
my $dns = Onward::Test::DNS->new;
mkdir "$dir/keys" or die "$dir/keys: $!\n";
spew("$dir/secret", "0123456789abcdef\n", 0640);
spew("$dir/onward.conf", <<"END");
hostname = "mx.example.org";
listeners = ( { name = "mx"; address = "127.0.0.1:10025"; role = "inbound"; } );
srs = { domain = "srs.example.org"; secret_file = "$dir/secret"; };
dkim = { key_directory = "$dir/keys"; };
state_directory = "$dir";
dns = { servers = ( "${\ $dns->address}" ); timeout = "${\ in_ms(0.3) }"; };
postfix = { config_directory = ""; };
END

sub onward (@arguments) {
    my $command = join ' ', map {"'$_'"} binary(), '-c', "$dir/onward.conf",
        @arguments;
    my $out  = run_out('sh', '-c', "$command 2>'$dir/stderr' </dev/null");
    my $code = $? >> 8;
    return ($code, $out, slurp("$dir/stderr"));
}

sub publish (@arguments) {
    my ($code, $out) = onward(qw(dkim dns --all --format json));
    return map { ($_->{name} =~ s/\.$//r => [ $_->{value} ]) }
        @{ decode_json($out) };
}

onward(qw(dkim keygen srs.example.org --selector s1));
my %keys = publish();
onward(qw(dkim activate srs.example.org));

my $mx   = 'MX mx.example.org';
my $spf  = 'v=spf1 mx -all';
my $good = qr/\AOK: /;
my $none = qr/\A\z/;

# name, records of the SRS domain, exit code, standard output, standard error
for (
    [ 'all is there', [ $mx, $spf ], 0, $good, $none ],
    [ 'case of the host does not matter', [ 'MX MX.Example.ORG', $spf ], 0, $good, $none ],
    [ 'other TXT records do not matter', [ $mx, $spf, 'v=spf10', 'x' ], 0, $good, $none ],
    [ 'no MX', [$spf], 78, $none,
        qr/\A\Q$dir\E\/onward\.conf:3: srs\.domain: srs\.example\.org has no MX,.*publish: srs\.example\.org\. IN MX 10 mx\.example\.org\.\n1 error/ ],
    [ 'null MX', [ 'MX .', $spf ], 78, $none, qr/has the null MX/ ],
    [ 'MX elsewhere', [ 'MX other.example', $spf ], 0,
        qr/\Awarning: .*the MX of srs\.example\.org is other\.example, not this host/, $none ],
    [ 'one of several MX', [ 'MX other.example', $mx, $spf ], 0, $good, $none ],
    [ 'no SPF', [$mx], 78, $none,
        qr/has no SPF record.*publish: srs\.example\.org\. IN TXT "v=spf1 mx -all"/ ],
    [ 'two SPF records', [ $mx, $spf, 'V=SPF1 a' ], 78, $none, qr/has 2 SPF records/ ],
    [ 'SPF for nobody', [ $mx, 'v=spf1 -all' ], 78, $none, qr/allows nobody to send/ ],
    [ 'SPF for the world', [ $mx, 'v=spf1 mx +all' ], 0,
        qr/\Awarning: .*allows the whole world/, $none ],
    [ 'SPF without all', [ $mx, 'v=spf1 redirect=_spf.example.org' ], 0, $good, $none ],
    [ 'nothing at all', undef, 78, $none, qr/no MX.*\n.*no SPF.*\n2 errors/ ],
    [ 'a name server that fails', 'SERVFAIL', 75, $none,
        qr/whether srs\.example\.org has an MX cannot be asked: .*\n.*SPF cannot be asked/ ],
    [ 'a name server that is silent', 'SILENCE', 75, $none, qr/cannot be asked/ ],
) {
    my ($name, $records, $code, $out, $err) = @$_;
    subtest $name => sub {
        $dns->set(%keys, defined $records ? ('srs.example.org' => $records) : ());
        my @got = onward(qw(check --dns));
        is $got[0], $code, "exit $code";
        like $got[1], $out, 'standard output';
        like $got[2], $err, 'standard error';
    };
}

subtest 'keys' => sub {
    my %srs = ('srs.example.org' => [ $mx, $spf ]);
    $dns->set(%srs);
    my ($code, $out, $err) = onward(qw(check --dns));
    is $code, 78, 'a key that signs and is not published: 78';
    like $err, qr{^\Q$dir\E/keys/srs\.example\.org/s1\.pem: its record is not published, and it signs; .*onward dkim dns srs\.example\.org$}m,
        'is named with the command that prints the record';

    my ($name) = keys %keys;
    $dns->set(%srs, $name => ['v=DKIM1; p=']);
    ($code, $out, $err) = onward(qw(check --dns));
    is $code, 78, 'another record: 78';
    like $err, qr/s1\.pem: the record .*and it signs/, 'says what is wrong';

    $dns->set(%srs, %keys);
    onward(qw(dkim keygen example.org --selector s2));
    ($code, $out, $err) = onward(qw(check --dns));
    is $code, 0, 'a key that waits to be published: 0';
    like $out, qr/^warning: .*s2\.next\.pem: its record is not published, it does not sign yet/m,
        'and a warning';

    $dns->set(%srs, $name => 'SERVFAIL');
    ($code, $out, $err) = onward(qw(check --dns));
    is $code, 75, 'no answer for a key: 75';
};

subtest '--json, and trouble beside errors' => sub {
    $dns->set(%keys, 'srs.example.org' => [$mx]);
    my ($code, $out, $err) = onward(qw(check --dns --json));
    my $report = decode_json($out);
    is $code, 78, 'exit 78';
    ok !$report->{ok}, 'is not ok';
    is $report->{errors}[0]{setting}, 'srs.domain', 'setting';
    is $report->{errors}[0]{line},    3,            'line';
    my ($key) = keys %keys;
    $dns->set('srs.example.org' => [$mx], $key => 'SERVFAIL');
    is +(onward(qw(check --dns)))[0], 78, 'an error weighs more than no answer';
};

is +(onward('check'))[0], 0, 'without --dns nothing is asked';

done_testing;
