# What systemd hears: READY, STATUS, RELOADING with the time, WATCHDOG from the
# loop, STOPPING.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(time clock_gettime CLOCK_MONOTONIC);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

my $path = scratch('notify') . '/socket';
my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path)
    or die "socket: $!\n";

# The next datagram that matches; others are kept in @seen.
my @seen;

sub hears ($pattern, $timeout = 5) {
    my $end = time() + seconds($timeout);
    while (1) {
        my $left = $end - time();
        return undef if $left <= 0;
        IO::Select->new($socket)->can_read($left) or return undef;
        $socket->recv(my $text, 4096);
        push @seen, $text;
        return $text if $text =~ $pattern;
    }
}

sub monotonic () { return int(clock_gettime(CLOCK_MONOTONIC) * 1e6) }

my $upstream = Onward::Test::Upstream->new;
my $onward = Onward::Test::Daemon->new(upstream => $upstream->port);
{
    local $ENV{NOTIFY_SOCKET} = $path;
    local $ENV{WATCHDOG_USEC} = 1_000_000;
    $onward->start;
}
ok(hears(qr/^READY=1$/m), 'READY once it listens');
like(hears(qr/^STATUS=/m) // '', qr/^STATUS=\d+ sessions, [\d.]+ msg\/s, upstream up, 1 aliases/m,
    'STATUS says how it is');

my $before = time;
ok(hears(qr/^WATCHDOG=1$/m), 'WATCHDOG') for 1 .. 3;
cmp_ok(time() - $before, '<', seconds(2.1), '... at half of the time');

my $start = monotonic();
kill HUP => $onward->pid;
my $reloading = hears(qr/^RELOADING=1$/m) // '';
my ($stamp) = $reloading =~ /^MONOTONIC_USEC=(\d+)$/m;
ok($stamp, 'RELOADING with MONOTONIC_USEC');
cmp_ok($stamp // 0, '>=', $start, '... after the signal');
cmp_ok($stamp // 0, '<=', monotonic(), '... and before now');
ok(hears(qr/^READY=1$/m), 'READY when it is done');

# A bad configuration: systemd must not wait for ever.
my $good = slurp($onward->conf);
spew($onward->conf, "nonsense\n");
kill HUP => $onward->pid;
ok(hears(qr/^RELOADING=1$/m), 'RELOADING again');
ok(hears(qr/^READY=1$/m), '... READY although nothing was changed');
spew($onward->conf, $good);

@seen = ();
$onward->ends_well;
ok(hears(qr/^STOPPING=1$/m), 'STOPPING');

# An abstract address.
{
    my $name = "\0onward-notify-$$";
    $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $name)
        or die "socket: $!\n";
    local $ENV{NOTIFY_SOCKET} = '@' . substr $name, 1;
    $onward->start;
}
ok(hears(qr/^READY=1$/m), 'READY to an abstract socket');
ok(!hears(qr/^WATCHDOG=1$/m, 1), 'no WATCHDOG that nobody asked for');
$onward->ends_well;

done_testing;
