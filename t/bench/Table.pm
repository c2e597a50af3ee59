package Table;

# What the results look like on a terminal.
use v5.36;
use Exporter   qw(import);
use List::Util qw(uniq);

our @EXPORT = qw(heading print_rivals size_text count_text);

sub heading ($text) {
    printf "\n%s\n", $text;
    return;
}

sub size_text ($octets) {
    return $octets < 1024 ? "$octets octets"
        : $octets < 1048576 ? sprintf('%g KiB', $octets / 1024)
        :                     sprintf('%g MiB', $octets / 1048576);
}

sub count_text ($n) {
    1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;
    return $n;
}

# One comparison. A column for each thing that anybody has.
my @columns = (
    [ rate_ratio  => 'x relay',      '%9.2f' ],
    [ p50         => 'p50 ms',       '%9.2f' ],
    [ p99         => 'p99 ms',       '%9.2f' ],
    [ max         => 'max ms',       '%9.2f' ],
    [ p50_more    => 'p50-relay',    '%+9.2f' ],
    [ cpu_proxy   => 'CPU proxy',    '%10.3f' ],
    [ cpu_HAProxy => 'HAProxy',      '%8.3f' ],
    [ cpu_Postfix => 'Postfix',      '%8.3f' ],
    [ cpu_both    => 'together',     '%9.3f' ],
    [ both_ratio  => 'x relay',      '%8.2f' ],
    [ cores       => 'cores busy',   '%11.2f' ],
);

sub print_rivals ($title, @rows) {
    my @shown = grep {
        my $key = $_->[0];
        grep { defined $_->{$key} } @rows
    } @columns;
    heading($title);
    printf "  %-22s %8s %15s%s\n", '', 'msg/s', '(min-max)', join '',
        map { sprintf '%' . (width($_) + 1) . 's', $_->[1] } @shown;
    for my $r (@rows) {
        printf "  %-22s %8.0f %15s%s%s\n", $r->{name}, $r->{rate},
            sprintf('(%.0f-%.0f)', $r->{rate_min}, $r->{rate_max}), join('',
            map {
                defined $r->{ $_->[0] }
                    ? sprintf " $_->[2]", $r->{ $_->[0] }
                    : ' ' x (width($_) + 1)
            } @shown),
            $r->{errors} ? "  ($r->{errors} refused)" : '';
    }
    noise(@rows);
    return;
}

sub width ($column) {
    return ($column->[2] =~ /(\d+)/)[0];
}

# The relay is there twice, under two names: what differs is the machine.
sub noise (@rows) {
    my ($again) = grep { $_->{name} eq 'relay again' } @rows or return;
    my ($relay) = grep { $_->{name} eq 'relay' } @rows;
    printf "  noise, relay against relay: messages/s %.2f%s\n",
        $again->{rate_ratio}, defined $again->{both_ratio}
        ? sprintf(', CPU together %.2f', $again->{both_ratio})
        : sprintf(', CPU %.2f',
        $again->{cpu_proxy} / ($relay->{cpu_proxy} || 1));
    return;
}

1;
