#!/usr/bin/perl
# What Onward costs beside nothing, beside a byte relay in its place, and
# beside OpenDKIM with PostSRSd doing the same work. Run by t/bench/run.
use v5.36;
$| = 1;
use FindBin qw($Bin);
use lib "$Bin/../e2e/lib", $Bin;
use File::Basename qw(dirname);
use List::Util     qw(max sum);
use POSIX          qw(_exit);
use Time::HiRes    qw(sleep time);
use Onward::Test;
use Onward::Test::Daemon;
use Onward::Test::Postfix;
use Alone;
use Plot;

my %option = (seconds => 3, rounds => 5, out => undef, quick => 0);
my @parts;
while (defined(my $word = shift)) {
    if ($word eq '--quick') { @option{qw(quick seconds rounds)} = (1, 1, 3) }
    elsif ($word =~ /^--(out|seconds)$/) { $option{$1} = shift }
    elsif ($word =~ /^-/) {
        die "usage: run [--quick] [--seconds N] [--out DIR] [PART...]\n";
    }
    else { push @parts, $word }
}
@parts = qw(sign sink chain idle) if !@parts;
my $bench = $ENV{BENCH} // die "run t/bench/run\n";
my @results;

# Programs

my @pids;
on_exit(sub { kill TERM => @pids; waitpid $_, 0 for @pids });

sub start (@command) {
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null' if !$ENV{BENCH_VERBOSE};
        exec @command or _exit(127);
    }
    push @pids, $pid;
    return $pid;
}

sub listening ($port) {
    wait_until(10, sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") })
        or die "nothing listens on $port\n";
    return $port;
}

sub start_sink () {
    my $port = free_port();
    start(Onward::Test::find_program('smtp-sink'),
        '-u', 'nobody', "127.0.0.1:$port", 1000);
    return listening($port);
}

sub start_relay ($to) {
    my $port = free_port();
    my $pid  = start("$bench/relay", $port, $to);
    return (listening($port), $pid);
}

# CPU seconds of processes with their children, living and gone.
my $tick = POSIX::sysconf(POSIX::_SC_CLK_TCK());

sub cpu_of ($pid) {
    open my $fh, '<', "/proc/$pid/stat" or return 0;
    my @f = split ' ', (<$fh> =~ s/^.*\) //r);
    return sum(@f[11 .. 14]) / $tick;
}

sub children ($parent) {
    my @found;
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $stat or next;
        my $line = <$fh> // next;
        my ($pid) = $line =~ /^(\d+)/;
        my ($ppid) = $line =~ /\) \S (\d+)/;
        push @found, $pid if defined $ppid && $ppid == $parent;
    }
    return @found;
}

sub cpu (@pids) {
    return sum(0, map { cpu_of($_), map { cpu_of($_) } children($_) } @pids);
}

sub rss ($pid) {
    return slurp("/proc/$pid/status") =~ /VmRSS:\s+(\d+)/ ? $1 : 0;
}

