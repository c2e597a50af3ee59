# Signatures that take long give way to everything else, and are done
# nevertheless: on a machine without an idle moment, and where the process may
# not choose its class.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

use constant SCHED_IDLE => 5;

my $message = "From: alice\@sender.example\r\nSubject: x\r\n\r\nx\r\n";

sub onward_with ($bits, %opt) {
    my $dir = scratch('lanes');
    mkdir "$dir/$_", 0750 for 'dkim', 'dkim/srs.public.example';
    spew("$dir/dkim/srs.public.example/s2026.pem",
        slurp(top() . "/t/data/dkim/keys/rsa$bits.pem"), 0640);
    my $upstream = Onward::Test::Upstream->new;
    return ($upstream, Onward::Test::Daemon->new(
        upstream => $upstream->port, dir => $dir, %opt)->start);
}

# How often a thread was seen in the idle class while messages came.
sub watch ($onward, $seconds) {
    my $seen = 0;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        my $client = Onward::Test::Client->hello($onward->port);
        while (1) {
            $client->transaction('alice@sender.example',
                'fwd.x@public.example', $message) =~ /^250 /
                or POSIX::_exit(1);
        }
    }
    my $end = time + $seconds;
    while (time < $end) {
        $seen++ if grep { $_ == SCHED_IDLE } classes($onward);
        sleep 0.001;
    }
    kill KILL => $pid;
    waitpid $pid, 0;
    return $seen;
}

sub classes ($onward) {
    my @classes;
    for my $stat (glob '/proc/' . $onward->pid . '/task/*/stat') {
        open my $fh, '<', $stat or next;
        my $line = <$fh> // next;
        push @classes, (split ' ', $line =~ s/^.*\) //r)[38];
    }
    return @classes;
}

sub sent ($onward, $count) {
    my $client = Onward::Test::Client->hello($onward->port,
        timeout => seconds(20));
    my $from = time;
    my @replies = map {
        $client->transaction('alice@sender.example', 'fwd.x@public.example',
            $message)
    } 1 .. $count;
    $client->quit;
    return (time - $from, grep {/^250 /} @replies);
}

subtest 'long ones are done in the idle class' => sub {
    plan skip_all => 'only root is sure to be allowed that' if $> != 0;
    my ($upstream, $onward) = onward_with(4096);
    cmp_ok watch($onward, 0.5), '>', 5, 'RSA-4096: seen there';
    ok wait_until(seconds(5),
        sub { !grep { $_ == SCHED_IDLE } classes($onward) }),
        '... and not when it is done';
    $onward->ends_well;
    ($upstream, $onward) = onward_with(2048);
    is watch($onward, 0.5), 0, 'RSA-2048: never';
    $onward->ends_well;
};

# With three that want each processor, a thread in the idle class would need
# minutes for what follows: its share is a thousandth.
subtest 'no idle moment' => sub {
    my ($upstream, $onward) = onward_with(4096);
    my @busy = map {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) { 1 while getppid() != 1; POSIX::_exit(0) }
        $pid;
    } 1 .. 3 * `nproc`;
    my ($seconds, @accepted) = sent($onward, 20);
    kill KILL => @busy;
    waitpid $_, 0 for @busy;
    is scalar @accepted, 20, 'twenty are signed and accepted';
    cmp_ok $seconds, '<', seconds(30), '... which the share of an idle one does not allow';
    note sprintf 'in %.2f s beside %d that never rest', $seconds, scalar @busy;
    $onward->ends_well;
};

subtest 'without the privilege' => sub {
    plan skip_all => 'only root has it, and setpriv takes it away'
        if $> != 0 || system('setpriv --version >/dev/null 2>&1') != 0;
    my ($upstream, $onward) = onward_with(4096,
        under => [qw(setpriv --bounding-set=-sys_nice --)]);
    is watch($onward, 0.5), 0, 'never in the idle class, from which is no way back';
    my ($seconds, @accepted) = sent($onward, 5);
    is scalar @accepted, 5, '... and signed and accepted';
    $onward->ends_well;
};

done_testing;
