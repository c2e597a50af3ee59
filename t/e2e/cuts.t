# Upstream goes away at any instant under load: in the handshake, in the
# envelope, in the content, before, within and behind its final reply.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(time);
use Onward::Test;
use Onward::Test::Daemon;
use Onward::Test::Robust;

need qw(binary);

my $cuts   = $ENV{ONWARD_TEST_ALL} ? 1000 : 60;
my $back   = free_port();
my $onward = Onward::Test::Daemon->new(
    upstream => $back,
    settings => 'limits = { message_memory = "4K"; };',
);
my $driver = Onward::Test::Robust->new(
    upstream => $back, onward => $onward->port,
    s => 8, l => 1000, c => $cuts, z => 2,
);
$onward->start;
$driver->go;
my $book = $driver->book;
$driver->holds('upstream cut');
is $book->{cuts}, $cuts, "$cuts cuts";
cmp_ok $book->{accepted}, '>', $cuts, 'mail went through between the cuts';
$driver->explained('upstream cut');
# A cut behind the reply, or of what was idle, is nobody's loss; each other
# one makes one client come again, and one transaction at most a second time
# (two with a message that went into two).
cmp_ok $book->{duplicates}, '<=', 2 * $cuts, 'duplicates are few';
is $book->{lost} + $book->{refused}, 0, 'our own clients never lose us';
cmp_ok $book->{deferred}, '<=', $cuts, 'each cut is felt once at most';
note "$cuts cuts: ", $driver->figures(
    qw(accepted attempts deferred duplicates stray));
$onward->ends_well;
done_testing;
