# What a peer can make grow or wait has a bound, and who meets it is told so.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Socket::INET;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

my $message = "From: a\@sender.example\r\nSubject: x\r\n\r\nx\r\n";

sub mail ($client) {
    return $client->transaction('a@sender.example', 'bob@public.example',
        $message);
}

# Processor time in seconds.
sub cpu ($onward) {
    my @stat = split / /, slurp("/proc/" . $onward->pid . "/stat") =~ s/.*\) //r;
    return ($stat[11] + $stat[12]) / 100;
}

# A daemon with this many descriptors.
sub limited ($descriptors, %opt) {
    my $onward = Onward::Test::Daemon->new(%opt,
        under => ['sh', '-c', "ulimit -n $descriptors; exec \"\$@\"", 'sh']);
    return $onward->start;
}

# A session holds up to three descriptors: whoever is let in has them.
subtest 'all that are let in at once' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = limited(120, upstream => $upstream->port);
    my @clients = map { Onward::Test::Client->new($onward->port,
        greeting => 0) } 1 .. 50;
    my @in = grep { $_->reply(0.2) =~ /^220/ } @clients;
    cmp_ok scalar @in, '>=', 12, scalar @in . ' are greeted';
    cmp_ok scalar @in, '<', 50, '... the others wait';
    $_->cmd('EHLO x') for @in;
    my @mail = map { $_->cmd('MAIL FROM:<a@sender.example>') } @in;
    is scalar(grep { !/^250 / } @mail), 0, 'each of them may begin';
    for my $client (@in) {
        $client->cmd('RCPT TO:<bob@public.example>');
        $client->cmd('DATA');
        $client->send($message);
    }
    my $open = () = glob '/proc/' . $onward->pid . '/fd/*';
    cmp_ok $open, '<=', 120, "$open descriptors";
    my @done = map { $_->send(".\r\n"); $_->reply } @in;
    is scalar(grep {/^250 /} @done), scalar @in, 'and bring its message';
    my %in = map { $_ => 1 } @in;
    $_->close for @in;
    my @rest = map { $_->reply; $_->cmd('EHLO x'); mail($_) }
        grep { !$in{$_} } @clients;
    is scalar(grep { !/^250 / } @rest), 0, 'and then so do the others';
    $_->close for @clients;
    $onward->ends_well;
};

# 220 past the limit, and shorter deadlines before it.
subtest 'stress' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        settings => 'limits = { sessions = 10; };')->start;
    my @calm = map { Onward::Test::Client->hello($onward->port) } 1 .. 8;
    my $stressed = Onward::Test::Client->hello($onward->port);
    like $calm[7]->cmd('BOGUS'), qr/^502 /, 'below 80 %: an error is one';
    like $calm[7]->cmd('NOOP'), qr/^250 /, '... of twenty';
    like $stressed->cmd('BOGUS'), qr/^502 /, 'above: an error is told';
    like $stressed->reply, qr/^421 4\.7\.0 /, '... and is the last';
    ok $stressed->closed, '... the session ends';
    my $another = Onward::Test::Client->hello($onward->port);
    like mail($another), qr/^250 /, 'mail goes through as ever';
    $_->close for @calm, $another;
    $onward->ends_well;
};

# Accept fails, and goes on failing: no busy loop, no loss.
my $strace = Onward::Test::find_program('strace');
$strace = undef if !$strace || sanitized()
    || system("$strace -o /dev/null true 2>/dev/null") != 0;
my @errors = qw(EMFILE ENOMEM);
push @errors, qw(ENFILE ENOBUFS EPERM EPROTO) if $ENV{ONWARD_TEST_ALL};
for my $error (@errors) {
    SKIP: {
        skip "accept4 $error: needs strace, without AddressSanitizer", 1
            if !$strace;
        subtest "accept: $error" => sub {
            my $upstream = Onward::Test::Upstream->new;
            my $onward
                = Onward::Test::Daemon->new(upstream => $upstream->port)->start;
            my $before = Onward::Test::Client->hello($onward->port);
            my $trace = attach($onward, "inject=accept4:error=$error");
            my $waiting = Onward::Test::Client->new($onward->port,
                greeting => 0);
            my $start = cpu($onward);
            is $waiting->reply(0.7), '', 'it waits';
            cmp_ok cpu($onward) - $start, '<', 0.15, '... and nothing spins';
            like mail($before), qr/^250 /, 'others are served';
            kill TERM => $trace;
            waitpid $trace, 0;
            like $waiting->reply, qr/^220 /, 'and then it has its turn';
            $_->close for $waiting, $before;
            $onward->ends_well;
        };
    }
}

