package Onward::Test::Robust;

# t/bench/robust: a client and an upstream with Onward between them, and a
# book of what became of each message.

use v5.36;
use File::Basename qw(dirname);
use IPC::Open2;
use Test::More ();
use Onward::Test;

sub program () {
    return $ENV{ROBUST} // dirname(dirname(binary())) . '/bench/robust';
}

# Started, and its upstream listens, no more: new(onward => PORT, upstream =>
# PORT, options...); options are those of the program without their hyphen.
sub new ($class, %opt) {
    my @ports = delete @opt{qw(upstream onward)};
    my $self = bless {}, $class;
    $self->{pid} = open2($self->{out}, $self->{in}, program(),
        map({ ("-$_", $opt{$_}) } sort keys %opt), '-w', @ports);
    $self->line =~ /^ready/ or die "robust did not start\n";
    on_exit(sub { kill KILL => $self->{pid} if $self->{pid} });
    return $self;
}

sub line ($self) {
    my $out = $self->{out};
    return <$out> // '';
}

# The idle sessions (i => N) are there; nothing else goes on. Returns N.
sub held ($self) {
    my ($held) = $self->line =~ /^idle=(\d+)/;
    return $held;
}

# Now the messages.
sub go ($self) {
    syswrite $self->{in}, "\n";
    return $self;
}

# Finish what was begun.
sub stop ($self) { kill TERM => $self->{pid} }

# Waits for its end; the book.
sub book ($self) {
    my $line;
    while (($line = $self->line) =~ /^(?:idle=|window |cut )/) {
        push @{ $self->{windows} }, [$1, $2]
            if $line =~ /^window (\S+) (\S+)/;
        push @{ $self->{cuts} }, [$1, $1] if $line =~ /^cut (\S+)/;
    }
    my %book = $line =~ /(\w+)=(-?[\d.]+)/g;
    waitpid delete $self->{pid}, 0;
    $self->{book} = \%book;
    return \%book;
}

# What has to hold whatever happened.
sub holds ($self, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $book = $self->{book} // $self->book;
    my $ok = 1;
    my %never = (
        missing => 'every message is upstream, and acknowledged',
        broken  => 'every message upstream is whole, octet for octet',
        false   => 'nothing was acknowledged that was not committed',
        early   => 'nothing was committed before the client had ended it',
        twice   => 'no attempt was committed twice',
        errors  => 'no reply that blames the message',
    );
    $ok &= Test::More::is($book->{$_}, 0, "$name: $never{$_}")
        for sort keys %never;
    Test::More::diag(join ' ', map {"$_=$book->{$_}"} sort keys %$book)
        unless $ok;
    return $ok;
}

# Each commit that was not acknowledged lies between the arrival of its dot and
# the moment when the client knew better, and in that time falls one of these
# faults ([from, until] each; by default the driver's own cuts): no duplicate
# has another cause. A cut of the other transaction of the message may come
# when the dot has left us and not arrived.
sub explained ($self, $name, @faults) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $on_the_way = @faults ? 0 : 0.005;
    @faults = @{ $self->{cuts} // [] } if !@faults;
    @faults = sort { $a->[0] <=> $b->[0] } @faults;
    my @windows = sort { $a->[0] <=> $b->[0] } @{ $self->{windows} // [] };
    my ($strict, $longest, $first, @without) = (0, 0, 0);
    for my $window (@windows) {
        my ($from, $until) = @$window;
        # There may be tens of thousands of both.
        $first++ while $first < @faults
            && $faults[$first][1] < $from - $on_the_way;
        my $in = sub ($from) {
            return 0 if $until eq 'never';
            for (my $n = $first; $n < @faults; $n++) {
                return 0 if $faults[$n][0] > $until;
                return 1 if $faults[$n][1] >= $from;
            }
            return 0;
        };
        $strict++ if $in->($from);
        push @without, "$from to $until" if !$in->($from - $on_the_way);
        $longest = $until - $from
            if $until ne 'never' && $until - $from > $longest;
    }
    Test::More::is_deeply(\@without, [],
        "$name: each of " . @windows . ' commits that were not acknowledged'
            . ' has its fault between the dot and the reply');
    # Two or more commits of a message, but for one in each of its groups.
    Test::More::cmp_ok($self->{book}{duplicates}, '<=', @windows,
        "$name: nothing else came twice");
    Test::More::note(sprintf '%s: %d windows, the longest %.1f ms, the fault'
            . ' inside of %d', $name, scalar @windows, 1000 * $longest,
        $strict);
}

# A line for the log of the test.
sub figures ($self, @names) {
    return join ', ', map {"$_ $self->{book}{$_}"} @names;
}

1;
