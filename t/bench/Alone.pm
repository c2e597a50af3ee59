package Alone;

# The parts of Onward alone: signer, canonicalization, SRS, tables; beside what
# OpenSSL allows and beside libopendkim. bench-sign and bench-opendkim measure.
use v5.36;
use List::Util qw(max uniq);
use Svg;

my %label = (
    rsa2048 => 'RSA-2048',
    ed25519 => 'Ed25519',
    rsa4096 => 'RSA-4096',
);
my @keys     = qw(rsa2048 ed25519 rsa4096);
my @contents = qw(text base64 blanks);

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

# What `openssl speed` says of itself: { rsa2048 => signatures a second of CPU,
# ed25519 => likewise, sha256 => octets a second }.
sub openssl_speed () {
    my %speed;
    open my $pipe, '-|', '(openssl speed -mr -seconds 1 rsa2048 ed25519 &&'
        . ' openssl speed -mr -seconds 1 -bytes 16384 sha256) 2>/dev/null'
        or die "openssl: $!\n";
    while (<$pipe>) {
        $speed{rsa2048} = $1 if /^\+F2:\d+:2048:([\d.]+):/;
        $speed{ed25519} = $1 if /^\+F6:\d+:\d+:Ed25519:([\d.]+):/;
        $speed{sha256}  = $1 if /^\+F:\d+:sha256:([\d.]+)$/;
    }
    close $pipe;
    for my $what (qw(rsa2048 ed25519 sha256)) {
        die "openssl speed does not say how fast $what is\n" if !$speed{$what};
    }
    return \%speed;
}

# Our share of it: signatures of 10 KiB messages, and the octets of large
# bodies that are made canonical and hashed.
my $large = 25_000_000;
my %of_openssl = (
    'openssl speed rsa2048'          => [ 'sign rsa2048 10240', 'rsa2048' ],
    'openssl speed ed25519'          => [ 'sign ed25519 10240', 'ed25519' ],
    'openssl speed sha256, text'     => [ "body-text - $large", 'sha256' ],
    'openssl speed sha256, base64'   => [ "body-base64 - $large", 'sha256' ],
    'openssl speed sha256, hash alone' => [ "sha256 - $large", 'sha256' ],
);

sub beside_openssl (@rounds) {
    my @results;
    for my $name (sort keys %of_openssl) {
        my ($task, $what) = @{ $of_openssl{$name} };
        my $units = $what eq 'sha256' ? $large : 1;
        push @results,
            {
            what   => 'openssl',
            name   => $name,
            rate   => median(map { 1e6 * $units / $_->{$task} } @rounds),
            theirs => median(map { $_->{openssl}{$what} } @rounds),
            share  => median(map {
                1e6 * $units / $_->{$task} / $_->{openssl}{$what} } @rounds),
            };
    }
    return @results;
}

# Each ratio is taken within one round; the median of these is what counts.
sub measure ($bench, %o) {
    my @rounds;
    for my $round (1 .. $o{rounds}) {
        my @programs = map {"$bench/t/bench/bench-$_"} qw(sign opendkim);
        @programs = reverse @programs if $round % 2 == 0;
        push @rounds, { map { %{ run_once($_, $o{seconds}) } } @programs };
        $rounds[-1]{openssl} = openssl_speed();
    }
    my @results = beside_openssl(@rounds);
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
    push @results, map { canonicalization($_, @rounds) }
        map { my $size = $_; map { [ $_, $size ] } @contents }
        (1048576, $large);
    for my $name (qw(srs-forward srs-reverse alias)) {
        push @results,
            { what => 'alone', name => $name,
                us => median(map { $_->{"$name - 0"} } @rounds) };
    }
    return @results;
}

