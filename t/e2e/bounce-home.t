# Bounces that a real Postfix makes itself: they pass no smtpd, so the SRS
# domain's transport brings them to us. Whatever the sender looked like, he is
# told; on another host with the same secret, and after a restart, too.

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

my $back  = free_port();
my $sink  = Onward::Test::Sink->new(
    rules => { 'RCPT TO:<me@private' => '550 5.1.1 no such user' });
my %host = (
    upstream => $back,
    key      => '',
);
my $onward = Onward::Test::Daemon->new(%host);
my $other  = Onward::Test::Daemon->new(%host);
spew($_->conf, slurp($_->conf) =~ s/srs = \{/srs = { long_sender = "store";/r)
    for $onward;
$_->start for $onward, $other;

# Mail comes in by the first host; what the second one is asked for depends on
# the transport.
my $postfix = Onward::Test::Postfix->new(
    sink      => $sink->port,
    fronts    => { front => $onward->port, second => $other->port },
    ports     => { reinject => $back },
    transport => { 'srs.public.example' => $onward->port },
    main      => "smtputf8_autodetect_classes = all\n",
)->start;

sub forward ($from, $front = 'front', @more) {
    my $client = Onward::Test::Client->hello($postfix->port($front));
    my $reply  = $client->cmd(join ' ', "MAIL FROM:<$from>", @more);
    return $reply if $reply !~ /^2/;
    $reply = $client->cmd('RCPT TO:<fwd.x@public.example>');
    return $reply if $reply !~ /^2/;
    $client->cmd('DATA');
    return $client->content("From: a\@sender.example\r\nSubject: x\r\n\r\nx\r\n");
}

sub comes_home ($from, $name, $to = $from, @more) {
    $sink->clear;
    like forward($from, 'front', @more), qr/^250 .*queued as/,
        "$name: forwarded, and refused by the next hop";
    my $home = $sink->wait_to($to, 30);
    ok $home, "$name: the bounce is there"
        or return diag $onward->log, $postfix->log;
    is $home->{from}, '', "$name: from nobody";
    like $home->{data}->(), qr/Subject: Undelivered Mail.*no such user/s,
        "$name: Postfix' own, with the reason";
    ok $postfix->drained, "$name: nothing is left";
}

comes_home('alice@sender.example', 'a sender');
comes_home('Alice.Smith+tag=x@Sender.example', 'an odd sender');
comes_home('"alice smith"@sender.example', 'a quoted sender');
comes_home("j\xc3\xbcrgen\@sender.example", 'a sender that is not ASCII',
    "j\xc3\xbcrgen\@sender.example", 'SMTPUTF8');
comes_home('SRS0=HO2F=7G=origin.example=bob@a.example',
    'a sender that another forwarder made');
comes_home(
    'SRS1=y84I=a.example==HO2F=7G=origin.example=bob@b.example',
    'a sender that two forwarders made: to the first of them',
    'SRS0=HO2F=7G=origin.example=bob@a.example'
);
my $long = 'bounces+1234567-89ab-me=private.example-0123456789@news.sender.example';
comes_home($long, 'a long sender, stored');

subtest 'the store survives a restart' => sub {
    $sink->clear;
    $sink->rules({ 'RCPT TO:<me@private' => '450 4.2.0 not now' });
    like forward($long), qr/^250 /, 'the next hop is not ready';
    ok $postfix->logged(qr/to=<me\@private.*status=deferred/), 'deferred';
    $onward->stop;
    $onward->start;
    $sink->rules({ 'RCPT TO:<me@private' => '550 5.1.1 no such user' });
    $postfix->command('flush');
    ok $sink->wait_to($long, 30), 'the bounce finds the sender';
};

subtest 'a forged bounce from outside is not passed on' => sub {
    $sink->clear;
    my $client = Onward::Test::Client->hello($postfix->port('front'));
    $client->cmd('MAIL FROM:<>');
    like $client->cmd(
        'RCPT TO:<SRS0=abcdef=7G=sender.example=alice@srs.public.example>'),
        qr/^550 5\.7\.1 /, 'refused';
    is $sink->count, 0, 'nothing went out';
};

subtest 'one of our own SRS addresses that is forged ends at Postfix' => sub {
    # Straight to the queue, as a bounce would come: past all smtpd.
    $sink->clear;
    my $dir = $postfix->config;
    open my $in, '|-', 'sendmail', '-C', $dir, '-f', '',
        'SRS0=abcdef=7G=sender.example=alice@srs.public.example'
        or die "sendmail: $!\n";
    print $in "Subject: forged\n\nx\n";
    close $in;
    ok $postfix->logged(qr/550 5\.7\.1 Invalid SRS address/),
        'refused by Onward';
    ok $postfix->drained(30), '... and it does not go round';
    is $sink->count, 0, 'nothing went out';
};

subtest 'a host with the same secret knows the addresses of the other' => sub {
    $sink->clear;
    $sink->rules({});
    like forward('alice@sender.example'), qr/^250 /, 'one host forwards';
    my $out = $sink->wait_to('me@private.example')
        or return fail('it arrives');
    $sink->clear;
    my $client = Onward::Test::Client->hello($postfix->port('second'));
    like $client->transaction('', $out->{from}, "Subject: b\r\n\r\nb\r\n"),
        qr/^250 /, 'the other one takes the bounce';
    ok $sink->wait_to('alice@sender.example'), 'it comes home';

    $sink->clear;
    like forward('dora@sender.example', 'second'), qr/^250 /,
        'the other host forwards';
    $out = $sink->wait_to('me@private.example') or return fail('it arrives');
    $client = Onward::Test::Client->hello($postfix->port('front'));
    like $client->transaction('', $out->{from}, "Subject: b\r\n\r\nb\r\n"),
        qr/^250 /, 'the first one takes the bounce';
    ok $sink->wait_to('dora@sender.example'), 'it comes home';
};

$onward->ends_well;
$other->ends_well;
done_testing;
