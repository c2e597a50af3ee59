package Lanes;

# Is there a lane of slow jobs in front of fast ones? Ordinary mail at a fixed
# rate, alone, and beside mail of another domain that the same daemon signs
# with RSA-4096, each signature as dear as 15 of the ordinary ones; and beside
# as much more of the ordinary kind.
use v5.36;
use Time::HiRes qw(sleep);
use Onward::Test;
use Onward::Test::Sink;
use Onward::Test::Verify;
use Measure;
use Rivals;
use Table;

my %ordinary = (rate => 200, sessions => 100);
my %beside   = (rate => 50,  sessions => 50);

sub daemon ($upstream) {
    my $dir = scratch('lanes');
    mkdir "$dir/dkim";
    for my $domain (qw(slow quick)) {
        my $bits = $domain eq 'slow' ? 4096 : 2048;
        mkdir "$dir/dkim/$domain.example", 0750;
        my $key = "$dir/dkim/$domain.example/s.pem";
        system("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:$bits"
                . " -out $key 2>/dev/null") == 0 or die "openssl failed\n";
        chmod 0640, $key;
    }
    return onward($upstream, dir => $dir, key => '',
        listeners => { out => 'outbound' });
}

# Another load meanwhile, from that domain; then the one that is looked at.
# The 99th percentile of a few hundred messages is six of them: longer rounds.
sub round ($port, $domain) {
    my $seconds = $option{seconds} * (quick() ? 1 : 3);
    my %common  = (port => $port, size => 10240,
        rcpt => 'x@elsewhere.example');
    my $pipe;
    if ($domain) {
        open $pipe, '-|', load_command(%common, %beside,
            from => "bench\@$domain.example",
            seconds => $seconds + 0.5)
            or die "load: $!\n";
        sleep 0.3;
    }
    my $r = load(%common, %ordinary, name => 'ordinary mail',
        seconds => $seconds, from => 'bench@quick.example');
    return $r if !$pipe;
    my $other = load_result("mail of $domain.example", join '', <$pipe>);
    close $pipe;
    $r->{beside_rate} = $other->{rate};
    $r->{beside_p99}  = $other->{p99};
    return $r;
}

sub part () {
    my $proof  = Onward::Test::Sink->new;
    my $daemon = daemon($proof->port);
    for my $domain (qw(slow quick)) {
        $proof->clear;
        load(name => $domain, port => $daemon->port, sessions => 1,
            seconds => 0.01, size => 10240, from => "bench\@$domain.example",
            rcpt => 'x@elsewhere.example');
        my ($message) = $proof->wait_for(1);
        die "lanes: $domain.example is not signed\n"
            if !$message
            || $message->{data}->() !~ /^DKIM-Signature:[^:]*\bd=$domain\./;
    }
    $proof->stop;
    my $sink  = start_sink($proof->port);
    my @kinds = (
        [ 'alone',               undef ],
        [ 'beside 50/s RSA-4096', 'slow' ],
        [ 'beside 50/s RSA-2048', 'quick' ]
    );
    my %runs;
    for my $round (1 .. $option{rounds}) {
        push @{ $runs{ $_->[0] } }, round($daemon->port, $_->[1])
            for $round % 2 ? @kinds : reverse @kinds;
    }
    show(\%runs, map { $_->[0] } @kinds);
    $daemon->stop;
    end_process($sink->{pid});
    return;
}

sub show ($runs, @names) {
    heading("ordinary mail (RSA-2048, 10 KiB, $ordinary{rate}/s) through one "
            . 'daemon');
    printf "  %-22s %9s %9s %9s %12s %14s\n", '', 'p50 ms', 'p99 ms', 'x alone',
        'beside, /s', 'its p99 ms';
    my $alone = $runs->{ $names[0] };
    for my $name (@names) {
        my $mine = $runs->{$name};
        my %row  = (part => 'lanes', what => 'lanes', name => $name);
        for my $key (qw(p50 p99 rate)) {
            $row{$key} = median(map { $_->{$key} } @$mine);
        }
        $row{p99_ratio} = median(
            map { $mine->[$_]{p99} / $alone->[$_]{p99} } keys @$mine);
        if ($mine->[0]{beside_rate}) {
            $row{beside_rate} = median(map { $_->{beside_rate} } @$mine);
            $row{beside_p99}  = median(map { $_->{beside_p99} } @$mine);
        }
        record(\%row);
        printf "  %-22s %9.2f %9.2f %9.2f %12s %14s\n", $name, $row{p50},
            $row{p99}, $row{p99_ratio},
            $row{beside_rate} ? sprintf('%.1f', $row{beside_rate}) : '',
            $row{beside_p99} ? sprintf('%.2f', $row{beside_p99}) : '';
    }
    return;
}

1;
