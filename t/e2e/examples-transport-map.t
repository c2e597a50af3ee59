# postfix-examples/transport-map: content milters on port 25 first, then the
# alias domain by smtp(8).

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use POSIX qw(_exit);
use IO::Socket::INET;
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Debian;
use Onward::Test::Example;
use Onward::Test::Sink;

need(qw(root binary postfix opendkim Mail::DKIM));
Onward::Test::Example->enter;

my $sink = Onward::Test::Sink->new;
my $example = Onward::Test::Example->new(
    name => 'transport-map', domain => 'srs.alias.example',
);

# A content milter: OpenDKIM, which verifies and says so in a field.
spew('/etc/opendkim-test.conf', <<~'END');
    Mode v
    Socket inet:8891@127.0.0.1
    AuthservID mx.public.example
    AlwaysAddARHeader yes
    Background no
    END
my $milter = fork // die "fork: $!\n";
if ($milter == 0) {
    open STDERR, '>', '/dev/null';
    exec 'opendkim', '-f', '-x', '/etc/opendkim-test.conf' or _exit(127);
}
on_exit(sub { kill TERM => $milter; waitpid $milter, 0 });
wait_until(seconds(10),
    sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => 8891) });

my $postfix = Onward::Test::Example::Postfix->new(
    sink => $sink->port,
    main => 'smtpd_milters = inet:127.0.0.1:8891',
)->prepare;
$example->script($_) for qw(main.cf.sh master.cf.sh);
$postfix->start;
my $onward = Onward::Test::Daemon->run($example->conf, 10025);

my $message = join "\r\n", 'From: Alice <alice@sender.example>',
    'Subject: x', 'Date: Tue, 24 Nov 2026 10:00:00 +0000',
    'Message-ID: <1@sender.example>', '', 'hello', '';
sub front () { return Onward::Test::Client->hello(25) }

like(front()->transaction('alice@sender.example', 'fwd.shop@alias.example',
    $message), qr/^250 .*queued as/, 'mail to an alias is queued at once');
my $there = $sink->wait_to('me@private.example') or die $postfix->log;
like($there->{from}, qr/^SRS0=.*\@srs\.alias\.example$/,
    'and leaves with an SRS sender');
like($there->{data}->(), qr/^Authentication-Results: mx\.public\.example/m,
    'the content milter has seen it');
is(scalar(() = $there->{data}->() =~ /^Authentication-Results:/mg), 1,
    'once');
is_deeply($example->signatures($there), ['srs.alias.example pass'],
    'and the signature above its field holds');

like(front()->transaction('', $there->{from}, $message), qr/^250 /,
    'a bounce is accepted');
ok($sink->wait_to('alice@sender.example'), 'and reaches the sender');

like(front()->transaction('alice@sender.example', 'bob@alias.example',
    $message), qr/^250 /, 'an alias for a mailbox here');
my $bob = $sink->wait_to('bob@public.example');
is($bob && $bob->{from}, 'alice@sender.example',
    'stays, with the sender as it is');

for (['an unknown alias', 'nobody@alias.example'],
    ['a forged SRS address', $there->{from} =~ s/^SRS0=.../SRS0=xyz/r]) {
    my $client = front();
    $client->cmd('MAIL FROM:<>');
    like($client->cmd("RCPT TO:<$_->[1]>"), qr/^550 5\.1\.1/,
        "$_->[0] is refused on port 25");
    $client->quit;
}

# Our own bounce, for what the world refuses.
$sink->rules({ 'TO:<me@private' => '550 5.1.1 no such user' });
like(front()->transaction('carol@sender.example', 'fwd.gone@alias.example',
    $message), qr/^250 /, 'mail that will bounce');
ok($sink->wait_to('carol@sender.example', 30),
    'comes back to its sender') or diag($postfix->log);

# A stranger's mail in our name; who is local is known by XFORWARD.
$sink->rules({});
$sink->clear;
my $ours = $message =~ s/alice\@sender/ceo\@public/r;
my $stranger = Onward::Test::Client->hello(25, from => '127.0.0.2');
like($stranger->transaction('eve@sender.example', 'fwd.ceo@alias.example', $ours),
    qr/^250 /, 'a stranger says that it is from us');
my $lent = $sink->wait_to('me@private.example') or die $postfix->log;
is($lent->{from}, 'eve@sender.example', 'it leaves with its own sender');
unlike($lent->{data}->(), qr/^DKIM-Signature:/m, 'and unsigned');
$sink->clear;
like(front()->transaction('ceo@public.example', 'fwd.us@alias.example', $ours),
    qr/^250 /, 'a program on this host says so, too');
my $local = $sink->wait_to('me@private.example') or die $postfix->log;
like($local->{from}, qr/^SRS0=.*=public\.example=ceo\@srs\.alias\.example$/,
    'it is forwarded as ever');
is_deeply($example->signatures($local), ['srs.alias.example pass'],
    'and signed');

ok($postfix->drained, 'nothing is left in the queue, nothing goes round');
$onward->ends_well;
done_testing;
