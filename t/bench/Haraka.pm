package Haraka;

# Haraka (npm, in build-bench/haraka) that forwards with SRS and signs, in two
# worker processes.
use v5.36;
use Cwd            qw(abs_path);
use File::Basename qw(dirname);
use Onward::Test;
use Onward::Test::Verify;
use Measure;

my $here = abs_path(dirname(__FILE__));

# Started, forwarding to that port: { port, pid, dns }; undef if it is not here.
sub new ($class, $upstream) {
    my $modules = abs_path("$ENV{BENCH}/haraka/node_modules");
    if (!$modules || !-d "$modules/Haraka" || !program('node')) {
        return left_out('Haraka', 'no npm, or it did not install');
    }
    my $dir  = scratch('haraka');
    my $self = bless { port => free_port(), dir => $dir }, $class;
    symlink $modules, "$dir/node_modules" or die "symlink: $!\n";
    symlink "$here/haraka/plugins", "$dir/plugins" or die "symlink: $!\n";
    $self->configure($upstream);
    $self->{pid}
        = start(program('node'), "$modules/Haraka/bin/haraka", '-c', $dir);
    listening($self->{port}, 30);
    return $self;
}

sub configure ($self, $upstream) {
    my $dir    = $self->{dir};
    my $domain = 'srs.public.example';
    my %file   = (
        'smtp.ini' => "listen=127.0.0.1:$self->{port}\nnodes=2\n"
            . "[headers]\n",
        'smtp_forward.ini' => "host=127.0.0.1\nport=$upstream\n"
            . "enable_outbound=true\n",
        # The order counts: what signs comes before what passes on.
        'plugins'      => "forward\ndkim\nqueue/smtp_forward\n",
        'loglevel'     => "LOGERROR\n",
        'me'           => "haraka.public.example\n",
        'databytes'    => "100000000\n",
        'dkim.ini'     => "[sign]\nenabled=true\nheaders=From, To, Subject,"
            . " Date, Message-ID, MIME-Version, Content-Type\n"
            . "[canon]\nbody=relaxed\n[verify]\nenabled=false\n",
        "dkim/$domain/selector" => "h\n",
    );
    mkdir "$dir/$_" for 'config', 'config/dkim', "config/dkim/$domain", 'queue';
    spew("$dir/config/$_", $file{$_}) for sort keys %file;
    spew("$dir/config/connection.ini",
        slurp("$dir/node_modules/Haraka/config/connection.ini"));
    make_key("$dir/config/dkim/$domain/private");
    $self->{dns} = { "h._domainkey.$domain" =>
            dns_record("$dir/config/dkim/$domain/private") };
    return;
}

1;
