# Local users are strangers too: unix sockets in Postfix' chroot jail, which
# only Postfix may use, handed over as a systemd socket unit does.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Fcntl qw(F_DUPFD);
use IO::Socket::UNIX;
use POSIX qw(_exit dup2);
use Socket qw(SOCK_STREAM);
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Debian;
use Onward::Test::Setup;
use Onward::Test::Sink;

need(qw(root binary postfix Mail::DKIM));
Onward::Test::Debian->own_network;

my $sink = Onward::Test::Sink->new;
my $postfix = Onward::Test::Debian->new(sink => $sink->port)->prepare->jail;
my $jail = $postfix->dir . '/queue/onward';
my $group = getgrnam 'postfix';
my $nobody = getpwnam 'nobody';
mkdir $jail, 0750;
chown 0, $group, $jail;
$postfix->start;

my $setup = Onward::Test::Setup->new(postfix => $postfix, sink => $sink);
my $onward = $setup->onward;
# smtp(8) speaks to no unix socket: bounces of this Postfix come by another.
my $bounces = free_port();
my $text = slurp($onward->conf);
$text =~ s{^listeners = \(.*?^\);}{<<~END}ems;
    listeners = (
      { name = "mx"; address = "unix:$jail/mx"; role = "inbound"; },
      { name = "bounces"; address = "127.0.0.1:$bounces"; role = "inbound"; },
      { name = "submission"; role = "outbound";
        address = "127.0.0.1:${\$onward->port('submission')}"; }
    );
    END
$text =~ s/listen = "127\.0\.0\.1:$setup->{map}"/listen = "unix:$jail\/map"/;
spew($onward->conf, $text);

# What systemd does for
#   [Socket] ListenStream=... SocketUser=root SocketGroup=postfix SocketMode=0660
my @names = qw(mx socketmap);
my @sockets = map {
    my $socket = IO::Socket::UNIX->new(
        Type => SOCK_STREAM, Listen => 128, Local => "$jail/$_",
    ) or die "$jail/$_: $!\n";
    chown 0, $group, "$jail/$_";
    chmod 0660, "$jail/$_";
    $socket;
} qw(mx map);
# The daemon itself is not of that group, and not root.
my $dir = $onward->dir;
my $program = binary_for_all($dir);
system("chown -R $nobody '$dir'") == 0 or die;
my $log = $onward->{log} = "$dir/log";
my $pid = fork // die "fork: $!\n";
if ($pid == 0) {
    open STDOUT, '>>', $log;
    open STDERR, '>>', $log;
    # Descriptors 3 and 4, above all those that may be in the way first.
    my @fds = map { fcntl $_, F_DUPFD, 50 } @sockets;
    dup2($fds[$_], 3 + $_) for 0 .. 1;
    ($(, $)) = ((getpwuid $nobody)[3], (getpwuid $nobody)[3]);
    ($<, $>) = ($nobody, $nobody);
    $ENV{LISTEN_PID} = $$;
    $ENV{LISTEN_FDS} = 2;
    $ENV{LISTEN_FDNAMES} = join ':', @names;
    exec $program, '-c', $onward->conf, 'serve' or _exit(127);
}
$onward->{pid} = $pid;
close $_ for @sockets;
wait_until(seconds(10), sub { $onward->log =~ /started/ })
    or diag($onward->log);
like($onward->log, qr/started/, 'Onward takes the sockets, as nobody');

my $said = $setup->run('setup', '--apply');
is($? >> 8, 0, 'setup --apply') or diag($said);
like($said, qr{smtpd_proxy_filter=unix:onward/mx$}m,
    'the path is relative to the jail');
like($said, qr{virtual_alias_maps=socketmap:unix:onward/map:recipient$}m,
    'and so is the map\'s');
my $check = $setup->run('check', '--postfix');
is($? >> 8, 0, 'check --postfix finds no error') or diag($check);
$postfix->greets;
# As in Setup::life, without what restarts Onward.
$setup->mail_flows;
$setup->own_bounce;

# Another local user
my $refused = fork // die "fork: $!\n";
if ($refused == 0) {
    ($(, $)) = ((getpwuid $nobody)[3], (getpwuid $nobody)[3]);
    ($<, $>) = ($nobody, $nobody);
    my $connected = IO::Socket::UNIX->new(
        Type => SOCK_STREAM, Peer => "$jail/mx") ? 1 : 0;
    _exit($connected);
}
waitpid $refused, 0;
is($?, 0, 'no other local user can connect');

$setup->run('setup', '--remove');
is($? >> 8, 0, 'setup --remove');
$onward->ends_well;
ok(-S "$jail/mx", 'the sockets are systemd\'s: they stay');

# Outside of the jail: refused, with words.
spew($onward->conf, $text =~ s/unix:\Q$jail\E\/mx/unix:\/run\/elsewhere/r);
$said = $setup->run('setup', '--apply');
is($? >> 8, 1, 'a socket outside of the jail');
like($said, qr/runs chrooted in .* cannot reach the listener/, 'is refused');

done_testing;
