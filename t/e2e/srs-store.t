# long_sender = "store": a sender that SRS would make too long goes out as a
# token of at most 64 octets, whose bounce finds the sender again: in lower
# case, after a restart, and by `onward srs reverse` beside the daemon.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

my $upstream = Onward::Test::Upstream->new;
my $onward   = Onward::Test::Daemon->new(
    upstream          => $upstream->port,
    upstream_settings => 'idle_timeout = "0s";', # the record is in order
);
spew($onward->conf,
    slurp($onward->conf) =~ s/srs = \{/srs = { long_sender = "store";/r);
$onward->start;

my $long = 'Bounces+1234567-89ab-me=private.example-0123456789@news.sender.example';
my $content = "From: a\@sender.example\r\nSubject: x\r\n\r\nbody\r\n";

# What upstream was told of a transaction of ours.
sub told ($from, $to) {
    my $before = $upstream->received(0);
    my $client = Onward::Test::Client->hello($onward->port);
    my @reply  = $client->transaction($from, $to, $content);
    $client->quit;
    return substr $upstream->received(0), length $before;
}

sub token_of ($text) {
    return $text =~ /MAIL FROM:<([^>]*)>/i ? $1 : '';
}

# Who only says RCPT stores nothing, however often.
my $idle = Onward::Test::Client->hello($onward->port);
for my $n (1 .. 50) {
    my $sender = 'y' x 50 . sprintf '%04d@news.sender.example', $n;
    my @replies = $idle->pipeline("MAIL FROM:<$sender>",
        'RCPT TO:<fwd.shop@public.example>', 'RSET');
    is scalar(grep {/^250 /} @replies), 3, 'MAIL, RCPT, RSET' if $n == 1;
}
$idle->quit;
my %probes = map { $_ => 1 }
    $upstream->received(0) =~ /MAIL FROM:<(SRS0=[^>]*)>/g;
is scalar keys %probes, 50, 'fifty tokens were shown';
is run_out(binary(), '-c', $onward->conf, 'srs', 'reverse', (keys %probes)[0]),
    "! a stored sender that is not known here\n", '... and no sender stored';

my $token = token_of(told($long, 'fwd.shop@public.example'));
like $token, qr/^SRS0=[\w-]{16}=[A-Z2-7]{2}==[a-z2-7]{32}\@srs\.public\.example$/,
    'a token stands for the long sender';
cmp_ok length($token =~ s/@.*//r), '<=', 64, 'short enough for everybody';
is token_of(told($long, 'fwd.shop@public.example')), $token,
    'the same sender, the same token';
like token_of(told('short@sender.example', 'fwd.shop@public.example')),
    qr/=sender\.example=short\@/, 'a short sender needs none';

like told('', $token), qr/RCPT TO:<\Q$long\E>/i, 'its bounce finds the sender';
like told('', lc $token), qr/RCPT TO:<\Q$long\E>/i, 'in lower case too';
unlike told('', $token =~ s/=(.)/'=' . (lc $1 eq 'b' ? 'c' : 'b')/er),
    qr/RCPT TO/i, 'a forged one does not';

my @srs = (binary(), '-c', $onward->conf, 'srs');
is run_out(@srs, 'reverse', $token), "$long\n", 'srs reverse finds it';
is run_out(@srs, 'forward', $long), "$token\n",
    'srs forward says what the daemon would send';
like run_out(binary(), '-c', $onward->conf, 'explain', '--from', '<>', $token),
    qr/-> \Q$long\E  leaves: MAIL FROM:<>/, 'explain finds it too';
like run_out(binary(), '-c', $onward->conf, 'explain', '--from', $long,
    'fwd.shop@public.example'), qr/MAIL FROM:<\Q$token\E> \(58 of 64\)/,
    '... and says what the daemon would send';
like run_out(@srs, 'decode', $token),
    qr/^original \Q$long\E\s+made [\d-]+ \(today, valid 21 more\)\s+stored$/,
    'srs decode as well';
my @alone = ('--domain', 'srs.public.example', '--secret-file',
    $onward->dir . '/srs.secret');
is run_out(binary(), 'srs', 'reverse', @alone, $token),
    "! a stored sender that is not known here\n", 'not on another host';
is $? >> 8, 1, 'which is a refusal';

$onward->stop;
$onward->start;
like told('', $token), qr/RCPT TO:<\Q$long\E>/i, 'known after a restart';

done_testing;
