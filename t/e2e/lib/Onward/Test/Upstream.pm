package Onward::Test::Upstream;

# An upstream that can be told to misbehave. It is a cooperative SMTP server
# whose answer to each step is replaced by what the test says:
#
#   Onward::Test::Upstream->new(RCPT => '550 5.1.1 no', DOT => sub { ... })
#
# Steps: CONNECT EHLO XFORWARD MAIL RCPT DATA CONTENT DOT RSET QUIT. A string
# is the reply (CRLF is added, unless it ends in one); a sub gets (server,
# conversation, line) and returns a reply or undef for none, and may use
# say_raw, drip, hang, drop and reset. CONTENT is called with each piece
# of content.
#
# N.in is what connection N received. A message that was answered with 2xx at
# its dot is committed: N.1, N.2... with the envelope in front of it.

use v5.36;
use parent 'Onward::Test::Server';
use POSIX  qw(_exit);
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(sleep);
use Onward::Test;

my @keywords = qw(PIPELINING 8BITMIME SMTPUTF8 DSN ENHANCEDSTATUSCODES
    XFORWARD);

sub new ($class, %steps) {
    my %opt = map { $_ => delete $steps{$_} }
        grep { defined $steps{$_} } qw(port keywords dir autostart);
    return $class->SUPER::new(
        keywords => ['SIZE 100000000', @keywords[ 0 .. 4 ],
            'XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT'],
        %opt,
        steps   => \%steps,
        handler => \&handle,
    );
}

sub handle ($server, $socket, $n) {
    open my $record, '>>:raw', "$server->{dir}/$n.in" or die $!;
    $record->autoflush;
    my $self = bless {
        server => $server, socket => $socket, n => $n, record => $record,
        in => '', envelope => [], commits => 0,
    }, 'Onward::Test::Upstream::Conversation';
    $self->converse;
}

# What connection n (the last one by default; 0: all) received.
sub received ($self, $n = undef) {
    my @all = sort { $a <=> $b } map {m{/(\d+)\.in$}} glob "$self->{dir}/*.in";
    return join '', map { slurp("$self->{dir}/$_.in") } @all
        if defined $n && $n == 0;
    $n //= $all[-1] // return '';
    return slurp("$self->{dir}/$n.in");
}

sub connections ($self) { return scalar(() = glob "$self->{dir}/*.in") }

# Envelope and content of what was committed.
sub committed ($self) {
    my %number = map {m{/(\d+)\.(\d+)\.commit$} ? ($_ => $1 * 1000 + $2) : ()}
        glob "$self->{dir}/*.commit";
    return map { slurp($_) }
        sort { $number{$a} <=> $number{$b} } keys %number;
}

package Onward::Test::Upstream::Conversation;

use v5.36;
use Time::HiRes qw(sleep);
use POSIX  qw(_exit);
use Socket qw(SOL_SOCKET SO_LINGER);

# The reply to a step: the test's, or what a cooperative server says.
sub answer ($self, $step, $line, $default) {
    my $told = $self->{server}{steps}{$step};
    my $reply = ref $told eq 'CODE' ? $told->($self->{server}, $self, $line)
        : $told // $default;
    return unless defined $reply;
    $self->say_raw($reply =~ /\n\z/ ? $reply : "$reply\r\n");
    return $reply;
}

sub converse ($self) {
    $self->answer('CONNECT', '', '220 upstream.example ESMTP');
    while (defined(my $line = $self->line)) {
        my ($verb) = map {uc} $line =~ /^(\w+)/ or next;
        my $default = '250 2.0.0 Ok';
        if ($verb eq 'EHLO') {
            my @offer = @{ $self->{server}{keywords} };
            $default = join "\r\n", '250-upstream.example',
                map({"250-$_"} @offer), '250 HELP';
        } elsif ($verb eq 'DATA') {
            my $reply = $self->answer('DATA', $line, '354 go on') // next;
            next if $reply !~ /^3/;
            $self->content // return;
            next;
        } elsif ($verb eq 'QUIT') {
            $default = '221 2.0.0 Bye';
        }
        $self->{envelope} = [] if $verb =~ /^(MAIL|RSET|EHLO)$/;
        my $reply = $self->answer($verb, $line, $default);
        push @{ $self->{envelope} }, $line
            if $verb =~ /^(MAIL|RCPT)$/ && ($reply // '') =~ /^2/;
        return if $verb eq 'QUIT';
    }
}

sub content ($self) {
    my $content = "\r\n";
    until ($content =~ /\r\n\.\r\n\z/) {
        my $piece = $self->more // return;
        $content .= $piece;
        my $told = $self->{server}{steps}{CONTENT};
        $told->($self->{server}, $self, $piece) if $told;
    }
    my $default = sprintf '250 2.0.0 Ok: queued as UP%dX%d', $self->{n},
        $self->{commits} + 1;
    my $path = sprintf '%s/%d.%d.commit', $self->{server}{dir}, $self->{n},
        ++$self->{commits};
    # Committed before the reply: that is what makes duplicates possible.
    my $commit = sub {
        Onward::Test::spew($path, join('', map {"$_\n"}
            @{ $self->{envelope} }) . substr $content, 2);
    };
    $self->{commit} = $commit;
    my $told = $self->{server}{steps}{DOT};
    my $accepts = qr/\A(?:2\d\d-[^\n]*\n)*2\d\d [^\n]*\z/;
    $commit->() if !defined $told || (!ref $told && $told =~ $accepts);
    $self->answer('DOT', '.', $default);
    $self->{envelope} = [];
    return 1;
}

# For steps that commit and then fail to say so.
sub commit ($self) { $self->{commit}->() }

# What comes next from the peer; undef at its end.
sub more ($self) {
    my $piece = $self->{in};
    $self->{in} = '';
    return $piece if $piece ne '';
    sysread $self->{socket}, $piece, 65536 or return;
    syswrite $self->{record}, $piece;
    return $piece;
}

sub line ($self) {
    until ($self->{in} =~ /\n/) {
        sysread $self->{socket}, my $piece, 65536 or return;
        syswrite $self->{record}, $piece;
        $self->{in} .= $piece;
    }
    $self->{in} =~ s/\A([^\n]*)\n//;
    return $1 =~ s/\r\z//r;
}

sub say_raw ($self, $octets) {
    syswrite $self->{socket}, $octets;
    return;
}

# One octet at a time.
sub drip ($self, $octets, $pause) {
    for my $octet (split //, $octets) {
        syswrite $self->{socket}, $octet;
        sleep $pause;
    }
    return;
}

# Silence until the peer gives up.
sub hang ($self) {
    1 while defined $self->more;
    _exit(0);
}

sub drop ($self) { _exit(0) }

sub reset ($self) {
    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    _exit(0);
}

1;