# One measurement: load for a while, and what everybody used meanwhile.
sub load (%o) {
    my %before = map { $_ => cpu(@{ $o{cpu}{$_} }) } keys %{ $o{cpu} // {} };
    warn "$o{name}\n" if $ENV{BENCH_VERBOSE};
    my $line = run_out("$bench/load", '127.0.0.1', $o{port},
        '-s', $o{sessions}, '-t', $o{seconds} // $option{seconds},
        '-l', $o{size}, '-r', $o{rcpt}, ($o{xforward} ? '-x' : ()));
    my %r = $line =~ /(\w+)=([\d.]+)/g;
    die "load failed: $line" if !$r{messages};
    $o{settle}->() if $o{settle};
    $r{"cpu_$_"} = (cpu(@{ $o{cpu}{$_} }) - $before{$_}) * 1000 / $r{messages}
        for keys %before;
    return \%r;
}

sub median (@values) {
    @values = sort { $a <=> $b } @values;
    return $values[$#values / 2];
}

# Each of the rivals in turn, forwards and backwards, so that a slow minute of
# the machine is everybody's.
sub compare ($what, $rivals) {
    my (%runs, @order);
    for my $round (1 .. $option{rounds}) {
        @order = $round % 2 ? @$rivals : reverse @$rivals;
        push @{ $runs{ $_->{name} } }, load(%$_) for @order;
    }
    for my $rival (@$rivals) {
        my $runs = $runs{ $rival->{name} };
        my %row  = (what => $what, name => $rival->{name});
        for my $key (keys %{ $runs->[0] }) {
            my @values = map { $_->{$key} } @$runs;
            $row{$key} = median(@values);
        }
        $row{min} = (sort { $a <=> $b } map { $_->{rate} } @$runs)[0];
        $row{max} = max(map { $_->{rate} } @$runs);
        push @results, \%row;
    }
    report($what);
    return;
}

sub report ($what) {
    my @rows = grep { $_->{what} eq $what } @results;
    my ($base) = grep { $_->{name} eq 'relay' } @rows;
    my @cpus = sort keys %{ { map { $_ => 1 } grep {/^cpu_/} map { keys %$_ } @rows } };
    printf "\n%s\n", $what;
    printf "  %-20s %9s %19s %8s %8s %8s%s\n", '', 'msg/s', '(min-max)', 'p50 ms',
        'p99 ms', 'x relay', join '', map { sprintf ' %10s', s/cpu_//r } @cpus;
    for my $r (@rows) {
        printf "  %-20s %9.0f %19s %8.2f %8.2f %8s%s\n", $r->{name}, $r->{rate},
            sprintf('(%.0f-%.0f)', $r->{min}, $r->{max}), $r->{p50}, $r->{p99},
            ($base ? sprintf('%.2f', $r->{rate} / $base->{rate}) : ''),
            join '', map {
            defined $r->{$_} ? sprintf ' %7.3f ms', $r->{$_} : ' ' x 11
            } @cpus;
    }
    return;
}

# client -> X -> smtp-sink

sub onward ($upstream, %o) {
    my $daemon = Onward::Test::Daemon->new(
        upstream => $upstream,
        settings => 'limits = { sessions = 4000; };'
           ,
        log => 0,
        %o
    )->start;
    return $daemon;
}

sub part_sink () {
    my $sink = start_sink();
    my ($relay, $relay_pid) = start_relay($sink);
    my $rsa     = onward($sink);
    my $ed25519 = onward($sink, key => 'ed25519');
    my @sizes = $option{quick} ? (10240) : (1024, 10240, 102400, 1048576);
    for my $size (@sizes) {
        for my $sessions ($option{quick} ? (20) : (1, 20, 100)) {
            my %o = (sessions => $sessions, size => $size,
                rcpt => 'fwd.x@public.example');
            compare(
                sprintf('client -> X -> smtp-sink, %d KiB, %d sessions',
                    $size / 1024, $sessions),
                [   { %o, name => 'direct', port => $sink },
                    {   %o,
                        name => 'relay',
                        port => $relay,
                        cpu  => { proxy => [$relay_pid] }
                    },
                    {   %o,
                        name => 'Onward, unsigned',
                        port => $rsa->port,
                        rcpt => 'x@elsewhere.example',
                        cpu  => { proxy => [$rsa->pid] }
                    },
                    {   %o,
                        name => 'Onward, Ed25519',
                        port => $ed25519->port,
                        cpu  => { proxy => [$ed25519->pid] }
                    },
                    {   %o,
                        name => 'Onward, RSA-2048',
                        port => $rsa->port,
                        cpu  => { proxy => [$rsa->pid] }
                    },
                ]
            );
        }
    }
    return;
}

# A whole Postfix

sub opendkim () {
    my $dir  = scratch('opendkim');
    my $port = free_port();
    my $key  = "$dir/key.pem";
    Onward::Test::Verify::make_key($key, 'rsa') if Onward::Test::Verify->can('make_key');
    system('openssl', 'genrsa', '-out', $key, '2048') if !-e $key;
    chmod 0600, $key;
    spew("$dir/KeyTable",     "k sender.example:s:$key\n");
    spew("$dir/SigningTable", "*\@sender.example k\n");
    spew("$dir/conf", <<~END);
        Mode s
        Canonicalization relaxed/relaxed
        KeyTable file:$dir/KeyTable
        SigningTable refile:$dir/SigningTable
        InternalHosts 0.0.0.0/0
        ExternalIgnoreList 0.0.0.0/0
        Syslog no
        RequireSafeKeys no
        END
    # A unix socket: over TCP its milter library stalls for 40 ms.
    my $pid = start(Onward::Test::find_program('opendkim'), '-f', '-x',
        "$dir/conf", '-p', "local:$dir/sock");
    wait_until(10, sub { -S "$dir/sock" }) or die "opendkim does not start\n";
    chmod 0777, "$dir/sock";
    return ("unix:$dir/sock", $pid);
}

sub postsrsd () {
    my $dir = scratch('postsrsd');
    my ($forward, $reverse) = (free_port(), free_port());
    spew("$dir/secret", "a secret for tests only\n", 0600);
    my $pid = start(Onward::Test::find_program('postsrsd'), "-s$dir/secret",
        '-dsrs.public.example', "-f$forward", "-r$reverse", '-l127.0.0.1');
    listening($forward);
    return ($forward, $reverse, $pid);
}

# Delivery costs nothing. Set by postconf: main.cf with a name in it twice
# makes every daemon warn, and postlogd wait for itself.
my @discard = ('default_transport=discard', 'virtual_transport=discard',
    'relay_transport=discard', 'relayhost=', 'transport_maps=',
    'in_flow_delay=0');

sub chain ($name, %o) {
    my $postfix = Onward::Test::Postfix->new(
        sink     => 9,
        %o,
    );
    $postfix->prepare;
    system('postconf', '-c', $postfix->config, '-e', @discard) == 0
        or die "postconf failed\n";
    return { name => $name, postfix => $postfix };
}

sub master_pid ($postfix) {
    return slurp($postfix->dir . '/queue/pid/master.pid') =~ /(\d+)/ ? $1 : 0;
}

sub part_chain () {
    need('root', 'postfix');
    my @chains;
    # Each its own Postfix; only the one that is measured has anything to do.
    my $back = free_port();
    push @chains, chain('none', ports => { reinject => $back },
        fronts => { mx => $back });

    my $back2 = free_port();
    my ($relay, $relay_pid) = start_relay($back2);
    push @chains,
        { %{ chain('relay', ports => { reinject => $back2 },
            fronts => { mx => $relay }) }, cpu => [$relay_pid] };

    my $back3  = free_port();
    my $onward = onward($back3);
    push @chains,
        { %{ chain('Onward', ports => { reinject => $back3 },
            fronts => { mx => $onward->port }) }, cpu => [$onward->pid] };

    if (   Onward::Test::find_program('opendkim')
        && Onward::Test::find_program('postsrsd'))
    {
        my ($milter, $opendkim) = opendkim();
        my ($forward, $reverse, $postsrsd) = postsrsd();
        push @chains, {
            %{  chain(
                    'OpenDKIM + PostSRSd',
                    fronts        => { mx => undef },
                    front_options => {
                        mx => [
                            "smtpd_milters=$milter",
                            'virtual_alias_maps=inline:{fwd.x@public.example=me@private.example}',
                        ]
                    },
                    main =>
                        "sender_canonical_maps = tcp:127.0.0.1:$forward\n"
                        . "sender_canonical_classes = envelope_sender\n"
                        . "recipient_canonical_maps = tcp:127.0.0.1:$reverse\n"
                        . "recipient_canonical_classes = envelope_recipient\n"
                        . 'virtual_alias_maps = inline:{fwd.x@public.example=me@private.example}'
                        . "\n",
                )
            },
            cpu => [$opendkim, $postsrsd]
        };
    }
    for my $chain (@chains) {
        warn "starting Postfix for $chain->{name}\n" if $ENV{BENCH_VERBOSE};
        $chain->{postfix}->start;
    }
    my @sizes = $option{quick} ? (10240) : (1024, 10240, 102400, 1048576);
    for my $size (@sizes) {
        for my $sessions ($option{quick} ? (20) : (1, 20, 100)) {
            compare(
                sprintf('Postfix chain, %d KiB, %d sessions', $size / 1024,
                    $sessions),
                [   map {
                        my $c = $_;
                        my $p = $c->{postfix};
                        {   name     => $c->{name},
                            port     => $p->port('mx'),
                            sessions => $sessions,
                            size     => $size,
                            rcpt     => 'fwd.x@public.example',
                            settle   => sub { $p->drained(60) },
                            cpu      => {
                                Postfix => [master_pid($p)],
                                ($c->{cpu} ? (proxy => $c->{cpu}) : ())
                            }
                        }
                    } @chains
                ]
            );
        }
    }
    return;
}

# Memory

sub part_idle () {
    my $sink   = start_sink();
    my $daemon = onward($sink,
        settings => 'limits = { sessions = 20000; };');
    my $count = $option{quick} ? 1000 : 10000;
    my $empty = rss($daemon->pid);
    my @held;
    for (1 .. $count) {
        my $s = IO::Socket::INET->new(
            PeerAddr  => '127.0.0.1',
            PeerPort  => $daemon->port,
            LocalAddr => '127.0.0.' . (1 + $_ % 200)
        ) or last;
        push @held, $s;
        sysread $s, my $greeting, 1000 if $_ % 50 == 0;
    }
    sleep 2;
    my $full = rss($daemon->pid);
    printf "\nmemory\n  idle %.1f MB; with %d idle sessions %.1f MB: %.2f KiB each\n",
        $empty / 1024, scalar @held, $full / 1024, ($full - $empty) / @held;
    push @results,
        { what => 'idle', name => 'Onward', sessions => scalar @held,
            rss_empty => $empty, rss_full => $full };
    return;
}

# No process, no socket: lib/ alone

sub part_sign () {
    my @rows = Alone::measure($bench, rounds => $option{rounds},
        seconds => $option{quick} ? 0.1 : $option{seconds});
    Alone::report(@rows);
    push @results, @rows;
    return;
}

sub machine () {
    my ($cpu) = slurp('/proc/cpuinfo') =~ /model name\s*:\s*(.*)/;
    my $cores = () = slurp('/proc/cpuinfo') =~ /^processor/mg;
    return sprintf '%s, %d cores', $cpu // 'unknown', $cores;
}

printf "%s\n%d rounds of %g s each, medians; CPU per message\n", machine(),
    @option{qw(rounds seconds)};
my %part = (
    sign  => \&part_sign,
    sink  => \&part_sink,
    chain => \&part_chain,
    idle  => \&part_idle
);
for my $part (@parts) {
    my $run = $part{$part} // die "no part $part; there are "
        . join(', ', sort keys %part) . "\n";
    $run->();
}
if ($option{out}) {
    mkdir $option{out};
    open my $fh, '>', "$option{out}/results.jsonl" or die "$option{out}: $!";
    for my $row (@results) {
        print $fh '{', join(', ', map {
            my $v = $row->{$_};
            qq{"$_": } . ($v =~ /^-?[\d.]+$/ ? $v : qq{"$v"})
        } sort keys %$row), "}\n";
    }
    close $fh;
    Plot::bars("$option{out}/$_.svg", $_, \@results) for qw(sink chain);
    Alone::plot("$option{out}/sign.svg", @results);
    print "\nwrote $option{out}\n";
}
