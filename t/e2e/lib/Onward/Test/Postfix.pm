package Onward::Test::Postfix;

# A Postfix of one's own: directories, ports and configuration that nobody
# else uses, beside whatever Postfix the machine runs. Needs root.
#
# Everything it delivers goes to one port, the sink; nothing asks DNS. Clients
# from 127.0.0.1 are strangers; 127.0.0.2 is the trusted network.

use v5.36;
use Onward::Test;
use Onward::Test::Client;

# sink: the port mail is delivered to.
# fronts: { name => port of the proxy, "unix:PATH", or undef for none }
# front_options: { name => [more of its options] }
# ports: { name => port }, for services whose port is known already
# backs: { name => "full" (all of the re-injection options) or "default"
#   (this version's own defaults about line endings) }
# mailbox_domains, relay_domains; accept (regexp lines: what a front takes
# beside them); transport ({ domain => port }); main, services (more of main.cf
# and master.cf).
sub new ($class, %self) {
    my $self = bless {
        fronts          => {},
        backs           => { reinject => 'full' },
        mailbox_domains => ['public.example'],
        mailboxes       => ['/^[a-z0-9]+@public\.example$/'],
        relay_domains   => ['srs.public.example'],
        accept          => [
            '/^fwd\..*@public\.example$/',
            '/^srs[01][-+=].*@srs\.public\.example$/',
        ],
        transport => {},
        main      => '',
        %self,
    }, $class;
    $self->{dir} = scratch('postfix');
    $self->{port} = { %{ $self->{ports} // {} } };
    $self->{port}{$_} //= free_port()
        for sort(keys %{ $self->{fronts} }), sort keys %{ $self->{backs} };
    on_exit(sub { $self->stop });
    return $self;
}

sub port ($self, $name) { return $self->{port}{$name} }
sub dir ($self)         { return $self->{dir} }
sub config ($self)      { return "$self->{dir}/etc" }

sub start ($self) {
    $self->prepare unless -e $self->config;
    Onward::Test::Janitor::hear(postfix => $self->{dir});
    my $out = $self->command('start');
    # It returns before the ports listen.
    for my $port (values %{ $self->{port} }) {
        wait_until(
            seconds(20),
            sub {
                eval { Onward::Test::Client->new($port)->greeting =~ /^220/ };
            }
        ) or die "postfix does not greet on $port:\n$out", $self->log;
    }
    return $self;
}

sub command ($self, $command) {
    my $dir = $self->config;
    return scalar `postfix -c '$dir' $command 2>&1`;
}

# All its processes end; by pid if they do not of themselves.
sub stop ($self) {
    my $file = "$self->{dir}/queue/pid/master.pid";
    return unless -s $file;
    my ($pid) = slurp($file) =~ /(\d+)/;
    my $alive = sub { slurp_or_empty("/proc/$pid/comm") =~ /^master/ };
    return unless $pid && $alive->();
    $self->command('stop');
    wait_until(seconds(10), sub { !$alive->() }) or kill KILL => -$pid;
    unlink $file;
}

sub slurp_or_empty ($path) { return eval { slurp($path) } // '' }

sub log ($self)   { return slurp_or_empty("$self->{dir}/mail.log") }
sub lines ($self) { return split /\n/, $self->log }

# Waits for a line of the log that matches.
sub logged ($self, $pattern, $timeout = 10) {
    my $line;
    wait_until(seconds($timeout),
        sub { ($line) = grep {/$pattern/} $self->lines; return $line });
    return $line;
}

# The queue is empty: everything went out.
sub drained ($self, $timeout = 20) {
    my $dir = "$self->{dir}/queue";
    return wait_until(
        seconds($timeout),
        sub {
            !grep {-f} glob "$dir/{incoming,active,deferred,maildrop}/*"
                . " $dir/deferred/*/*";
        }
    );
}

# Directories and configuration; start() does it if nobody has. Between the two
# postconf can change what it likes.
sub prepare ($self) {
    my $dir = $self->{dir};
    mkdir "$dir/$_", 0755 for qw(etc queue data);
    chown +(getpwnam 'postfix')[2], -1, "$dir/data"
        or die "chown $dir/data: $!\n";
    spew("$dir/etc/$_->[0]", $_->[1])
        for ['main.cf', $self->main_cf], ['master.cf', $self->master_cf],
        ['accept', lines_of(@{ $self->{accept} })],
        ['mailboxes', lines_of(@{ $self->{mailboxes} })];
    return $self;
}

sub lines_of (@patterns) {
    return join '', map {"$_ OK\n"} @patterns;
}

sub main_cf ($self) {
    my $dir = $self->{dir};
    my $mailbox_domains = join ', ', @{ $self->{mailbox_domains} };
    my $relay_domains   = join ', ', @{ $self->{relay_domains} };
    my $transport = join ', ',
        map {"{$_ = smtp:[127.0.0.1]:$self->{transport}{$_}}"}
        sort keys %{ $self->{transport} };
    $transport = $transport ? "inline:{$transport}" : '';
    return <<~END;
        compatibility_level = 3.6
        queue_directory = $dir/queue
        data_directory = $dir/data
        maillog_file = $dir/mail.log
        maillog_file_prefixes = $dir
        myhostname = mx.public.example
        mydestination =
        inet_interfaces = 127.0.0.1
        inet_protocols = ipv4
        mynetworks = 127.0.0.2/32
        smtpd_peername_lookup = no
        smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
        smtpd_forbid_bare_newline = normalize
        smtpd_tls_security_level = none
        smtp_tls_security_level = none
        smtp_dns_support_level = disabled
        smtp_host_lookup = native
        relayhost = [127.0.0.1]:$self->{sink}
        default_transport = smtp
        relay_transport = smtp
        virtual_transport = smtp:[127.0.0.1]:$self->{sink}
        virtual_mailbox_domains = $mailbox_domains
        virtual_mailbox_maps = regexp:$dir/etc/mailboxes
        relay_domains = $relay_domains
        relay_recipient_maps = regexp:$dir/etc/accept
        transport_maps = $transport
        alias_maps =
        alias_database =
        notify_classes =
        disable_mime_output_conversion = yes
        smtp_line_length_limit = 0
        smtpd_client_connection_count_limit = 0
        smtpd_client_connection_rate_limit = 0
        smtputf8_enable = yes
        $self->{main}
        END
}

# What stands behind Onward (the re-injection service), complete.
sub reinjection ($self, $kind) {
    my @options = (
        'smtpd_authorized_xforward_hosts=127.0.0.0/8',
        'smtpd_client_restrictions=',
        'smtpd_helo_restrictions=',
        'smtpd_sender_restrictions=',
        'smtpd_relay_restrictions=',
        'smtpd_recipient_restrictions=permit_mynetworks,reject',
        'smtpd_data_restrictions=',
        'smtpd_end_of_data_restrictions=',
        'mynetworks=127.0.0.0/8,[::1]/128',
        'receive_override_options=no_unknown_recipient_checks,'
            . 'no_address_mappings,no_milters',
        'smtpd_sasl_auth_enable=no',
        'smtpd_timeout=1800s',
        'smtpd_hard_error_limit=1000',
        'smtpd_soft_error_limit=1001',
        'smtpd_error_sleep_time=0',
        'smtpd_junk_command_limit=1000',
        'smtpd_discard_ehlo_keywords=chunking,etrn,vrfy,silent-discard',
        'smtpd_delay_reject=yes',
        'content_filter=',
        'smtpd_proxy_filter=',
        'local_header_rewrite_clients=',
    );
    push @options, 'smtpd_forbid_bare_newline=normalize',
        'smtpd_forbid_bare_newline_exclusions='
        if $kind eq 'full';
    push @options, map {"smtpd_forbid_bare_newline=$_"}
        postfix_default('smtpd_forbid_bare_newline') if $kind eq 'default';
    return @options;
}

sub smtpd ($self, $name, @options) {
    my $port = $self->{port}{$name};
    return join '', "127.0.0.1:$port inet n - n - - smtpd\n",
        map {"  -o $_\n"} "syslog_name=postfix/$name", @options;
}

sub master_cf ($self) {
    my $cf = '';
    for my $name (sort keys %{ $self->{fronts} }) {
        my $proxy = $self->{fronts}{$name};
        $proxy = "127.0.0.1:$proxy" if ($proxy // '') =~ /^\d+$/;
        $cf .= $self->smtpd(
            $name,
            # As set-ups do it: the front knows the aliases and does not
            # expand them.
            "virtual_alias_maps=regexp:$self->{dir}/etc/accept",
            (defined $proxy ? "smtpd_proxy_filter=$proxy" : ()),
            @{ $self->{front_options}{$name} // [] },
        );
    }
    $cf .= $self->smtpd($_, $self->reinjection($self->{backs}{$_}))
        for sort keys %{ $self->{backs} };
    return $cf . ($self->{services} // '') . <<~'END';
        pickup    unix  n       -       n       60      1       pickup
        cleanup   unix  n       -       n       -       0       cleanup
        qmgr      unix  n       -       n       300     1       qmgr
        rewrite   unix  -       -       n       -       -       trivial-rewrite
        bounce    unix  -       -       n       -       0       bounce
        defer     unix  -       -       n       -       0       bounce
        trace     unix  -       -       n       -       0       bounce
        verify    unix  -       -       n       -       1       verify
        flush     unix  n       -       n       1000?   0       flush
        proxymap  unix  -       -       n       -       -       proxymap
        smtp      unix  -       -       n       -       -       smtp
        relay     unix  -       -       n       -       -       smtp
        showq     unix  n       -       n       -       -       showq
        error     unix  -       -       n       -       -       error
        retry     unix  -       -       n       -       -       error
        discard   unix  -       -       n       -       -       discard
        local     unix  -       n       n       -       -       local
        virtual   unix  -       n       n       -       -       virtual
        anvil     unix  -       -       n       -       1       anvil
        scache    unix  -       -       n       -       1       scache
        postlog   unix-dgram n  -       n       -       1       postlogd
        END
}

1;
