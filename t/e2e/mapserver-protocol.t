# The socketmap server: what it answers, and what it does with clients that
# are slow, greedy or no clients at all.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Daemon;
use Onward::Test::Map;
use Onward::Test::Server;

need('binary');

my $port = free_port();

# A table that somebody else serves.
my $other = Onward::Test::Server->new(
    handler => sub ($self, $socket, $n) {
        my $in = '';
        while (sysread $socket, $in, 65536, length $in) {
            while ($in =~ s/\A(\d+):(.{0,})//s) {
                my ($len, $rest) = ($1, $2);
                my $request = substr $rest, 0, $len;
                $in = substr $rest, $len + 1;
                my ($key) = $request =~ /^\S+ (.*)/s;
                return if $key =~ /^lost/;
                sleep 4 if $key =~ /^late/;
                my $reply = $key =~ /^asked/ ? 'OK me@private.example'
                    : $key =~ /^sick/ ? 'TEMP a disk is full' : 'NOTFOUND ';
                syswrite $socket, Onward::Test::Map::netstring($reply);
            }
        }
    },
);

my $dir = scratch('maps');
spew("$dir/aliases", <<~'END');
    info@public.example   me@private.example
    loop@other.example    reject:550 5.1.6 Gone
    @catch.example        me@private.example
    END
