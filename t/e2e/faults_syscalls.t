# Every system call of one message fails in turn, with each error that it may
# have, or is the last one (kill -9): the message is acknowledged whole or not at all, our own trouble is 4xx,
# and the message after it goes through.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary strace);
plan skip_all => 'LeakSanitizer and strace exclude each other' if sanitized();
plan skip_all => 'strace may not trace here'
    if system('strace -o /dev/null true 2>/dev/null') != 0;

# What is not here cannot be survived: libuv aborts when epoll fails, and the
# kernel closes for us (V4).
my %errors = (
    accept4    => [qw(EMFILE ENFILE ENOMEM ECONNABORTED EINTR)],
    read       => [qw(ECONNRESET EINTR EAGAIN ETIMEDOUT)],
    write      => [qw(EPIPE ECONNRESET EINTR EAGAIN)],
    writev     => [qw(EPIPE ECONNRESET EINTR EAGAIN)],
    socket     => [qw(EMFILE ENFILE ENOMEM EACCES)],
    connect    => [qw(ECONNREFUSED ETIMEDOUT EADDRNOTAVAIL ENETUNREACH)],
    openat     => [qw(ENOSPC EROFS EACCES EMFILE ENFILE EOPNOTSUPP EINTR)],
    pwrite64   => [qw(ENOSPC EDQUOT EIO EINTR)],
    pread64    => [qw(EIO EINTR)],
    sendfile   => [qw(EAGAIN EPIPE ECONNRESET EIO EINVAL EINTR ENOMEM)],
    setsockopt => [qw(ENOBUFS ENOPROTOOPT)],
    getsockopt => [qw(ENOBUFS)],
    shutdown   => [qw(ENOTCONN)],
    poll       => [qw(EINTR ENOMEM)],
    recvfrom   => [qw(EINTR ECONNRESET)],
    ftruncate  => [qw(EIO)],
    fcntl      => [qw(EBADF)],
);
my $calls = join ',', map {"?$_"} sort keys %errors;

my $upstream = Onward::Test::Upstream->new;
my $onward   = Onward::Test::Daemon->new(
    upstream          => $upstream->port,
    upstream_settings => 'connect_timeout = "1s"; reply_timeout = "2s";'
        . ' idle_timeout = "0s";',
    settings => 'limits = { message_memory = "4K"; };',
)->start;
my $content = "From: alice\@sender.example\r\nSubject: fault\r\n\r\n"
    . join '', map { sprintf "line %05d of the body\r\n", $_ } 1 .. 6000;
my @to = qw(fwd.x@public.example bob@public.example);

# strace on the running daemon: its pid and what it writes.
sub attach (@expressions) {
    state $n = 0;
    state $dir = scratch('strace');
    my $out = "$dir/" . ++$n;
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDERR, '>', "$out.err";
        exec 'strace', '-f', '-y', '-o', $out, map({ ('-e', $_) } @expressions),
            '-p', $onward->pid
            or _exit(127);
    }
    wait_until(seconds(5), sub { -e "$out.err" && slurp("$out.err") =~ /attached/ })
        or die "strace: ", slurp("$out.err");
    return ($pid, $out);
}

sub detach ($pid, $out, $how = 'INT') {
    kill $how => $pid;
    waitpid $pid, 0;
    return slurp($out);
}

# One message; what was said at each step, as far as it got.
sub mail () {
    my @said;
    my $client = eval {
        Onward::Test::Client->new($onward->port, timeout => 4) };
    push @said, $client ? $client->greeting : '';
    for my $line ('EHLO client.example',
        'XFORWARD NAME=mail.sender.example ADDR=192.0.2.7',
        'MAIL FROM:<alice@sender.example>', map({"RCPT TO:<$_>"} @to), 'DATA')
    {
        return \@said if $said[-1] !~ /^2/;
        push @said, $client->cmd($line);
    }
    return \@said if $said[-1] !~ /^3/;
    push @said, $client->content($content);
    $client->quit if $said[-1] ne '';
    return \@said;
}

