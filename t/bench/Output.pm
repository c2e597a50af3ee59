package Output;

# What a run leaves: one line of JSON for each row, and the drawings.
use v5.36;
use JSON::PP;
use Onward::Test;
use Alone;
use Bars;
use Curves;

sub machine () {
    my $info = slurp('/proc/cpuinfo');
    my ($cpu) = $info =~ /model name\s*:\s*(.*)/;
    my $cores = () = $info =~ /^processor/mg;
    return sprintf '%s, %d cores', $cpu // 'unknown', $cores;
}

sub write_all ($dir, @rows) {
    mkdir $dir;
    my $json = JSON::PP->new->canonical->utf8;
    unshift @rows, { part => 'machine', name => machine(), time => time };
    spew("$dir/results.jsonl",
        join '', map { $json->encode(numbered($_)) . "\n" } @rows);
    Bars::rates("$dir/sink.svg",  'sink',  @rows);
    Bars::rates("$dir/chain.svg", 'chain', @rows);
    Bars::cpu("$dir/chain-cpu.svg", @rows);
    Curves::growth("$dir/growth.svg", @rows);
    Curves::instances("$dir/instances.svg", @rows);
    Alone::plot("$dir/sign.svg",
        grep { ($_->{part} // '') eq 'sign' } @rows);
    print "\nwrote ", join(' ', glob "$dir/*"), "\n";
    return;
}

# What looks like a number is one.
sub numbered ($row) {
    return { map {
        my $v = $row->{$_};
        my $number = $v =~ /^-?\d+(?:\.\d+)?(?:e-?\d+)?$/;
        ($_ => $number ? 0 + sprintf('%.10g', $v) : $v)
    } keys %$row };
}

1;