my $onward = Onward::Test::Daemon->new(
    upstream => free_port(),
    aliases  => <<~END,
        { match = "fwd.*\@public.example"; to = ( "me\@private.example" ); },
        { match = "old\@public.example"; action = "reject"; },
        { match = "sold\@public.example"; action = "reject";
          reply = "550 5.1.6 Sold"; },
        { match = "void\@public.example"; action = "discard"; },
        "texthash:$dir/aliases",
        "socketmap:inet:127.0.0.1:${\$other->port}:alias"
        END
    settings => qq(socketmap = { listen = "127.0.0.1:$port"; };\n)
        . qq(srs_more = 1;\n),
);
# The group is written by the harness: what is ours stands in it.
spew($onward->conf, slurp($onward->conf)
    =~ s/srs_more = 1;\n//r
    =~ s/(srs = \{)/$1 max_failures = 40;/r);
$onward->start;
my $map = Onward::Test::Map->new($port);
my $good = run_out(binary(), '-c', $onward->conf, qw(srs forward),
    'alice@sender.example');
chomp $good;
my $forged = $good =~ s{^SRS0=(.)}{'SRS0=' . (lc $1 eq 'x' ? 'y' : 'x')}er;
like($good, qr/^SRS0=/, 'an SRS address');

# What is known

for (
    ['an alias by rule', 'fwd.shop@public.example', 'OK'],
    ['in capitals', 'FWD.Shop@Public.Example', 'OK'],
    ['an alias of a table', 'info@public.example', 'OK'],
    ['with an extension', 'info+shop@public.example', 'OK'],
    ['a catch-all', 'anything@catch.example', 'OK'],
    ['one that refuses', 'old@public.example', 'NOTFOUND'],
    ['one that refuses in its own words', 'sold@public.example', 'OK'],
    ['one that discards', 'void@public.example', 'OK'],
    ['one of a socketmap', 'asked@public.example', 'OK'],
    ['a genuine SRS address', $good, 'OK'],
    ['in lower case, as Postfix asks', lc $good, 'OK'],
    ['a forged one', $forged, 'NOTFOUND'],
    ['a foreign one', 'srs0=abcd=7g=x.example=u@else.example', 'NOTFOUND'],
    ['another address at the SRS domain', 'bob@srs.public.example',
        'NOTFOUND'],
    ['nobody', 'nobody@public.example', 'NOTFOUND'],
    ['a catch-all key', '@public.example', 'NOTFOUND'],
    ['a bare name', 'postmaster', 'NOTFOUND'],
    ['no address', 'a b@c@d', 'NOTFOUND'],
    ['an empty key', '', 'NOTFOUND'],
    ['a table in trouble', 'sick@public.example', 'TEMP'],
    ['a table that went away', 'lost@public.example', 'TEMP'],
    ['a table that does not answer', 'late@public.example', 'TEMP'],
) {
    my ($what, $key, $word) = @$_;
    my $answer = $map->ask(recipient => $key) // 'nothing';
    my $want = $word eq 'OK' ? qr/^OK \Q$key\E$/ : qr/^$word /;
    like($answer, $want, "recipient: $what");
}

is($map->ask(forward => 'alice@sender.example'), "OK $good",
    'forward: a foreign sender');
is($map->ask(forward => 'bob@public.example'), 'NOTFOUND ',
    'forward: one of ours is left alone');
is($map->ask(forward => $good), 'NOTFOUND ', 'forward: so is our SRS address');
is($map->ask(forward => ''), 'NOTFOUND ', 'forward: and the null sender');
is($map->ask(reverse => $good), 'OK alice@sender.example', 'reverse: genuine');
is($map->ask(reverse => lc $good), 'OK alice@sender.example',
    'reverse: in lower case');
is($map->ask(reverse => $_->[1]), 'NOTFOUND ', "reverse: $_->[0]") for
    ['forged', $forged], ['no SRS address', 'bob@public.example'],
    ['a foreign one', 'SRS0=abcd=7G=x.example=u@else.example'];

like($map->ask(nothing => 'x'), qr/^PERM /, 'a map that there is not');
$map->send('7:nothing,');
like($map->answer, qr/^PERM /, 'a request without a key');

# Many at once, in pieces

my @keys = map {"fwd.$_\@public.example"} 1 .. 500;
# The map `domain`: what has an alias, a rule or an SRS address.
for (['a rule\'s', 'public.example', 'OK public.example'],
    ['in any case', 'PUBLIC.Example', qr/^OK public\.example$/i],
    ['the SRS domain', 'srs.public.example', 'OK srs.public.example'],
    ['unknown', 'nowhere.example', 'NOTFOUND '],
    ['below one', 'x.public.example', 'NOTFOUND '],
    ['no domain', 'a b', 'NOTFOUND '],
    ['nothing', '', 'NOTFOUND ']) {
    my ($what, $key, $wanted) = @$_;
    my $got = $map->ask(domain => $key) // 'nothing';
    ref $wanted ? like($got, $wanted, "domain: $what")
        : is($got, $wanted, "domain: $what");
}

my $wire = join '', map { Onward::Test::Map::netstring("recipient $_") } @keys;
$map->send(substr $wire, 0, 100);
sleep 0.05;
$map->send(substr $wire, 100);
is_deeply([map { $map->answer } @keys], [map {"OK $_"} @keys],
    'answers come in the order of the requests');

# One that waits for a slow table holds up nobody else
my $slow = Onward::Test::Map->new($port);
$slow->send(Onward::Test::Map::netstring('recipient late2@public.example'));
my $began = time;
is($map->ask(recipient => 'info@public.example'), 'OK info@public.example',
    'another is answered');
cmp_ok(time - $began, '<', seconds(1), 'at once');
like($slow->answer // '', qr/^TEMP /, 'and that one in its time');

# One that does not wait for its answers: the table is silent at the first
# question, and the next ones are asked on another connection.
my $eager = Onward::Test::Map->new($port);
$eager->send(join '', map { Onward::Test::Map::netstring("recipient $_") }
    qw(late3@public.example asked3@public.example late4@public.example
    asked4@public.example));
like($eager->answer // '', qr/^TEMP /, 'a silent table, then more requests');
is($eager->answer, 'OK asked3@public.example', '... the next is answered');
like($eager->answer // '', qr/^TEMP /, '... silent again');
is($eager->answer, 'OK asked4@public.example', '... and again answered');

# Half-closed

my $half = Onward::Test::Map->new($port);
$half->send(Onward::Test::Map::netstring('recipient asked2@public.example'));
$half->half_close;
is($half->answer, 'OK asked2@public.example',
    'whoever has closed its side gets the answer');
ok($half->closed, 'and then the end');

# Garbage

for (
    ['HTTP',               "GET / HTTP/1.0\r\n\r\n"],
    ['a TLS hello',        "\x16\x03\x01\x02\x00\x01"],
    ['a length too great', '100001:recipient x'],
    ['a huge length',      '99999999999999999999:'],
    ['no comma',           '11:recipient x;'],
    ['a negative length',  '-1:'],
    ['leading zeros',      '0011:recipient x,'],
) {
    my $bad = Onward::Test::Map->new($port);
    $bad->send($_->[1]);
    ok($bad->closed, "$_->[0]: closed");
}
my $long = Onward::Test::Map->new($port);
$long->send(Onward::Test::Map::netstring('recipient ' . 'x' x 99_000 . '@a.b'));
is($long->answer, 'NOTFOUND ', 'a very long key is no address');
ok($long->ask(recipient => 'info@public.example'), 'and the next is answered');

# One that asks and asks and never reads
my $greedy = Onward::Test::Map->new($port);
my $before = $onward->memory;
$greedy->{socket}->blocking(0);
my $sent = 0;
for (1 .. 400) {
    my $n = syswrite $greedy->{socket}, $wire;
    defined $n ? ($sent += $n) : sleep 0.005;
    last if $sent > 20_000_000;
}
is($map->ask(recipient => 'info@public.example'), 'OK info@public.example',
    'a client that never reads does not stop the others');
SKIP: {
    skip 'memory figures of a sanitizer build', 1 if sanitized();
    cmp_ok($onward->memory - $before, '<', 8 * 1024, 'nor fill the memory');
}

# A request that never ends
my $drip = Onward::Test::Map->new($port);
$drip->send('20:recip');
my $start = time;
for (1 .. 60) {
    last unless $drip->send('i');
    last if $drip->closed(0.3);
}
cmp_ok(time - $start, '<', seconds(16), 'an octet now and then does not keep it open');

# Guessing

my $tries = 0;
for (1 .. 60) {
    $tries++;
    my $answer = $map->ask(recipient => sprintf 'SRS0=%06d=%s', $_,
        $good =~ s/^SRS0=[^=]+=//r);
    last if $answer =~ /^TEMP/;
    is($answer, 'NOTFOUND ', 'a guess') if $answer !~ /^NOTFOUND /;
}
cmp_ok($tries, '<=', 41, 'guesses are counted, as those at the listeners are');
my $guess = $good =~ s/^SRS0=\K([^=]{7})[^=]+/$1/r;
like($map->ask($_ => $guess), qr/^TEMP /, "$_: they stop those of 7 characters")
    for qw(recipient reverse);
is($map->ask(recipient => $good), "OK $good", 'but no genuine one of 8');
is($map->ask(reverse => $good), 'OK alice@sender.example', 'nor its sender');
is($map->ask(recipient => 'info@public.example'), 'OK info@public.example',
    'but no alias');

# Reload and the end

spew("$dir/aliases", "new\@public.example me\@private.example\n");
kill HUP => $onward->pid;
ok(
    wait_until(
        seconds(5),
        sub { $map->ask(recipient => 'new@public.example') =~ /^OK/ }
    ),
    'a connection sees a reload'
);
$slow->send(Onward::Test::Map::netstring('recipient late3@public.example'));
sleep 0.2;
$onward->ends_well;

done_testing;
