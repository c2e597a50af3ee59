# A log that does not take what is written: syslog that is not there, that
# nobody reads, that is restarted; the journal stopped. Mail flows on, lines
# wait or are dropped, and what is dropped is counted. In a mount namespace of
# its own, where /dev/log and the journal's socket are the test's.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Http;
use Onward::Test::Upstream;

need qw(binary root);

if (!$ENV{ONWARD_OWN_MOUNTS}) {
    system('unshare --mount true 2>/dev/null') == 0
        or plan skip_all => 'unshare --mount is refused here';
    $ENV{ONWARD_OWN_MOUNTS} = 1;
    exec 'unshare', '--mount', 'sh', '-ec', <<'END', 'sh', $^X, (map {"-I$_"} @INC), $0, @ARGV;
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/dev
mount --rbind /dev /run/dev
mount -t tmpfs tmpfs /dev
for name in null zero full random urandom tty; do
    : >/dev/$name
    mount --bind /run/dev/$name /dev/$name
done
ln -s /proc/self/fd /dev/fd
exec "$@"
END
}

my $upstream = Onward::Test::Upstream->new;
my $message  = "From: a\@sender.example\r\nSubject: x\r\n\r\nx\r\n";
my %path = (syslog => '/dev/log', journal => '/run/systemd/journal/socket');
my $port  = free_port();
my $flood = 300; # lines of 5 KiB: more than are kept

sub daemon ($target) {
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port);
    spew($onward->conf, slurp($onward->conf)
            =~ s/log = \{[^}]*\}/log = { target = "$target"; }/r
            =~ s/http = \{[^}]*\}/http = { listen = "127.0.0.1:$port"; }/r);
    return $onward;
}

# Whoever takes what is logged.
sub listen_at ($path) {
    unlink $path;
    return IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path)
        // die "$path: $!\n";
}

# What has come, until it matches or nothing more comes for three seconds.
sub heard ($socket, $until, $lines = []) {
    my $select = IO::Select->new($socket);
    while (!grep {/$until/} @$lines) {
        last if !$select->can_read(seconds(3));
        defined recv $socket, my $octets, 262144, 0 or last;
        push @$lines, $octets;
    }
    return $lines;
}

# Messages with long lines; how many were not taken, and how many late.
sub flood ($onward, $count) {
    my $client = Onward::Test::Client->hello($onward->port);
    my ($refused, $late) = (0, 0);
    my @to = map { sprintf('%s%02d@%s.public.example', 'r' x 60, $_, join '.', ('d' x 60) x 2) } 1 .. 12;
    for (1 .. $count) {
        my $from = time;
        $client->pipeline('MAIL FROM:<a@sender.example>', (map {"RCPT TO:<$_>"} @to), 'DATA');
        $refused++ if $client->content($message) !~ /^250 /;
        $late++ if time() - $from > seconds(2);
    }
    $client->quit;
    return ($refused, $late);
}

sub mail ($onward, $to = 'bob') {
    my $client = Onward::Test::Client->hello($onward->port);
    my $reply = $client->transaction('a@sender.example', "$to\@public.example", $message);
    $client->quit;
    return $reply;
}

sub dropped_total () {
    my %series = Onward::Test::Http->new($port)->metrics;
    return $series{onward_log_dropped_lines_total};
}

sub ends ($onward) {
    my $from = time;
    is $onward->stop, 0, 'stops when told to';
    cmp_ok time() - $from, '<', seconds(5), '... without waiting for the log';
}

for my $target (qw(syslog journal)) {
    subtest "$target: nobody reads" => sub {
        my $socket = listen_at($path{$target});
        my $onward = daemon($target)->start;
        my ($refused, $late) = flood($onward, $flood);
        is $refused, 0, "$flood messages go through";
        is $late,    0, '... none of them late';
        my $dropped = dropped_total();
        cmp_ok $dropped, '>', 0, "$dropped lines were dropped, and counted";
        my $lines = heard($socket, qr/lines dropped/);
        my @sent  = grep {/status=sent/} @$lines;
        my ($said) = map { /log: (\d+) lines dropped/ ? $1 : () } @$lines;
        is $said, $dropped, 'and it says so once somebody reads';
        is @sent + $said, $flood, 'each line was kept or counted';
        like mail($onward), qr/^250 /, 'mail goes on';
        heard($socket, qr/orig_to=<bob\@public\.example>/, my $later = []);
        is scalar(grep {/orig_to=<bob\@/} @$later), 1, 'and so does the log';
        ends($onward);
    };

    subtest "$target: not there, then there, then restarted" => sub {
        unlink $path{$target};
        my $onward = daemon($target)->start;
        like mail($onward), qr/^250 /, 'mail without a log';
        my $socket = listen_at($path{$target});
        my $lines = heard($socket, qr/status=sent/);
        is scalar(grep {/started, version/} @$lines), 1,
            'the first line waited for it';
        is scalar(grep {/status=sent/} @$lines), 1, 'so did the message';

        # Stopped: its socket is a name that nobody listens to.
        close $socket;
        for (1 .. 3) { like mail($onward, "bob$_"), qr/^250 /, 'mail while it is down' }
        $socket = listen_at($path{$target});
        $lines = heard($socket, qr/orig_to=<bob3@/);
        is scalar(grep {/status=sent/} @$lines), 3, 'no line was lost';
        is dropped_total(), 0, 'and none counted as lost';
        ends($onward);
    };

}

subtest 'syslog: gone for good' => sub {
    unlink $path{syslog};
    my $onward = daemon('syslog')->start;
    my ($refused, $late) = flood($onward, $flood);
    is $refused, 0, "$flood messages go through";
    is $late,    0, '... none of them late';
    cmp_ok dropped_total(), '>', 0, 'dropped lines are counted';
    ends($onward);
};

# "auto" finds nothing but standard error, a pipe that is full.
subtest 'auto: no syslog, no journal, and standard error is full' => sub {
    unlink values %path;
    my $onward = daemon('auto');
    pipe(my $reader, my $writer) or die "pipe: $!\n";
    fcntl $writer, 1031, 4096; # F_SETPIPE_SZ
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        close $reader;
        open STDERR, '>&', $writer;
        exec binary(), '-c', $onward->conf, 'serve' or POSIX::_exit(127);
    }
    close $writer;
    $onward->{pid} = $pid;
    $onward->{log} = '/dev/null';
    wait_until(seconds(5),
        sub { eval { Onward::Test::Client->new($onward->port); 1 } });
    my ($refused, $late) = flood($onward, $flood);
    is $refused, 0, "$flood messages go through";
    is $late,    0, '... none of them late';
    cmp_ok dropped_total(), '>', 0, 'dropped lines are counted';
    ends($onward);
};

done_testing;
