package Onward::Test::NSD;

# A real authoritative name server, NSD, on a port of its own. A zone is the
# text below its SOA, which a test writes as an administrator would:
#
#   $nsd->publish('public.example' => $text, ...)
#
# returns when NSD answers from all of these.

use v5.36;
use POSIX qw(_exit WNOHANG);
use Onward::Test;

sub new ($class, @zones) {
    require Net::DNS;
    my $dir  = scratch('nsd');
    my $self = bless {
        dir    => $dir,
        port   => free_port(),
        serial => 0,
        zones  => { map { $_ => '' } @zones },
    }, $class;
    $self->write_zone($_) for @zones;
    spew("$dir/nsd.conf", <<~END . join '', map { <<~ZONE } @zones);
        server:
            ip-address: 127.0.0.1\@$self->{port}
            username: ""
            chroot: ""
            server-count: 1
            database: ""
            zonesdir: "$dir"
            pidfile: "$dir/pid"
            logfile: "$dir/log"
            zonelistfile: "$dir/zonelist"
            xfrdfile: "$dir/xfrd"
            rrl-ratelimit: 0
        remote-control:
            control-enable: no
        END
        zone:
            name: $_
            zonefile: $_.zone
        ZONE
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', "$dir/output";
        open STDERR, '>>', "$dir/output";
        exec Onward::Test::find_program('nsd'), '-d', '-c', "$dir/nsd.conf"
            or _exit(127);
    }
    $self->{pid} = $pid;
    Onward::Test::Janitor::hear(pid => $pid);
    on_exit(sub { $self->stop });
    $self->wait_for_serials;
    return $self;
}

sub address ($self) { return "127.0.0.1:$self->{port}" }
sub port ($self)    { return $self->{port} }

sub publish ($self, %zones) {
    $self->{serial}++;
    for my $zone (sort keys %zones) {
        $self->{zones}{$zone} = $zones{$zone};
        $self->write_zone($zone);
    }
    $self->wait_for_serials(sort keys %zones);
    return;
}

# Short negative answers as well, though nothing between caches them.
sub write_zone ($self, $zone) {
    my $file = "$self->{dir}/$zone.zone";
    spew("$file.new", <<~END . $self->{zones}{$zone});
        \$TTL 1
        $zone. IN SOA ns.$zone. hostmaster.$zone. $self->{serial} 3600 600 86400 1
        $zone. IN NS ns.$zone.
        ns.$zone. IN A 127.0.0.1
        END
    rename "$file.new", $file or die "$file: $!\n";
    return;
}

# A zone with an error is not loaded: NSD goes on with the one before, so that
# this dies with what it said. SIGHUP comes again, because one that arrives in
# the middle of a reload is not always heard.
sub wait_for_serials ($self, @zones) {
    my $resolver = Net::DNS::Resolver->new(
        nameservers => ['127.0.0.1'],
        port        => $self->{port},
        recurse     => 0,
        udp_timeout => 1,
        retry       => 1,
    );
    my $is_new = sub ($zone) {
        my $reply = $resolver->send($zone, 'SOA') // return 0;
        my ($soa) = grep { $_->type eq 'SOA' } $reply->answer;
        return $soa && $soa->serial == $self->{serial};
    };
    for my $zone (@zones ? @zones : sort keys %{ $self->{zones} }) {
        my $new;
        for (1 .. 5) {
            kill HUP => $self->{pid} if @zones;
            last if $new = wait_until(seconds(4), sub { $is_new->($zone) });
        }
        $new or die "nsd does not serve $zone:\n",
            map { -e $_ ? slurp($_) : '' } map {"$self->{dir}/$_"}
            qw(log output);
    }
    return;
}

sub stop ($self) {
    my $pid = delete $self->{pid} // return;
    kill TERM => $pid;
    wait_until(seconds(5), sub { waitpid($pid, WNOHANG) == $pid })
        or kill KILL => $pid;
    Onward::Test::Janitor::hear(gone => $pid);
    return;
}

1;
