# `onward trace` on what a real Postfix logs, with long queue ids: a message
# forwarded and bounced, one that became several, one that was refused.

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

my $back = free_port();
my $sink = Onward::Test::Sink->new(
    rules => { 'RCPT TO:<gone@private' => '550 5.1.1 no such user' });
my $onward = Onward::Test::Daemon->new(
    upstream => $back,
    key      => '',
    aliases  => '{ match = "fwd.gone@public.example"; to = ( "gone@private.example" ); },'
        . '{ match = "fwd.no@public.example"; action = "reject"; reply = "550 5.1.6 no longer here"; },'
        . '{ match = "fwd.two@public.example"; to = ( "me@private.example", "info@public.example" ); }',
);
# Its lines go where Postfix' go, as on a host with syslog.
my $postfix = Onward::Test::Postfix->new(
    sink      => $sink->port,
    fronts    => { front => $onward->port },
    ports     => { reinject => $back },
    transport => { 'srs.public.example' => $onward->port },
    main      => "enable_long_queue_ids = yes\n",
);
my $log = $postfix->dir . '/mail.log';
spew($onward->conf, slurp($onward->conf)
        =~ s/log = \{[^}]*\}/log = { target = "file:$log"; }/r);
$onward->start;
$postfix->start;

sub mail ($from, $to) {
    my $client = Onward::Test::Client->hello($postfix->port('front'));
    my $reply  = $client->transaction($from, $to,
        "From: a\@sender.example\r\nSubject: x\r\n\r\nx\r\n");
    $client->quit;
    return $reply;
}

# What happened, one word a line: "front", "onward", "reinject", "cleanup"...
sub story ($what) {
    my $told = run_out(binary(), 'trace', '--file', $log, $what);
    my @who  = $told =~ m{^  \S+.* (?:postfix/)?([a-z]+)(?:/smtpd)?$}mg;
    my %seen;
    return (
        $told,
        scalar(() = $told =~ /^message /mg),
        join ' ', sort grep { !$seen{$_}++ } @who
    );
}

subtest 'forwarded, refused by the next hop, and the bounce comes home' => sub {
    my ($id) = mail('alice@sender.example', 'fwd.gone@public.example')
        =~ /^250 .*queued as (\w{12,})$/
        or return fail('taken, with a long queue id');
    ok $sink->wait_to('alice@sender.example', 20), 'Alice has the bounce';
    ok $postfix->drained, 'nothing is left';
    ok $postfix->logged(qr/to=<alice\@sender\.example>.*status=sent/), 'logged';
    my ($told, $count, $who) = story($id);
    is $count, 1, 'one story';
    is $who, 'bounce cleanup front onward qmgr reinject smtp', 'by all of them';
    like $told, qr/proxy-accept: .*to=<fwd\.gone\@/, 'the front took it';
    like $told, qr/client=unknown.*orig_to=<fwd\.gone\@/, 'Onward had it';
    like $told, qr/status=bounced.*non-delivery.*orig_to=<SRS0=/s,
        'bounced, then back through Onward';
    like $told, qr/to=<alice\@sender\.example>.*status=sent/, 'and home';
    my ($session) = $told =~ /^      (\w+): client=.*orig_to=<fwd\.gone/m;
    is +(story($session))[0], $told, 'the same by the session';
    is +(story('fwd.gone@public.example'))[0], $told, 'the same by the address';
};

subtest 'one recipient leaves, one stays' => sub {
    my ($last) = mail('bob@sender.example', 'fwd.two@public.example')
        =~ /queued as (\w+)$/ or return fail('taken');
    ok $postfix->drained, 'nothing is left';
    ok $postfix->logged(qr/to=<info\@public\.example>.*status=sent/), 'logged';
    my ($told, $count) = story($last);
    is $count, 1, 'one story';
    like $told, qr/to=<me\@private\.example>, relay=.*status=sent/, 'of the one';
    like $told, qr/to=<info\@public\.example>, relay=.*status=sent/, 'and the other';
    unlike $told, qr/alice/, 'and of nobody else';
    my ($ids) = $told =~ /queued=(\w+,\w+)/;
    is +(story($_))[0], $told, "the same by $_" for split /,/, $ids // '';
};

subtest 'refused' => sub {
    like mail('alice@sender.example', 'fwd.no@public.example'), qr/^550 5\.1\.6/,
        'the reply';
    my $line = $postfix->logged(qr/orig_to=<fwd\.no.*status=rejected/);
    my ($session) = $line =~ /: (\w+): client=/;
    my ($told, $count, $who) = story($session);
    is $count, 1,              'one story';
    is $who,   'front onward', 'by the two who know of it';
    like $told, qr/rejected "RCPT TO:<fwd\.no/, 'what Postfix said of it';
};

$onward->ends_well;
done_testing;
