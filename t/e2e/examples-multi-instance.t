# postfix-examples/multi-instance: two instances of postmulti, Onward between.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Debian;
use Onward::Test::Example;
use Onward::Test::Sink;

need(qw(root binary postfix postmulti Mail::DKIM));
Onward::Test::Example->enter;

my $sink = Onward::Test::Sink->new;
my $example = Onward::Test::Example->new(
    name => 'multi-instance', domain => 'srs.public.example',
);
# postmulti puts the instances' directories beside those of the first one.
my $dir = scratch('multi');
mkdir "$dir/$_", 0755 for qw(spool lib);
my $postfix = Onward::Test::Example::Postfix->new(sink => $sink->port);
$postfix->prepare;
$postfix->postconf('-e', "queue_directory = $dir/spool/postfix",
    "data_directory = $dir/lib/postfix");
mkdir "$dir/$_", 0755 for qw(spool/postfix lib/postfix);

$example->script($_) for qw(instances.sh main.cf.sh master.cf.sh);
# Where mail goes out to, and the log.
for my $instance (qw(postfix-in postfix-out)) {
    my $log = $postfix->dir . "/$instance.log";
    run_out('postconf', '-c', "/etc/$instance", '-e',
        "maillog_file = $log", 'maillog_file_prefixes = ' . $postfix->dir,
        'smtp_host_lookup = native', 'smtp_dns_support_level = disabled',
        'smtpd_peername_lookup = no', 'inet_protocols = ipv4',
        'mynetworks = 127.0.0.2/32', "relayhost = [127.0.0.1]:${\$sink->port}",
        "relay_transport = smtp:[127.0.0.1]:${\$sink->port}",
        'compatibility_level = 3.6', 'notify_classes =');
    mkdir "$dir/spool/$instance/etc", 0755;
    spew("$dir/spool/$instance/etc/services", slurp('/etc/services'));
    on_exit(sub { system("postfix -c /etc/$instance stop >/dev/null 2>&1") });
    my $said = `postmulti -i $instance -p start 2>&1`;
    is($?, 0, "postmulti -i $instance -p start") or diag($said);
}
my $onward = Onward::Test::Daemon->run($example->conf, 10025);
$postfix->greets or die "port 25 does not answer\n";

sub logs () {
    return map { eval { slurp($postfix->dir . "/$_.log") } // '' }
        qw(postfix-in postfix-out);
}
my $message = join "\r\n", 'From: Alice <alice@sender.example>',
    'Subject: x', 'Date: Tue, 24 Nov 2026 10:00:00 +0000',
    'Message-ID: <1@sender.example>', '', 'hello', '';
sub front () { return Onward::Test::Client->hello(25) }

like(front()->transaction('alice@sender.example', 'fwd.shop@public.example',
    $message), qr/^250 .*queued as/, 'mail to an alias is accepted')
    or diag(logs());
my $there = $sink->wait_to('me@private.example') or die join '', logs();
like($there->{from}, qr/^SRS0=.*\@srs\.public\.example$/,
    'and leaves with an SRS sender');
is_deeply($example->signatures($there), ['srs.public.example pass'],
    'signed');
like(front()->transaction('', $there->{from}, $message), qr/^250 /,
    'a bounce is accepted');
ok($sink->wait_to('alice@sender.example'), 'and reaches the sender');
like(front()->transaction('alice@sender.example', 'bob@public.example',
    $message), qr/^250 /, 'mail to a mailbox');
is($sink->wait_to('bob@public.example')->{from}, 'alice@sender.example',
    'stays as it is');
for (['an unknown address', 'nobody@public.example'],
    ['a forged SRS address', $there->{from} =~ s/^SRS0=.../SRS0=xyz/r]) {
    my $client = front();
    $client->cmd('MAIL FROM:<>');
    like($client->cmd("RCPT TO:<$_->[1]>"), qr/^550 5\.1\.1/,
        "$_->[0] is refused by postfix-in");
    $client->quit;
}
$sink->rules({ 'TO:<me@private' => '550 5.1.1 no such user' });
like(front()->transaction('carol@sender.example', 'fwd.gone@public.example',
    $message), qr/^250 /, 'mail that will bounce');
ok($sink->wait_to('carol@sender.example', 30),
    'comes back to its sender by postfix-out') or diag(logs());

my ($in, $out) = logs();
like($in, qr{postfix-in/smtpd.* proxy-accept}, 'one instance lets in');
unlike($in, qr/postfix-in\/qmgr\[\d+\]: \w+: from=/, 'and has no queue');
like($out, qr{postfix-out/reinject/smtpd}, 'the other delivers');
$onward->ends_well;
done_testing;
