# The process stands still (SIGSTOP, a suspended machine) and the world goes on:
# who has given up meanwhile gets no message delivered behind his back.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

my $message = "From: alice\@sender.example\r\nSubject: x\r\n\r\nx\r\n";

sub in_data ($onward) {
    my $client = Onward::Test::Client->hello($onward->port);
    $client->pipeline('MAIL FROM:<alice@sender.example>',
        'RCPT TO:<fwd.x@public.example>', 'DATA');
    return $client;
}

# Its dot and its end are both there when we wake up.
for my $end (qw(close reset half_close)) {
    subtest "$end behind the dot, while we stand still" => sub {
        my $upstream = Onward::Test::Upstream->new;
        my $onward
            = Onward::Test::Daemon->new(upstream => $upstream->port)->start;
        my $client = in_data($onward);
        $client->send($message);
        sleep 0.1;
        kill STOP => $onward->pid;
        $client->send(".\r\n");
        $client->$end;
        sleep 0.1;
        kill CONT => $onward->pid;
        ok $onward->logged(qr/status=aborted, reason=client-gone/),
            'the log says who went';
        is scalar $upstream->committed, 0, 'nothing is committed';
        unlike $upstream->received(0), qr/^\.\r$/m, '... no dot was sent';
        $onward->ends_well;
    };
}

# Upstream answers while we stand still; that answer counts.
subtest 'upstream answered meanwhile' => sub {
    my $upstream = Onward::Test::Upstream->new(
        DOT => sub ($server, $with, $line) {
            $with->commit;
            sleep 0.3;
            return '250 2.0.0 Ok: queued as SLEPT';
        });
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        upstream_settings => 'reply_timeout = "1s";')->start;
    my $client = in_data($onward);
    $client->send("$message.\r\n");
    wait_until(seconds(5), sub { $upstream->committed });
    kill STOP => $onward->pid;
    sleep 1.5;    # past the time that we had to answer
    kill CONT => $onward->pid;
    like $client->reply, qr/^250 .*queued as SLEPT/,
        'the reply that lay there is relayed, though time is up';
    is scalar $upstream->committed, 1, 'one message';
    $client->quit;
    $onward->ends_well;
};

done_testing;
