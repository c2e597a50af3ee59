package Onward::Test;

# What every end-to-end test needs: where things are, free ports, waiting,
# and an end that leaves nothing behind.

use v5.36;
use Cwd            qw(abs_path);
use Exporter       qw(import);
use File::Basename qw(dirname);
use File::Temp     ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
use Time::HiRes qw(sleep time);
use Test::More ();
use Onward::Test::Janitor;

our @EXPORT = qw(top binary binary_for_all sanitized need scratch free_port wait_until
    slurp spew on_exit run_out seconds in_ms debian_suite neutral_postfix postfix_tables
    postfix_default postfix_version);

# Servers are left by peers in the middle of a write on purpose.
$SIG{PIPE} = 'IGNORE';

# A test that is interrupted still runs its END blocks.
$SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { exit 130 };

my $owner = $$;
my @at_exit;

# The top of the source tree.
sub top () {
    state $top = abs_path(dirname(__FILE__) . '/../../../..');
    return $top;
}

sub binary () {
    return abs_path($ENV{ONWARD} // top() . '/build/proxy/onward')
        // $ENV{ONWARD};
}

# A copy of the program that every user may run: the build of root may be
# where only root can go. Its directory is one that all may enter.
sub binary_for_all ($dir) {
    my $copy = "$dir/onward";
    system('cp', binary(), $copy) == 0 or die "$copy: cannot be copied\n";
    chmod 0755, $copy or die "$copy: $!\n";
    return $copy;
}

# Is the program under test built with AddressSanitizer? Its memory figures
# then say nothing, and it is several times slower.
sub sanitized () {
    state $sanitized = slurp(binary()) =~ /__asan_init/ ? 1 : 0;
    return $sanitized;
}

# Deadlines in tests are for a plain build on an idle machine. A machine with
# more to do than it has processors, in the last minute or now, gets as much
# more time.
sub seconds ($n) {
    state $processors = () = slurp('/proc/cpuinfo') =~ /^processor\s*:/mg;
    my ($load, $running) = slurp('/proc/loadavg') =~ m{^(\S+) \S+ \S+ (\d+)/};
    my $busy = ($load > $running ? $load : $running) / ($processors || 1);
    $busy = $busy < 1 ? 1 : $busy > 10 ? 10 : $busy;
    return $n * (-e binary() && sanitized() ? 3 : 1) * $busy;
}

# The same, as a setting is written: a deadline of the program under test that
# must not end what a busy machine has not done yet.
sub in_ms ($n) {
    return int(1000 * seconds($n)) . 'ms';
}

# The Debian that this machine runs, as its archive calls it: a program that
# was built here finds its libraries in another root of the same.
sub debian_suite () {
    return slurp('/etc/os-release') =~ /^VERSION_CODENAME=(\w+)$/m ? $1 : 'sid';
}

# Skip the whole test, by name and with the reason, if something it needs is
# not there: "root", "binary", "postfix", "python3-dkim", "Mail::DKIM", or a
# program.
sub need (@what) {
    my ($name) = $0 =~ m{([^/]+)$};
    for my $what (@what) {
        my $missing
            = $what eq 'root'         ? ($> != 0 && 'root (a real Postfix)')
            : $what eq 'binary'       ? (!-x binary() && binary())
            : $what eq 'postfix'      ? (!find_program('postconf') && $what)
            : $what eq 'python3-dkim' ? (!python_dkim() && $what)
            : $what =~ /::/           ? (!eval "require $what; 1" && $what)
            :                           (!find_program($what) && $what);
        # A missing program under test is no reason to skip: it is a failure.
        die "$name: no program at $missing\n" if $missing && $what eq 'binary';
        Test::More::plan(skip_all => "$name needs $missing") if $missing;
    }
}

sub python_dkim () {
    return -x '/usr/bin/python3'
        && system('/usr/bin/python3 -c "import dkim" 2>/dev/null') == 0;
}

sub find_program ($name) {
    for my $dir (split(/:/, $ENV{PATH} // ''), '/usr/sbin', '/sbin') {
        return "$dir/$name" if -x "$dir/$name";
    }
    return;
}

# A configuration directory for postconf and postmap: both want a main.cf, and
# this machine's may hold anything, or be absent (Debian's Postfix, installed
# without a configuration).
sub neutral_main_cf () {
    state $dir;
    if (!defined $dir) {
        $dir = scratch('main-cf');
        spew("$dir/main.cf", "compatibility_level = 3.6\n");
    }
    return $dir;
}

# postconf and postmap of this process, and of its children, take that one.
sub neutral_postfix () {
    $ENV{MAIL_CONFIG} = neutral_main_cf();
    return;
}

# The table types of the Postfix that is installed.
sub postfix_tables () {
    return map { $_ => 1 } split /\n/,
        run_out('postconf', '-c', neutral_main_cf(), '-m');
}

# The default of a parameter, or nothing if this Postfix does not know it.
sub postfix_default ($name) {
    return run_out('sh', '-c', 'postconf -c "$1" -dh "$2" 2>/dev/null', 'sh',
        neutral_main_cf(), $name) =~ /^(.+)$/m ? ($1) : ();
}

# Its version, as a number: 3.007 is 3.7, 3.010 is 3.10.
sub postfix_version () {
    my ($major, $minor) = postfix_default('mail_version') =~ /^(\d+)\.(\d+)/;
    return $major + $minor / 1000;
}

# A directory that goes away with the test; Postfix' own user may enter it.
sub scratch ($name = 'test') {
    my $dir = File::Temp::tempdir("onward-$name-XXXXXX",
        TMPDIR => 1, CLEANUP => !$ENV{ONWARD_KEEP});
    chmod 0755, $dir or die "chmod $dir: $!";
    Onward::Test::Janitor::hear(dir => $dir) unless $ENV{ONWARD_KEEP};
    return $dir;
}

# A port on 127.0.0.1 for a program that wants its number in advance. It lies
# below the ephemeral range, so that no outgoing connection takes it; and it
# is ours among all tests that run now, because we hold an abstract socket of
# its name, which the kernel drops when this process ends, however it ends.
my @held;

sub free_port () {
    state $next = 20000 + ($$ * 37) % 12000;
    for (1 .. 12000) {
        my $port = $next;
        $next = 20000 if ++$next >= 32000;
        my $lock = IO::Socket::UNIX->new(
            Type  => SOCK_STREAM,
            Local => "\0onward-test-port-$port",
            Listen => 1,
        ) or next;
        IO::Socket::INET->new(
            LocalAddr => '127.0.0.1',
            LocalPort => $port,
            Listen    => 1,
            ReuseAddr => 1,
        ) or next;
        push @held, $lock;
        return $port;
    }
    die "no free port\n";
}

# Ask until the answer is true; the last answer if it never is.
sub wait_until ($seconds, $ask) {
    my $end = time() + $seconds;
    my $answer;
    until ($answer = $ask->()) {
        last if time() > $end;
        sleep 0.02;
    }
    return $answer;
}

sub slurp ($path) {
    open my $fh, '<:raw', $path or die "$path: $!\n";
    local $/;
    return <$fh> // '';
}

sub spew ($path, $text, $mode = 0644) {
    open my $fh, '>:raw', $path or die "$path: $!\n";
    print $fh $text or die "$path: $!\n";
    close $fh       or die "$path: $!\n";
    chmod $mode, $path or die "$path: $!\n";
    return $path;
}

# Standard output of a program; its exit status is in $?.
sub run_out (@command) {
    open my $fh, '-|', @command or die "$command[0]: $!\n";
    binmode $fh;
    local $/;
    my $out = <$fh> // '';
    close $fh;
    return $out;
}

# A child that goes on alone: it cleans up, not its parent.
sub own () {
    $owner = $$;
}

sub on_exit ($code) {
    push @at_exit, $code;
}

END {
    if ($$ == $owner) {
        local $?;
        while (my $code = pop @at_exit) {
            eval { $code->(); 1 } or warn $@;
        }
    }
}

1;
