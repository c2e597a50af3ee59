package Onward::Test::Map;

# A client of a socketmap server that says what it is told, good or bad.

use v5.36;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);
use Onward::Test;

sub new ($class, $port) {
    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $port,
        Timeout  => 10,
    ) or die "connect to port $port: $@\n";
    return bless { socket => $socket, in => '' }, $class;
}

sub netstring ($text) { return length($text) . ":$text," }

sub send ($self, $octets) { return syswrite $self->{socket}, $octets }

# The next answer without its frame; undef: closed, garbled or late.
sub answer ($self, $timeout = seconds(10)) {
    my $end = time() + $timeout;
    my $select = IO::Select->new($self->{socket});
    while (1) {
        if ($self->{in} =~ /\A(\d+):/ && length $self->{in} > $+[0] + $1) {
            my ($at, $len) = ($+[0], $1);
            my $text = substr $self->{in}, $at, $len;
            return unless substr($self->{in}, $at + $len, 1) eq ',';
            substr $self->{in}, 0, $at + $len + 1, '';
            return $text;
        }
        my $left = $end - time();
        return if $left <= 0 || !$select->can_read($left);
        sysread $self->{socket}, $self->{in}, 65536, length $self->{in}
            or return;
    }
}

sub ask ($self, $map, $key) {
    $self->send(netstring("$map $key")) or return;
    return $self->answer;
}

# Closed by the server within the time, without another word?
sub closed ($self, $timeout = seconds(10)) {
    return 0 unless IO::Select->new($self->{socket})->can_read($timeout);
    return !sysread $self->{socket}, my $rest, 1;
}

sub half_close ($self) { shutdown $self->{socket}, 1 }

1;
