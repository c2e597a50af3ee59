package Onward::Test::Relay;

# A transparent TCP relay: every octet passes as it came. It stands where
# Onward stands to show what a filter that changes nothing lets through, and
# before or behind Onward to record what was said. Connection N leaves
# N.client and N.server in the directory: the octets of each side.

use v5.36;
use parent 'Onward::Test::Server';
use IO::Select;
use IO::Socket::INET;
use Socket qw(SHUT_WR);
use Onward::Test;

# to: the port it relays to.
sub new ($class, %opt) {
    return $class->SUPER::new(%opt, handler => \&handle);
}

sub handle ($self, $client, $n) {
    my $server = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $self->{to},
    ) or return;
    my %side = (
        $client => [ $server, open_record("$self->{dir}/$n.client") ],
        $server => [ $client, open_record("$self->{dir}/$n.server") ],
    );
    my $select = IO::Select->new($client, $server);
    while ($select->count) {
        for my $from ($select->can_read) {
            my ($to, $record) = @{ $side{$from} };
            if (!sysread $from, my $octets, 262144) {
                shutdown $to, SHUT_WR;
                $select->remove($from);
            } else {
                syswrite $record, $octets;
                write_all($to, $octets);
            }
        }
    }
}

sub open_record ($path) {
    open my $fh, '>:raw', $path or die "$path: $!\n";
    return $fh;
}

sub write_all ($to, $octets) {
    my $at = 0;
    while ($at < length $octets) {
        $at += syswrite($to, $octets, length($octets) - $at, $at) // return;
    }
}

# What the client (or "server") of connection n said, of the last one by
# default; all of them in order for n = 0.
sub said ($self, $n = undef, $who = 'client') {
    my @all = sort { $a <=> $b }
        map {m{/(\d+)\.\Q$who\E$}} glob "$self->{dir}/*.$who";
    return join '', map { slurp("$self->{dir}/$_.$who") } @all
        if defined $n && $n == 0;
    $n //= $all[-1] // return '';
    return slurp("$self->{dir}/$n.$who");
}

sub connections ($self) {
    return scalar(() = glob "$self->{dir}/*.client");
}

# The content of the (first) DATA in what a client said, with dots removed.
sub content ($self, $n = undef) {
    return first_content($self->said($n));
}

sub first_content ($said) {
    my ($content) = $said =~ /^DATA\r\n(.*?\r\n)\.\r\n/msi;
    return defined $content ? $content =~ s/^\.//mgr : undef;
}

1;
