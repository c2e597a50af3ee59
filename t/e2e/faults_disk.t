# The disk of the spool is full, for real: what does not fit is 452, what fits
# goes through, and what was there is not harmed.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary root);

my $upstream = Onward::Test::Upstream->new;
my $onward   = Onward::Test::Daemon->new(
    upstream => $upstream->port,
    settings => 'limits = { message_memory = "64K"; };',
);
my $disk = $onward->dir . '/state';
plan skip_all => 'may not mount a tmpfs'
    if system("mount -t tmpfs -o size=2m,mode=0750 none $disk 2>/dev/null")
    != 0;
on_exit(sub { $onward->stop(3); system "umount $disk" });
$onward->start;

sub in_data () {
    my $client = Onward::Test::Client->hello($onward->port);
    $client->pipeline('MAIL FROM:<alice@sender.example>',
        'RCPT TO:<fwd.x@public.example>', 'DATA');
    $client->send("From: alice\@sender.example\r\n\r\n");
    return $client;
}

sub lines_of ($bytes) {
    my $line = 'x' x 62 . "\r\n";
    return $line x ($bytes / 64);
}

sub ends ($client) {
    $client->send(".\r\n");
    return $client->reply;
}

my $there = in_data();
$there->send(lines_of(1_200_000));
# In the spool, and not on its way to it.
ok wait_until(seconds(5), sub {
    (run_out('df', '--output=used', $disk) =~ /(\d+)\s*\z/)[0] > 1000
}), 'one message is on the disk';
my $large = in_data();
$large->send(lines_of(4_000_000));
like ends($large), qr/^452 4\.3\.1 /, 'another does not fit: 452';
like $large->cmd('NOOP'), qr/^250 /, '... in step';
my $small = in_data();
$small->send(lines_of(10_000));
like ends($small), qr/^250 /, 'a small one needs no disk';
like ends($there), qr/^250 /, 'the one that was there is accepted';
my $again = in_data();
$again->send(lines_of(1_200_000));
like ends($again), qr/^250 /, 'and then there is room again';

# What two messages have left is kept for the next ones, but not at the cost
# of one: it takes the place of the first, and that of the second is given up.
my @pair = (in_data(), in_data());
$_->send(lines_of(800_000)) for @pair;
like ends($_), qr/^250 /, 'two at once that fit' for @pair;
my $next = in_data();
$next->send(lines_of(1_600_000));
like ends($next), qr/^250 /, 'one that needs the place of both';

my @committed = $upstream->committed;
is scalar @committed, 6, 'six messages';
is scalar(grep { length $_ > 800_000 } @committed), 5,
    '... five of them large';
is scalar(grep { !/(?:\r\nx{62}){10}\r\n\.\r\n\z/ } @committed), 0,
    '... and whole';
$_->close for $there, $large, $small, $again, @pair, $next;
ok wait_until(seconds(5), sub {
    (run_out('df', '--output=used', $disk) =~ /(\d+)\s*\z/)[0] == 0
}), 'when nobody is there, nothing is kept';
$onward->ends_well;
done_testing;
