package Chain;

# A whole Postfix: front smtpd, X, and smtpd again for re-injection; or a
# milter and PostSRSd in place of both. Each rival has its own Postfix, and
# only the one that is measured has anything to do.
use v5.36;
use Time::HiRes qw(sleep);
use Onward::Test;
use Onward::Test::Postfix;
use Onward::Test::Sink;
use Measure;
use Rivals;
use Table;

# Delivery costs nothing. Set by postconf: main.cf with a name in it twice
# makes every daemon warn, and postlogd wait for itself.
my @discard = (
    'default_transport=discard', 'virtual_transport=discard',
    'relay_transport=discard',   'relayhost=',
    'transport_maps=',           'in_flow_delay=0'
);

# X in front of the re-injection service; undef is nothing at all.
sub behind_front ($name, $start, $sink) {
    my $back = free_port();
    my $x    = $start ? $start->($back) : undef;
    my ($port, $pid) = !$x ? ($back)
        : ref $x eq 'HASH' ? @$x{qw(port pid)} : ($x->port, $x->pid);
    my $postfix = Onward::Test::Postfix->new(
        sink   => $sink->port,
        ports  => { reinject => $back },
        fronts => { mx => $port },
    )->start;
    return {
        name    => $name,
        postfix => $postfix,
        cpu     => [ $pid // () ],
        (ref $x && ref $x ne 'HASH' ? (daemon => $x, dns => $x->dns) : ()),
    };
}

# The milter signs, PostSRSd rewrites, virtual(5) knows the alias.
sub with_milter ($name, $milter, $sink) {
    return if !$milter;
    my $srs = postsrsd() // return;
    my $alias = 'virtual_alias_maps = '
        . "inline:{$forwarded=me\@private.example}";
    my $postfix = Onward::Test::Postfix->new(
        sink          => $sink->port,
        fronts        => { mx => undef },
        front_options => {
            mx => [ "smtpd_milters=$milter->{milter}", $alias =~ s/ = /=/r ]
        },
        main => <<~END,
            sender_canonical_maps = tcp:127.0.0.1:$srs->{forward}
            sender_canonical_classes = envelope_sender
            recipient_canonical_maps = tcp:127.0.0.1:$srs->{reverse}
            recipient_canonical_classes = envelope_recipient
            $alias
            END
    )->start;
    return {
        name    => "$name + PostSRSd",
        postfix => $postfix,
        cpu     => [ $milter->{pid}, $srs->{pid} ],
        dns     => $milter->{dns},
    };
}

sub master_pid ($postfix) {
    return slurp($postfix->dir . '/queue/pid/master.pid') =~ /(\d+)/ ? $1 : 0;
}

sub part () {
    need('root', 'postfix');
    heading('Postfix chain: does everybody do the work?');
    my $sink   = Onward::Test::Sink->new;
    my @chains = (
        behind_front('none',        undef,    $sink),
        behind_front('relay',       \&relay,  $sink),
        behind_front('relay again', \&relay,  $sink),
        behind_front('Onward',      \&onward, $sink),
        with_milter('OpenDKIM', opendkim(), $sink),
        with_milter('rspamd',   rspamd(),   $sink),
    );
    for my $chain (@chains) {
        my $postfix = $chain->{postfix};
        proven_through($chain->{name}, $postfix->port('mx'), $sink,
            $chain->{dns})
            if $chain->{dns};
        $postfix->drained(20) or die "$chain->{name}: mail stays\n";
        system('postconf', '-c', $postfix->config, '-e', @discard) == 0
            or die "postconf failed\n";
        $postfix->command('reload');
    }
    print "  yes: signature verified, SRS and alias seen in the output\n";
    $sink->stop;
    sleep 2;    # the reload is over, its processes are new
    measure(@chains);
    record(log_size($_)) for grep { $_->{daemon} } @chains;
    return;
}

# Octets of log for each message, of Onward and of Postfix.
sub log_size ($chain) {
    my ($ours, $postfix) = map { slurp($_) } "$chain->{daemon}{dir}/log",
        $chain->{postfix}->dir . '/mail.log';
    my $messages = (() = $ours =~ / status=sent/g) || 1;
    return {
        part    => 'log',
        what    => 'octets of log a message',
        name    => $chain->{name},
        ours    => length($ours) / $messages,
        postfix => length($postfix) / $messages,
    };
}

sub measure (@chains) {
    for my $size (@{ $option{sizes} }) {
        for my $sessions (@{ $option{sessions} }) {
            my %o = (size => $size, sessions => $sessions);
            my @rows = compare([ map { rival($_, %o) } @chains ],
                %o, part => 'chain', base => 'relay');
            print_rivals(sprintf('Postfix chain, %s, %d sessions',
                    size_text($size), $sessions), @rows);
        }
    }
    return;
}

sub rival ($chain, %o) {
    my $postfix = $chain->{postfix};
    return {
        %o,
        name   => $chain->{name},
        port   => $postfix->port('mx'),
        rcpt   => $forwarded,
        settle => sub { $postfix->drained(120) },
        cpu    => {
            Postfix => [ master_pid($postfix) ],
            (@{ $chain->{cpu} } ? (proxy => $chain->{cpu}) : ())
        },
    };
}

1;
