package Bars;

# The rivals of part sink or chain: a row of bars for each size, a column for
# each number of sessions.
use v5.36;
use List::Util qw(max sum uniq);
use Svg;
use Table;

my %class = (
    direct                => 'floor',
    none                  => 'floor',
    relay                 => 'floor',
    'relay again'         => 'floor',
    'Onward'              => 'onward',
    'Onward, unsigned'    => 'unsigned',
    'Onward, Ed25519'     => 'ed25519',
    'Onward, RSA-2048'    => 'onward',
    'OpenDKIM + PostSRSd' => 'opendkim',
    'rspamd + PostSRSd'   => 'rspamd',
    'Haraka'              => 'haraka',
);
my ($names, $top, $bar, $step) = (176, 92, 15, 20);

sub rates ($path, $part, @results) {
    my @rows = grep { ($_->{part} // '') eq $part } @results or return;
    my $title = $part eq 'sink' ? 'client -> X -> smtp-sink'
        : 'A whole Postfix with X in it';
    grid($path, "$title: messages a second",
        'One message a connection, medians; beside each bar the rate and the '
            . '99th percentile of the time to the final reply',
        sub ($r) {
            [ [ $class{ $r->{name} } // 'floor', $r->{rate} ] ],
                sprintf('%s/s', count_text(sprintf '%.0f', $r->{rate})),
                sprintf('%.*f ms', $r->{p99} < 10 ? 1 : 0, $r->{p99});
        },
        @rows);
    return;
}

sub cpu ($path, @results) {
    my @rows = grep { ($_->{part} // '') eq 'chain' } @results or return;
    grid($path, 'A whole Postfix with X in it: CPU a message',
        'Grey is Postfix, the colour what stands in it; milliseconds, together',
        sub ($r) {
            [   [ 'postfix', $r->{cpu_Postfix} ],
                [ $class{ $r->{name} } // 'floor', $r->{cpu_proxy} // 0 ]
            ],
                sprintf('%.2f ms', $r->{cpu_both}),
                defined $r->{cpu_proxy}
                ? sprintf('%.2f + %.2f', @$r{qw(cpu_Postfix cpu_proxy)}) : '';
        },
        @rows);
    return;
}

# $look: a row's segments ([class, value]...), its text and its dim text.
sub grid ($path, $title, $subtitle, $look, @rows) {
    my @sizes    = uniq map { $_->{size} } @rows;
    my @sessions = uniq map { $_->{sessions} } @rows;
    my @names    = uniq map { $_->{name} } @rows;
    my $cell     = @sessions == 1 ? 560 : 290;
    my $longest  = $cell - 150;
    my ($svg, $y) = ('', $top);
    for my $size (@sizes) {
        $svg .= svg_text(24, $y, size_text($size), class => 'head');
        for my $column (keys @sessions) {
            my $x    = $names + $column * $cell;
            my $n    = $sessions[$column];
            my @bars = grep { $_->{size} == $size && $_->{sessions} == $n }
                @rows;
            my $most = max map {
                sum map { $_->[1] } @{ ($look->($_))[0] }
            } @bars;
            $svg .= svg_text($x, $y, $n == 1 ? '1 session' : "$n sessions",
                class => 'dim');
            for my $row (@bars) {
                my ($at) = grep { $names[$_] eq $row->{name} } keys @names;
                $svg .= one_bar($x, $y + 10 + $at * $step, $longest / $most,
                    $look->($row));
            }
        }
        for my $at (keys @names) {
            my $ours = $names[$at] =~ /^Onward/ ? 'ours' : '';
            $svg .= svg_text($names - 10, $y + 10 + $at * $step + 12,
                $names[$at], anchor => 'end', class => $ours);
        }
        $y += 10 + @names * $step + 34;
    }
    svg_write($path, max($names + @sessions * $cell + 10, 760), $y - 14, $title,
        $subtitle, $svg);
    return;
}

sub one_bar ($x, $y, $scale, $segments, $text, $dim) {
    my $svg = '';
    for my $segment (@$segments) {
        my ($class, $value) = @$segment;
        my $width = $value * $scale;
        $svg .= svg_rect($x, $y, $width, $bar, $class);
        $x += $width;
    }
    return $svg . svg_text($x + 7, $y + 12, $text, dim => $dim);
}

1;
