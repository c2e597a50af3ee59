# `onward trace`: which lines of a real log are one message.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(time);
use Onward::Test;

need qw(binary);

my $log = "$Bin/../data/trace/mail.log";

sub trace ($what) {
    return run_out(binary(), 'trace', '--file', $log, $what);
}

my $whole = trace('D25FAACDBA2');
is($? >> 8, 0, 'a queue id: found');
is(() = $whole =~ /^message /mg, 1, 'one message');
is(() = $whole =~ /^      \S/mg, 7, 'all of its lines');
like($whole, qr/$_/, $_)
    for 'proxy-accept', '45DRlj: client', 'reinject/smtpd', 'status=sent',
    'removed';
unlike($whole, qr/D2FE9ACC1C3|sshd/, 'and nobody else\'s');

is(trace('45DRlj'), $whole, 'the id of the session: the same story');
is(trace('fwd.shop@public.example'), $whole, 'a recipient');
is(trace('<ME@private.example>'),    $whole, 'in any case, in brackets');

my $both = trace('alice@sender.example');
is(() = $both =~ /^message /mg, 2, 'an address of two messages: two stories');

my $refused = trace('45DRll');
like($refused, qr/reason=srs-hash/, 'what was refused has its line');
is(() = $refused =~ /^      \S/mg, 1, 'alone');

is(trace('nobody@nowhere.example'), '', 'nothing there');
is($? >> 8, 1, 'exit 1');

# ---- where the log is ----

# Without --file: what is in the places a log has by itself; here the journal.
my $bin = scratch('bin');
spew("$bin/journal", slurp($log) =~ s/^Nov 24 (\S+)/2026-11-24T$1+0000/gmr);
spew("$bin/journalctl", <<~"END", 0755);
    #!/bin/sh
    echo "-- Journal begins at some time. --"
    for i; do [ "\$i" = --facility=mail ] && exec cat $bin/journal; done
    END
{
    local $ENV{PATH} = "$bin:$ENV{PATH}";
    my $told = run_out(binary(), 'trace', 'D25FAACDBA2');
    is($? >> 8, 0, 'the journal: found');
    is($told =~ s/2026-11-24T(\S+)\+0000/Nov 24 $1/gr, $whole, 'the same story');
    is(run_out(binary(), 'trace', 'AAAAAAAAAAA'), '', 'not there');
    is($? >> 8, 1, 'exit 1');
    spew("$bin/journalctl", "#!/bin/sh\nexit 1\n", 0755);
    run_out(binary(), 'trace', 'D25FAACDBA2');
    like($? >> 8, -e '/var/log/mail.log' ? qr/^1$/ : qr/^69$/,
        'there is no log at all: exit 69');
}
is(run_out('sh', '-c', '"$1" trace --file - D25FAACDBA2 <"$2"', 'sh', binary(), $log),
    $whole, 'standard input');
is(run_out('sh', '-c', 'cat "$2" | "$1" trace --file /dev/stdin D25FAACDBA2', 'sh',
    binary(), $log), $whole, 'a pipe that has a name');
run_out(binary(), 'trace', '--file', "$bin/absent", 'D25FAACDBA2');
is($? >> 8, 69, 'a file that is not there: exit 69');

# ---- a large log ----

# A day of a busy host, and the one message in it, from its first line to its
# last; then an address that is in all of it.
my $big = "$bin/big.log";
open my $out, '>', $big or die "$big: $!";
my @lines = split /^/, slurp($log);
for my $i (1 .. 10_000) {
    my $id = sprintf 'D%010X', $i;
    print $out map {s/D2[0-9A-F]{9}/$id/r =~ s/alice/bob$i/gr} @lines[ 0 .. 8 ];
    print $out $lines[13] =~ s/45DRll/r$i/r;
    print $out @lines if $i == 5000;
}
close $out;
cmp_ok(scalar(() = slurp($big) =~ /\n/g), '>', 100_000, 'a log of 100,000 lines');
sub trace_big ($what) {
    my $from = time;
    my $told = run_out(binary(), 'trace', '--file', $big, $what);
    note sprintf '%s: %.1f s', $what, time - $from;
    return $told;
}
is(trace_big('D25FAACDBA2'), $whole, 'the same story');
my $all = trace_big('me@private.example');
cmp_ok(scalar(() = $all =~ /^message \d/mg), '>=', 1000,
    'an address that is in all of it: as many as are followed');
$all = trace_big('SRS0=xWvppC=JN=sender.example=alice@srs.public.example');
is(scalar(() = $all =~ /^message \d/mg), 10_001, 'as many refusals');
is(scalar(() = $all =~ /srs-hash/g), 10_001, 'each with its line');

done_testing;
