# Postfix behind may need a while before a new connection is greeted. Who waits
# for that gets a connection that another session has released; the new one is
# for whoever comes next, and is not dialled again.

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

my $closed  = scratch('handed') . '/closed';
my $message = "From: alice\@sender.example\r\nSubject: x\r\n\r\nx\r\n";

# New connections are greeted while this file is not there.
my $upstream = Onward::Test::Upstream->new(CONNECT => sub (@) {
    sleep 0.01 while -e $closed;
    return '220 upstream.example ESMTP';
});
my $onward = Onward::Test::Daemon->new(upstream => $upstream->port)->start;

sub asks () {
    my $client = Onward::Test::Client->hello($onward->port);
    $client->cmd('MAIL FROM:<alice@sender.example>');
    $client->send("RCPT TO:<fwd.x\@public.example>\r\n");
    return $client;
}

sub dialled ($number) {
    return wait_until(seconds(5), sub { $upstream->connections == $number });
}

sub ends ($client) {
    $client->cmd('DATA');
    return $client->content($message);
}

my $one = asks();
like $one->reply, qr/^250 /, 'one has a connection';
my $base = $upstream->connections;
spew($closed, '');
my $two = asks();
ok dialled($base + 1), 'the second needs another';
my $three = asks();
ok dialled($base + 2), '... so does the third';
like ends($one), qr/^250 /, 'the first is done';
like $two->reply, qr/^250 /, 'and the second has its connection';
like ends($two), qr/^250 /, '... is done';
like $three->reply, qr/^250 /, 'and the third';

# It is still in use; two that nobody waits for are there.
my @next = map { asks() } 1 .. 2;
sleep 0.2;
is $upstream->connections, $base + 2, 'the next two dial no more';
unlink $closed;
like $_->reply, qr/^250 /, '... but wait for these' for @next;
like ends($_), qr/^250 /, '... and are done' for $three, @next;
is scalar(my @committed = $upstream->committed), 5, 'five messages';
is scalar(grep { !/\r\n\r\nx\r\n\.\r\n\z/ } @committed), 0, '... whole';
$_->quit for $one, $two, $three, @next;

# Who waited leaves; what is spare is closed by upstream: nobody gets it.
$one = asks();
$one->reply;
my ($other, $third) = map { my $c = asks(); $c->reply; $c } 1 .. 2;
$base = $upstream->connections;
spew($closed, '');
my $leaves = asks();
ok dialled($base + 1), 'all are in use: another is dialled';
$leaves->close;
$two = asks();
ok dialled($base + 2), 'for the next one, too';
ends($one);
like $two->reply, qr/^250 /, 'who is still there gets what becomes free';
$upstream->stop;
$upstream->start;
unlink $closed;
$three = asks();
like $three->reply, qr/^250 /, 'what upstream has closed is not used';
like ends($three), qr/^250 /, '... but a new one';
# Their sockets live on in the upstream that was started since.
$_->half_close for $one, $two, $three, $other, $third;

# One is spare when the process is told to stop.
$one = asks();
$one->reply;
spew($closed, '');
$two = asks();
sleep 0.1;
ends($one);
like $two->reply, qr/^250 /, 'handed on again';
$_->quit for $one, $two;
$onward->ends_well;
unlink $closed;
done_testing;
