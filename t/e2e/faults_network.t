# A network that delays, loses, repeats and reorders, with small segments: mail
# takes longer, and that is all. And one that falls silent in the middle: what
# was not said to be accepted was not, or is a duplicate of what was.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Daemon;
use Onward::Test::Debian;
use Onward::Test::Robust;

need qw(binary root unshare ip tc);

# A loopback of our own, so that nobody else's is slow.
Onward::Test::Debian->own_network;

my $count = $ENV{ONWARD_TEST_ALL} ? 2000 : 60;
# The name, how lo is made like that; undef: as well as it can be.
my @networks = (
    ['small segments', sub () { system('ip link set lo mtu 576') == 0 }],
    ['a line of 4 Mbit/s that loses what does not fit', sub () {
        system('tc qdisc replace dev lo root tbf rate 4mbit burst 4kb'
                . ' limit 12kb 2>/dev/null') == 0 }],
    ['delay, loss, duplicates, another order', sub () {
        system('tc qdisc replace dev lo root netem delay 10ms 8ms loss 2%'
                . ' duplicate 2% reorder 25% 50% 2>/dev/null') == 0 }],
);

for (@networks) {
    my ($name, $make) = @$_;
    SKIP: {
        skip "$name: this kernel has no such discipline", 1 if !$make->();
        subtest $name => sub {
            my $back   = free_port();
            my $onward = Onward::Test::Daemon->new(upstream => $back)->start;
            my $driver = Onward::Test::Robust->new(upstream => $back,
                onward => $onward->port, s => 8, n => $count, l => 300);
            $driver->go;
            my $book = $driver->book;
            $driver->holds($name);
            is $book->{accepted}, $count, "$count messages";
            is $book->{attempts}, $count, 'nobody had to come again';
            is $book->{duplicates}, 0, 'nothing came twice';
            my ($lost) = run_out(qw(tc -s qdisc show dev lo))
                =~ /dropped (\d+)/;
            note "$name: ", $driver->figures(qw(rate message_p50 message_p99)),
                ", $lost packets lost";
            $onward->ends_well;
        };
    }
}
system 'tc qdisc del dev lo root 2>/dev/null; ip link set lo mtu 65536';

# Nobody's packets arrive any more, and nobody is told. Deadlines end what
# waits on either side; then all is as before.
subtest 'silence' => sub {
    my $back   = free_port();
    my $onward = Onward::Test::Daemon->new(upstream => $back,
        upstream_settings => 'reply_timeout = "2s"; connect_timeout = "1s";',
        settings => 'timeouts = { command = "2s"; content = "2s"; };')->start;
    my $driver = Onward::Test::Robust->new(upstream => $back,
        onward => $onward->port, s => 8, l => 300);
    my $files = sub { scalar(() = glob '/proc/' . $onward->pid . '/fd/*') };
    my $open  = $files->();
    $driver->go;
    my @silences;
    for (1 .. 3) {
        sleep 0.4;
        my $from = time;
        # Full: nothing goes in, nothing comes out.
        system 'tc qdisc replace dev lo root tbf rate 8bit burst 1 limit 1';
        sleep 2.6;
        system 'tc qdisc del dev lo root';
        # Until the retransmissions of what was lost have come.
        push @silences, [$from, time + 6];
    }
    sleep 0.5;
    $driver->stop;
    my $book = $driver->book;
    $driver->holds('silence');
    $driver->explained('silence', @silences);
    cmp_ok $book->{accepted}, '>', 10, 'mail went through between';
    ok wait_until(seconds(15), sub { $files->() <= $open }),
        'nothing is left open' or diag $files->(), " open, were $open";
    note 'silence: ', $driver->figures(qw(accepted attempts deferred lost
        duplicates message_max));
    $onward->ends_well;
};

done_testing;
