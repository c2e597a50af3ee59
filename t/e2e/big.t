# Many large messages at once: they are on the disk and not in memory, and
# come out octet for octet.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep);
use Onward::Test;
use Onward::Test::Daemon;
use Onward::Test::Robust;

need qw(binary);

my ($count, $mib) = $ENV{ONWARD_TEST_ALL} ? (100, 50)
    : sanitized() ? (4, 4) : (10, 10);
my $back   = free_port();
my $onward = Onward::Test::Daemon->new(
    upstream          => $back,
    upstream_settings => 'reply_timeout = "95s";',
    settings => 'limits = { spool_total = "20G"; };',
);
my $driver = Onward::Test::Robust->new(
    upstream => $back, onward => $onward->port,
    s => $count, n => $count, l => -int($mib * 1048576 / 72),
);
$onward->start;
my $before = $onward->memory('VmHWM');
my $book   = $driver->go->book;
my $peak   = $onward->memory('VmHWM');
$driver->holds("$count messages of $mib MiB at once");
is $book->{attempts}, $count, 'each at the first attempt';
cmp_ok $peak, '<=', 65536, 'resident memory stays below 64 MiB'
    unless sanitized();
note sprintf '%d messages of %d MiB: peak %.1f MiB (%.1f MiB before), '
    . '%.1f s, %.0f MiB/s', $count, $mib, $peak / 1024, $before / 1024,
    $book->{seconds}, $count * $mib / $book->{seconds};
$onward->ends_well;
done_testing;
