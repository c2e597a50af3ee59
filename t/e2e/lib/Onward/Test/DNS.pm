package Onward::Test::DNS;

# A name server on 127.0.0.1 (UDP, and TCP for what is long) in a process of
# its own. What it knows is set by the test at any time:
#
#   $dns->set('a.example' => ['TXT record', ...], ...)   all there is
#   'MX host' instead of a TXT record is what it says
#   a value of 'SERVFAIL' or 'SILENCE' instead of a list does what it says

use v5.36;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX qw(_exit);
use Onward::Test;

sub new ($class) {
    require Net::DNS;
    my $self = bless { file => scratch('dns') . '/zone.json' }, $class;
    $self->set;
    my $port = free_port();
    my $udp = IO::Socket::INET->new(
        Proto     => 'udp',
        LocalAddr => '127.0.0.1',
        LocalPort => $port,
    ) or die "UDP: $@\n";
    my $tcp = IO::Socket::INET->new(
        Proto     => 'tcp',
        LocalAddr => '127.0.0.1',
        LocalPort => $port,
        Listen    => 16,
        ReuseAddr => 1,
    ) or die "TCP: $@\n";
    $self->{port} = $port;
    pipe(my $lifeline, my $held) or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        close $held;
        $self->serve($udp, $tcp, $lifeline);
        _exit(0);
    }
    @$self{qw(pid lifeline)} = ($pid, $held);
    on_exit(sub { close $self->{lifeline}; waitpid $pid, 0 });
    return $self;
}

sub address ($self) { return "127.0.0.1:$self->{port}" }

sub set ($self, %zone) {
    spew("$self->{file}.new", encode_json(\%zone));
    rename "$self->{file}.new", $self->{file} or die "rename: $!\n";
    return;
}

sub serve ($self, $udp, $tcp, $lifeline) {
    my $select = IO::Select->new($udp, $tcp, $lifeline);
    for (;;) {
        for my $ready ($select->can_read) {
            _exit(0) if $ready == $lifeline;
            if ($ready == $tcp) {
                $self->answer_tcp(scalar $tcp->accept);
            } else {
                my $peer  = recv($udp, my $query, 4096, 0) // next;
                my $reply = $self->reply($query, 512) // next;
                send $udp, $reply, 0, $peer;
            }
        }
    }
}

sub answer_tcp ($self, $socket) {
    read($socket, my $length, 2) // return;
    read($socket, my $query, unpack 'n', $length) // return;
    my $reply = $self->reply($query, 65535) // return;
    print $socket pack('n', length $reply) . $reply;
    close $socket;
    return;
}

sub reply ($self, $octets, $most) {
    my ($query) = Net::DNS::Packet->new(\$octets);
    my ($question) = $query->question;
    my $known = decode_json(slurp($self->{file}))->{ lc $question->qname };
    return if defined $known && $known eq 'SILENCE';

    my $reply = $query->reply($most);
    $reply->header->aa(1);
    $reply->header->rcode('NOERROR');
    if (!defined $known) {
        $reply->header->rcode('NXDOMAIN');
    } elsif (!ref $known) {
        $reply->header->rcode($known);
    } elsif ($question->qtype eq 'TXT') {
        $reply->push(answer => Net::DNS::RR->new(
            name    => $question->qname,
            type    => 'TXT',
            ttl     => 1,
            txtdata => [ /(.{1,255})/g ],
        )) for grep { !/^MX / } @$known;
    } elsif ($question->qtype eq 'MX') {
        $reply->push(answer => Net::DNS::RR->new(
            name       => $question->qname,
            type       => 'MX',
            ttl        => 1,
            preference => 10,
            exchange   => $_,
        )) for map { /^MX (.*)/ } @$known;
    }
    my $data = $reply->data;
    return $data if length $data <= $most;
    my $short = $query->reply($most);
    $short->header->rcode('NOERROR');
    $short->header->tc(1);
    return $short->data;
}

1;
