# explain: which rule of which line answers, from whom a copy leaves, and what
# upstream would see; and srs decode of what it names. Nothing is sent.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use Test::More;
use Onward::Test;
use Onward::Test::SRS;

need qw(binary);

my $dir = scratch('explain');
mkdir "$dir/state", 0750;
spew("$dir/secret", "0123456789abcdef\n", 0640);
spew("$dir/aliases", "# table\ninfo\@local.example info\@local.example\n"
        . "chain\@public.example fwd.a\@public.example, bob\@local.example\n"
        . "gone\@public.example reject:550 5.1.6 moved\n");
my $conf = spew("$dir/onward.conf", <<~END);
    listeners = ( { name = "mx"; address = "127.0.0.1:10025"; role = "inbound"; },
      { name = "out"; address = "127.0.0.1:10027"; role = "outbound"; } );
    state_directory = "$dir/state";
    postfix = { config_directory = ""; };
    forward = {
      local_domains = ( "local.example" );
      aliases = (
        { match = "fwd.spam\@public.example"; action = "reject"; },
        { match = "fwd.*\@public.example"; to = ( "me+\$1\@private.example" ); },
        { regex = "^list-(.+)\@public\\\\.example\$";
          to = ( "\$1\@private.example" ); },
        { match = "void\@public.example"; action = "discard"; },
        "texthash:$dir/aliases"
      );
    };
    srs = { domain = "srs.example"; secret_file = "$dir/secret"; };
    END

sub onward (@arguments) {
    my $out = run_out('sh', '-c', 'exec "$@" 2>&1', 'sh', binary(), '-c', $conf,
        @arguments);
    return ($out, $? >> 8);
}

my $alice = 'alice@sender.example';
my $srs   = srs0($alice, 'srs.example', '0123456789abcdef');
my @rows  = (
    # name, arguments, exit code, what is said
    ['a rule, with its line', ['--from', $alice, 'fwd.shop@public.example'], 0,
        qr/alias +fwd\.shop\@public\.example matches fwd\.\*\@public\.example  \Q$conf\E:9\n/,
        qr/-> me\+shop\@private\.example  leaves: MAIL FROM:<\Q$srs\E>/],
    ['a regex', ['--from', $alice, 'list-dev@public.example'], 0,
        qr/matches \^list-.*  \Q$conf\E:10\n/,
        qr/-> dev\@private\.example  leaves/],
    ['a table, with its line', ['--from', $alice, 'chain@public.example'], 0,
        qr/chain\@public\.example matches chain\@public\.example  texthash:\Q$dir\E\/aliases:3\n/,
        qr/fwd\.a\@public\.example matches fwd\.\*\@public\.example  \Q$conf\E:9\n/,
        qr/-> bob\@local\.example  stays: MAIL FROM:<\Q$alice\E>/,
        qr/2 upstream transactions/],
    ['a rule that rejects', ['fwd.spam@public.example'], 1,
        qr/\Q$conf\E:8\n/, qr/refused  550 5\.1\.1 Address rejected/,
        qr/reason   alias-reject/],
    ['a table that rejects', ['gone@public.example'], 1,
        qr/aliases:4\n/, qr/refused  550 5\.1\.6 moved/],
    ['a rule that discards', ['void@public.example'], 0,
        qr/discarded by rule/],
    ['what nothing knows', ['--from', $alice, 'x@public.example'], 0,
        qr/unchanged/, qr/-> x\@public\.example  stays: MAIL FROM:<\Q$alice\E>/],
    ['a bounce', ['--from', '<>', $srs], 0,
        qr/srs +\Q$srs\E is genuine/,
        qr/-> \Q$alice\E  leaves: MAIL FROM:<>/],
    ['a probe', ['--from', $alice, $srs], 0,
        qr/refused at DATA \(srs-not-null\)/],
    ['a forged one', ['--from', '<>', 'SRS0=aaaaaa=7G=sender.example=alice@srs.example'], 1,
        qr/refused  550 5\.7\.1 Invalid SRS address/, qr/reason   srs-hash/],
    ['an expired one', ['--from', '<>',
        srs0($alice, 'srs.example', '0123456789abcdef', time => time - 23 * 86400)],
        1, qr/refused  550 5\.1\.6 Expired/, qr/reason   srs-expired/],
    ['a stranger with a name of ours',
        ['--from', 'bob@local.example', 'fwd.x@public.example'], 0,
        qr/leaves: MAIL FROM:<SRS0=\S+=local\.example=bob\@srs\.example> /],
    ['a user of ours', ['--listener', 'out', '--from',
        'bob@local.example', 'fwd.x@public.example'], 0,
        qr/leaves: MAIL FROM:<bob\@local\.example>\n/],
    ['one of several is refused', ['--from', $alice, 'bob@local.example',
        'gone@public.example'], 1, qr/-> bob\@local\.example/, qr/refused/],
    ['no address', ['--from', $alice, 'no address'], 64, qr/is not an address/],
    ['no such listener', ['--listener', 'none', 'a@b.example'], 64,
        qr/no listener is called "none"/],
);
for (@rows) {
    my ($name, $arguments, $code, @patterns) = @$_;
    my ($out, $status) = onward('explain', @$arguments);
    is $status, $code, "$name: exit code $code";
    like $out, $_, "$name: it says $_" for @patterns;
}

my ($out, $status) = onward('explain', '--json', '--from', $alice,
    'chain@public.example', 'gone@public.example');
is $status, 1, '--json: the exit code is the same';
my $json = decode_json($out);
is $json->{from}, $alice, '... from';
is_deeply [map { $_->{fate} } @{ $json->{recipients} }], ['forward', 'refuse'],
    '... fates';
is_deeply $json->{recipients}[0]{targets}[0]{mail_from}, $srs, '... reverse-path';
is $json->{recipients}[0]{transactions}, 2, '... transactions';
is_deeply [map { $_->{origin} } @{ $json->{recipients}[0]{steps} }],
    ["texthash:$dir/aliases:3", "$conf:9"], '... lines';
is $json->{recipients}[1]{reply}, '550 5.1.6 moved', '... reply';

($out, $status) = onward('srs', 'decode', $srs);
is $status, 0, 'srs decode';
like $out, qr/original \Q$alice\E\s+made [\d-]+ \(today, valid 21 more\)/,
    '... whom it stands for, and since when';

done_testing;
