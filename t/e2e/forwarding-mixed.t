# Mixed recipients on a real Postfix, with speed_adjust and without: what
# leaves and what stays, RCPT replies of the re-injection, an alias that is
# refused in part. With speed_adjust the front answers RCPT itself, and a
# refusal becomes a refusal of the message.

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

my ($back, $fast) = (free_port(), free_port());
my $sink   = Onward::Test::Sink->new;
my $onward = Onward::Test::Daemon->new(
    upstream => $back,
    aliases  => <<~'END',
        { match = "fwd.*@public.example"; to = ( "me@private.example" ); },
        { match = "team@public.example";
          to = ( "bob@public.example", "one@private.example" ); },
        { match = "part@public.example";
          to = ( "one@private.example", "bad@refused.example" ); }
        END
)->start;
my $postfix = Onward::Test::Postfix->new(
    sink   => $sink->port,
    fronts => { front => $onward->port },
    backs  => {},
    ports  => { reinject => $back, fast => $fast },
    accept => ['/^(fwd\..*|team|part)@public\.example$/'],
);
# The re-injection refuses one domain, and there is a front with speed_adjust.
$postfix->{services} = $postfix->smtpd(
    'reinject',
    grep({ !/^smtpd_recipient_restrictions=/ } $postfix->reinjection('full')),
    '{ smtpd_recipient_restrictions = check_recipient_access'
        . ' inline:{{refused.example = 550 5.1.1 nobody there}},'
        . ' permit_mynetworks, reject }',
    )
    . $postfix->smtpd(
    'fast',
    'virtual_alias_maps=regexp:' . $postfix->dir . '/etc/accept',
    'smtpd_proxy_filter=127.0.0.1:' . $onward->port,
    'smtpd_proxy_options=speed_adjust',
    );
$postfix->start;

my $alice = 'alice@sender.example';
my $content = "From: $alice\r\nSubject: mixed\r\n\r\nmixed\r\n";

# What came of a message, as "sender -> recipient", by recipient.
sub outcome ($n) {
    my @messages = $sink->wait_for($n);
    return sort map {
        my $from = $_->{from} =~ /^SRS0=.*=sender\.example=alice\@srs/
            ? 'SRS' : $_->{from};
        map {"$from -> $_"} @{ $_->{to} };
    } @messages;
}

sub hello ($front) {
    $sink->clear;
    return Onward::Test::Client->hello($postfix->port($front));
}

for my $front (qw(front fast)) {
    subtest "$front: what stays and what leaves, in either order" => sub {
        for my $order (0, 1) {
            my @to = ('bob@public.example', 'fwd.x@public.example');
            @to = reverse @to if $order;
            like hello($front)->transaction($alice, \@to, $content),
                qr/^250 .*queued as/, 'accepted';
            is_deeply [outcome(2)],
                ['SRS -> me@private.example', "$alice -> bob\@public.example"],
                'each from whom it should be';
        }
    };

    subtest "$front: an alias of both kinds beside a bystander" => sub {
        like hello($front)->transaction(
            $alice, ['carol@public.example', 'team@public.example'], $content),
            qr/^250 .*queued as/, 'accepted';
        my @got = outcome(2);
        is_deeply \@got,
            [
            'SRS -> one@private.example',
            "$alice -> bob\@public.example",
            "$alice -> carol\@public.example"
            ],
            'everybody got one' or diag explain \@got;
    };

    subtest "$front: a bounce to both" => sub {
        like hello($front)->transaction(
            '', ['bob@public.example', 'fwd.x@public.example'], $content),
            qr/^250 .*queued as/, 'accepted';
        is_deeply [outcome(2)],
            [' -> bob@public.example', ' -> me@private.example'],
            'from nobody, to both';
    };
}

subtest 'an alias is refused in part: refused, the others get it' => sub {
    my $client = hello('front');
    $client->cmd("MAIL FROM:<$alice>");
    like $client->cmd('RCPT TO:<fwd.x@public.example>'), qr/^250/, 'one alias';
    like $client->cmd('RCPT TO:<part@public.example>'),
        qr/^550 5\.1\.1 <bad\@refused\.example>: .*nobody there/,
        "the other is refused in the re-injection's own words";
    like $client->cmd('RCPT TO:<bob@public.example>'), qr/^250/, 'a mailbox';
    $client->cmd('DATA');
    like $client->content($content), qr/^250 .*queued as/, 'accepted';
    is_deeply [outcome(2)],
        ['SRS -> me@private.example', "$alice -> bob\@public.example"],
        'nobody of the refused alias got it';
    ok $postfix->drained, 'nothing is left';
    is $sink->count, 2, '... nor comes';
};

subtest 'with speed_adjust the whole message is refused, nobody gets it' => sub {
    my $client = hello('fast');
    $client->cmd("MAIL FROM:<$alice>");
    for my $to (qw(fwd.x part bob)) {
        like $client->cmd("RCPT TO:<$to\@public.example>"), qr/^250/,
            "the front takes $to";
    }
    $client->cmd('DATA');
    like $client->content($content), qr/^[45]\d\d /, 'the message is refused';
    ok $postfix->drained, 'nothing is left';
    is $sink->count, 0, 'nobody got it';
};

$onward->ends_well;
done_testing;
