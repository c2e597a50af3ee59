# The life of a key: made, published, activated, retired; and what the
# commands say and refuse on the way.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use POSIX qw(strftime);
use Test::More;
use Onward::Test;
use Onward::Test::DNS;

need qw(binary openssl Net::DNS);

my $dir = scratch('dkim-keys');
my $dns = Onward::Test::DNS->new;
mkdir "$dir/keys";

sub configure ($more = '', $servers = $dns->address) {
    spew("$dir/onward.conf", <<"END");
hostname = "mx.example.org";
listeners = (
    { name = "mx"; address = "127.0.0.1:10025"; role = "inbound"; },
    { name = "out"; address = "127.0.0.1:10027"; role = "outbound"; }
);
upstream = { address = "127.0.0.1:10026"; };
dkim = { key_directory = "$dir/keys"; $more };
state_directory = "$dir";
dns = { servers = ( "$servers" ); timeout = "${\ in_ms(1) }"; };
postfix = { config_directory = ""; };
END
    return;
}
configure();

sub onward (@arguments) {
    my $command = join ' ', map {"'$_'"} binary(), '-c', "$dir/onward.conf",
        @arguments;
    my $out  = run_out('sh', '-c', "$command 2>'$dir/stderr' </dev/null");
    my $code = $? >> 8;
    return ($code, $out, slurp("$dir/stderr"));
}

sub dkim (@arguments) { return onward('dkim', @arguments) }

# Exit code, and what both outputs are like.
sub is_run ($name, $arguments, $code, $out = qr/\A\z/, $err = qr/\A\z/) {
    my @got = dkim(@$arguments);
    subtest $name => sub {
        is $got[0], $code, "exit $code";
        like $got[1], $out, 'standard output';
        like $got[2], $err, 'standard error';
    };
    return $got[1];
}

sub records (@arguments) {
    my ($code, $out) = dkim('dns', '--format', 'json', @arguments);
    return map { ($_->{name} => [ $_->{value} ]) } @{ decode_json($out) };
}

sub list () { return (dkim('list'))[1] }

# ---- keygen ----

my $month = strftime('%Y%m', gmtime);
is list(), '', 'no key yet';
is_run('a domain without keys', [ 'dns', 'example.org' ],
    1, qr/\A\z/, qr/no key for example\.org/);

my $out = is_run('a new key', [ 'keygen', 'Example.ORG' ], 0,
    qr/\Awrote \Q$dir\E\/keys\/example\.org\/s$month\.next\.pem \(rsa 2048\)/);