sub canonicalization ($row, @rounds) {
    my ($content, $size) = @$row;
    my @mine = map { $_->{"body-$content - $size"} } @rounds;
    my @hash = map { $_->{"sha256 - $size"} } @rounds;
    return {
        what  => 'canonicalization',
        name  => $content,
        size  => $size,
        us    => median(@mine),
        alone => median(map { $mine[$_] - $hash[$_] } 0 .. $#rounds),
        share => median(map { $hash[$_] / $mine[$_] } 0 .. $#rounds),
    };
}

sub size_text ($size) {
    return
          $size == $large  ? '25 MB'
        : $size < 1048576 ? $size / 1024 . ' KiB'
        :                   $size / 1048576 . ' MiB';
}

sub report (@results) {
    printf "\nsigner alone, one core; the limit is the signature and SHA-256, "
        . "nothing else\n";
    printf "  %-10s %8s %10s %10s %9s %12s %14s\n", '', '', 'msg/s', 'us',
        'limit us', 'of the limit', 'x libopendkim';
    for my $r (grep { $_->{what} eq 'sign' } @results) {
        printf "  %-10s %8s %10.0f %10.1f %9.1f %10.1f %% %14s\n",
            $r->{name}, size_text($r->{size}), 1e6 / $r->{us}, $r->{us},
            $r->{limit_us},
            100 * $r->{share}, $r->{times_libopendkim}
            ? sprintf('%.2f', $r->{times_libopendkim})
            : '';
    }
    printf "\nbody: canonicalization and hash\n";
    printf "  %-10s %8s %10s %24s %14s\n", '', '', 'MB/s',
        'canonicalization MB/s', 'of SHA-256';
    for my $r (grep { $_->{what} eq 'canonicalization' } @results) {
        printf "  %-10s %8s %10.0f %24.0f %12.1f %%\n", $r->{name},
            size_text($r->{size}), $r->{size} / $r->{us},
            $r->{size} / max($r->{alone}, 1), 100 * $r->{share};
    }
    printf "\nbeside `openssl speed` (10 KiB messages, 25 MB bodies)\n";
    for my $r (grep { $_->{what} eq 'openssl' } @results) {
        my $unit = $r->{rate} > 1e6 ? 1e6 : 1;
        printf "  %-34s %8.0f of %8.0f %-4s %6.1f %%\n", $r->{name},
            $r->{rate} / $unit, $r->{theirs} / $unit,
            $unit == 1 ? '/s' : 'MB/s', 100 * $r->{share};
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

# Bars as long as the share of the limit that they reach.
my @bars = (
    [ 'the limit',   'floor',    'limit_us' ],
    [ 'Onward',      'onward',   'us' ],
    [ 'libopendkim', 'opendkim', 'libopendkim_us' ]
);

sub plot ($path, @results) {
    my @rows = grep { $_->{what} eq 'sign' } @results or return;
    my ($cell, $longest) = (350, 210);
    my @names = uniq map { $_->{name} } @rows;
    my ($svg, $y) = ('', 92);
    for my $size (uniq map { $_->{size} } @rows) {
        $svg .= svg_text(24, $y, size_text($size), class => 'head');
        for my $at (keys @bars) {
            $svg .= svg_text(116, $y + 22 + 20 * $at, $bars[$at][0],
                anchor => 'end', class => $at == 1 ? 'ours' : '');
        }
        for my $column (keys @names) {
            my $x = 126 + $column * $cell;
            my ($r) = grep { $_->{size} == $size
                    && $_->{name} eq $names[$column] } @rows;
            $svg .= svg_text($x, $y, $names[$column], class => 'dim');
            for my $at (keys @bars) {
                my $us = $r->{ $bars[$at][2] } // next;
                my ($h, $share) = ($y + 10 + 20 * $at, $r->{limit_us} / $us);
                $svg .= svg_rect($x, $h, $longest * $share, 15, $bars[$at][1]);
                $svg .= svg_text($x + $longest * $share + 7, $h + 12,
                    sprintf('%.0f/s', 1e6 / $us),
                    dim => sprintf '%.0f %%', 100 * $share);
            }
        }
        $y += 104;
    }
    svg_write($path, 126 + @names * $cell, $y - 14,
        'The signer alone: messages a second on one core',
        'The limit is the signature and SHA-256 of the same octets, nothing '
            . 'else; each bar as its share of it', $svg);
    return;
}

1;
