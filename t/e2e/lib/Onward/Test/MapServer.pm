package Onward::Test::MapServer;

# A socketmap server that answers what a sub says, and counts. The sub gets
# ("MAP KEY", socket) and returns the answer without its frame; undef: the
# connection is closed. What it says itself goes to the socket.

use v5.36;
use parent 'Onward::Test::Server';
use Onward::Test;

sub new ($class, $answer, %self) {
    return $class->SUPER::new(%self, answer => $answer, handler => \&handle);
}

sub handle ($self, $socket, $n) {
    my $in = '';
    while (1) {
        until ($in =~ /\A(\d+):/ && length $in >= $1 + length($1) + 2) {
            sysread $socket, $in, 65536, length $in or return;
        }
        $in =~ s/\A(\d+)://;
        my $query = substr $in, 0, $1, '';
        $in = substr $in, 1;
        open my $log, '>>', "$self->{dir}/queries" or return;
        syswrite $log, "$n $query\n";
        my $reply = $self->{answer}->($query, $socket) // return;
        syswrite $socket, length($reply) . ":$reply,";
    }
}

# "CONNECTION MAP KEY" of each question.
sub asked ($self) {
    my $path = "$self->{dir}/queries";
    return -e $path ? split /\n/, slurp($path) : ();
}

1;
