package Curves;

# What the parts growth and instances look like.
use v5.36;
use List::Util qw(max min sum uniq);
use POSIX      qw(ceil floor);
use Svg;
use Table;

sub log10 ($n) { return log($n) / log(10) }

# Small multiples on one scale, both axes logarithmic: what is flat lies, what
# grows in proportion runs along the diagonals.
my ($wide, $high, $left, $gap) = (270, 190, 62, 54);

sub growth ($path, @results) {
    my @rows = grep { ($_->{part} // '') eq 'growth' && $_->{cpu} > 0 } @results
        or return;
    my @names = uniq map { $_->{what} } @rows;
    my $low   = floor(log10(min map { $_->{cpu} } @rows));
    my $top   = max($low + 1, ceil(log10(max map { $_->{cpu} } @rows)));
    my $svg   = '';
    for my $at (keys @names) {
        my $x = $left + ($at % 3) * ($wide + $gap);
        my $y = 112 + int($at / 3) * ($high + 84);
        $svg .= panel($x, $y, $low, $top,
            grep { $_->{what} eq $names[$at] } @rows);
    }
    my $lines = ceil(@names / 3);
    svg_write($path, $left + 3 * ($wide + $gap) - 20,
        112 + $lines * ($high + 84) - 24,
        'CPU of Onward per message as one thing grows',
        'Milliseconds, both axes logarithmic, one scale: flat is free, the '
            . 'dotted diagonals are growth in proportion',
        $svg);
    return;
}

sub panel ($x, $y, $low, $top, @rows) {
    my ($first, $last) = map { log10($_->{name}) } @rows[ 0, -1 ];
    my $across = sub ($n) {
        $x + $wide * (log10($n) - $first) / (($last - $first) || 1);
    };
    my $up = sub ($cpu) { $y + $high * ($top - log10($cpu)) / ($top - $low) };
    my $svg = svg_text($x, $y - 24, $rows[0]{what}, class => 'head',
        dim => $rows[0]{unit} eq 'octets' ? '' : $rows[0]{unit});
    for my $decade ($low .. $top) {
        my $h = $up->(10**$decade);
        $svg .= svg_line($x, $h, $x + $wide, $h, 'grid');
        $svg .= svg_text($x - 8, $h + 4, sprintf('%g ms', 10**$decade),
            class => 'dim', anchor => 'end');
    }
    $svg .= diagonals($x, $y, $low, $top, $first, $last);
    $svg .= svg_line($x, $y + $high, $x + $wide, $y + $high, 'axis');
    my @points = map { [ $across->($_->{name}), $up->($_->{cpu}) ] } @rows;
    $svg .= svg_path('curve', @points);
    for my $at (keys @rows) {
        my ($px, $py) = @{ $points[$at] };
        my $n = $rows[$at]{name};
        $svg .= svg_dot($px, $py, 'onward');
        $svg .= svg_text($px, $y + $high + 18,
            $rows[$at]{unit} eq 'octets' ? size_text($n) : count_text($n),
            class => 'dim', anchor => 'middle');
        next if $at != 0 && $at != $#rows;
        $svg .= svg_text($px + ($at ? 6 : -2), $py - 10,
            sprintf('%.3g', $rows[$at]{cpu}), anchor => $at ? 'end' : 'start');
    }
    return $svg;
}

# Lines of cpu = n * 10^k through the panel, cut at its edges.
sub diagonals ($x, $y, $low, $top, $first, $last) {
    my $svg = '';
    for my $k (floor($low - $last) .. ceil($top - $first)) {
        my $from = max($first, $low - $k);
        my $to   = min($last,  $top - $k);
        next if $from >= $to;
        my @ends = map { [
            $x + $wide * ($_ - $first) / ($last - $first),
            $y + $high * ($top - $_ - $k) / ($top - $low)
        ] } $from, $to;
        $svg .= svg_line(map({@$_} @ends), 'guide');
    }
    return $svg;
}

# Left the rate, right what a message costs whom.
my @parts = (
    [ cpu_proxy   => 'onward',   'Onward' ],
    [ cpu_HAProxy => 'opendkim', 'HAProxy' ],
    [ cpu_sink    => 'postfix',  'smtp-sink' ],
    [ cpu_client  => 'client',   'client' ],
);

sub instances ($path, @results) {
    my @rows = grep { ($_->{part} // '') eq 'instances' } @results or return;
    my @counts = sort { $a <=> $b } uniq map { $_->{count} } @rows;
    my ($x, $y, $width, $height) = (80, 96, 300, 220);
    my $most = 1.1 * max map { $_->{rate} } @rows;
    my $step = 10**floor(log10($most)) / 2;
    my $svg  = svg_text($x, $y - 12, 'messages a second', class => 'head');
    for (my $rate = 0; $rate <= $most; $rate += $step) {
        my $h = $y + $height * (1 - $rate / $most);
        $svg .= svg_line($x, $h, $x + $width, $h, $rate ? 'grid' : 'axis');
        $svg .= svg_text($x - 8, $h + 4, count_text(sprintf '%.0f', $rate),
            class => 'dim', anchor => 'end');
    }
    my $across = sub ($count) {
        my ($at) = grep { $counts[$_] == $count } keys @counts;
        return $x + $width * ($at + 0.5) / @counts;
    };
    $svg .= svg_text($across->($_), $y + $height + 20,
        $_ == 1 ? '1 instance' : $_, class => 'dim', anchor => 'middle')
        for @counts;
    my $key = $y + $height - 14;
    for my $kind (qw(reuse_port HAProxy)) {
        my ($line, $dot) = $kind eq 'HAProxy' ? qw(other opendkim)
            : qw(curve onward);
        my @mine = grep { $_->{kind} eq $kind } @rows or next;
        my @points = map { [ $across->($_->{count}),
            $y + $height * (1 - $_->{rate} / $most) ] } @mine;
        $svg .= svg_path($line, @points);
        $svg .= svg_dot(@$_, $dot) for @points;
        $svg .= svg_dot($x + 16, $key - 4, $dot);
        $svg .= svg_text($x + 26, $key,
            $kind eq 'HAProxy' ? 'behind HAProxy' : 'one port, reuse_port');
        $key -= 20;
    }
    $svg .= costs($x + $width + 60, $y, @rows);
    svg_write($path, 900, $y + $height + 44, 'Several processes on one machine',
        '10 KiB, 20 sessions, RSA-2048, client -> Onward -> smtp-sink, all on '
            . 'these cores',
        $svg);
    return;
}

sub costs ($x, $y, @rows) {
    my $longest = 250;
    my $most = max map { my $r = $_; sum map { $r->{ $_->[0] } // 0 } @parts }
        @rows;
    my $svg = svg_text($x, $y - 12, 'CPU a message, ms', class => 'head');
    for my $r (@rows) {
        $svg .= svg_text($x + 90, $y + 14, $r->{name}, anchor => 'end');
        my $at = $x + 100;
        for my $part (@parts) {
            my $width = $longest * ($r->{ $part->[0] } // 0) / $most;
            $svg .= svg_rect($at, $y + 2, $width, 15, $part->[1]);
            $at += $width;
        }
        $svg .= svg_text($at + 6, $y + 14,
            sprintf '%.2f', sum map { $r->{ $_->[0] } // 0 } @parts);
        $y += 24;
    }
    my $at = $x + 100;
    for my $part (@parts) {
        $svg .= svg_rect($at, $y + 12, 11, 11, $part->[1]);
        $svg .= svg_text($at + 16, $y + 22, $part->[2], class => 'dim');
        $at += 30 + 7 * length $part->[2];
    }
    return $svg;
}

1;
