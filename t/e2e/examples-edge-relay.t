# postfix-examples/edge-relay: postscreen, cdb tables, speed_adjust, HAProxy
# with two Onwards, and one of them killed under load.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Socket::INET;
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Debian;
use Onward::Test::Example;
use Onward::Test::Sink;

need(qw(root binary postfix haproxy Mail::DKIM));
plan(skip_all => 'examples-edge-relay.t needs postfix-cdb')
    unless { postfix_tables() }->{cdb};
Onward::Test::Example->enter;

my $sink = Onward::Test::Sink->new;
my $example = Onward::Test::Example->new(
    name => 'edge-relay', domain => 'srs.isp.example',
);
my $map = binary() . ' map build';
for ('--type domains cdb:/var/lib/onward/domains domains',
    '--type pairs cdb:/var/lib/onward/mailboxes mailboxes',
    'cdb:/var/lib/onward/aliases aliases') {
    my $out = `cd /etc/onward && $map $_ 2>&1`;
    is($?, 0, "onward map build $_") or diag($out);
}

my $postfix = Onward::Test::Example::Postfix->new(
    sink => $sink->port,
    # The clients of this test are from loopback.
    main => join("\n", 'postscreen_greet_wait = 1s',
        'smtpd_client_connection_count_limit = 0',
        'smtpd_client_connection_rate_limit = 0',
        'postscreen_client_connection_count_limit = 200',
        'postscreen_access_list = cidr:{{127.0.0.0/8 permit}}'),
)->prepare;
$example->script($_) for qw(main.cf.sh master.cf.sh);
$postfix->postconf('-e', "relay_transport = smtp:[127.0.0.1]:${\$sink->port}");
$postfix->start;

my $check = `haproxy -c -f /etc/onward/haproxy.cfg 2>&1`;
is($?, 0, 'haproxy.cfg is one') or diag($check);
my $haproxy = fork // die "fork: $!\n";
if ($haproxy == 0) {
    open STDOUT, '>', '/run/haproxy.log';
    open STDERR, '>&', \*STDOUT;
    exec 'haproxy', '-db', '-f', '/etc/onward/haproxy.cfg' or _exit(127);
}
on_exit(sub { kill KILL => $haproxy; waitpid $haproxy, 0 });

sub answers ($address, $port) {
    return wait_until(seconds(15),
        sub { IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port) });
}
# Each has a state directory of its own: they are two hosts.
mkdir "/var/lib/onward/$_", 0700 for qw(a b);
sub host ($name, $address) {
    my $conf = $example->conf("$name.conf", sub ($text) {
        $text =~ s/127\.0\.0\.11/$address/gr
            . qq(state_directory = "/var/lib/onward/$name";\n);
    });
    # The log is found by directory.
    mkdir "/etc/onward/$name", 0755;
    rename $conf, "/etc/onward/$name/onward.conf" or die $!;
    my $onward = Onward::Test::Daemon->run("/etc/onward/$name/onward.conf",
        10025);
    answers($address, 10025) or die "Onward $name does not answer\n";
    return $onward;
}
my $a = host('a', '127.0.0.11');
my $b = host('b', '127.0.0.12');
# Both pass HAProxy's health check.
sleep 5;

my $message = join "\r\n", 'From: Alice <alice@sender.example>',
    'Subject: x', 'Date: Tue, 24 Nov 2026 10:00:00 +0000',
    'Message-ID: <1@sender.example>', '', 'hello', '';
sub front () { return Onward::Test::Client->hello(25) }

like(front()->transaction('alice@sender.example', 'info@customer.example',
    $message), qr/^250 .*queued as/, 'mail to an alias')
    or diag($postfix->log, $a->log, $b->log);
my $there = $sink->wait_to('info@elsewhere.example')
    or die $postfix->log;
like($there->{from}, qr/^SRS0=.*\@srs\.isp\.example$/, 'leaves');
is_deeply($example->signatures($there), ['srs.isp.example pass'], 'signed');
like(front()->transaction('alice@sender.example', 'sales@customer.example',
    $message), qr/^250 /, 'an alias with a local and a remote target');
