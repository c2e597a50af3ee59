# Everything at once, for a while: mail that leaves and mail that stays,
# reloads, an upstream that cuts one connection in four, clients that come,
# stay a while and vanish. At the end all mail is there, and memory and
# descriptors are what they were.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Robust;

need qw(binary);

my $seconds = $ENV{ONWARD_TEST_SOAK} // ($ENV{ONWARD_TEST_ALL} ? 1200 : 12);
my $back    = free_port();
my $onward  = Onward::Test::Daemon->new(
    upstream => $back,
    settings => 'limits = { message_memory = "16K"; };'
        . ' timeouts = { command = "2s"; content = "2s"; };',
)->start;
my $driver = Onward::Test::Robust->new(
    upstream => $back, onward => $onward->port,
    s => 8, l => 1000, r => 100, c => 1_000_000, z => 3,
);

# What strangers do; each is left in the middle of it.
my @strangers = (
    sub ($c) { $c->reset },
    sub ($c) { $c->send("EHLO x\r\nMAIL FROM:<a\@b.example>\r\n"); $c->close },
    sub ($c) { $c->send('x' x 70_000); $c->close },
    sub ($c) { $c->pipeline('EHLO x', 'MAIL FROM:<a@b.example>',
            'RCPT TO:<fwd.y@public.example>', 'DATA');
        $c->send("Subject: y\r\n" x 5000); $c->reset },
    sub ($c) { $c->pipeline('EHLO x', 'MAIL FROM:<>',
            'RCPT TO:<SRS0=aaaaaa=AA=b.example=c@srs.public.example>');
        $c->quit },
    sub ($c) { $c->send("FOO\r\n" x 30); $c->close },
    sub ($c) { },    # says nothing, and is timed out
);

my $files = sub { scalar(() = glob '/proc/' . $onward->pid . '/fd/*') };
my $open  = $files->();
my (@memory, %did);
my $good = slurp($onward->conf);
my $from = time;
my $end  = $from + $seconds;
$driver->go;
while ((my $now = time) < $end) {
    my $stranger = eval { Onward::Test::Client->new($onward->port,
            greeting => 0, timeout => 2) };
    $strangers[rand @strangers]->($stranger) if $stranger;
    $did{strangers}++;
    if ($did{strangers} % 20 == 0) {
        # Each third one is half written.
        spew($onward->conf, ++$did{reloads} % 3 ? "$good# $did{reloads}\n"
            : substr $good, 0, length($good) / 2);
        kill HUP => $onward->pid;
    }
    push @memory, [$now - $from, $onward->memory];
    sleep 0.04;
}
spew($onward->conf, $good);
$driver->stop;
my $book = $driver->book;
$driver->holds('soak');
$driver->explained('soak');
is $book->{lost} + $book->{refused}, 0, 'our own clients never lose us';

# The middle of the second quarter of the time and of the last one.
sub median ($begin, $until) {
    my @sizes = sort { $a <=> $b } map { $_->[1] }
        grep { $_->[0] >= $begin * $seconds && $_->[0] < $until * $seconds }
        @memory;
    return $sizes[@sizes / 2];
}
my ($early, $late) = (median(0.25, 0.5), median(0.75, 1));
cmp_ok $late - $early, '<', 1024, "memory: $early KiB, then $late KiB"
    unless sanitized();
# What is kept for reuse goes after upstream.idle_timeout, who says nothing
# after timeouts.command.
ok wait_until(seconds(10), sub { $files->() <= $open }),
    'no descriptor is left open' or diag $files->() . " open, were $open";
is_deeply [glob $onward->dir . '/state/*'], [], 'nor a file in the spool';
ok kill(0 => $onward->pid) && !$onward->reap, 'it is the same process';
note sprintf '%d s: %d strangers, %d reloads, memory %d to %d KiB; %s',
    $seconds, @did{qw(strangers reloads)}, $early, $late,
    $driver->figures(qw(accepted attempts cuts duplicates deferred message_p50
        message_p99 message_max));
$onward->ends_well;
done_testing;
