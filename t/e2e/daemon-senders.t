# Senders too long for an SRS address: kept on the disk, found again after a
# restart, one entry each.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

my $upstream = Onward::Test::Upstream->new;
my $onward = Onward::Test::Daemon->new(upstream => $upstream->port);
spew($onward->conf,
    slurp($onward->conf) =~ s/srs = \{/srs = { long_sender = "store";/r);
$onward->start;

sub upstream_said ($verb) {
    my @said = $upstream->received(0) =~ /^$verb:<([^>]*)>/mg;
    return $said[-1];
}

sub forward ($from) {
    my $client = Onward::Test::Client->hello($onward->port);
    my $reply = $client->transaction($from, 'fwd.x@public.example',
        "From: $from\r\nSubject: x\r\n\r\nx\r\n");
    $client->quit;
    return $reply;
}

sub bounce ($to) {
    my $client = Onward::Test::Client->hello($onward->port);
    my $reply = $client->transaction('', $to,
        "From: postmaster\@x.example\r\nSubject: bounce\r\n\r\nx\r\n");
    $client->quit;
    return $reply;
}

my $long = ('l' x 60) . '@a.rather.long.domain.example';
like(forward($long), qr/^250 /, 'a long sender');
my $stored = upstream_said('MAIL FROM');
my ($local) = $stored =~ /^(.*)\@srs\.public\.example$/;
ok($local, "goes out as $stored");
cmp_ok(length $local, '<=', 64, '... with a local part that is allowed');
like(bounce($stored), qr/^250 /, 'its bounce');
is(upstream_said('RCPT TO'), $long, '... finds the sender');
like(bounce(lc $stored), qr/^250 /, 'its bounce in lower case');
is(upstream_said('RCPT TO'), $long, '... too');

like(forward($long), qr/^250 /, 'the same sender again');
is(upstream_said('MAIL FROM'), $stored, '... has the same address');

(my $forged = $stored) =~ s/(.)\@/($1 eq 'a' ? 'b' : 'a') . '@'/e;
like(bounce($forged), qr/^550 5\.\d\.\d /, 'a forged one');

my $other = ('m' x 60) . '@a.rather.long.domain.example';
like(forward($other), qr/^250 /, 'another');
isnt(upstream_said('MAIL FROM'), $stored, '... has another address');

kill HUP => $onward->pid;
ok($onward->logged(qr/reloaded/), 'reloaded');
like(bounce($stored), qr/^250 /, 'a bounce after that');
is(upstream_said('RCPT TO'), $long, '... finds the sender');

$onward->ends_well;
$onward->start;
like(bounce($stored), qr/^250 /, 'a bounce after a restart');
is(upstream_said('RCPT TO'), $long, '... finds the sender');
$onward->ends_well;

# Without its file it must not be "no such address".
my @files = glob $onward->dir . '/state/senders.lmdb*';
is(scalar @files, 2, 'one file and its lock');
unlink @files;
spew($files[0], 'no LMDB file' x 1000);
$onward->start;
like(bounce($stored), qr/^451 4\.3\.0 /, 'a damaged store: come again');
ok($onward->logged(qr/store of long senders: \S+senders\.lmdb: /),
    '... and the log names the file');
like(forward('a@sender.example'), qr/^250 /, 'others are not concerned');
$onward->ends_well;

done_testing;
