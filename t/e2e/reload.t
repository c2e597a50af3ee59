# SIGHUP under load, good configurations and bad ones: nobody notices.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Daemon;
use Onward::Test::Robust;

need qw(binary);

my $times  = $ENV{ONWARD_TEST_ALL} ? 125 : 20;
my $back   = free_port();
my $onward = Onward::Test::Daemon->new(upstream => $back);
my $driver = Onward::Test::Robust->new(
    upstream => $back, onward => $onward->port, s => 6, l => 200,
);
$onward->start;
$driver->go;
my $good = slurp($onward->conf);
my $half = substr $good, 0, length($good) / 2;

# Replaced, or written in place and half done: both happen.
my $count = sub ($pattern) { scalar grep {/$pattern/} $onward->lines };
my ($done, $refused) = (0, 0);
for my $n (1 .. $times) {
    my $bad = $n % 5 == 0;
    spew($onward->conf, $bad ? $half : "$good\n# $n\n");
    my $pattern = $bad ? qr/config: not reloaded/ : qr/: reloaded /;
    my $before = $count->($pattern);
    kill HUP => $onward->pid;
    my $heard = wait_until(seconds(5), sub { $count->($pattern) > $before });
    $bad ? $refused++ : $done++ if $heard;
}
# A storm on top.
for (1 .. 100) {
    kill HUP => $onward->pid;
    sleep 0.005;
}
$driver->stop;
my $book = $driver->book;
$driver->holds('SIGHUP');
is $done + $refused, $times, "each of $times signals had its effect";
is $book->{attempts}, $book->{messages}, 'nobody had to come again';
is $book->{duplicates}, 0, 'nothing came twice';
note "$done reloads, $refused refused: ", $driver->figures(
    qw(accepted attempts rate message_p50 message_p99 message_max));
$onward->ends_well;
done_testing;
