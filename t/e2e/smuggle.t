# A stranger ends the content in a spelling that the front takes for content
# and a Postfix behind it takes for the end. A filter that passes octets
# through lets a second, forged message in; Onward in its place does not.
#
# The careless attack sends all of it at once. Since 3.9 Postfix refuses octets
# that have arrived before they may, so the careful one sends each part when
# the one before has had its reply, padded so that it fills the front's output
# buffer to the last octet and is not held back there.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep);
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

my $version = postfix_version();
my ($early) = postfix_default('smtpd_forbid_unauth_pipelining');
note "Postfix $version, smtpd_forbid_unauth_pipelining = ", $early // 'unknown';

my $header = "From: stranger\@sender.example\r\nSubject: outer\r\n\r\n";
my $end    = ".\r\r\n";
my @forged = ('MAIL FROM:<evil@smuggled.example>',
    'RCPT TO:<victim@local.example>');
my $content = join "\r\n", 'From: ceo@local.example', 'Subject: smuggled', '',
    'pay now', '';

# A session that is ready to send content.
sub begin ($front) {
    $sink->clear;
    my $client = Onward::Test::Client->hello($postfix->port($front));
    for my $line ('MAIL FROM:<stranger@sender.example>',
        'RCPT TO:<bob@public.example>') {
        like $client->cmd($line), qr/^250/, "$front: $line";
    }
    like $client->cmd('DATA'), qr/^354/, "$front: DATA";
    return $client;
}

# What came out at the end, after the last octets went in.
sub finish ($front, $client) {
    $client->send(".\r\n");
    like $client->reply, qr/^250 .*queued as/, "$front: one reply";
    $client->quit;
    # Both went the same way; when the outer one is there and the queue is
    # empty, no other will come.
    $sink->wait_to('bob@public.example');
    $postfix->drained;
    return $sink->messages;
}

sub careless ($front) {
    my $client = begin($front);
    $client->send(join "\r\n", $header . "A\r\n" . substr($end, 0, -2), @forged,
        'DATA', $content);
    return finish($front, $client);
}

# ---- the front's output buffer ----

# What it sent to the relay of a message's content.
sub passed_on () { return $relay->said =~ /^DATA\r\n(.*)\z/ms ? $1 : '' }

# Lines of this length in all, each end included; $start begins each.
sub padding ($length, $start = 'x') {
    my $lines = '';
    while ($length > 0) {
        my $line = $length < 1000 ? $length : $length < 1100 ? 500 : 900;
        $lines .= $start . 'x' x ($line - 2 - length $start) . "\r\n";
        $length -= $line;
    }
    return $lines;
}

# The size of the buffer, and what the front puts on top of a content: from a
# message that is sent a little at a time until some of it is passed on.
my ($buffer, $on_top);
{
    my $client = begin('transparent');
    $client->send($header);
    for (1 .. 4096) {
        $client->send(padding(1024));
        last if wait_until(0.02, sub { passed_on() ne '' });
    }
    my $last = '';
    wait_until(seconds(10), sub {
        my $now = passed_on();
        return 1 if $now ne '' && $now eq $last;
        $last = $now;
        sleep 0.3;
        return 0;
    });
    $buffer = length $last;
    $on_top = index $last, $header;
    $client->send(".\r\n");
    like $client->reply, qr/^250/, 'a message that shows the buffer';
    $client->quit;
    cmp_ok $buffer, '>', 1000, "it has $buffer octets";
    cmp_ok $on_top, '>', 0, "and begins with $on_top octets of the front";
    $sink->wait_to('bob@public.example');
}

# Each part waits for the back's reply to the one before, as a stranger does
# who knows how long that takes.
sub careful ($front) {
    my $client = begin($front);
    my $had = () = $relay->said(undef, 'server') =~ /^(?:250 .*queued|354)/mg;
    my $replied = sub {
        return sleep 1 if $front ne 'transparent';
        my $more = wait_until(seconds(3), sub {
            my $has = () = $relay->said(undef, 'server')
                =~ /^(?:250 .*queued|354)/mg;
            return $has > $had && $has;
        });
        $had = $more if $more;
    };
    $client->send($header
            . padding($buffer - $on_top - length($header) - length $end) . $end);
    $replied->();
    # Lines that are no commands are refused, one by one.
    my $commands = join '', map {"$_\r\n"} @forged, 'DATA';
    $client->send(padding($buffer - length $commands, 'XPAD ') . $commands);
    $replied->();
    $client->send($content);
    return finish($front, $client);
}

sub is_smuggled ($how, @out) {
    is scalar @out, 2, "through a transparent filter, $how: two messages come out";
    is_deeply [sort map { $_->{from} } @out],
        [qw(evil@smuggled.example stranger@sender.example)],
        '... one of them with a forged sender';
    my ($smuggled) = grep { $_->{from} =~ /^evil/ } @out;
    is_deeply $smuggled->{to}, ['victim@local.example'],
        '... to a domain that is not ours: an open relay';
}

sub is_text ($how, @out) {
    is scalar @out, 1, "through Onward, $how: one message comes out";
    is $out[0]{from}, 'stranger@sender.example', '... the outer one';
    is_deeply $out[0]{to}, ['bob@public.example'], '... to its own recipient';
    like $out[0]{data}->(), qr/^MAIL FROM:<evil/m,
        '... and the forged transaction is text in it';
    unlike $out[0]{data}->(), qr/\r(?!\n)/, '... without a bare CR';
}

# From 3.12 on the front itself passes no such end on.
SKIP: {
    skip "Postfix $version is not careless", 3
        if ($early // 'no') ne 'no' || $version >= 3.012;
    is_smuggled('at once', careless('transparent'));
}
SKIP: {
    skip "Postfix $version lets none through", 3 if $version >= 3.012;
    # It depends on when packets come: a stranger tries again, and so do we.
    my @out;
    for (1 .. 5) {
        @out = careful('transparent');
        last if @out == 2;
    }
    is_smuggled('part by part', @out);
}
is_text('at once', careless('onward'));
is_text('part by part', careful('onward'));

$onward->ends_well;
done_testing;
