package Onward::Test::Http;

# Asks an HTTP listener, a port on loopback or the path of a unix socket, and
# reads metrics as strictly as Prometheus does.

use v5.36;
use IO::Socket::INET;
use IO::Socket::UNIX;

sub new ($class, $where) { return bless { where => $where }, $class }

sub connect ($self) {
    my $where = $self->{where};
    return $where =~ m{^/}
        ? IO::Socket::UNIX->new(Peer => $where)
        : IO::Socket::INET->new(PeerAddr => "127.0.0.1:$where");
}

# Everything that is answered to these octets.
sub raw ($self, $octets) {
    my $socket = $self->connect or die "no connection: $!\n";
    print {$socket} $octets;
    local $/;
    return scalar <$socket>;
}

# Status, body, head.
sub get ($self, $path) {
    my $answer = $self->raw("GET $path HTTP/1.1\r\nHost: localhost\r\n\r\n");
    my ($head, $body) = split /\r\n\r\n/, $answer, 2;
    my ($status) = $head =~ m{^HTTP/1\.1 (\d+)};
    return ($status, $body, $head);
}

# Series with their values; dies of what Prometheus would not take.
sub metrics ($self) {
    my (undef, $text) = $self->get('/metrics');
    my (%series, %type, %help, $family);
    for (split /\n/, $text) {
        if (/^# HELP (\w+) \S/) { die "HELP twice: $1" if $help{$1}++; next }
        if (my ($name, $type) = /^# TYPE (\w+) (counter|gauge|histogram)$/) {
            die "TYPE twice: $name" if $type{$name};
            die "TYPE without HELP: $name" if !$help{$name};
            die "counter not _total: $name"
                if ($type eq 'counter') != ($name =~ /_total$/);
            die "prefix: $name" if $name !~ /^(?:onward|process)_/;
            $family = $name;
            $type{$name} = $type;
            next;
        }
        /^(\w+)((?:\{\w+="(?:[^"\\]|\\.)*"(?:,\w+="(?:[^"\\]|\\.)*")*\})?) (\S+)$/
            or die "not a sample: $_";
        my ($name, $labels, $value) = ($1, $2, $3);
        my $base =
            $type{$family} eq 'histogram'
            ? $name =~ s/_(bucket|sum|count)$//r
            : $name;
        die "$name stands in $family" if $base ne $family;
        die "twice: $name$labels" if exists $series{"$name$labels"};
        $series{"$name$labels"} = $value;
    }
    check_histogram($_, \%series) for grep { $type{$_} eq 'histogram' } sort keys %type;
    return %series;
}

# Cumulative buckets, the last of which is the count, for each set of labels.
sub check_histogram ($name, $series) {
    my %buckets;
    for (keys %$series) {
        /^\Q$name\E_bucket\{(?:(.+),)?le="([^"]+)"\}$/ or next;
        push @{ $buckets{ $1 // '' } }, [ $2 eq '+Inf' ? 9**9**9 : $2, $series->{$_} ];
    }
    for my $labels (sort keys %buckets) {
        my @counts = map { $_->[1] } sort { $a->[0] <=> $b->[0] } @{ $buckets{$labels} };
        for (1 .. $#counts) {
            die "$name: not cumulative" if $counts[$_] < $counts[ $_ - 1 ];
        }
        my $set = $labels eq '' ? '' : "{$labels}";
        die "$name$set: +Inf is not count"
            if $counts[-1] != $series->{"${name}_count$set"};
        die "$name$set: no sum" if !exists $series->{"${name}_sum$set"};
    }
}

1;
