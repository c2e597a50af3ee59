package Instances;

# More processes: behind HAProxy, or on one port with reuse_port. How far it
# goes on this machine, and what stops it.
use v5.36;
use List::Util qw(sum);
use Onward::Test;
use Measure;
use Rivals;
use Table;

my @counts = (1, 2, 4);

# Daemons that each listen on a port of their own and share one with the first
# so many of them: ({count => port}, daemons).
sub daemons ($upstream) {
    my %shared = map { $_ => free_port() } @counts;
    my @daemons;
    for my $i (1 .. $counts[-1]) {
        my $listeners = join ",\n", map {
            qq(  { name = "of$_"; address = "127.0.0.1:$shared{$_}";)
                . ' role = "inbound"; reuse_port = true; }'
        } grep { $i <= $_ } @counts;
        push @daemons, onward($upstream, more_listeners => $listeners);
    }
    return (\%shared, @daemons);
}

# { port, pid }
sub haproxy (@daemons) {
    my $program = program('haproxy')
        // return left_out('HAProxy', 'not installed');
    my $dir     = scratch('haproxy');
    my $port    = free_port();
    my $servers = join '', map {
        "    server onward$_ 127.0.0.1:" . $daemons[$_]->port('mx') . "\n"
    } keys @daemons;
    spew("$dir/conf", <<~END);
        global
            maxconn 4000
        defaults
            mode tcp
            timeout connect 5s
            timeout client 1m
            timeout server 1m
        frontend mail
            bind 127.0.0.1:$port
            default_backend onward
        backend onward
            balance leastconn
        $servers
        END
    my $pid = start($program, '-db', '-f', "$dir/conf");
    return { port => listening($port), pid => $pid };
}

sub part () {
    my $sink = start_sink();
    my ($shared, @daemons) = daemons($sink->{port});
    my (@rivals, @proxies);
    for my $count (@counts) {
        my @some = @daemons[ 0 .. $count - 1 ];
        my %cpu  = (proxy => [ map { $_->pid } @some ],
            sink => [ $sink->{pid} ]);
        push @rivals,
            { name => "reuse_port, $count", port => $shared->{$count},
                cpu => {%cpu} };
        my $haproxy = haproxy(@some) // next;
        push @proxies, $haproxy;
        push @rivals, { name => "HAProxy, $count", port => $haproxy->{port},
            cpu => { %cpu, HAProxy => [ $haproxy->{pid} ] } };
    }
    @rivals = (grep({ !$_->{cpu}{HAProxy} } @rivals),
        grep { $_->{cpu}{HAProxy} } @rivals);
    my %o = (size => 10240, sessions => 20,
        (quick() ? (seconds => $option{seconds} / 2) : ()));
    my @rows = compare([ map { { rcpt => $forwarded, %$_, %o } } @rivals ],
        %o, part => 'instances');
    for my $r (@rows) {
        ($r->{kind}, $r->{count}) = split /, /, $r->{name};
        $r->{cores} = $r->{rate} / 1000
            * sum(map { $r->{$_} // 0 }
                qw(cpu_proxy cpu_HAProxy cpu_sink cpu_client));
    }
    print_rivals('several processes, 10 KiB, 20 sessions, RSA-2048', @rows);
    trend($_, \@rows) for 'reuse_port', 'HAProxy';
    $_->stop for @daemons;
    end_process($_->{pid}) for @proxies, $sink;
    return;
}

# Up to how many it is worth it: each further step brings a tenth at least.
sub trend ($kind, $all) {
    my @rows = grep { $_->{kind} eq $kind } @$all or return;
    my $best = shift @rows;
    my $one  = $best;
    for my $r (@rows) {
        last if $r->{rate} < 1.1 * $best->{rate};
        $best = $r;
    }
    my $cores = () = slurp('/proc/cpuinfo') =~ /^processor/mg;
    my $others = $best->{rate} / 1000
        * (($best->{cpu_sink} // 0) + $best->{cpu_client});
    printf "  %s: grows up to %d (%.2f x one); there %.2f of %d cores are "
        . "busy, %.2f of them with client and smtp-sink\n", $kind,
        $best->{count}, $best->{rate} / $one->{rate}, $best->{cores}, $cores,
        $others;
    return;
}

1;