# What was committed since the last time.
sub committed () {
    my @paths = glob $upstream->dir . '/*.commit';
    my @all   = map { slurp($_) } @paths;
    unlink @paths;
    return @all;
}

# Complaints about what became of a message; none is right.
sub judge ($said, @commits) {
    my @wrong;
    my $accepted = @$said == 8 && $said->[-1] =~ /^2/;
    push @wrong, "said: $said->[-1]" if $said->[-1] =~ /^5/;
    push @wrong, scalar @commits . ' commits of a message that was accepted'
        if $accepted && @commits != 2;
    push @wrong, scalar @commits . ' commits' if @commits > 2;
    for my $commit (@commits) {
        push @wrong, 'a commit is not whole'
            if substr($commit, -3) ne ".\r\n"
            || index($commit, $content) != length($commit) - 3
            - length($content);
        my @rcpt = $commit =~ /^RCPT TO:<(.*?)>/mg;
        push @wrong, "recipients @rcpt" if @rcpt != 1;
    }
    return @wrong;
}

# Recorded
my ($pid, $out) = attach("trace=$calls");
my $said = mail();
sleep 0.05;
my $trace = detach($pid, $out);
is_deeply [judge($said, committed())], [], 'without a fault';
my %count;
for (split /\n/, $trace) {
    my ($thread, $call) = /^(\d+)\s+(\w+)\(/ or next;
    $count{$call}{$thread}++;
}
my @cases;
for my $call (sort keys %count) {
    my ($most) = sort { $b <=> $a } values %{ $count{$call} };
    for my $when (1 .. $most) {
        push @cases, [$call, $_, $when] for @{ $errors{$call} // [] }, 'KILL';
    }
}
cmp_ok scalar @cases, '>', 50, scalar @cases . ' faults to make';

# Some of them, always others, unless all are wanted.
if (!$ENV{ONWARD_TEST_ALL}) {
    my @chosen;
    # Each call and error once at least, at one of its places.
    my %by;
    push @{ $by{"$_->[0] $_->[1]"} }, $_ for @cases;
    push @chosen, $by{$_}[rand @{ $by{$_} }] for sort keys %by;
    @cases = @chosen;
}

my ($injected, $accepted, $refused) = (0, 0, 0);
my $daemon = $onward->pid;
for my $case (@cases) {
    my ($call, $error, $when) = @$case;
    my ($pid, $out) = attach("trace=?$call",
        "inject=?$call:"
            . ($error eq 'KILL' ? 'signal' : 'error')
            . "=$error:when=$when");
    my $said = mail();
    my $hit;
    if ($error eq 'KILL') {
        # strace does not always notice that all threads are gone.
        detach($pid, $out, 'KILL');
        $hit = wait_until(0.1, sub { $onward->reap });
        $onward->start if $hit;
        $daemon = $onward->pid;
    } else {
        my $trace = detach($pid, $out);
        # In each thread that comes so far.
        $hit = join "\n", grep {/INJECTED/} split /\n/, $trace;
        # libuv's own wake-up cannot fail like this, and the loop would
        # sleep for ever.
        if ($hit && $hit =~ /<(?:anon_inode:\[eventfd\]|pipe:)/) {
            $onward->kill;
            $onward->start;
            $daemon = $onward->pid;
            committed();
            next;
        }
    }
    sleep 0.01;
    my @wrong = judge($said, committed());
    my $after = mail();
    push @wrong, map {"after it: $_"} judge($after, committed());
    push @wrong, "after it: $after->[-1]" if $after->[-1] !~ /^250/;
    if (!kill 0 => $daemon or $onward->reap) {
        push @wrong, 'the daemon has ended';
        $onward->start;
        $daemon = $onward->pid;
    }
    $injected++ if $hit;
    $said->[-1] =~ /^250/ && @$said == 8 ? $accepted++ : $refused++;
    is_deeply \@wrong, [], "$call $when: $error" or diag explain $said;
}
note scalar @cases . " cases, $injected faults: the message was accepted"
    . " $accepted times, not accepted $refused times";
cmp_ok $injected, '>', @cases / 2, 'most faults were made';
$onward->ends_well;
done_testing;
