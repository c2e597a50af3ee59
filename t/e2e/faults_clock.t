# The wall clock jumps an hour, a day, to 1970, past 2038, while sessions are
# open: what waits waits as long as before, since that is monotonic time; stamps
# are of the new time; SRS addresses are good for a day ahead, and no longer.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Preload;
use Onward::Test::Upstream;

need qw(binary cc);

use constant DAY => 86400;
my $message  = "From: alice\@sender.example\r\nSubject: x\r\n\r\nx\r\n";
my $preload  = Onward::Test::Preload->new or die "no preload library\n";
my $upstream = Onward::Test::Upstream->new;
my $onward   = Onward::Test::Daemon->new(
    upstream          => $upstream->port,
    upstream_settings => 'idle_timeout = "60s";',
    under             => $preload->under,
    listeners         => { mx => 'inbound', submission => 'outbound' },
    keys              => { 'home.example' => 's1' },
    # Longer than the test needs, shorter than it would wait in vain.
    settings => 'timeouts = { command = "3s"; content = "3s"; };',
)->start;

sub hello ($listener = 'mx') {
    return Onward::Test::Client->hello($onward->port($listener));
}

sub commits () {
    my @paths = glob $upstream->dir . '/*.commit';
    my $all   = join '', map { slurp($_) } @paths;
    unlink @paths;
    return $all;
}

sub forward ($client) {
    my $reply = $client->transaction('alice@sender.example',
        'fwd.x@public.example', $message);
    my ($srs) = commits() =~ /^MAIL FROM:<(SRS0=[^>]+)>/m;
    return ($reply, $srs);
}

sub bounce ($srs) {
    my $reply = hello()->transaction('', $srs, $message);
    commits();
    return $reply;
}

my $now = time;
my %to  = (
    'an hour on'   => 3600,
    'an hour back' => -3600,
    'a day on'     => DAY,
    'a day back'   => -DAY,
    'to 1970'      => 1000 - $now,
    'to 2038'      => 2**31 - 2 - $now,
    'to 2040'      => 2209032000 - $now,
);
my ($first, $today) = forward(hello());
like $first, qr/^250 /, 'before the first jump';
my $connections = $upstream->connections;

for my $name (sort keys %to) {
    my $jump = $to{$name};
    subtest $name => sub {
        my $between = hello();
        my $envelope = hello();
        my $content = hello();
        for ($envelope, $content) {
            $_->cmd('MAIL FROM:<alice@sender.example>');
            like $_->cmd('RCPT TO:<fwd.x@public.example>'), qr/^250 /, 'RCPT';
        }
        $content->cmd('DATA');
        $content->send("From: alice\@sender.example\r\n");
        $preload->clock($jump);
        sleep 0.1;
        like $between->cmd('NOOP'), qr/^250 /, 'no session times out';
        like $envelope->cmd('DATA'), qr/^354 /, '... in an envelope neither';
        like $content->content("\r\nx\r\n"), qr/^250 /, '... nor in content';
        like $envelope->content($message), qr/^250 /,
            'what began before ends after';
        my $all = commits();
        my @t = $all =~ /\bt=(\d+);/g;
        is scalar @t, 2, 'both are signed';
        is scalar(grep { abs($_ - time - $jump) > 60 } @t), 0,
            '... with the time that it is now' or diag "@t";

        my $out = hello('submission');
        like $out->transaction('carol@home.example', 'far@away.example',
            $message =~ s/alice\@sender/carol\@home/r), qr/^250 /,
            'outbound mail';
        my $day = strftime('%e %b %Y', gmtime(time + $jump)) =~ s/^ //r;
        like commits(), qr/^Date: \w+, \Q$day\E /m, "... is dated $day";

        # A genuine address of today, seen from then.
        my $back = bounce($today);
        my $expected = $jump < -DAY || $jump > 21 * DAY
            ? qr/^550 5\.1\.6 /    # it is, or seems to be, too old
            : qr/^250 /;
        like $back, $expected, 'an SRS address of before';
        my ($reply, $srs) = forward(hello());
        like bounce($srs), qr/^250 /, '... of then, at once';
        $preload->clock(0);
        like bounce($srs), $jump <= DAY && $jump >= -21 * DAY ? qr/^250 /
            : qr/^550 5\.1\.6 /, '... of then, today';
        $_->quit for $between, $envelope, $content, $out;
    };
}

# A deadline is one, wherever the clock goes meanwhile.
for my $jump (-DAY, 30 * 365 * DAY) {
    my $client = hello();
    $preload->clock($jump);
    is $client->reply(1.5), '', "jump of $jump s: the deadline does not come early";
    like $client->reply(seconds(6)), qr/^421 4\.4\.2 /, '... nor late';
    $preload->clock(0);
}
like bounce($today), qr/^250 /, 'when the clock is right again so is all else';
ok $upstream->connections - $connections < 40, 'connections were reused'
    or diag $upstream->connections - $connections;
$onward->ends_well;
done_testing;
