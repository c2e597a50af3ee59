# The units: sound, locked down, and those of one program; a socket that
# systemd would hand over; and the account's files.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;

need qw(binary systemd-analyze);

my $units = top() . '/proxy/dist/systemd';
my $dir   = scratch('systemd');

# As installed, but with the program under test.
my @names = map {s{.*/}{}r} glob "$units/onward*";
for my $name (@names) {
    my $binary = binary();
    my $rotate = top() . '/proxy/dist/onward-rotate';
    spew("$dir/$name", slurp("$units/$name") =~ s{/usr/sbin/onward}{$binary}gr
            =~ s{/usr/libexec/onward/onward-rotate}{$rotate}gr);
}

for my $name (grep { !/@/ } @names) {
    my $out = run_out('sh', '-c',
        "cd '$dir' && systemd-analyze verify --man=no './$name' 2>&1");
    is $?, 0, "$name: systemd finds no fault" or diag($out);
    is join('', grep {/\Q$name\E/} split /^/, $out), '', "$name: and warns of nothing";
}

# 0 is a locked box, 10 is root without any limit.
for my $unit (qw(onward.service onward@.service)) {
    my $out = run_out('sh', '-c',
        "cd '$dir' && systemd-analyze security --offline=true --no-pager './$unit' 2>&1");
    my ($score) = $out =~ /exposure level for \S+: ([\d.]+)/;
    ok defined $score && $score <= 1.5, "$unit: exposure at most 1.5"
        or diag($out);
    diag("$unit: $score") if defined $score;
}

# The template is the unit with another configuration.
my $single   = slurp("$units/onward.service");
my $template = slurp("$units/onward\@.service");
sub settings ($text) { return [ grep {/^[A-Z]\w+=/} split /\n/, $text ] }
is_deeply settings($template =~ s{ -c /etc/onward/%i\.conf}{}gr
        =~ s{onward/%i}{onward}gr =~ s{ \(%i\)}{}r),
    settings($single), 'the template is the unit, with a name';

my %set = map { /^(\w+)=(.*)/ ? ($1 => $2) : () } split /\n/, $single;
is $set{Type}, 'notify', 'Type=notify, which systemd 252 knows';
is $set{RestartPreventExitStatus}, '64 78', 'no restart with a bad configuration';
is $set{User}, 'onward', 'not root';
like $single, qr/^ExecReload=\S+ check\n(?:#.*\n)*ExecReload=.*kill -HUP/m,
    'a reload checks first';
ok !defined $set{AmbientCapabilities}, 'no capability';

# TimeoutStopSec is above the drain.
my ($drain) = run_out(binary(), 'config', 'defaults')
    =~ /^timeouts\.drain = "(\d+)s"/m;
is $set{TimeoutStopSec}, '2min', 'systemd waits two minutes';
cmp_ok $drain, '<', 120, 'in which the daemon is done';

# The names in the socket units are those of listeners in the configuration
# that is shipped, and the address is the same.
my $conf = slurp(top() . '/proxy/dist/onward.conf');
my $socket = slurp("$units/onward.socket");
my ($address) = $socket =~ /^ListenStream=(.*)$/m;
my ($name)    = $socket =~ /^FileDescriptorName=(.*)$/m;
like $conf, qr/name = "\Q$name\E"; +address = "\Q$address\E"/,
    'onward.socket holds a listener of the configuration';

# ---- the account and its directories ----

SKIP: {
    skip 'root', 2 if $> != 0 || !-x '/usr/bin/systemd-sysusers';
    my $root = "$dir/root";
    run_out('mkdir', '-p', "$root/etc", "$root/usr/lib/sysusers.d",
        "$root/usr/lib/tmpfiles.d", "$root/var/lib");
    for my $kind (qw(sysusers tmpfiles)) {
        spew("$root/usr/lib/$kind.d/onward.conf", slurp("$units/$kind.conf"));
    }
    run_out('sh', '-c', "systemd-sysusers --root='$root' onward.conf 2>/dev/null");
    like slurp("$root/etc/passwd"), qr/^onward:x:(\d+):(\d+):/m, 'sysusers.d: the account';
    my ($uid, $gid) = slurp("$root/etc/passwd") =~ /^onward:x:(\d+):(\d+):/m;
    run_out('sh', '-c', "systemd-tmpfiles --root='$root' --create onward.conf 2>/dev/null");
    my %got = map {
        my @stat = stat "$root$_";
        ($_ => sprintf('%04o %d:%d', $stat[2] & 07777, @stat[ 4, 5 ]))
    } qw(/etc/onward /etc/onward/dkim /var/lib/onward);
    is_deeply \%got, {
        '/etc/onward'      => '0755 0:0',
        '/etc/onward/dkim' => "0750 0:$gid",
        '/var/lib/onward'  => "0750 $uid:$gid",
    }, 'tmpfiles.d: the daemon can read its keys, and not replace them';
}

done_testing;
