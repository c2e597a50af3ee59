# kill -9 at any instant under load: whatever was acknowledged is upstream,
# whole, and what came twice is what upstream had committed when nobody could
# say so any more (RFC 1047).

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Daemon;
use Onward::Test::Robust;

need qw(binary);

my $times  = $ENV{ONWARD_TEST_ALL} ? 1000 : sanitized() ? 10 : 30;
my $back   = free_port();
my $onward = Onward::Test::Daemon->new(
    upstream => $back,
    settings => 'limits = { message_memory = "4K"; };',
);
my $driver = Onward::Test::Robust->new(
    upstream => $back, onward => $onward->port,
    s => 8, l => 1000, z => 1,
);

$driver->go;
my @kills;
for (1 .. $times) {
    $onward->start;
    sleep rand 0.12;
    my $from = time;
    $onward->kill;
    push @kills, [$from, time];
}
$onward->start;
sleep 0.3;
$driver->stop;
my $book = $driver->book;
$driver->holds('kill -9');
cmp_ok $book->{accepted}, '>', $times, 'mail went through between the kills';
$driver->explained('kill -9', @kills);
# At most what is under way at one time, in two upstream transactions each.
cmp_ok $book->{duplicates}, '<=', $times * 16, 'duplicates are few';
is_deeply [glob $onward->dir . '/state/*'], [],
    'no spool file outlives its process';
note "$times kills: ", $driver->figures(
    qw(accepted attempts refused lost deferred duplicates stray));
$onward->ends_well;
done_testing;
