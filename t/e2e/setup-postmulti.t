# An instance made by postmulti: setup takes its directory, and leaves the
# first instance alone.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Debian;
use Onward::Test::Setup;
use Onward::Test::Sink;

need(qw(root binary postfix postmulti Mail::DKIM));
Onward::Test::Debian->own_network('--mount');

# postmulti works on /etc/postfix and on nothing else: so this is a copy that
# only this test sees.
my $dir = scratch('etc');
system("cp -a /etc '$dir/etc' && mount --bind '$dir/etc' /etc") == 0
    or plan(skip_all => 'setup-postmulti.t needs mount --bind');

my $sink = Onward::Test::Sink->new;
my $first = Onward::Test::Debian->new(sink => $sink->port)->prepare;
for my $file (qw(main.cf master.cf mailboxes)) {
    spew("/etc/postfix/$file", slurp($first->config . "/$file"));
}

sub postmulti (@arguments) {
    my $out = run_out('sh', '-c', 'exec "$@" 2>&1', 'sh', 'postmulti',
        @arguments);
    is($?, 0, "postmulti @arguments") or diag($out);
}
postmulti(qw(-e init));
my $config = '/etc/postfix-in';
postmulti(qw(-I postfix-in -e create), "queue_directory=$dir/queue-in",
    "data_directory=$dir/data-in");
ok(-e "$config/main.cf", 'an instance of its own') or die "no instance\n";
my ($queue) = run_out('postconf', '-c', $config, '-h', 'queue_directory')
    =~ /(\S+)/;
on_exit(sub { system("postfix -c $config stop >/dev/null 2>&1") });

{
    package Onward::Test::Instance;
    use parent -norequire, 'Onward::Test::Debian';
    sub config ($self) { return $config }
}
my $second = Onward::Test::Instance->new(sink => $sink->port);

# What a new instance has not, and what the sandbox needs.
my %own = map { $_ => 1 }
    qw(queue_directory data_directory maillog_file myhostname inet_interfaces);
for my $line (split /\n/, $first->postconf('-n')) {
    my ($name) = $line =~ /^(\S+) =/ or next;
    $second->postconf('-e', $line =~ s/\Q${\$first->config}\E/$config/gr)
        unless $own{$name} || $name =~ /^(config_directory|multi_)/;
}
my $log = $second->dir . '/mail.log';
$second->postconf('-e', 'myhostname = mx.public.example',
    "maillog_file = $log", "maillog_file_prefixes = " . $second->dir,
    'inet_interfaces = all');
spew("$config/mailboxes", slurp('/etc/postfix/mailboxes'));
$second->postconf('-X', $_)
    for qw(master_service_disable authorized_submit_users);
mkdir "$queue/etc", 0755;
spew("$queue/etc/services", slurp('/etc/services'));
my $said = $second->command('start');
$second->greets or diag($said, $second->log);

my $setup = Onward::Test::Setup->new(
    postfix => $second, sink => $sink, directory => $config,
);
my @theirs = map { slurp("/etc/postfix/$_") } qw(main.cf master.cf);
like($setup->run('setup', '--postfix-config', $config),
    qr/^postconf -c \Q$config\E -P smtp\/inet/m, 'commands name the instance');
$setup->life;
is_deeply([map { slurp("/etc/postfix/$_") } qw(main.cf master.cf)], \@theirs,
    'the first instance was not touched');

done_testing;
