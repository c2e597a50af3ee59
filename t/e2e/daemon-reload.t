# SIGHUP: the new configuration is in force within a second, for new sessions;
# a bad one changes nothing and says why; signals in a storm do no harm.

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

my $upstream = Onward::Test::Upstream->new;
my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
    local_domains => [qw(public.example private.example)])->start;
my $original = slurp($onward->conf);

# Where does an alias lead to, for a new session?
sub leads ($rcpt, $client = Onward::Test::Client->hello($onward->port)) {
    $client->cmd('MAIL FROM:<a@sender.example>');
    my $reply = $client->cmd("RCPT TO:<$rcpt>");
    return $reply unless $reply =~ /^250/;
    my @rcpts = $upstream->received(0) =~ /^RCPT TO:<([^>]*)>/mg;
    $client->cmd('RSET');
    return $rcpts[-1];
}

sub reload ($text) {
    spew($onward->conf . '.new', $text);
    rename $onward->conf . '.new', $onward->conf or die;
    kill HUP => $onward->pid;
}

is(leads('fwd.x@public.example'), 'me@private.example', 'as started');

my $old = Onward::Test::Client->hello($onward->port);
(my $changed = $original) =~ s/me\@private/you\@private/;
reload($changed);
my $before = time;
ok(wait_until(seconds(3),
        sub { leads('fwd.x@public.example') eq 'you@private.example' }),
    'the new target');
cmp_ok(time() - $before, '<', seconds(1), '... within a second');
is(leads('fwd.x@public.example', $old), 'me@private.example',
    'a session keeps what it began with');
ok($onward->logged(qr/reloaded .*onward\.conf/), 'the log says so');
$old->quit;

(my $bad = $changed) =~ s/max_targets|recipient_delimiter//g;
$bad =~ s/state_directory = "[^"]*"/state_directory = "\/nonexistent\/x"/;
$bad .= "\nlimits = { hops = 0; };\n";
reload($bad);
ok($onward->logged(qr/config: \S*onward\.conf:\d+: limits\.hops/),
    'a bad one: an error');
ok($onward->logged(qr/config: \S*onward\.conf:\d+: state_directory/),
    '... and the other');
ok($onward->logged(qr/not reloaded, the old one stays in force/),
    '... and what follows from it');
is(leads('fwd.x@public.example'), 'you@private.example', 'nothing changed');

(my $moved = $changed) =~ s/(127\.0\.0\.1):\d+(";\s*role)/"$1:" . free_port() . $2/e;
reload($moved);
ok($onward->logged(qr/listeners change only at a restart/),
    'a listener that moved: a warning');
is(leads('fwd.x@public.example'), 'you@private.example',
    '... and the old one goes on');

# Sessions under way while it is told to reload as fast as it can.
reload($changed);
my $failed = 0;
my $end = time + 2;
my $count = 0;
while (time() < $end) {
    kill HUP => $onward->pid for 1 .. 3;
    my $client = Onward::Test::Client->hello($onward->port);
    my $reply = $client->transaction('a@sender.example',
        'fwd.x@public.example', "Subject: x\r\n\r\nx\r\n");
    $failed++ if $reply !~ /^250 /;
    $count++;
    $client->quit;
    sleep 0.01;
}
is($failed, 0, "$count messages in a storm of SIGHUP");
cmp_ok($count, '>', 10, '... which is not few');

kill $_ => $onward->pid for qw(USR1 USR2 PIPE);
sleep 0.2;
is(leads('fwd.x@public.example'), 'you@private.example',
    'SIGUSR1, SIGUSR2 and SIGPIPE are ignored');
$onward->ends_well;

done_testing;
