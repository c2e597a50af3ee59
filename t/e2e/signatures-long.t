# Signatures that take long wait for one another, and every one of them is
# made: with fewer threads than messages, and when the process is told to stop.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

my $message = "From: alice\@sender.example\r\nSubject: x\r\n\r\nx\r\n";
my $dir = scratch('long');
mkdir "$dir/$_", 0750 for 'dkim', 'dkim/srs.public.example';
spew("$dir/dkim/srs.public.example/s2026.pem",
    slurp(top() . '/t/data/dkim/keys/rsa4096.pem'), 0640);
my $upstream = Onward::Test::Upstream->new;
local $ENV{UV_THREADPOOL_SIZE} = 3;
my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
    dir => $dir)->start;

sub at_content () {
    my $client = Onward::Test::Client->hello($onward->port);
    $client->cmd('MAIL FROM:<alice@sender.example>');
    $client->cmd('RCPT TO:<fwd.x@public.example>');
    like $client->cmd('DATA'), qr/^354 /, 'one more is at its content';
    return $client;
}

my @clients = map { at_content() } 1 .. 8;
$_->send("$message.\r\n") for @clients;
CORE::kill TERM => $onward->pid;
is scalar(grep { $_->reply =~ /^250 / } @clients), 8, 'all are accepted';
$_->close for @clients;
is scalar(grep {/^DKIM-Signature: /m} $upstream->committed), 8,
    '... with a signature each';
ok wait_until(seconds(10), sub { $onward->reap }), 'the process has ended';
$onward->ends_well;
done_testing;
