package Onward::Test::Janitor;

# What a test that was killed would leave behind: a process of its own hears
# of each directory and process, and of the test's end as the end of a pipe.
# (Its servers hold that too, but end when it ends; programs it starts do not.)
# After an orderly end nothing is left to do.

use v5.36;
use File::Path qw(remove_tree);
use POSIX      qw(_exit setsid);

my ($owner, $pipe);

# "dir PATH", "pid NUMBER", "gone NUMBER", "postfix DIRECTORY".
sub hear ($what, $name) {
    start() if !$pipe || $owner != $$;
    syswrite $pipe, "$what $name\n";
}

sub start () {
    pipe my $heard, my $told or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        # Whatever ends the test's group must not end this.
        setsid();
        local @SIG{qw(INT TERM HUP)} = ('IGNORE') x 3;
        close $told;
        close $pipe if $pipe;
        open $_, '+<', '/dev/null' for *STDIN, *STDOUT, *STDERR;
        my @heard = map {chomp; $_} <$heard>;
        clean_up(@heard);
        _exit(0);
    }
    close $heard;
    ($owner, $pipe) = ($$, $told);
}

sub clean_up (@heard) {
    my (%pid, @dirs, @postfix);
    for (@heard) {
        my ($what, $name) = split / /, $_, 2;
        $pid{$name} = 1 if $what eq 'pid';
        delete $pid{$name} if $what eq 'gone';
        push @dirs, $name if $what eq 'dir';
        push @postfix, $name if $what eq 'postfix';
    }
    for my $dir (@postfix) {
        open my $fh, '<', "$dir/queue/pid/master.pid" or next;
        my ($master) = <$fh> =~ /(\d+)/ or next;
        $pid{$master} = 1 if named($master, 'master');
    }
    my @pids = keys %pid;
    kill TERM => @pids;
    for (1 .. 50) {
        last unless grep { kill 0, $_ } @pids;
        select undef, undef, undef, 0.1;
    }
    kill KILL => grep { kill 0, $_ } @pids;
    remove_tree(grep {-d} @dirs);
}

sub named ($pid, $name) {
    open my $fh, '<', "/proc/$pid/comm" or return 0;
    return (<$fh> // '') =~ /^\Q$name\E/;
}

1;
