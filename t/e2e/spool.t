# A message of 50 MB passes through Postfix, Onward and Postfix, octet for
# octet, while Onward's memory hardly grows; what is spooled leaves no file.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA;
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Postfix;
use Onward::Test::Sink;
use Onward::Test::Verify;

need qw(binary root postfix python3-dkim);

my $back    = free_port();
my $sink    = Onward::Test::Sink->new;
my $onward  = Onward::Test::Daemon->new(upstream => $back)->start;
my $postfix = Onward::Test::Postfix->new(
    sink   => $sink->port,
    fronts => { front => $onward->port },
    ports  => { reinject => $back },
    main   => 'message_size_limit = 70000000',
)->start;

my $head = "From: alice\@sender.example\r\nSubject: large\r\n"
    . "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1\@sender.example>"
    . "\r\n\r\n";

# Every line is another, some begin with a dot, where it is to have such; a
# piece at a time, so that the test itself stays small.
sub body ($bytes, $dots, $take) {
    my $line = 0;
    while ($bytes > 0) {
        my $piece = '';
        for (1 .. 1000) {
            my $start = $dots && $line % 97 == 0 ? '.' : '';
            $piece .= sprintf "%s%08d %s\r\n", $start, $line++,
                'abcdefghijklmnopqrstuvwxyz0123456789' x 2;
        }
        $bytes -= length $piece;
        $take->($piece);
    }
}

sub send_message ($bytes, $dots) {
    my $sha    = Digest::SHA->new(256);
    my $client = Onward::Test::Client->hello($postfix->port('front'),
        timeout => seconds(90));
    $client->cmd('MAIL FROM:<alice@sender.example>');
    $client->cmd('RCPT TO:<fwd.big@public.example>');
    $client->cmd('DATA');
    $client->send($head);
    body($bytes, $dots, sub ($piece) {
        $sha->add($piece);
        $client->send(Onward::Test::Client::stuff($piece));
    });
    $client->send(".\r\n");
    my $reply = $client->reply;
    $client->quit;
    return ($reply, $sha->hexdigest);
}

sub arrived ($sum) {
    my ($message) = ($sink->wait_for(1, 60))[0] or return;
    my $data = $message->{data}->();
    my $at   = index $data, "\r\n\r\n";
    is Digest::SHA::sha256_hex(substr $data, $at + 4), $sum,
        'the body arrives octet for octet';
    return $data;
}

# Once, so that what is allocated once is.
my ($reply, $sum) = send_message(300_000, 1);
like $reply, qr/^250 .*queued as/, 'a message larger than the memory window';
ok arrived($sum), '... arrives';
$sink->clear;

my $before = $onward->memory('VmRSS');
my $peak   = $onward->reset_peak;
($reply, $sum) = send_message(50 * 1024 * 1024, 1);
like $reply, qr/^250 .*queued as/, 'a message of 50 MB is accepted';
my $growth = $onward->memory($peak ? 'VmHWM' : 'VmRSS') - $before;
note "resident memory: $before KiB before, $growth KiB more at its peak";
SKIP: {
    skip 'memory means nothing with AddressSanitizer', 1 if sanitized();
    cmp_ok $growth, '<', 2048, 'memory grew by less than 2 MB at its peak';
}
my $data = arrived($sum);
SKIP: {
    skip 'it did not arrive', 1 unless $data;
    my ($verdict) = dkimpy($data, $onward->dns);
    is $verdict->{result}, 'pass', 'its signature is good';
}
$sink->clear;

# Without dots it goes from the file to the socket.
($reply, $sum) = send_message(20 * 1024 * 1024, 0);
like $reply, qr/^250 .*queued as/, 'one that has no dots to double is accepted';
ok arrived($sum), '... arrives';

is_deeply [glob $onward->dir . '/state/*'], [], 'no file is left in the spool';
my @open = grep {/deleted/} map { readlink // '' }
    glob '/proc/' . $onward->pid . '/fd/*';
is_deeply \@open, [], '... and no unlinked one is held';

$onward->ends_well;
done_testing;
