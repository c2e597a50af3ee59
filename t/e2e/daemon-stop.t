# SIGTERM: nobody new, those between transactions get 421, transactions end
# within timeouts.drain; then it ends with 0, whatever was left.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

my $message = "From: a\@sender.example\r\nSubject: x\r\n\r\nx\r\n";

sub into_data ($onward, $to = 'fwd.x@public.example') {
    my $client = Onward::Test::Client->hello($onward->port);
    $client->cmd('MAIL FROM:<a@sender.example>');
    $client->cmd("RCPT TO:<$to>");
    like($client->cmd('DATA'), qr/^354/, 'a transaction is under way');
    return $client;
}

subtest 'drain' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port)->start;
    my $port = $onward->port;
    my $idle = Onward::Test::Client->hello($port);
    my $fresh = Onward::Test::Client->new($port);
    my $busy = into_data($onward);
    $busy->send('From: a@sender.exa');

    kill TERM => $onward->pid;
    like($idle->reply, qr/^421 4\.3\.2 /, 'between transactions: 421');
    ok($idle->closed, '... and it is closed');
    like($fresh->reply, qr/^421 4\.3\.2 /, 'nothing said yet: 421');
    ok(!eval { Onward::Test::Client->new($port, timeout => 2)->greeting
                =~ /^220/ }, 'nobody new is welcome');
    ok(!$onward->reap, 'it waits for the transaction');
    kill TERM => $onward->pid;
    sleep 0.3;
    ok(!$onward->reap, '... also when it is told twice');
    $busy->send("mple\r\nSubject: x\r\n\r\nx\r\n.\r\n");
    like($busy->reply, qr/^250 .*queued as UP/, '... which ends well');
    like($busy->reply, qr/^421 4\.3\.2 /, '... and then 421');
    ok(wait_until(seconds(5), sub { $onward->reap }), 'it has ended');
    is($onward->{status}, 0, '... with exit 0');
    is(scalar($upstream->committed), 1, 'one message');
    ok($onward->logged(qr/stopping on SIGTERM: \d sessions, 1 transactions/),
        'the log says that it stops');
    ok($onward->logged(qr/stopped$/), '... and that it has stopped');
};

subtest 'timeouts.drain' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        settings => 'timeouts = { drain = "1s"; };')->start;
    my $client = into_data($onward);
    $client->send($message);
    my $before = time;
    is($onward->stop, 0, 'a client that never ends: exit 0');
    my $took = time() - $before;
    cmp_ok($took, '>', 0.9, '... after the time');
    cmp_ok($took, '<', seconds(2), '... and no later');
    is(scalar($upstream->committed), 0, 'nothing was committed');
    unlike($upstream->received(0), qr/^\.\r/m, 'no dot went upstream');
    ok($onward->logged(qr/timeouts\.drain is over: 1 sessions are cut off/),
        'the log says so');
    ok($onward->logged(qr/status=aborted|status=deferred/),
        '... and what became of the transaction');
};

subtest 'upstream does not answer the dot' => sub {
    my $upstream = Onward::Test::Upstream->new(
        DOT => sub ($server, $conversation, $line) { $conversation->hang });
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        settings => 'timeouts = { drain = "1s"; };')->start;
    my $client = into_data($onward);
    $client->send("$message.\r\n");
    ok(wait_until(seconds(5), sub { $upstream->received(0) =~ /^\.\r/m }),
        'the dot went out');
    is($onward->stop, 0, 'exit 0');
    unlike($client->reply, qr/^2/, 'no 250');
};

subtest 'signals at once' => sub {
    my $upstream = Onward::Test::Upstream->new;
    for my $signal (qw(TERM INT)) {
        my $onward = Onward::Test::Daemon->new(upstream => $upstream->port)
            ->start;
        kill $signal => $onward->pid;
        ok(wait_until(seconds(5), sub { $onward->reap }), "SIG$signal ends it");
        is($onward->{status}, 0, '... with exit 0');
    }
    # While it probes a silent upstream, before it listens.
    my $silent = Onward::Test::Server->new(
        handler => sub ($server, $socket, $n) { sleep 60 });
    my $onward = Onward::Test::Daemon->new(upstream => $silent->port);
    my $pid = fork // die;
    if ($pid == 0) {
        open STDERR, '>', '/dev/null';
        exec binary(), '-c', $onward->conf, 'serve' or POSIX::_exit(127);
    }
    sleep 0.5;
    kill TERM => $pid;
    waitpid $pid, 0;
    is($?, 0, 'SIGTERM during the start probe');
};

subtest 'idle upstream connections say QUIT' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        upstream_settings => 'idle_timeout = "60s";')->start;
    my $client = Onward::Test::Client->hello($onward->port);
    like($client->transaction('a@sender.example', 'bob@public.example',
            $message), qr/^250/, 'a message');
    $client->quit;
    unlike($upstream->received, qr/^QUIT/m, 'the connection is kept');
    is($onward->stop, 0, 'exit 0');
    ok(wait_until(seconds(2), sub { $upstream->received =~ /^QUIT\r\n\z/m }),
        'QUIT at the end');
};

done_testing;
