#!/usr/bin/perl
# What Onward costs beside nothing, beside a byte relay in its place, and
# beside others that do the same work. Run by t/bench/run; t/bench/README.
use v5.36;
$| = 1;
use FindBin qw($Bin);
use lib "$Bin/../e2e/lib", $Bin;
use Onward::Test;
use Alone;
use Chain;
use Growth;
use Instances;
use Lanes;
use Measure;
use Memory;
use Output;
use Sinked;

sub part_sign () {
    my @rows = Alone::measure($ENV{BENCH},
        rounds  => quick() ? 2   : $option{rounds},
        seconds => quick() ? 0.1 : $option{seconds});
    Alone::report(@rows);
    record(map { { part => 'sign', %$_ } } @rows);
    return;
}

my @parts = (
    [ sign      => \&part_sign ],
    [ sink      => \&Sinked::part ],
    [ chain     => \&Chain::part ],
    [ growth    => \&Growth::part ],
    [ instances => \&Instances::part ],
    [ lanes     => \&Lanes::part ],
    [ idle      => \&Memory::part ],
);
my @names = map { $_->[0] } @parts;

my @wanted;
while (defined(my $word = shift)) {
    if ($word eq '--quick') {
        @option{qw(quick seconds rounds)} = (1, 1, 3);
        @option{qw(sizes sessions)} = ([10240], [20]);
    } elsif ($word =~ /^--(out|seconds|rounds)$/ && @ARGV) {
        $option{$1} = shift;
    } elsif ($word =~ /^--(sizes|sessions)$/ && @ARGV) {
        $option{$1} = [ split /,/, shift ];
    } elsif (grep { $_ eq $word } @names) {
        push @wanted, $word;
    } else {
        die "usage: run [--quick] [--seconds N] [--rounds N] [--sizes LIST]\n"
            . "           [--sessions LIST] [--out DIR] [PART...]\n"
            . "parts: @names\n";
    }
}
@wanted = @names if !@wanted;

printf "%s\n%d rounds of %g s each, medians; CPU in ms a message\n",
    Output::machine(), @option{qw(rounds seconds)};
for my $part (@parts) {
    my ($name, $run) = @$part;
    $run->() if grep { $_ eq $name } @wanted;
}
Output::write_all($option{out}, results()) if $option{out};