is($sink->wait_to('bob@customer.example')->{from}, 'alice@sender.example',
    'what stays keeps its sender');
like($sink->wait_to('sales@elsewhere.example')->{from}, qr/^SRS0=/,
    'what leaves gets ours');
like(front()->transaction('', $there->{from}, $message), qr/^250 /,
    'a bounce');
ok($sink->wait_to('alice@sender.example'), 'comes home');
for (['an unknown address', 'nobody@customer.example'],
    ['a forged SRS address', $there->{from} =~ s/^SRS0=.../SRS0=xyz/r]) {
    my $client = front();
    $client->cmd('MAIL FROM:<>');
    like($client->cmd("RCPT TO:<$_->[1]>"), qr/^550 5\.1\.1/,
        "$_->[0] is refused in front");
    $client->quit;
}

# A table is built anew: both programs see it.
spew('/etc/onward/aliases', slurp('/etc/onward/aliases')
    . "new\@customer.example  new\@elsewhere.example\n");
is(system("cd /etc/onward && $map cdb:/var/lib/onward/aliases aliases"
    . ' >/dev/null'), 0, 'a new alias is built');
ok(
    wait_until(
        seconds(60),
        sub {
            front()->transaction('alice@sender.example',
                'new@customer.example', $message) =~ /^250 /;
        }
    ),
    'and works without a reload'
);
$sink->wait_to('new@elsewhere.example');

# Under load, one is killed.
$sink->clear;
my ($senders, $each) = (6, 25);
my $replies = scratch('load');
my @pids;
for my $n (1 .. $senders) {
    my $pid = fork // die "fork: $!\n";
    push @pids, $pid;
    next if $pid;
    my $log = '';
    for my $m (1 .. $each) {
        my $from = "u$n.$m\@sender.example";
        for my $try (1 .. 30) {
            my $reply = eval {
                front()->transaction($from, 'info@customer.example', $message)
            } // '';
            $log .= "$from $reply\n";
            last if $reply =~ /^2/;
            sleep 0.3;
        }
    }
    spew("$replies/$n", $log);
    _exit(0);
}
wait_until(seconds(30), sub { $sink->count >= 20 });
my @before = $sink->messages;
$a->kill;
waitpid $_, 0 for @pids;

my @lines = map { split /\n/, slurp("$replies/$_") } 1 .. $senders;
my @bad = grep { !/ [24]\d\d[ -]/ } @lines;
is(scalar @bad, 0, 'no client saw more than a 4xx') or diag(@bad[0 .. 4]);
my @done = grep {/ 250 /} @lines;
is(scalar @done, $senders * $each, 'every message was accepted in the end');
note(scalar(@lines) - @done, ' were told to come again');
my %arrived;
wait_until(seconds(60), sub {
    %arrived = ();
    for ($sink->messages) {
        $arrived{"$1\@$2"}++
            if $_->{from} =~ /=sender\.example=(u[\d.]+)\@srs()/;
    }
    return keys %arrived == $senders * $each;
});
is(scalar keys %arrived, $senders * $each, 'and arrived: nothing is lost');

# Addresses that either made are reversed by the one that is left.
my @made = (map {$_->{from}} @before)[0 .. 9];
my $reversed = 0;
for my $address (@made) {
    $reversed += front()->transaction('', $address, $message) =~ /^250 /;
}
is($reversed, scalar @made, 'bounces to what one made, the other reverses');
ok(
    wait_until(
        seconds(20),
        sub {
            10 == grep { ($_->{from} // 'x') eq ''
                && $_->{to}[0] =~ /\@sender\.example$/ } $sink->messages;
        }
    ),
    'and they come home'
);

$a = host('a', '127.0.0.11');
sleep 5;
ok(
    wait_until(
        seconds(30),
        sub {
            front()->transaction('alice@sender.example',
                'info@customer.example', $message);
            return $a->logged(qr/status=sent/, 0.2);
        }
    ),
    'the other comes back, and gets mail again'
);
$_->ends_well for $a, $b;
done_testing;
