package Onward::Test::Server;

# A small TCP server on 127.0.0.1 in processes of its own: one that accepts,
# one for each connection. It ends with the test, even when that is killed:
# both hold the reading end of a pipe whose writing end the test holds.

use v5.36;
use IO::Socket::INET;
use IO::Select;
use POSIX qw(_exit WNOHANG);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Onward::Test;

# handler: called with (server, socket, number of the connection from 1 on).
# port: 0 lets the kernel choose.
sub new ($class, %self) {
    my $self = bless { port => 0, %self }, $class;
    $self->{dir} //= scratch(lc($class =~ s/.*:://r));
    $self->start if $self->{autostart} // 1;
    on_exit(sub { $self->stop });
    return $self;
}

sub port ($self)    { return $self->{port} }
sub address ($self) { return "127.0.0.1:$self->{port}" }
sub dir ($self)     { return $self->{dir} }

sub start ($self) {
    my $listen = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $self->{port},
        Listen    => 128,
        ReuseAddr => 1,
    ) or die "listen on $self->{port}: $@\n";
    $self->{port} = $listen->sockport;
    pipe(my $lifeline, my $held) or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        close $held;
        setpgrp(0, 0);
        $self->accept_all($listen, $lifeline);
        _exit(0);
    }
    # Both sides, so that stop() finds the group whoever is first.
    setpgrp($pid, $pid);
    $self->{pid}      = $pid;
    $self->{lifeline} = $held;
    return $self;
}

sub accept_all ($self, $listen, $lifeline) {
    local @SIG{qw(INT TERM HUP)} = ('DEFAULT') x 3;
    open STDOUT, '>', '/dev/null';
    my $select = IO::Select->new($listen, $lifeline);
    for (my $n = $self->{accepted} // 0;;) {
        for my $ready ($select->can_read(1)) {
            if ($ready == $lifeline) {
                kill TERM => -$$;
                _exit(0);
            }
            my $socket = $listen->accept or next;
            # A reply to each of several pipelined commands, at once.
            setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
            $n++;
            my $pid = fork // next;
            if ($pid == 0) {
                close $listen;
                eval { $self->{handler}->($self, $socket, $n); 1 }
                    or warn ref $self, " connection $n: $@";
                _exit(0);
            }
            close $socket;
        }
        1 while waitpid(-1, WNOHANG) > 0;
    }
}

# Stops listening and resets what is open; start() opens the same port again.
sub stop ($self) {
    my $pid = delete $self->{pid} // return;
    kill TERM => -$pid;
    kill TERM => $pid;
    waitpid $pid, 0;
    delete $self->{lifeline};
}

1;