like $out, qr/^publish: +s$month\._domainkey\.example\.org\. 3600 IN TXT \( "v=DKIM1; k=rsa; p=MII/m,
    'prints its record';
my $path = "$dir/keys/example.org/s$month.next.pem";
is sprintf('%04o', (stat $path)[2] & 07777), '0640', 'mode of the file';
is sprintf('%04o', (stat "$dir/keys/example.org")[2] & 07777), '0750',
    'mode of the directory';
my $der = run_out(qw(openssl pkey -pubout -outform DER -in), $path);
is_deeply [ values %{ { records('example.org') } } ],
    [ [ 'v=DKIM1; k=rsa; p=' . encode($der) ] ],
    'the record is what OpenSSL says of the file';

sub encode ($octets) {
    require MIME::Base64;
    return MIME::Base64::encode_base64($octets, '');
}

my $before = slurp($path);
is_run('never overwrites', [ 'keygen', 'example.org', '--selector',
    "s$month" ], 1, qr/\A\z/, qr/there already/);
is slurp($path), $before, 'the key is as it was';
is_run('the second of a month', [ 'keygen', 'example.org' ], 0,
    qr/s${month}b\.next\.pem/);
is_run('Ed25519', [ 'keygen', 'example.org', '--type', 'ed25519' ], 0,
    qr/e$month\.next\.pem \(ed25519 256\)/);
is_run('bits and selector', [ 'keygen', '--bits', '3072', '--selector',
    'big.2026', 'other.example' ], 0, qr/big\.2026\.next\.pem \(rsa 3072\)/);
is_run('U-labels', [ 'keygen', "b\xc3\xbccher.example", '--type', 'ed25519' ],
    0, qr/xn--bcher-kva\.example/);
for my $row (
    [ 'bits too few', 'x.example', '--bits', '512' ],
    [ 'bits too many', 'x.example', '--bits', '16384' ],
    [ 'bits of Ed25519', 'x.example', '--type', 'ed25519', '--bits', '2048' ],
    [ 'unknown type', 'x.example', '--type', 'dsa' ],
    [ 'bad selector', 'x.example', '--selector', 'a/b' ],
    [ 'a selector that climbs', 'x.example', '--selector', '..' ],
    [ 'no domain', '--type', 'rsa' ],
    [ 'a domain that climbs', '../x' ],
    [ 'an empty domain', '' ],
    [ 'two domains', 'x.example', 'y.example' ],
) {
    my ($name, @arguments) = @$row;
    is_run($name, [ 'keygen', @arguments ], 64, qr/\A\z/, qr/./);
}
ok !-e "$dir/keys/x.example", 'nothing was made of these';
is list(), <<"END", 'all of them wait';
example.org e$month next
example.org s$month next
example.org s${month}b next
other.example big.2026 next
xn--bcher-kva.example e$month next
END

# ---- dns ----

my $zone = is_run('bind', [ 'dns', 'other.example' ], 0,
    qr/\Abig\.2026\._domainkey\.other\.example\. 3600 IN TXT \( ".{255}" "/);
ok !(grep { length > 255 } $zone =~ /"([^"]*)"/g), 'strings of 255 octets';
is_run('plain', [ 'dns', 'other.example', '--format=plain' ], 0,
    qr/\Abig\.2026\._domainkey\.other\.example v=DKIM1; k=rsa; p=[^"]+\n\z/);
is_run('nsupdate', [ 'dns', '--all', '--format', 'nsupdate' ], 0,
    qr/\Aupdate delete .*? TXT\nupdate add .*? 3600 TXT "v=DKIM1.*\nsend\n\z/s);
is scalar(@{ decode_json((dkim('dns', '--all', '--format', 'json'))[1]) }), 5,
    'json: all keys';
is_run('unknown format', [ 'dns', '--all', '--format', 'x' ], 64, qr/\A\z/,
    qr/bind, plain, nsupdate or json/);
is_run('neither a domain nor --all', ['dns'], 64, qr/\A\z/, qr/usage/);
is_run('both', [ 'dns', '--all', 'x.example' ], 64, qr/\A\z/, qr/usage/);

# ---- check, activate ----

my %published = records('--all');
is_run('nothing is published', [ 'check', 'other.example' ], 1,
    qr/\Aother\.example big\.2026 next: missing: is not published; onward dkim dns other\.example prints it as it should be\n\z/);
is_run('not activated before', [ 'activate', 'other.example',
    '--when-published' ], 1, qr/\A\z/, qr/not activated: is not published/);
like list(), qr/^other\.example big\.2026 next$/m, 'still waiting';

$dns->set(%published);
is_run('all is published', ['check'], 0, qr/\A(?:\S+ \S+ next: ok\n){5}\z/);
is_run('as JSON', [ 'check', '--json', 'other.example' ], 0,
    qr/\A\[\{"domain":"other\.example",.*"result":"ok"/);

my $big = 'big.2026._domainkey.other.example';
for my $row (
    [ 'another key', [ $published{"s$month._domainkey.example.org"}[0] ],
        1, 'differs: the record holds another key' ],
    [ 'revoked', ['v=DKIM1; k=rsa; p='], 1, 'revoked' ],
    [ 'cut', [ substr $published{$big}[0], 0, 298 ], 1, 'only the beginning' ],
    [ 'two records', [ ($published{$big}[0]) x 2 ], 1, '2 TXT records' ],
    [ 'test mode', [ $published{$big}[0] =~ s/k=rsa/k=rsa; t=y/r ],
        0, 'ok: the record is in test mode' ],
    [ 'no record of that type', [], 1, 'missing' ],
    [ 'server failure', 'SERVFAIL', 75, 'unknown' ],
    [ 'no answer', 'SILENCE', 75, 'unknown' ],
) {
    my ($name, $record, $code, $text) = @$row;
    $dns->set(%published, $big => $record);
    is_run($name, [ 'check', 'other.example' ], $code, qr/\Q$text\E/);
    next if $code == 0;
    is_run("$name: no activation", [ 'activate', 'other.example',
        '--when-published' ], $code, qr/\A\z/, qr/not activated/);
}
$dns->set(%published);
is_run('one differs', [ 'check', '--all' ], 0, qr/ok/);

is_run('activate when published', [ 'activate', 'other.example',
    '--when-published' ], 0, qr/\Aactivated other\.example big\.2026 \(rsa\)/);
is_run('nothing waits any more', [ 'activate', 'other.example' ], 1, qr/\A\z/,
    qr/no key that waits/);
is_run('the newest of two, and both algorithms', [ 'activate',
    'example.org' ], 0, qr/activated example\.org e$month.*activated example\.org s${month}b/s,
    qr/s$month stays waiting/);
is_run('the older does not follow', [ 'activate', 'example.org' ], 1,
    qr/\A\z/, qr/s$month stays waiting: s${month}b is newer/);
unlink $path;

# ---- the next key ----

is_run('another key', [ 'keygen', 'example.org', '--selector', 'new' ], 0,
    qr/new\.next\.pem/);
is_run('it replaces that of its algorithm', [ 'activate', 'example.org' ], 0,
    qr/activated example\.org new \(rsa\)\nretired +example\.org s${month}b/);
like list(), qr/^example\.org e$month active\nexample\.org new active\nexample\.org s${month}b old$/m,
    'the other keeps signing';

my $old = "$dir/keys/example.org/s${month}b.old.pem";
cmp_ok time - (stat $old)[9], '<', 60, 'its time is when it was retired';
is_run('a week has to pass', [ 'retire', 'example.org' ], 0,
    qr/\Akept +example\.org s${month}b until \d{4}-\d\d-\d\dT/);
ok -e $old, 'still there';
utime time - 8 * 86400, time - 8 * 86400, $old;
is_run('it has passed', [ 'retire', 'example.org' ], 0,
    qr/\Adeleted example\.org s${month}b/);
ok !-e $old, 'gone';
ok -e "$dir/keys/example.org/new.pem", 'the others are there';
is_run('a domain without keys', [ 'retire', 'x.example' ], 1, qr/\A\z/,
    qr/no key/);
is_run('a bad duration', [ 'retire', 'example.org', '--after', 'x' ], 64,
    qr/\A\z/, qr/duration/);

is_run('--all activates what waits', [ 'activate', '--all' ], 0,
    qr/activated xn--bcher-kva\.example/);
is_run('--all with nothing to do', [ 'activate', '--all' ], 0);
my $keys = decode_json((dkim('list', '--json'))[1]);
is_deeply [ map {"$_->{domain} $_->{state} $_->{algorithm}"} @$keys ],
    [
    'example.org active ed25519', 'example.org active rsa',
    'other.example active rsa',   'xn--bcher-kva.example active ed25519'
    ],
    'list --json';

# ---- sign ----

my $message = "From: a\@example.org\r\nTo: b\@c.example\r\n\r\nx\r\n";
spew("$dir/message", $message);
my $signed = is_run('sign', [ 'sign', "$dir/message" ], 0,
    qr/\A(?:DKIM-Signature: .*?\r\n(?=[DMF])){2}Date: .*\r\nMessage-ID: <.*\@mx\.example\.org>\r\n\Q$message\E\z/s);
is_run('on the inbound listener', [ 'sign', '--listener', 'mx',
    "$dir/message" ], 0, qr/\A\Q$message\E\z/, qr/not signed: inbound/);
is_run('unknown listener', [ 'sign', '--listener', 'x', "$dir/message" ], 64,
    qr/\A\z/, qr/no listener/);
is_run('no such file', [ 'sign', "$dir/none" ], 65, qr/\A\z/,
    qr/No such file/);
for my $row (
    [ 'bare LF', "From: a\@example.org\n\nx\n", qr/bare LF/ ],
    [ 'NUL', "From: a\@example.org\r\n\r\n\0\r\n", qr/NUL/ ],
    [ 'hops', 'Received: x' . "\r\nReceived: x" x 50 . "\r\n$message",
        qr/Received/ ],
) {
    my ($name, $text, $err) = @$row;
    spew("$dir/message", $text);
    is_run("refused: $name", [ 'sign', "$dir/message" ], 65, qr/\A\z/, $err);
}
spew("$dir/message", "\r\n" . $message);
is_run('no From', [ 'sign', "$dir/message" ], 0,
    qr/\A\r\n\Q$message\E\z/, qr/not signed: no-from/);

# ---- trouble ----

chmod 0644, "$dir/keys/example.org/new.pem";
is_run('a key for everybody', ['list'], 78, qr/\A\z/,
    qr/new\.pem: mode 0644: readable by everybody; run: chmod 0640/);
chmod 0640, "$dir/keys/example.org/new.pem";
configure('', '127.0.0.1:1');
is_run('no name server', ['check'], 75,
    qr/unknown: .* \(dns\.servers: 127\.0\.0\.1:1\)$/m);
is_run('RSA of 1024 bits', [ 'keygen', 'short.example', '--bits', '1024' ], 0,
    qr/\(rsa 1024\)/, qr/--bits 1024: 2048 are advised/);
SKIP: {
    skip 'needs root, and another user', 3
        if $> != 0 || system('setpriv --version >/dev/null 2>&1') != 0;
    my $path = "$dir/keys/short.example";
    my $program = binary_for_all($dir);
    my $run = sub () {
        return run_out('sh', '-c', 'exec "$@" 2>&1', 'sh', qw(setpriv
            --reuid=65534 --regid=65534 --clear-groups), $program, '-c',
            "$dir/onward.conf", qw(dkim list));
    };
    chmod 0755, "$dir/keys", $dir;
    like $run->(), qr/short\.example: Permission denied; .*: chgrp onward \Q$path\E; chmod 0750 \Q$path\E$/m,
        'a directory that the daemon may not read: its cure';
    is $? >> 8, 78, '... exit 78';
    chmod 0755, glob "$dir/keys/*";
    like $run->(), qr/\.pem: Permission denied; .*: chgrp onward \Q$path\E\S+; chmod 0640/,
        'a key: its cure';
}

done_testing;
