package Onward::Test::Debian;

# A Postfix as Debian installs it: its main.cf and master.cf, ports 25 and 587,
# smtpd chrooted. The test runs in a network namespace of its own, so that the
# real ports are free and nothing of the machine's own mail is touched; only
# directories, the log and where mail goes out to differ.

use v5.36;
use parent 'Onward::Test::Postfix';
use Test::More ();
use Onward::Test;
use Onward::Test::Client;

# Call it first: begins the test anew where all ports are free. With "--mount"
# it may mount as well, and nobody else sees that.
sub own_network ($class, @more) {
    return if $ENV{ONWARD_OWN_NETWORK};
    my ($name) = $0 =~ m{([^/]+)$};
    system("unshare --net @more true 2>/dev/null") == 0
        or Test::More::plan(skip_all => "$name needs unshare --net @more");
    $ENV{ONWARD_OWN_NETWORK} = 1;
    exec 'unshare', '--net', @more, 'sh', '-c', 'ip link set lo up && exec "$@"',
        'sh', $^X, (map {"-I$_"} @INC), $0, @ARGV;
}

my $main_cf = <<'END';
# See /usr/share/postfix/main.cf.dist for a commented, more complete version


# Debian specific:  Specifying a file name will cause the first
# line of that file to be used as the name.  The Debian default
# is /etc/mailname.
#myorigin = /etc/mailname

smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no

# appending .domain is the MUA's job.
append_dot_mydomain = no

# Uncomment the next line to generate "delayed mail" warnings
#delay_warning_time = 4h

readme_directory = no

# See http://www.postfix.org/COMPATIBILITY_README.html -- default to 3.6 on
# fresh installs.
compatibility_level = 3.6

smtpd_tls_security_level=may
smtp_tls_CApath=/etc/ssl/certs
smtp_tls_security_level=may
smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache

smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = mx.public.example
alias_maps =
alias_database =
mydestination = $myhostname, public.example, localhost.localdomain, , localhost
mynetworks = 127.0.0.2/32
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = all
inet_protocols = ipv4
END

# What the sandbox needs. `sink`: the port that all mail goes out to.
sub main_cf ($self) {
    my $dir = $self->{dir};
    return $main_cf . <<~END;
        queue_directory = $dir/queue
        data_directory = $dir/data
        maillog_file = $dir/mail.log
        maillog_file_prefixes = $dir
        smtp_dns_support_level = disabled
        smtp_host_lookup = native
        smtpd_peername_lookup = no
        relayhost = [127.0.0.1]:$self->{sink}
        local_transport = smtp:[127.0.0.1]:$self->{sink}
        local_recipient_maps = regexp:$dir/etc/mailboxes
        notify_classes =
        $self->{main}
        END
}

sub master_cf ($self) {
    return slurp('/usr/share/postfix/master.cf.dist');
}

sub new ($class, %self) {
    return $class->SUPER::new(backs => {}, fronts => {}, %self);
}

# postconf with this configuration.
sub postconf ($self, @arguments) {
    return run_out('postconf', '-c', $self->config, @arguments);
}

# All that an administrator sees of it. Postfix 3.8 to 3.12 show the name of
# the directory only when its main.cf is older than two seconds.
sub shown ($self) {
    return map { $self->postconf($_) =~ s/^config_directory = .*\n//mr }
        qw(-n -M -P);
}

# smtpd on port 25 in the jail, as Debian had it up to Postfix 3.10.
sub jail ($self) {
    $self->postconf('-F', 'smtp/inet/chroot=y');
    return $self;
}

# The files as they are, octet for octet.
sub files ($self) {
    return map { slurp($self->config . "/$_") } qw(main.cf master.cf);
}

# In chroot jails there is nothing: what smtpd asks the system for.
sub prepare ($self) {
    $self->{prepared} = 1;
    $self->SUPER::prepare;
    mkdir "$self->{dir}/queue/etc", 0755;
    for my $file (qw(services hosts nsswitch.conf resolv.conf host.conf)) {
        spew("$self->{dir}/queue/etc/$file", slurp("/etc/$file"))
            if -e "/etc/$file";
    }
    return $self;
}

# Waits until port 25 (or another) greets.
sub greets ($self, $port = 25) {
    return wait_until(seconds(20),
        sub { eval { Onward::Test::Client->new($port)->greeting =~ /^220/ } });
}

sub start ($self) {
    $self->prepare unless $self->{prepared};
    my $out = $self->command('start');
    $self->greets or die "postfix does not greet:\n$out", $self->log;
    return $self;
}

1;
