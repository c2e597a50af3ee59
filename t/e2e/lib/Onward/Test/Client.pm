package Onward::Test::Client;

# An SMTP client that also does what no good client does.

use v5.36;
use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER SHUT_WR IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);
use Onward::Test;

# Connects to 127.0.0.1:port, from the local address `from`, and reads the
# greeting unless told otherwise.
sub new ($class, $port, %opt) {
    my $socket = IO::Socket::INET->new(
        PeerAddr  => '127.0.0.1',
        PeerPort  => $port,
        LocalAddr => $opt{from} // '127.0.0.1',
        Timeout   => 10,
    ) or die "connect to port $port: $@\n";
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    my $self = bless {
        socket  => $socket,
        in      => '',
        timeout => $opt{timeout} // seconds(20),
    }, $class;
    $self->{greeting} = $self->reply if $opt{greeting} // 1;
    return $self;
}

# The same, having said EHLO.
sub hello ($class, $port, %opt) {
    my $self = $class->new($port, %opt);
    $self->{ehlo} = $self->cmd('EHLO ' . ($opt{name} // 'client.example'));
    return $self;
}

sub ehlo ($self)     { return $self->{ehlo} }
sub greeting ($self) { return $self->{greeting} }

# Bytes exactly as they stand; false when the peer has gone.
sub send ($self, $bytes) {
    my $at = 0;
    my $select = IO::Select->new($self->{socket});
    while ($at < length $bytes) {
        $select->can_write($self->{timeout}) or return 0;
        my $n = syswrite $self->{socket}, $bytes, 262144, $at;
        return 0 unless defined $n;
        $at += $n;
    }
    return 1;
}

# One reply, its lines joined by "\n", without CRs. "" is end of file, a reset
# or nothing within the time.
sub reply ($self, $timeout = $self->{timeout}) {
    my $end = time() + $timeout;
    my $select = IO::Select->new($self->{socket});
    my $complete = qr/\A(?:\d{3}-[^\n]*\n)*\d{3}(?:[ \r][^\n]*)?\n/;
    until ($self->{in} =~ $complete) {
        my $left = $end - time();
        return '' if $left <= 0 || !$select->can_read($left);
        sysread($self->{socket}, $self->{in}, 65536, length $self->{in})
            or return '';
    }
    $self->{in} =~ s/($complete)//;
    my $reply = $1;
    $self->{raw} = $reply;
    $reply =~ tr/\r//d;
    chomp $reply;
    return $reply;
}

# The octets of the last reply.
sub raw ($self) { return $self->{raw} }

sub cmd ($self, $line) {
    $self->send("$line\r\n") or return '';
    return $self->reply;
}

# All lines in one segment, then as many replies.
sub pipeline ($self, @lines) {
    $self->send(join '', map {"$_\r\n"} @lines) or return;
    return map { $self->reply } @lines;
}

# One transaction. Content is given with CRLF and without dots; the reply to
# the dot, or the first refusal.
sub transaction ($self, $from, $to, $content) {
    my $reply = $self->cmd("MAIL FROM:<$from>");
    return $reply unless $reply =~ /^2/;
    for my $rcpt (ref $to ? @$to : $to) {
        $reply = $self->cmd("RCPT TO:<$rcpt>");
        return $reply unless $reply =~ /^2/;
    }
    $reply = $self->cmd('DATA');
    return $reply unless $reply =~ /^3/;
    return $self->content($content);
}

sub content ($self, $content) {
    $self->send(stuff($content) . ".\r\n") or return '';
    return $self->reply;
}

sub stuff ($content) { return $content =~ s/^\./../mgr }

sub quit ($self) {
    my $reply = $self->cmd('QUIT');
    CORE::close $self->{socket};
    return $reply;
}

# FIN: nothing more will come from us, but we still read.
sub half_close ($self) { shutdown $self->{socket}, SHUT_WR }

sub close ($self) { CORE::close $self->{socket} }

# RST.
sub reset ($self) {
    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
    CORE::close $self->{socket};
}

# True when the peer closes (or resets) within the time, saying nothing more.
sub closed ($self, $timeout = $self->{timeout}) {
    my $select = IO::Select->new($self->{socket});
    return 0 if $self->{in} ne '' || !$select->can_read($timeout);
    my $n = sysread $self->{socket}, my $rest, 1;
    return !$n;
}

1;
