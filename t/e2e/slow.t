# Thousands of clients that send an octet a second, in commands and in content
# (slow loris), while mail goes on: they hold their sessions, no more, and are
# ended by the deadlines; who has mail is served as without them.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Daemon;
use Onward::Test::Robust;

need qw(binary);

my $all  = $ENV{ONWARD_TEST_ALL};
my $slow = $all ? 5000 : sanitized() ? 200 : 600;
my $limit = 0 + (run_out('sh', '-c', 'ulimit -Hn') =~ /(\d+)/ ? $1 : 1 << 20);
plan skip_all => "needs more descriptors than $limit" if $limit < 3 * $slow + 500;

my $back   = free_port();
my $onward = Onward::Test::Daemon->new(
    upstream => $back,
    settings => 'limits = { sessions = ' . 2 * $slow . '; };'
        . ' timeouts = { command = "' . ($all ? 30 : 4) . 's";'
        . ' content = "' . ($all ? 30 : 4) . 's"; };',
)->start;
my $driver = Onward::Test::Robust->new(
    upstream => $back, onward => $onward->port, s => 4, r => 50, l => 50,
);
$driver->go;

# Content may take a minute before its pace counts.
my $patience = $all ? 150 : 9;

# The slow ones are a process of their own; it tells how they ended.
sub crowd () {
    pipe my $from, my $to;
    my $pid = fork // die "fork: $!\n";
    return ($pid, $from) if $pid;
    Onward::Test::own();
    my (%socket, %said, %left);
    my ($told, $cut) = (0, 0);
    for my $n (1 .. $slow) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $onward->port, Timeout => 20) or next;
        setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
        $socket->blocking(0);
        $socket{$n} = $socket;
        # Every second one comes as far as its content.
        my $envelope = "EHLO slow.example\r\nMAIL FROM:<s\@sender.example>\r\n"
            . "RCPT TO:<bob\@public.example>\r\nDATA\r\n";
        syswrite $socket, $envelope if $n % 2;
        $left{$n} = $n % 2 ? "Subject: slow\r\n" x 100
            : 'NOOP ' . 'x' x 2000 . "\r\n";
    }
    syswrite $to, scalar(keys %socket) . "\n";
    my $end = time + $patience;
    while (%socket && time < $end) {
        my $until = time + 1;
        for my $n (keys %socket) {
            syswrite $socket{$n}, substr $left{$n}, 0, 1, '';
            my $got = sysread $socket{$n}, my $said, 4096;
            $said{$n} .= $said if $got;
            next if $got || (!defined $got && $!{EAGAIN});
            delete $socket{$n};
            $cut++ if $n % 2 && $said{$n} =~ /^354 [^\n]*\n\z/m;
            $told++ if $n % 2 == 0 && $said{$n} =~ /^421 4\.4\.2 /m;
        }
        sleep 0.05 while time < $until;
    }
    syswrite $to, "$told $cut\n";
    POSIX::_exit(0);
}

my $before = $onward->memory;
my ($pid, $from) = crowd();
on_exit(sub { kill KILL => $pid });
my $came = <$from>;
cmp_ok 0 + $came, '==', $slow, "$slow slow clients";
my $peak = 0;
my $open = sub { scalar(() = glob '/proc/' . $onward->pid . '/fd/*') };
# They are connected; a busy daemon may have some of them still to accept.
wait_until(seconds(5), sub { $open->() > 0.8 * $slow });
my $held = $open->();
for (1 .. ($all ? 50 : 10)) {
    $peak = $onward->memory if $onward->memory > $peak;
    sleep 0.2;
}
cmp_ok $held, '>', 0.8 * $slow, "$held descriptors are open";
# 4 KiB each when idle; the content of those that send some is in memory.
cmp_ok + ($peak - $before) / $slow, '<', 24,
    sprintf 'memory: %.1f KiB each', ($peak - $before) / $slow
    unless sanitized();
my $ends = <$from>;
waitpid $pid, 0;
my ($told, $cut) = $ends =~ /(\d+) (\d+)/;
cmp_ok $told, '==', int($slow / 2), 'who dripped a command was told 421';
cmp_ok $cut, '==', $slow - int($slow / 2), 'who dripped content was cut off'
    if $all;
ok wait_until(seconds(10), sub { $open->() < 60 }),
    'and nothing of them is left';

$driver->stop;
my $book = $driver->book;
$driver->holds('meanwhile');
is $book->{attempts}, $book->{messages}, 'nobody else had to come again';
is $book->{duplicates}, 0, 'nothing came twice';
note "$slow slow clients: ",
    $driver->figures(qw(accepted rate greeting_p50 greeting_p99 message_p50
        message_p99 message_max)),
    sprintf '; %.1f KiB each', ($peak - $before) / $slow;
$onward->ends_well;
done_testing;
