# Many sessions, few descriptors, slow and silent peers: what is too much waits
# or is told to come again, and nothing spins, grows or gets lost.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Select;
use POSIX qw(_exit);
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

sub descriptors ($onward) {
    return scalar(() = glob "/proc/" . $onward->pid . "/fd/*");
}

subtest 'limits.sessions' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        settings => 'limits = { sessions = 10; };')->start;
    my @clients = map { Onward::Test::Client->hello($onward->port) } 1 .. 10;
    is(scalar(grep { $_->ehlo =~ /^250/ } @clients), 10, 'ten sessions');
    my $extra = Onward::Test::Client->hello($onward->port);
    like($extra->greeting, qr/^220 /, 'one more is greeted');
    like($extra->cmd('MAIL FROM:<a@sender.example>'), qr/^451 4\.3\.2 /,
        '... and told to come again');
    my $waiting = Onward::Test::Client->new($onward->port, greeting => 0);
    is($waiting->reply(1), '', 'past ten percent more they wait');
    my $before = cpu($onward);
    sleep 1;
    cmp_ok(cpu($onward) - $before, '<', 0.2, '... and nothing spins');
    $clients[0]->quit;
    like($waiting->reply, qr/^220 /, 'until one has gone');
    like(mail($clients[1]), qr/^250 /, 'mail flows');
    $_->close for @clients, $extra, $waiting;
    ok(wait_until(seconds(5), sub {
            mail(Onward::Test::Client->hello($onward->port)) =~ /^250 / }),
        'and then it is as ever');
    $onward->ends_well;
};

subtest 'few descriptors' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port);
    my $binary = binary();
    {
        my $dir = $onward->dir;
        local $ENV{ONWARD} = spew("$dir/limited",
            "#!/bin/sh\nulimit -n 64\nexec $binary \"\$@\"\n", 0755);
        $onward->start;
    }
    my @clients = map {
        Onward::Test::Client->new($onward->port, greeting => 0) } 1 .. 100;
    my @greeted = grep { $_->reply(0.05) =~ /^220/ } @clients;
    cmp_ok(scalar @greeted, '>', 3, scalar @greeted . ' of 100 are greeted');
    cmp_ok(scalar @greeted, '<', 30, '... the others wait');
    my $before = cpu($onward);
    sleep 1;
    cmp_ok(cpu($onward) - $before, '<', 0.2, '... and nothing spins');
    $_->cmd('EHLO x') for @greeted;
    my @replies = map { mail($_) } @greeted;
    is(scalar(grep {/^250 /} @replies), scalar @greeted,
        'who was let in gets mail through');
    cmp_ok(descriptors($onward), '<=', 64, 'within the limit');
    my %greeted = map { $_ => 1 } @greeted;
    $_->close for @greeted;
    my @rest = grep { !$greeted{$_} } @clients;
    my $later = 0;
    for my $client (@rest) {
        $later++ if $client->reply =~ /^220/;
        $client->close;
    }
    is($later, scalar @rest, 'all the others had their turn');
    $onward->ends_well;
};

subtest 'a client that does not read' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port)->start;
    my $client = Onward::Test::Client->hello($onward->port);
    my $memory = $onward->memory;
    my $noops = "NOOP\r\n" x 10_000;
    my $sent = 0;
    # As much as fits: it must stop reading, not collect replies.
    $client->{timeout} = 1;
    while ($sent < 500) {
        $client->send($noops) or last;
        $sent++;
    }
    cmp_ok($sent, '<', 500, 'it is not read without end');
    cmp_ok($onward->memory - $memory, '<', sanitized() ? 65536 : 2048,
        'its replies are not collected');
    my $before = cpu($onward);
    sleep 1;
    cmp_ok(cpu($onward) - $before, '<', 0.2, 'nothing spins');
    like(mail(Onward::Test::Client->hello($onward->port)), qr/^250 /,
        'others are served');
    $client->close;
    $onward->ends_well;
};

subtest 'an upstream that reads slowly' => sub {
    my $upstream = Onward::Test::Upstream->new(
        CONTENT => sub ($server, $conversation, $piece) { sleep 0.02 });
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port)->start;
    my $client = Onward::Test::Client->hello($onward->port);
    my $body = join '', map { sprintf "%06d %s\r\n", $_, 'x' x 70 }
        1 .. 100_000;
    my $memory = $onward->memory;
    my $sent = fork // die;
    if ($sent == 0) {
        my $peak = 0;
        for (1 .. 20) {
            my $now = $onward->memory;
            $peak = $now if $now > $peak;
            sleep 0.1;
        }
        _exit($peak - $memory < (sanitized() ? 65536 : 4096) ? 0 : 1);
    }
    like($client->transaction('a@sender.example', 'bob@public.example',
            "Subject: x\r\n\r\n$body"), qr/^250 /, 'all of it goes through');
    waitpid $sent, 0;
    is($?, 0, '... and is not held in memory');
    my ($commit) = $upstream->committed;
    ok($commit =~ /\Q$body\E/, '... octet for octet');
    $onward->ends_well;
};

