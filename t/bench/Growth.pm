package Growth;

# CPU per message of Onward as one quantity grows and all others stay as they
# are: 10 KiB, one recipient, 8 sessions, an Ed25519 key (an RSA signature
# would hide the rest).
use v5.36;
use List::Util qw(max min uniq);
use MIME::Base64;
use Onward::Test;
use Onward::Test::Sink;
use Measure;
use Rivals;
use Table;

my %usual = (size => 10240, sessions => 8);

# What grows, how far, and how a daemon and its load look at each point. All
# but two need only one daemon.
my @quantities = (
    {   name   => 'message size',
        unit   => 'octets',
        points => [ 1024, 10240, 102400, 1048576, 10485760 ],
        load   => sub ($n) { size => $n },
    },
    {   name   => 'recipients',
        unit   => 'of a message',
        points => [ 1, 3, 10, 30, 100 ],
        load   => sub ($n) {
            recipients => $n, different => $n, rcpt => 'fwd.%@public.example'
        },
    },
    {   name   => 'header fields',
        unit   => 'of a message of 512 KiB',
        points => [ 10, 100, 1000, 10000 ],
        load   => sub ($n) { fields => $n, size => 524288 },
    },
    {   name   => 'aliases',
        unit   => 'in a cdb table',
        points => [ 1, 100, 10_000, 1_000_000 ],
        daemon => \&with_aliases,
        load   => sub ($n) { rcpt => 'u%@public.example', different => $n },
    },
    {   name   => 'domains with keys',
        unit   => 'that send in turn',
        points => [ 1, 10, 100, 1000, 5000 ],
        daemon => \&with_domains,
        load   => sub ($n) {
            from => 'bench@d%.example', rcpt => 'x@elsewhere.example',
            different => $n
        },
    },
    {   name   => 'sessions',
        unit   => 'at the same time',
        points => [ 1, 10, 100, 1000 ],
        load   => sub ($n) { sessions => $n },
    },
);

sub with_aliases ($upstream, $n) {
    my $dir = scratch('aliases');
    open my $fh, '>', "$dir/text" or die "$dir: $!\n";
    print $fh "u$_\@public.example me\@private.example\n" for 0 .. $n - 1;
    close $fh or die "$dir: $!\n";
    run_out(binary(), 'map', 'build', "cdb:$dir/table", "$dir/text");
    die "map build failed\n" if $?;
    return onward($upstream, key => 'ed25519',
        aliases => qq{"cdb:$dir/table"});
}

# Keys are made here: five thousand runs of openssl take a minute, and an
# Ed25519 key is any 32 octets behind a fixed start (RFC 8410).
sub with_domains ($upstream, $n) {
    my $dir   = scratch('domains');
    my $start = pack 'H*', '302e020100300506032b657004220420';
    open my $random, '<:raw', '/dev/urandom' or die "urandom: $!\n";
    mkdir "$dir/dkim", 0750;
    for my $i (0 .. $n - 1) {
        read $random, my $seed, 32;
        mkdir "$dir/dkim/d$i.example", 0750;
        spew("$dir/dkim/d$i.example/s.pem", "-----BEGIN PRIVATE KEY-----\n"
                . encode_base64($start . $seed)
                . "-----END PRIVATE KEY-----\n", 0640);
    }
    return onward($upstream, dir => $dir, key => 'ed25519',
        listeners => { out => 'outbound' });
}

# It does what it is measured at: a signature, and the alias expanded.
sub check ($daemon, $quantity, $sink) {
    $sink->clear;
    load(name => $quantity->{name}, port => $daemon->port, %usual,
        rcpt => $forwarded, $quantity->{load}->($quantity->{points}[0]),
        sessions => 1, seconds => 0.01);
    my $message = ($sink->wait_for(1))[0]
        // die "growth: $quantity->{name}: nothing came out\n";
    die "growth: $quantity->{name}: not signed\n"
        if $message->{data}->() !~ /^DKIM-Signature:/;
    return;
}

sub part () {
    heading('cost as one quantity grows: CPU of Onward, ms a message');
    my @rows;
    for my $quantity (@quantities) {
        my @points = @{ $quantity->{points} };
        pop @points if quick();
        my $proof = Onward::Test::Sink->new;
        my %daemon;
        if ($quantity->{daemon}) {
            $daemon{$_} = $quantity->{daemon}->($proof->port, $_) for @points;
        } else {
            my $one = onward($proof->port, key => 'ed25519');
            $daemon{$_} = $one for @points;
        }
        check($_, $quantity, $proof) for uniq values %daemon;
        $proof->stop;
        my $sink = start_sink($proof->port);
        push @rows, grown($quantity, \%daemon, @points);
        end_process($sink->{pid});
        $_->stop for uniq values %daemon;
    }
    record(@rows);
    return;
}

sub grown ($quantity, $daemon, @points) {
    my %o = (part => 'growth', what => $quantity->{name},
        unit => $quantity->{unit});
    my %runs;
    for my $round (1 .. (quick() ? 1 : $option{rounds})) {
        for my $n ($round % 2 ? @points : reverse @points) {
            push @{ $runs{$n} }, load(
                name => "$quantity->{name} $n",
                port => $daemon->{$n}->port,
                rcpt => $forwarded,
                cpu  => { proxy => [ $daemon->{$n}->pid ] },
                %usual,
                $quantity->{load}->($n),
                # Many messages in a round are no more exact than enough.
                seconds => min($option{seconds}, quick() ? 0.5 : 2),
            );
        }
    }
    my @rows = map {
        my $n = $_;
        +{  %o,
            name => $n,
            cpu  => median(map { $_->{cpu_proxy} } @{ $runs{$n} }),
            rate => median(map { $_->{rate} } @{ $runs{$n} }),
        }
    } @points;
    printf "\n  %-38s %8s %8s %8s\n", "$quantity->{name} "
        . ($quantity->{unit} eq 'octets' ? '' : $quantity->{unit}), 'CPU ms',
        'msg/s', 'growth';
    my $before;
    for my $r (@rows) {
        my $steep = $before ? steepness($before, $r) : undef;
        $r->{steepness} = $steep if defined $steep;
        printf "  %38s %8.3f %8.0f %8s\n",
            $quantity->{unit} eq 'octets' ? size_text($r->{name})
            : count_text($r->{name}), $r->{cpu}, $r->{rate},
            defined $steep ? sprintf('n^%.2f', $steep) : '';
        $before = $r;
    }
    return @rows;
}

# The exponent of the last step: 0 is flat, 1 is linear.
sub steepness ($from, $to) {
    return if $from->{cpu} <= 0 || $to->{cpu} <= 0;
    return log($to->{cpu} / $from->{cpu}) / log($to->{name} / $from->{name});
}

1;
