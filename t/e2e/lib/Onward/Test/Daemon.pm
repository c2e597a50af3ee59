package Onward::Test::Daemon;

# Onward itself: a configuration of its own in a fresh directory, the log
# captured, ended by pid.

use v5.36;
use POSIX       qw(_exit WNOHANG);
use Test::More ();
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Verify;

# upstream (port) is required. Besides: srs_domain, secret, local_domains,
# aliases (text inside the parentheses), selector, key ("rsa", "ed25519",
# "" for none), listeners ({ name => role }), more_listeners and settings (text),
# upstream_settings (in that group), under (what it is run by), keys for outbound mail ({ domain =>
# selector }).
sub new ($class, %self) {
    my $self = bless {
        srs_domain    => 'srs.public.example',
        secret        => 'a secret for tests only',
        local_domains => ['public.example'],
        aliases       => '{ match = "fwd.*@public.example";'
            . ' to = ( "me@private.example" ); }',
        selector  => 's2026',
        key       => 'rsa',
        listeners => { mx => 'inbound' },
        keys      => {},
        settings  => '',
        upstream_settings => '',
        %self,
    }, $class;
    $self->{dir} //= scratch('daemon');
    $self->{dns} = {};
    $self->{port}{$_} = free_port() for sort keys %{ $self->{listeners} };
    $self->write_files;
    on_exit(sub { $self->stop(3) });
    return $self;
}

# One with a configuration that somebody else wrote, started.
sub run ($class, $conf, $port) {
    my $self = bless {
        dir  => $conf =~ s{/[^/]+$}{}r,
        conf => $conf,
        port => { mx => $port },
        dns  => {},
    }, $class;
    on_exit(sub { $self->stop(3) });
    return $self->start;
}

sub dir ($self)  { return $self->{dir} }
sub conf ($self) { return $self->{conf} // "$self->{dir}/onward.conf" }
sub pid ($self)  { return $self->{pid} }

# The records of the keys: "selector._domainkey.domain" -> TXT.
sub dns ($self) { return $self->{dns} }

# The port of a listener; of the only one by default.
sub port ($self, $name = undef) {
    $name //= (sort keys %{ $self->{port} })[0];
    return $self->{port}{$name};
}

sub write_files ($self) {
    my $dir = $self->{dir};
    mkdir "$dir/$_", 0750 for qw(dkim state);
    spew("$dir/srs.secret", "$self->{secret}\n", 0640);

    my %keys = %{ $self->{keys} };
    $keys{ $self->{srs_domain} } = $self->{selector} if $self->{key};
    for my $domain (sort keys %keys) {
        mkdir "$dir/dkim/$domain", 0750;
        my $file = "$dir/dkim/$domain/$keys{$domain}.pem";
        make_key($file, $self->{key} || 'rsa') unless -e $file;
        $self->{dns}{"$keys{$domain}._domainkey.$domain"} = dns_record($file);
    }

    my $listeners = join ",\n", map {
        "  { name = \"$_\"; address = \"127.0.0.1:$self->{port}{$_}\";"
            . " role = \"$self->{listeners}{$_}\"; }"
    } sort keys %{ $self->{listeners} };
    $listeners .= ",\n$self->{more_listeners}" if $self->{more_listeners};
    my $local = join ', ', map {"\"$_\""} @{ $self->{local_domains} };
    spew($self->conf, <<~END);
        hostname = "proxy.public.example";
        listeners = (
        $listeners
        );
        upstream = {
          address = "127.0.0.1:$self->{upstream}";
          $self->{upstream_settings}
        };
        forward = {
          local_domains = ( $local );
          aliases = ( $self->{aliases} );
        };
        srs = {
          domain = "$self->{srs_domain}";
          secret_file = "$dir/srs.secret";
        };
        dkim = { key_directory = "$dir/dkim"; };
        state_directory = "$dir/state";
        log = { target = "stderr"; };
        http = { listen = ""; };
        postfix = { config_directory = ""; };
        $self->{settings}
        END
}

# Starts it and waits for its greeting.
sub start ($self) {
    my $log = $self->{log} = "$self->{dir}/log";
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', $log;
        open STDERR, '>>', $log;
        exec @{ $self->{under} // [] }, binary(), '-c', $self->conf, 'serve'
            or _exit(127);
    }
    $self->{pid} = $pid;
    Onward::Test::Janitor::hear(pid => $pid);
    my $greeting = '';
    wait_until(
        seconds(10),
        sub {
            $self->reap and die "onward ended at once:\n", $self->log;
            return eval {
                $greeting = Onward::Test::Client->new($self->port)->greeting;
            };
        }
    );
    $greeting =~ /^220 / or die "onward does not greet:\n", $self->log;
    return $self;
}

sub reap ($self) {
    return 1 unless $self->{pid};
    return 0 unless waitpid($self->{pid}, WNOHANG) == $self->{pid};
    $self->{status} = $?;
    Onward::Test::Janitor::hear(gone => delete $self->{pid});
    return 1;
}

# SIGTERM; the wait status, or undef if it had to be killed.
sub stop ($self, $timeout = 10) {
    return $self->{status} unless $self->{pid};
    CORE::kill TERM => $self->{pid};
    return $self->{status}
        if wait_until(seconds($timeout), sub { $self->reap });
    $self->kill;
    return;
}

sub kill ($self) {
    CORE::kill KILL => $self->{pid};
    waitpid $self->{pid}, 0;
    Onward::Test::Janitor::hear(gone => delete $self->{pid});
}

# The end of every test: it stopped when told to, with exit 0, and no
# sanitizer complained.
sub ends_well ($self) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $status = $self->stop;
    my $ok = Test::More::is($status, 0, 'onward ends with exit code 0');
    my @complaints = grep {/Sanitizer|runtime error:|assert/} $self->lines;
    $ok &= Test::More::is_deeply(\@complaints, [],
        'nothing went wrong inside');
    Test::More::diag($self->log) unless $ok;
    return $ok;
}

sub log ($self)   { return -e $self->{log} ? slurp($self->{log}) : '' }
sub lines ($self) { return split /\n/, $self->log }

# Waits for a line of the log that matches.
sub logged ($self, $pattern, $timeout = 5) {
    my $line;
    wait_until(
        seconds($timeout),
        sub { ($line) = grep {/$pattern/} $self->lines; return $line }
    );
    return $line;
}

# A size of /proc/PID/status in KiB: VmRSS, VmHWM...
sub memory ($self, $field = 'VmRSS') {
    my ($size) = slurp("/proc/$self->{pid}/status") =~ /^$field:\s+(\d+) kB/m;
    return $size;
}

# From here on VmHWM is the peak since now.
sub reset_peak ($self) {
    open my $fh, '>', "/proc/$self->{pid}/clear_refs" or return 0;
    return print $fh 5;
}

1;