# strace on a running daemon; its pid.
sub attach ($onward, @expressions) {
    my $out = scratch('strace') . '/out';
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDERR, '>', "$out.err";
        exec $strace, '-f', '-o', $out, map({ ('-e', $_) } @expressions),
            '-p', $onward->pid
            or POSIX::_exit(127);
    }
    wait_until(seconds(5), sub { -e "$out.err" && slurp("$out.err") =~ /attached/ });
    return $pid;
}

# The sum of what we may do before one reply.
subtest 'a reply that is owed' => sub {
    my $upstream = Onward::Test::Upstream->new(
        MAIL => sub ($server, $with, $line) { sleep 0.8; '250 Ok' },
        RCPT => sub ($server, $with, $line) { sleep 0.8; '250 Ok' },
    );
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        upstream_settings => 'reply_timeout = "2s"; idle_timeout = "0s";',
        aliases => '{ match = "many@public.example"; to = ( '
            . join(', ', map {"\"t$_\@public.example\""} 1 .. 8) . ' ); }',
    )->start;
    my $client = Onward::Test::Client->hello($onward->port);
    $client->cmd('MAIL FROM:<a@sender.example>');
    my $from  = time;
    my $reply = $client->cmd('RCPT TO:<many@public.example>');
    my $took  = time - $from;
    like $reply, qr/^451 4\.4\.2 /, 'eight targets, each 0.8 s: 451';
    cmp_ok $took, '<', seconds(2.5), sprintf '... after %.1f s', $took;
    like $client->cmd('RSET'), qr/^250 /, 'in step';
    $client->close;
    $onward->ends_well;
};

# A client that drips its content is bound by its pace, not only by its pauses;
# one that drips commands by the deadline of a command.
subtest 'slow clients' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        settings => 'timeouts = { command = "1s"; content = "1s"; };')->start;
    my $drip = Onward::Test::Client->hello($onward->port);
    my $from = time;
    my $end;
    for my $octet (split //, 'NOOP ' . 'x' x 40) {
        $drip->send($octet) or last;
        $end = time, last if $drip->reply(0.1) =~ /^421 4\.4\.2 /;
    }
    ok $end && $end - $from < seconds(3),
        'an octet each 100 ms is no command: 421';
    my $silent = Onward::Test::Client->hello($onward->port);
    $silent->pipeline('MAIL FROM:<a@sender.example>',
        'RCPT TO:<bob@public.example>', 'DATA');
    $silent->send("Subject: x\r\n");
    ok $silent->closed(seconds(3)), 'silent in content: closed';
    ok wait_until(seconds(3), sub {
            $upstream->received(0) =~ /bob/ && $onward->lines }),
        '... and logged';
    is scalar $upstream->committed, 0, 'nothing of it was committed';
    unlike $upstream->received(0), qr/^DATA/m, '... nor begun';
    $onward->ends_well;
};

# Connections that come and go without a word.
subtest 'a flood of connections' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port)->start;
    my $files = sub { scalar(() = glob '/proc/' . $onward->pid . '/fd/*') };
    mail(Onward::Test::Client->hello($onward->port));
    sleep 0.3;
    my ($open, $memory) = ($files->(), $onward->memory);
    my $count = $ENV{ONWARD_TEST_ALL} ? 100_000 : 3000;
    my $from  = time;
    for my $n (1 .. $count) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $onward->port, LocalAddr => '127.0.0.' . (1 + $n % 50));
        # Half of them with a reset.
        setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)
            if $socket && $n % 2;
        close $socket if $socket;
    }
    note sprintf '%d connections, %.0f a second', $count,
        $count / (time - $from);
    ok wait_until(seconds(5), sub { $files->() <= $open }), 'all are gone';
    cmp_ok $onward->memory - $memory, '<', 4096, 'and what they took'
        unless sanitized();
    sleep 0.5;
    my $before = cpu($onward);
    sleep 0.5;
    cmp_ok cpu($onward) - $before, '<', 0.05, 'nothing spins';
    like mail(Onward::Test::Client->hello($onward->port)), qr/^250 /,
        'mail flows';
    $onward->ends_well;
};

done_testing;
