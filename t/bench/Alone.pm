package Alone;

# The parts of Onward alone: signer, canonicalization, SRS, tables; beside what
# OpenSSL allows and beside libopendkim. bench-sign and bench-opendkim measure.
use v5.36;
use List::Util qw(max uniq);

my %label = (
    rsa2048 => 'RSA-2048',
    ed25519 => 'Ed25519',
    rsa4096 => 'RSA-4096',
);
my @keys = qw(rsa2048 ed25519 rsa4096);

sub median (@values) {
    @values = sort { $a <=> $b } @values;
    return $values[$#values / 2];
}

# One run of a program: { "NAME KEY SIZE" => microseconds of CPU }.
sub run_once ($program, $seconds) {
    open my $pipe, '-|', $program, $seconds or die "$program: $!\n";
    my %cost;
    while (<$pipe>) {
        my ($what, $cost) = /^(\S+ \S+ \d+) ([\d.]+)$/
            or die "$program: what is this: $_";
        $cost{$what} = $cost;
    }
    close $pipe or die "$program failed\n";
    return \%cost;
}

# Each ratio is taken within one round; the median of these is what counts.
sub measure ($bench, %o) {
    my @rounds;
    for my $round (1 .. $o{rounds}) {
        my @programs = map {"$bench/t/bench/bench-$_"} qw(sign opendkim);
        @programs = reverse @programs if $round % 2 == 0;
        push @rounds, { map { %{ run_once($_, $o{seconds}) } } @programs };
    }
    my @results;
    for my $key (@keys) {
        for my $size (1024, 10240, 102400, 1048576) {
            my (%row, %runs);
            for my $r (@rounds) {
                my $sign  = $r->{"sign $key $size"};
                my $limit = $r->{"limit $key 0"} + $r->{"sha256 - $size"};
                my $other = $r->{"libopendkim $key $size"};
                push @{ $runs{us} },       $sign;
                push @{ $runs{limit_us} }, $limit;
                push @{ $runs{share} },    $limit / $sign;
                next if !$other;
                push @{ $runs{libopendkim_us} }, $other;
                push @{ $runs{times_libopendkim} }, $other / $sign;
            }
            $row{$_} = median(@{ $runs{$_} }) for keys %runs;
            push @results,
                { what => 'sign', name => $label{$key}, size => $size, %row };
        }
    }
    for my $content (qw(text base64 blanks)) {
        my $size = 1048576;
        my @mine = map { $_->{"body-$content - $size"} } @rounds;
        my @hash = map { $_->{"sha256 - $size"} } @rounds;
        push @results,
            {
            what  => 'canonicalization',
            name  => $content,
            size  => $size,
            us    => median(@mine),
            alone => median(map { $mine[$_] - $hash[$_] } 0 .. $#rounds),
            share => median(map { $hash[$_] / $mine[$_] } 0 .. $#rounds),
            };
    }
    for my $name (qw(srs-forward srs-reverse alias)) {
        push @results,
            { what => 'alone', name => $name,
                us => median(map { $_->{"$name - 0"} } @rounds) };
    }
    return @results;
}

sub size_text ($size) {
    return $size < 1048576 ? $size / 1024 . ' KiB' : $size / 1048576 . ' MiB';
}

sub report (@results) {
    printf "\nsigner alone, one core; the limit is the signature and SHA-256, "
        . "nothing else\n";
    printf "  %-10s %8s %10s %10s %9s %12s %14s\n", '', '', 'msg/s', 'us',
        'limit us', 'of the limit', 'x libopendkim';
    for my $r (grep { $_->{what} eq 'sign' } @results) {
        printf "  %-10s %8s %10.0f %10.1f %9.1f %10.1f %% %14s\n", $r->{name},
            size_text($r->{size}), 1e6 / $r->{us}, $r->{us}, $r->{limit_us},
            100 * $r->{share}, $r->{times_libopendkim}
            ? sprintf('%.2f', $r->{times_libopendkim})
            : '';
    }
    printf "\nbody of 1 MiB: canonicalization and hash\n";
    printf "  %-10s %10s %24s %14s\n", '', 'MB/s', 'canonicalization MB/s',
        'of SHA-256';
    for my $r (grep { $_->{what} eq 'canonicalization' } @results) {
        printf "  %-10s %10.0f %24.0f %12.1f %%\n", $r->{name},
            $r->{size} / $r->{us}, $r->{size} / max($r->{alone}, 1),
            100 * $r->{share};
    }
    printf "\naddresses\n";
    my %text = (
        'srs-forward' => 'SRS forward',
        'srs-reverse' => 'SRS reverse',
        alias         => 'alias, 1 of 100,000',
    );
    printf "  %-20s %8.2f us %12.0f/s\n", $text{ $_->{name} }, $_->{us},
        1e6 / $_->{us}
        for grep { $_->{what} eq 'alone' } @results;
    return;
}

sub plot ($path, @results) {
    my @rows = grep { $_->{what} eq 'sign' } @results;
    return if !@rows;
    my $y   = 50;
    my $svg = '';
    for my $name (uniq map { $_->{name} } @rows) {
        $svg .= qq{<text x="20" y="$y" font-weight="600">$name</text>\n};
        $y += 10;
        for my $r (grep { $_->{name} eq $name } @rows) {
            $svg .= sprintf qq{<text x="90" y="%d" text-anchor="end">%s</text>\n},
                $y + 13, size_text($r->{size});
            for my $bar (
                [ 'the limit',   '#9aa5b1', $r->{limit_us} ],
                [ 'Onward',      '#2f9e6e', $r->{us} ],
                [ 'libopendkim', '#d9822b', $r->{libopendkim_us} ]
                )
            {
                my ($who, $colour, $us) = @$bar;
                next if !$us;
                my $width = 400 * $r->{limit_us} / $us;
                $svg .= sprintf
                    qq{<text x="170" y="%d" text-anchor="end">%s</text>}
                    . qq{<rect x="180" y="%d" width="%.1f" height="16" fill="%s"/>}
                    . qq{<text x="%.1f" y="%d" fill="#52606d">%.0f/s, %.0f %%</text>\n},
                    $y + 13, $who, $y, $width, $colour, 190 + $width, $y + 13,
                    1e6 / $us, 100 * $r->{limit_us} / $us;
                $y += 20;
            }
            $y += 8;
        }
        $y += 26;
    }
    open my $fh, '>', $path or die "$path: $!";
    print $fh qq{<svg xmlns="http://www.w3.org/2000/svg" width="780" height="$y" }
        . qq{font-family="sans-serif" font-size="12">\n}
        . qq{<rect width="780" height="$y" fill="#ffffff"/>\n}
        . qq{<text x="20" y="26" font-size="16" font-weight="600">Signer alone: }
        . qq{messages a second on one core, share of the limit</text>\n$svg</svg>\n};
    close $fh;
    return;
}

1;
