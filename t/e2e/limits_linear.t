# Content that is all header, all one line, all one fold, or nothing but dots:
# twice as much of it costs twice as much time, signed and forwarded.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Sink;

need qw(binary);

my $sink   = Onward::Test::Sink->new;
my $onward = Onward::Test::Daemon->new(
    upstream => $sink->port,
    settings => 'limits = { header_size = "64M"; message_memory = "16K"; };',
)->start;

# Processor time of all its threads, in ms.
sub cpu () {
    my $sum = 0;
    for (glob '/proc/' . $onward->pid . '/task/*/schedstat') {
        $sum += (split / /, slurp($_))[0];
    }
    return $sum / 1e6;
}

sub send_it ($content) {
    my $client = Onward::Test::Client->hello($onward->port,
        timeout => seconds(30));
    my $before = cpu();
    my $reply  = $client->transaction('alice@sender.example',
        'fwd.x@public.example', $content);
    my $used = cpu() - $before;
    $client->quit;
    return ($reply, $used);
}

my $from = "From: alice\@sender.example\r\n";
# name, n, content for n, reply
my @shapes = (
    ['no header',        50_000, sub ($n) { "\r\n" . "text\r\n" x $n }],
    ['one field',     1_048_576, sub ($n) { "${from}X: " . 'x' x $n
            . "\r\n\r\nx\r\n" }],
    ['many fields',      50_000, sub ($n) { $from . "X-A: b\r\n" x $n
            . "\r\nx\r\n" }],
    ['many other fields', 50_000, sub ($n) { $from
            . join('', map {"X-$_: b\r\n"} 1 .. $n) . "\r\nx\r\n" }],
    ['many of a field that is signed', 20_000, sub ($n) { $from
            . "Reply-To: b\@c.example\r\n" x $n . "\r\nx\r\n" }],
    ['a long fold',      10_000, sub ($n) { "${from}Subject: x"
            . "\r\n y" x $n . "\r\n\r\nx\r\n" }],
    ['a fold of blanks', 10_000, sub ($n) { "${from}Subject: x"
            . "\r\n \t " x $n . "\r\n y\r\n\r\nx\r\n" }],
    ['many authors',      5_000, sub ($n) { 'From: '
            . join(",\r\n ", map {"u$_\@sender.example"} 1 .. $n)
            . "\r\nSender: a\@b\r\n\r\nx\r\n" }],
    ['nested comments',   5_000, sub ($n) { 'From: ' . '(' x $n . ')' x $n
            . " a\@sender.example\r\n\r\nx\r\n" }],
    ['one line',      2_097_152, sub ($n) { "$from\r\n" . 'x' x $n . "\r\n" }],
    ['empty lines',     500_000, sub ($n) { "$from\r\n" . "\r\n" x $n }],
    ['blanks',        2_097_152, sub ($n) { "$from\r\n" . ' ' x $n . "\r\n" }],
    ['dots',            500_000, sub ($n) { "$from\r\n" . ".\r\n" x $n }],
    ['bare CRs',      1_048_576, sub ($n) { "$from\r\n" . "x\r" x $n . "\r\n" }],
);
for (@shapes) {
    my ($name, $n, $make) = @$_;
    subtest $name => sub {
        my ($half, $whole) = (1e9, 1e9);
        # The best of three: other programs run here too.
        for (1 .. 3) {
            for my $part (1, 2) {
                my ($reply, $used) = send_it($make->($part * $n));
                like $reply, qr/^(?:250|5\d\d) /, 'a verdict' or return;
                my $best = $part == 1 ? \$half : \$whole;
                $$best = $used if $used < $$best;
            }
            last if $whole <= 2.2 * $half + 5;
        }
        cmp_ok $whole, '<=', 2.5 * $half + 10,
            sprintf 'twice as much: %.1f ms, then %.1f ms', $half, $whole
            if !sanitized();
        cmp_ok $whole, '<', seconds(2000), 'and not long';
    };
}
$onward->ends_well;
done_testing;
