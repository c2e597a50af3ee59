# An alias whose target is a forwarder back to the alias: a real Postfix plays
# all three parts. The message goes round once, is stopped when it comes back,
# and its sender is told.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Postfix;
use Onward::Test::Sink;

need qw(binary root postfix);

my ($back, $front, $friend) = (free_port(), free_port(), free_port());
my $sink   = Onward::Test::Sink->new;
my $onward = Onward::Test::Daemon->new(
    upstream => $back,
    key      => '',
    aliases  => '{ match = "fwd.*@public.example";'
        . ' to = ( "mirror@friend.example" ); },'
        . '{ match = "both@public.example";'
        . ' to = ( "mirror@friend.example", "bob@public.example" ); }',
)->start;

# friend.example: a forwarder of the plain kind, which changes no sender. What
# it forwards to public.example comes to the front like anybody's mail.
my $postfix = Onward::Test::Postfix->new(
    sink      => $sink->port,
    fronts    => { front => $onward->port },
    ports     => { reinject => $back, front => $front, friend => $friend },
    accept    => [
        '/^(fwd\..*|both)@public\.example$/',
        '/^srs[01][-+=].*@srs\.public\.example$/',
    ],
    transport => {
        'srs.public.example' => $onward->port,
        'friend.example'     => $friend,
        'fwd.home@public.example' => $front,
    },
    main => 'virtual_alias_maps = inline:'
        . '{mirror@friend.example=fwd.home@public.example}',
    services => "127.0.0.1:$friend inet n - n - - smtpd\n"
        . "  -o syslog_name=postfix/friend\n"
        . "  -o smtpd_proxy_filter=\n"
        . "  -o mynetworks=127.0.0.0/8\n"
        . "  -o smtpd_relay_restrictions=permit_mynetworks,reject\n",
)->start;

sub send_to ($to) {
    return Onward::Test::Client->hello($postfix->port('front'))->transaction(
        'alice@sender.example', $to,
        "From: alice\@sender.example\r\nSubject: round\r\n\r\nround\r\n");
}

my $reply = send_to('fwd.home@public.example');
like $reply, qr/^250 .*queued as/, 'the message is accepted';
my $bounce = $sink->wait_to('alice@sender.example', 30);
ok $bounce, 'the sender is told' or diag $onward->log, $postfix->log;
if ($bounce) {
    is $bounce->{from}, '', 'by a bounce';
    like $bounce->{data}->(), qr/554 5\.4\.6 Mail forwarding loop/,
        '... that says why';
    like $bounce->{data}->(), qr/^Final-Recipient: rfc822; *fwd\.home\@public\.example/m,
        '... and where';
}
ok $postfix->drained, 'nothing is left that goes round';
is $sink->count, 1, 'nobody got anything else';
is scalar(grep {/to=<mirror\@friend\.example>.*status=sent/} $onward->lines), 1,
    'one round';
ok $onward->logged(qr/status=rejected, reason=loop/), 'the log says so';

$sink->clear;
like send_to('both@public.example'), qr/^250 /,
    'an alias with a target at home as well';
ok $sink->wait_to('alice@sender.example', 30), 'the sender is told of the loop';
ok $postfix->drained, 'nothing is left';

$onward->ends_well;
done_testing;
