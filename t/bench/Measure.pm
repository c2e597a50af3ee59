package Measure;

# How everything here is measured: rounds of load, interleaved among the
# rivals; CPU of processes from /proc; medians; ratios within a round.
use v5.36;
use Exporter    qw(import);
use List::Util  qw(max min sum uniq);
use POSIX       qw(_exit);
use Time::HiRes qw(sleep time);
use Onward::Test;

our @EXPORT = qw(%option quick start program end_process listening cpu rss
    load load_command load_result median compare record results left_out);

# Set by measure.pl.
our %option = (
    quick    => 0,
    seconds  => 3,
    rounds   => 5,
    sizes    => [ 1024, 10240, 102400, 1048576 ],
    sessions => [ 1, 20, 100 ],
    out      => undef,
);
my @results;

sub quick ()       { return $option{quick} }
sub results ()     { return @results }
sub record (@rows) { push @results, @rows }

# A rival that is not on this machine. Undefined, also as an argument.
sub left_out ($name, $why) {
    print "  $name is left out: $why\n";
    return undef;
}

# Programs

my %running;
on_exit(sub { end_process($_) for keys %running });

# One that t/bench/run built, or of the system; undef if there is none.
sub program ($name) {
    my $bench = $ENV{BENCH} // die "run t/bench/run\n";
    return -f "$bench/$name" ? "$bench/$name"
        : Onward::Test::find_program($name);
}

sub start (@command) {
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDIN,  '<', '/dev/null';
        my $out = $ENV{BENCH_VERBOSE} ? '/dev/stderr' : '/dev/null';
        open STDOUT, '>>', $out;
        open STDERR, '>>', $out;
        exec @command or _exit(127);
    }
    $running{$pid} = 1;
    return $pid;
}

sub end_process ($pid) {
    local $?;
    kill TERM => $pid;
    waitpid $pid, 0;
    delete $running{$pid};
    return;
}

sub listening ($port, $seconds = 10) {
    wait_until($seconds,
        sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") })
        or die "nothing listens on $port\n";
    return $port;
}

# CPU seconds of processes with their children, living and gone.
my $tick = POSIX::sysconf(POSIX::_SC_CLK_TCK());

sub cpu_of ($pid) {
    open my $fh, '<', "/proc/$pid/stat" or return 0;
    my @f = split ' ', ((<$fh> // return 0) =~ s/^.*\) //r);
    return sum(@f[ 11 .. 14 ]) / $tick;
}

sub children ($parent) {
    my @found;
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $stat or next;
        my $line = <$fh> // next;
        my ($pid, $ppid) = $line =~ /^(\d+) .*\) \S (\d+)/ or next;
        push @found, $pid if $ppid == $parent;
    }
    return @found;
}

sub cpu (@pids) {
    return sum(0, map { cpu_of($_), map { cpu_of($_) } children($_) } @pids);
}

sub rss ($pid) {
    return slurp("/proc/$pid/status") =~ /VmRSS:\s+(\d+)/ ? $1 : 0;
}

# One round of load: port, sessions, size; besides seconds, rcpt, from,
# recipients, fields, different, rate, xforward.
my %flag = (
    sessions   => '-s',
    seconds    => '-t',
    size       => '-l',
    rcpt       => '-r',
    from       => '-f',
    recipients => '-m',
    fields     => '-H',
    different  => '-c',
    rate       => '-R',
);

sub load_command (%o) {
    $o{seconds} //= $option{seconds};
    return (program('load'), '127.0.0.1', $o{port},
        (map { defined $o{$_} ? ($flag{$_}, $o{$_}) : () } sort keys %flag),
        ($o{xforward} ? '-x' : ()));
}

sub load_result ($name, $line) {
    my %r = $line =~ /(\w+)=([\d.]+)/g;
    die "$name: load failed: $line\n" if !$r{messages};
    # One in a hundred may be refused by a rival; no more.
    die "$name: $r{errors} of $r{messages} messages failed\n"
        if $r{errors} > $r{messages} / 100;
    return \%r;
}

# And what everybody used meanwhile: cpu => { role => [pids] } in ms a message.
# settle: called behind it, until the work is done that was taken on. The rate
# is of what was taken on and done.
sub load (%o) {
    my %before = map { $_ => cpu(@{ $o{cpu}{$_} }) } keys %{ $o{cpu} // {} };
    warn "$o{name}\n" if $ENV{BENCH_VERBOSE};
    my $r = load_result($o{name}, run_out(load_command(%o)));
    my $began = time;
    if ($o{settle}) {
        $o{settle}->() or die "$o{name}: what it took on is not done\n";
    }
    $r->{accepted} = $r->{rate};
    $r->{rate} = $r->{messages} / ($r->{seconds} + time - $began);
    $r->{cpu_client} = delete $r->{cpu};
    $r->{"cpu_$_"}
        = (cpu(@{ $o{cpu}{$_} }) - $before{$_}) * 1000 / $r->{messages}
        for keys %before;
    $r->{cpu_both} = $r->{cpu_Postfix} + ($r->{cpu_proxy} // 0)
        if defined $r->{cpu_Postfix};
    return $r;
}

sub median (@values) {
    @values = sort { $a <=> $b } @values;
    return $values[ $#values / 2 ];
}

# Each of the rivals in turn, forwards and backwards, so that a slow minute of
# the machine is everybody's. %row: what all their rows have in common; with
# "base" the name of the rival that ratios are to. Returns the rows.
sub compare ($rivals, %row) {
    my $base = delete $row{base};
    my %runs;
    for my $round (1 .. $option{rounds}) {
        push @{ $runs{ $_->{name} } }, load(%$_)
            for $round % 2 ? @$rivals : reverse @$rivals;
    }
    my @rows;
    for my $rival (@$rivals) {
        my $runs = $runs{ $rival->{name} };
        my %mine = (%row, name => $rival->{name});
        for my $key (keys %{ $runs->[0] }) {
            $mine{$key} = median(map { $_->{$key} } @$runs);
        }
        $mine{rate_min} = min(map { $_->{rate} } @$runs);
        $mine{rate_max} = max(map { $_->{rate} } @$runs);
        $mine{max}      = max(map { $_->{max} } @$runs);
        %mine = (%mine, ratios($runs, $runs{$base})) if $runs{ $base // '' };
        push @rows, \%mine;
    }
    record(@rows);
    return @rows;
}

# Of each round to the base in the same round; the median of these.
sub ratios ($runs, $base) {
    my %ratio = (
        rate_ratio => [ map { ratio('rate', $_, $runs, $base) } 0 .. $#$runs ],
        both_ratio =>
            [ map { ratio('cpu_both', $_, $runs, $base) } 0 .. $#$runs ],
        p50_more =>
            [ map { $runs->[$_]{p50} - $base->[$_]{p50} } 0 .. $#$runs ],
    );
    return map { $_ => median(@{ $ratio{$_} }) }
        grep { defined $ratio{$_}[0] } keys %ratio;
}

sub ratio ($key, $round, $runs, $base) {
    my ($mine, $theirs) = map { $_->[$round]{$key} } $runs, $base;
    return defined $mine && $theirs ? $mine / $theirs : undef;
}

1;
