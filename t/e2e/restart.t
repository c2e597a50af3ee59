# The socket is held by somebody else, as by systemd (LISTEN_FDS): a restart
# under load refuses no connection and loses no message.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Socket::INET;
use POSIX qw(_exit dup2);
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Robust;

need qw(binary);

my $times  = $ENV{ONWARD_TEST_ALL} ? 20 : 4;
my $back   = free_port();
my $onward = Onward::Test::Daemon->new(upstream => $back);
my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 4096,
    ReuseAddr => 1, LocalPort => $onward->port) or die "listen: $@\n";
$onward->{log} = $onward->dir . '/log';

sub start () {
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDERR, '>>', $onward->{log};
        dup2(fileno $socket, 3);
        $ENV{LISTEN_PID} = $$;
        $ENV{LISTEN_FDS} = 1;
        exec binary(), '-c', $onward->conf, 'serve' or _exit(127);
    }
    $onward->{pid} = $pid;
}

my $driver = Onward::Test::Robust->new(
    upstream => $back, onward => $onward->port, s => 20, r => 50, l => 200,
);
start();
$driver->go;
sleep 0.5;
my @down;
for (1 .. $times) {
    my $from = time;
    is $onward->stop, 0, 'stopped' or last;
    start();
    # Up again when it speaks.
    Onward::Test::Client->new($onward->port)->quit;
    push @down, time - $from;
    sleep 0.5;
}
$driver->stop;
my $book = $driver->book;
$driver->holds('restart');
is $book->{refused}, 0, 'no connection is refused';
is $book->{attempts}, $book->{messages}, 'nobody had to come again';
is $book->{duplicates}, 0, 'nothing came twice';
note sprintf '%d restarts, %.0f ms each at most; %s', $times,
    1000 * (sort { $a <=> $b } @down)[-1],
    $driver->figures(qw(accepted refused lost deferred greeting_p50
        greeting_max message_p50 message_max));
$onward->ends_well;
done_testing;
