package Plot;

# A bar chart for each comparison, as one SVG file.
use v5.36;
use List::Util qw(max uniq);

my %title = (sink => 'client -> X -> smtp-sink', chain => 'Postfix chain');
my %colour = (
    direct                => '#9aa5b1',
    none                  => '#9aa5b1',
    relay                 => '#616e7c',
    'Onward'              => '#2f9e6e',
    'Onward, unsigned'    => '#8fd3b6',
    'Onward, Ed25519'     => '#55b98f',
    'Onward, RSA-2048'    => '#2f9e6e',
    'OpenDKIM + PostSRSd' => '#d9822b',
);

sub bars ($path, $part, $results) {
    my @rows = grep { index($_->{what}, $title{$part}) == 0 } @$results;
    return if !@rows;
    my @groups = uniq map { $_->{what} } @rows;
    my $y = 50;
    my $svg = '';
    for my $group (@groups) {
        my @bars = grep { $_->{what} eq $group } @rows;
        my $most = max map { $_->{rate} } @bars;
        my $name = $group =~ s/^\Q$title{$part}\E, //r;
        $svg .= qq{<text x="20" y="$y" font-weight="600">$name</text>\n};
        $y += 10;
        for my $bar (@bars) {
            my $width = 440 * $bar->{rate} / $most;
            my $text  = $y + 13;
            my $end   = 190 + $width;
            $svg .= sprintf
                qq{<text x="170" y="%d" text-anchor="end">%s</text>}
                . qq{<rect x="180" y="%d" width="%.1f" height="16" fill="%s"/>}
                . qq{<text x="%.1f" y="%d" fill="#52606d">%.0f/s, p99 %.1f ms</text>\n},
                $text, $bar->{name}, $y, $width,
                $colour{ $bar->{name} } // '#888', $end, $text, $bar->{rate},
                $bar->{p99};
            $y += 20;
        }
        $y += 26;
    }
    open my $fh, '>', $path or die "$path: $!";
    print $fh qq{<svg xmlns="http://www.w3.org/2000/svg" width="780" height="$y" }
        . qq{font-family="sans-serif" font-size="12">\n}
        . qq{<rect width="780" height="$y" fill="#ffffff"/>\n}
        . qq{<text x="20" y="26" font-size="16" font-weight="600">$title{$part}: }
        . qq{messages a second</text>\n$svg</svg>\n};
    close $fh;
    return;
}

1;
