# A stranger ends the content in a spelling that the front takes for content
# and a Postfix behind it takes for the end. A filter that passes octets
# through lets a second, forged message in; Onward in its place does not.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Postfix;
use Onward::Test::Relay;
use Onward::Test::Sink;

need qw(binary root postfix);

my $sink = Onward::Test::Sink->new;

# A back as Postfix ships it: what Onward sends must be safe there too.
my $back   = free_port();
my $relay  = Onward::Test::Relay->new(to => $back);
my $onward = Onward::Test::Daemon->new(upstream => $back)->start;
my $postfix = Onward::Test::Postfix->new(
    sink   => $sink->port,
    fronts => { transparent => $relay->port, onward => $onward->port },
    backs  => { back => 'default' },
    ports  => { back => $back },
)->start;

my $forged = join "\r\n",
    'MAIL FROM:<evil@smuggled.example>', 'RCPT TO:<victim@local.example>',
    'DATA', 'From: ceo@local.example', 'Subject: smuggled', '', 'pay now', '';
my $message = "From: stranger\@sender.example\r\nSubject: outer\r\n\r\n"
    . "A\r\n.\r\r\n$forged";

# What comes out at the end, after the same octets went into a front.
sub sent_through ($front) {
    $sink->clear;
    my $client = Onward::Test::Client->hello($postfix->port($front));
    for my $line ('MAIL FROM:<stranger@sender.example>',
        'RCPT TO:<bob@public.example>') {
        like $client->cmd($line), qr/^250/, "$front: $line";
    }
    like $client->cmd('DATA'), qr/^354/, "$front: DATA";
    $client->send("$message.\r\n");
    like $client->reply, qr/^250 .*queued as/, "$front: one reply";
    like $client->cmd('QUIT'), qr/^221/, "$front: nothing more to say";
    # Both went the same way; when the outer one is there and the queue is
    # empty, no other will come.
    $sink->wait_to('bob@public.example');
    $postfix->drained;
    return $sink->messages;
}

my @out = sent_through('transparent');
is scalar @out, 2, 'through a transparent filter two messages come out';
is_deeply [sort map { $_->{from} } @out],
    [qw(evil@smuggled.example stranger@sender.example)],
    '... one of them with a forged sender';
my ($smuggled) = grep { $_->{from} =~ /^evil/ } @out;
is_deeply $smuggled->{to}, ['victim@local.example'],
    '... to a domain that is not ours: an open relay';

@out = sent_through('onward');
is scalar @out, 1, 'through Onward one message comes out';
is $out[0]{from}, 'stranger@sender.example', '... the outer one';
is_deeply $out[0]{to}, ['bob@public.example'], '... to its own recipient';
like $out[0]{data}->(), qr/^MAIL FROM:<evil/m,
    '... and the forged transaction is text in it';
unlike $out[0]{data}->(), qr/\r(?!\n)/, '... without a bare CR';

$onward->ends_well;
done_testing;
