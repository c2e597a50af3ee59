package Onward::Test::Sink;

# The Internet: an SMTP server that takes everything and keeps it. Message N
# is N.msg (the content as it came, dots stuffed) and N.env (HELO, MAIL and
# RCPT lines as they came, one a line).
#
# Rules say what it does instead, by recipient: a reply ("550 5.1.1 no"), or
# "drop" (closes), "delay SECONDS". Rules for "DOT" apply at end of data.

use v5.36;
use parent 'Onward::Test::Server';
use Time::HiRes qw(sleep);
use Onward::Test;

my @keywords = qw(PIPELINING 8BITMIME SMTPUTF8 DSN ENHANCEDSTATUSCODES);

# keywords => [...]: what EHLO offers; rules => { pattern => action };
# on_message => sub ($content): its answer is kept as the message's verdict,
# and asked for before the message is acknowledged.
sub new ($class, %opt) {
    my $rules = delete $opt{rules};
    my $self  = $class->SUPER::new(
        keywords => ['SIZE 100000000', @keywords],
        %opt,
        handler  => \&handle,
    );
    $self->rules($rules // {});
    return $self;
}

# From now on. The connections read it from a file, as they are processes.
sub rules ($self, $rules) {
    my $path = "$self->{dir}/rules";
    spew("$path.new",
        join '', map {"$_\t$rules->{$_}\n"} sort keys %$rules);
    rename "$path.new", $path or die "$path: $!\n";
}

sub rule_for ($self, $what) {
    for (split /\n/, slurp("$self->{dir}/rules")) {
        my ($pattern, $action) = split /\t/, $_, 2;
        return $action if $what =~ /$pattern/i;
    }
    return;
}

sub handle ($self, $socket, $n) {
    my @envelope;
    my $in  = '';
    my $out = sub ($reply) { syswrite $socket, "$reply\r\n" };

    $out->('220 sink.example ESMTP');
    while (1) {
        until ($in =~ /\n/) {
            sysread $socket, $in, 65536, length $in or return;
        }
        $in =~ s/\A([^\n]*)\n//;
        my $line = $1 =~ s/\r\z//r;
        my $reply = '250 2.0.0 Ok';
        if ($line =~ /^EHLO/i) {
            @envelope = $line;
            $reply = join "\r\n", '250-sink.example',
                map({"250-$_"} @{ $self->{keywords} }), '250 HELP';
        } elsif ($line =~ /^HELO/i) {
            @envelope = $line;
        } elsif ($line =~ /^MAIL/i) {
            @envelope = ((grep {/^(EHLO|HELO)/i} @envelope), $line);
        } elsif ($line =~ /^RCPT/i) {
            my $rule = $self->rule_for($line);
            $reply = act($rule) // return if defined $rule;
            push @envelope, $line if $reply =~ /^2/;
        } elsif ($line =~ /^DATA/i) {
            $out->('354 go on');
            my $done = $self->take($socket, \$in, \@envelope) // return;
            my $rule = $self->rule_for('DOT');
            $reply = defined $rule ? act($rule) // return
                : "250 2.0.0 Ok: kept as $done";
            unlink "$done.env", "$done.msg" if $reply !~ /^2/;
        } elsif ($line =~ /^RSET/i) {
            @envelope = grep {/^(EHLO|HELO)/i} @envelope;
        } elsif ($line =~ /^QUIT/i) {
            $out->('221 2.0.0 Bye');
            return;
        }
        $out->($reply);
    }
}

sub act ($rule) {
    return if $rule eq 'drop';
    if ($rule =~ /^delay ([\d.]+)/) {
        sleep $1;
        return '250 2.0.0 Ok';
    }
    return $rule;
}

# Content goes to the file as it comes, so that a large message costs nothing.
# What follows the final line is left in $$in.
sub take ($self, $socket, $in, $envelope) {
    my $part = "$self->{dir}/part.$$";
    open my $fh, '>:raw', $part or die "$part: $!\n";
    my $tail = "\r\n";    # DATA's own CRLF counts as the first half
    my $skip = 2;
    while (1) {
        my $window = $tail . $$in;
        if ((my $at = index $window, "\r\n.\r\n") >= 0) {
            print $fh substr $window, $skip, $at + 2 - $skip;
            $$in = substr $window, $at + 5;
            last;
        }
        my $keep = length $window < 4 ? length $window : 4;
        my $flush = length($window) - $keep;
        if ($flush > $skip) {
            print $fh substr $window, $skip, $flush - $skip;
            $skip = 0;
        } else {
            $skip -= $flush;
        }
        $tail = substr $window, -$keep;
        $$in  = '';
        sysread $socket, $$in, 262144 or do { unlink $part; return };
    }
    close $fh;
    my $done = $self->next_name;
    rename $part, "$done.msg" or die "$part: $!\n";
    spew("$done.verdict",
        $self->{on_message}->(slurp("$done.msg") =~ s/^\.//mgr))
        if $self->{on_message};
    spew("$part.env", join '', map {"$_\n"} @$envelope);
    rename "$part.env", "$done.env" or die "$part.env: $!\n";
    return $done;
}

# The next number that nobody has.
sub next_name ($self) {
    use Fcntl qw(O_CREAT O_EXCL O_WRONLY);
    for (my $n = 1;; $n++) {
        my $name = sprintf '%s/%04d', $self->{dir}, $n;
        return $name if sysopen my $fh, "$name.taken",
            O_CREAT | O_EXCL | O_WRONLY;
    }
}

# What has been kept so far, in order of arrival.
sub messages ($self) {
    return map { $self->message($_ =~ s/\.env$//r) }
        sort glob "$self->{dir}/[0-9]*.env";
}

sub message ($self, $name) {
    my @lines = split /\n/, slurp("$name.env");
    my ($helo) = grep {/^(HELO|EHLO)/i} @lines;
    my ($mail) = grep {/^MAIL/i} @lines;
    my @rcpt = grep {/^RCPT/i} @lines;
    my $data;    # once read it outlives clear()
    return {
        name => $name,
        helo => $helo,
        mail => $mail,                          # the line as it came
        rcpt => \@rcpt,
        from => $mail =~ /^MAIL FROM:\s*<(.*?)>(?: |$)/i ? $1 : undef,
        to   => [map {/^RCPT TO:\s*<(.*?)>(?: |$)/i ? $1 : $_} @rcpt],
        path => "$name.msg",
        verdict => -e "$name.verdict" ? slurp("$name.verdict") : undef,
        data => sub { $data //= slurp("$name.msg") =~ s/^\.//mgr },
    };
}

# Waits until at least n messages are there, and returns all of them.
sub wait_for ($self, $n, $timeout = 20) {
    wait_until(seconds($timeout), sub { $self->count >= $n });
    return $self->messages;
}

# Waits for a message to this recipient; undef if none comes.
sub wait_to ($self, $recipient, $timeout = 20) {
    my $found;
    wait_until(
        seconds($timeout),
        sub {
            ($found) = grep {
                grep { lc $_ eq lc $recipient } @{ $_->{to} }
            } $self->messages;
            return $found;
        }
    );
    return $found;
}

sub count ($self) { return scalar(() = glob "$self->{dir}/[0-9]*.env") }

# Forgets what has come; numbers go on.
sub clear ($self) {
    unlink glob("$self->{dir}/[0-9]*.env"), glob("$self->{dir}/*.msg");
}

1;
