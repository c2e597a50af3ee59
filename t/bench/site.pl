#!/usr/bin/perl
# What a site needs, worked out from the figures of a run:
#
#   perl t/bench/site.pl DIR/results.jsonl [MESSAGES-A-DAY [PEAK]]
#
# The assumptions are at the top, the formula is beside each line; a table for
# t/bench/README.
use v5.36;
use JSON::PP;
use List::Util qw(min);
use POSIX      qw(ceil);

my ($file, $messages, $peak) = @ARGV;
die "usage: site.pl results.jsonl [MESSAGES-A-DAY [PEAK]]\n" if !defined $file;
$messages //= 100_000_000;
$peak     //= 4;
my ($size, $busy, $held, $kept) = (102_400, 0.6, 3, 262_144);

open my $fh, '<', $file or die "$file: $!\n";
my @rows = map { decode_json($_) } <$fh>;

sub row ($part, $name, %want) {
    my ($row) = grep {
        my $r = $_;
        $r->{part} eq $part && $r->{name} eq $name
            && !grep { ($r->{$_} // '') ne $want{$_} } keys %want
    } @rows;
    return $row;
}

# Another size or number of sessions, if this one was not measured.
my ($chain) = grep {defined} map { row('chain', 'Onward', %$_) }
    { size => $size, sessions => 20 }, { sessions => 20 }, {};
die "$file has no row of Onward in the part chain\n" if !$chain;
my $idle = row('idle', 'Onward', what => 'idle sessions')
    // die "$file has no row of the part idle\n";
my $log = row('log', 'Onward') // die "$file has no row of the part log\n";
$size = $chain->{size};

my $rate      = $messages * $peak / 86_400;
my $cores     = $rate * $chain->{cpu_proxy} / 1000 / $busy;
my $postfix   = $rate * $chain->{cpu_Postfix} / 1000 / $busy;
my $instances = ceil($cores) + 1;
my $sessions  = $rate * $held;
my $memory    = $instances * $idle->{rss_empty} / 1024
    + $sessions * ($idle->{each_kib} + min($size, $kept) / 1024) / 1024;

sub count ($n, $digits = 0) {
    $n = sprintf "%.${digits}f", $n;
    1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;
    return $n;
}

my @table = (
    [ 'M  messages a day',              count($messages),    'assumed' ],
    [ 'f  busiest hour over mean',      $peak,               'assumed' ],
    [ 's  size of a message, KiB',      count($size / 1024), 'assumed' ],
    [ 'u  of a core, at the peak',      $busy,               'assumed' ],
    [ 't  seconds a transaction takes', $held, 'assumed: clients are slow' ],
    [ 'c  CPU of Onward, ms',  count($chain->{cpu_proxy}, 3),   'part chain' ],
    [ 'p  CPU of Postfix, ms', count($chain->{cpu_Postfix}, 3), 'part chain' ],
    [ 'm  an instance, MiB', count($idle->{rss_empty} / 1024, 1), 'part idle' ],
    [ 'i  an idle session, KiB', count($idle->{each_kib}, 2), 'part idle' ],
    [],
    [ 'R  messages a second',   count($rate),      'M f / 86,400' ],
    [ 'cores for Onward',       count($cores, 1),  'R c / 1000 u' ],
    [ 'cores for Postfix',      count($postfix, 1), 'R p / 1000 u' ],
    [ 'N  instances of Onward', $instances, 'cores rounded up, and one spare' ],
    [ 'S  sessions at once',    count($sessions),  'R t' ],
    [ 'memory of Onward, MiB',  count($memory),
        'N m + S (i + min(s, 256 KiB))' ],
    [ 'network, Gbit/s each way', count($rate * $size * 8 / 1e9, 2), '8 R s' ],
    [ 'disk syncs a second', count($rate), 'R: one queue file each' ],
    [ 'log, GB a day',
        count($messages * ($log->{ours} + $log->{postfix}) / 1e9),
        sprintf('M (%.0f + %.0f octets)',
            @$log{qw(ours postfix)}) ],
);
for my $line (@table) {
    print sprintf('    %-29s %11s  %s', map { $_ // '' } @$line[ 0 .. 2 ])
        =~ s/ +$//r, "\n";
}
