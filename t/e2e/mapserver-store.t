# Long senders that are stored: the maps give and take their tokens.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Daemon;
use Onward::Test::Map;

need('binary');

my $port = free_port();
my $onward = Onward::Test::Daemon->new(
    upstream => free_port(),
    settings => qq(socketmap = { listen = "127.0.0.1:$port"; };\n),
);
spew($onward->conf,
    slurp($onward->conf) =~ s/(srs = \{)/$1 long_sender = "store";/r);
$onward->start;
my $map = Onward::Test::Map->new($port);

my $long = 'a.very.long.local.part.' . 'x' x 30 . '@a.long.host.sender.example';
my ($token) = ($map->ask(forward => $long) // '') =~ /^OK (.*)/;
like($token, qr/^SRS0=[^@]{1,60}\@srs\.public\.example$/,
    'forward: a token of at most 64 octets');
is($map->ask(reverse => lc $token), "OK $long", 'reverse: the sender');
is($map->ask(recipient => lc $token), 'OK ' . lc $token, 'recipient: known');
my $forged = lc($token) =~ s{^srs0=(.)}{'srs0=' . ($1 eq 'x' ? 'y' : 'x')}er;
is($map->ask($_ => $forged), 'NOTFOUND ', "$_: a forged token")
    for qw(reverse recipient);
like($map->ask(forward => 'bob@sender.example'),
    qr/^OK SRS0=.*=sender\.example=bob\@/, 'a short sender as ever');

# It is on the disk.
$onward->stop;
$onward->start;
$map = Onward::Test::Map->new($port);
is($map->ask(reverse => $token), "OK $long", 'after a restart too');
$onward->ends_well;
done_testing;