subtest 'upstream connections' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        upstream_settings => 'idle_timeout = "1s";')->start;
    my $probes = $upstream->connections;
    for (1 .. 5) {
        my $client = Onward::Test::Client->hello($onward->port);
        like(mail($client), qr/^250 /, "message $_");
        $client->quit;
    }
    is($upstream->connections - $probes, 1, 'one connection for five messages');
    ok(wait_until(seconds(4), sub { $upstream->received =~ /QUIT\r\n\z/ }),
        'QUIT after idle_timeout');
    mail(Onward::Test::Client->hello($onward->port));
    is($upstream->connections - $probes, 2, 'then a new one');
    # Restarted: what is idle is stale, and nobody notices.
    $upstream->stop;
    $upstream->start;
    like(mail(Onward::Test::Client->hello($onward->port)), qr/^250 /,
        'upstream was restarted');
    $onward->ends_well;

    my $once = Onward::Test::Upstream->new;
    $onward = Onward::Test::Daemon->new(upstream => $once->port,
        upstream_settings => 'idle_timeout = "0s";')->start;
    my $first = $once->connections;
    for (1 .. 3) {
        my $client = Onward::Test::Client->hello($onward->port);
        mail($client);
        $client->quit;
    }
    is($once->connections - $first, 3, 'idle_timeout "0s": never reused');
    ok(wait_until(seconds(2), sub { $once->received =~ /QUIT\r\n\z/ }),
        '... and each says QUIT');
    $onward->ends_well;
};

subtest 'an idle connection that speaks is not used again' => sub {
    my $upstream = Onward::Test::Upstream->new(
        RSET => sub ($server, $conversation, $line) { '250 Ok' },
        DOT => sub ($server, $conversation, $line) {
            $conversation->commit;
            $conversation->say_raw("250 2.0.0 Ok: queued as X\r\n");
            sleep 0.3;
            return '421 4.4.2 timeout exceeded';
        });
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        upstream_settings => 'idle_timeout = "60s";')->start;
    my $before = $upstream->connections;
    like(mail(Onward::Test::Client->hello($onward->port)), qr/^250 /, 'one');
    sleep 0.6;
    like(mail(Onward::Test::Client->hello($onward->port)), qr/^250 /, 'two');
    is($upstream->connections - $before, 2, '... on another connection');
    $onward->ends_well;
};

# As after the suspension of a virtual machine: what arrived meanwhile counts,
# not that the time is over.
subtest 'stopped for longer than a deadline' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        settings => 'timeouts = { command = "2s"; };')->start;
    my $client = Onward::Test::Client->hello($onward->port);
    my $silent = Onward::Test::Client->hello($onward->port);
    sleep 1;
    kill STOP => $onward->pid;
    $client->send("NOOP\r\n");
    sleep 2;
    kill CONT => $onward->pid;
    like($client->reply, qr/^250 /, 'a command that came in time');
    like($silent->reply, qr/^421 4\.4\.2 /, 'none came: 421');
    $_->close for $client, $silent;
    $onward->ends_well;
};

subtest 'allow_from' => sub {
    my ($address) = run_out('hostname', '-I') =~ /^([\d.]+)/;
    plan skip_all => 'needs an address that is not loopback' unless $address;
    my $upstream = Onward::Test::Upstream->new;
    for my $allowed (0, 1) {
        my $onward = Onward::Test::Daemon->new(upstream => $upstream->port);
        my $port = $onward->port;
        my $network = $allowed ? "$address/32" : '198.51.100.0/24';
        spew($onward->conf, slurp($onward->conf)
                =~ s/"127\.0\.0\.1:$port";/"0.0.0.0:$port"; allow_from = ( "$network" );/r);
        $onward->start;
        my $socket = IO::Socket::INET->new(PeerAddr => $address,
            PeerPort => $port, LocalAddr => $address) or die "connect: $@";
        is(substr($socket->getline // 'closed', 0, 4),
            $allowed ? '220 ' : 'clos',
            $allowed ? 'from an allowed network' : 'from elsewhere: closed');
        like(Onward::Test::Client->new($port)->greeting, qr/^220 /,
            'loopback always');
        $onward->ends_well;
    }
};

subtest 'memory' => sub {
    plan skip_all => 'not with sanitizers' if sanitized();
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port)->start;
    my $idle = $onward->memory;
    # Pages of libraries are most of it: OpenSSL 3.5 has 2 MB more than 3.0.
    my $own = $onward->memory('RssAnon');
    cmp_ok($own, '<=', 3072, "idle: $own KiB of its own");
    cmp_ok($idle, '<=', 12288, "idle: $idle KiB with the libraries");
    my @clients = map { Onward::Test::Client->hello($onward->port) } 1 .. 500;
    my $each = ($onward->memory - $idle) / 500;
    cmp_ok($each, '<=', 8, sprintf 'a session: %.1f KiB', $each);
    $_->close for @clients;
    $onward->ends_well;
};

done_testing;
