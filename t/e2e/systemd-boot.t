# The units under a real systemd, booted in namespaces of its own: the sandbox
# does not stop the daemon, a reload checks first, the watchdog bites, bad
# configurations are not tried again, sockets are handed over, instances share
# a port. Only with `t/run --all`: it takes minutes, root and a Debian mirror.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;

plan skip_all => 't/run --all' if !$ENV{ONWARD_TEST_ALL};
plan skip_all => 'a plain build is what is installed' if sanitized();
need qw(root binary debootstrap unshare nsenter);

my $dir  = scratch('boot');
my $root = "$dir/root";
# The packages of its libraries.
mkdir "$dir/debian";
spew("$dir/debian/control",
    "Source: onward\n\nPackage: onward\nArchitecture: any\n");
my @libraries = run_out('sh', '-c', 'cd "$1" && dpkg-shlibdeps -O "$2"', 'sh',
    $dir, binary()) =~ /(?:Depends=|, )([a-z0-9.+-]+)/g;
my $log  = run_out('sh', '-c', 'exec 2>&1; "$@"', 'sh',
    qw(debootstrap --variant=minbase), '--include=' . join(',', 'systemd', @libraries),
    debian_suite(), $root, 'http://deb.debian.org/debian');
plan skip_all => 'no Debian mirror' if $? != 0;

# ---- install, configure, boot ----

my $dist = top() . '/proxy/dist';
run_out('cp', binary(), "$root/usr/sbin/onward");
run_out('sh', '-c', "cp '$dist'/systemd/onward* '$root/lib/systemd/system/'");
for my $kind (qw(sysusers tmpfiles)) {
    run_out('cp', "$dist/systemd/$kind.conf", "$root/usr/lib/$kind.d/onward.conf");
}
run_out('mkdir', '-p', "$root/etc/onward/dkim", "$root/usr/libexec/onward");
run_out('cp', "$dist/onward-rotate", "$root/usr/libexec/onward/");
run_out('cp', "$dist/onward.conf", "$root/etc/onward/onward.conf");
for my $name (qw(a b)) {
    spew("$root/etc/onward/$name.conf", <<"END");
listeners = ( { name = "mx"; address = "127.0.0.1:10035"; role = "inbound"; reuse_port = true; } );
upstream = { address = "127.0.0.1:10026"; };
state_directory = "/var/lib/onward/$name";
http = { listen = "unix:/run/onward/$name/http.sock"; };
END
}
spew("$root/etc/machine-id", '');
run_out('chroot', $root, qw(systemctl enable onward.service));

# What systemd wants of a container (https://systemd.io/CONTAINER_INTERFACE).
spew("$dir/boot", <<"END", 0755);
mount --make-rprivate /
ip link set lo up 2>/dev/null
mount --bind $root $root
mount -t proc proc $root/proc
mount -t tmpfs tmpfs $root/run
mount -t tmpfs tmpfs $root/tmp
mount -t devtmpfs dev $root/dev
mount -t sysfs -o ro sysfs $root/sys
mount -t tmpfs tmpfs $root/sys/fs/cgroup
mkdir -p $root/sys/fs/cgroup/systemd $root/run/old
mount -t cgroup -o none,name=onward-test-$$ x $root/sys/fs/cgroup/systemd
cd $root
pivot_root . run/old
umount -l /run/old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    /lib/systemd/systemd --unit=multi-user.target
END
my $boot = fork // die "fork: $!\n";
if ($boot == 0) {
    open STDOUT, '>', "$dir/console" or die "console: $!\n";
    open STDERR, '>&', \*STDOUT or die "console: $!\n";
    exec qw(unshare -n -m -p -u -i --fork --kill-child sh), "$dir/boot";
}
on_exit(sub { kill 'KILL', $boot; waitpid $boot, 0 });

# Process 1 in there: the child of unshare.
my $one = wait_until(seconds(10), sub { (split ' ', slurp("/proc/$boot/task/$boot/children"))[0] });
sub inside (@command) {
    my $out = run_out('sh', '-c', 'exec 2>&1; "$@"', 'sh', 'nsenter', '-t', $one,
        qw(-m -n -p -u -i), @command);
    return wantarray ? ($? >> 8, $out) : $out;
}
sub property ($unit, $name) {
    return inside(qw(systemctl show --value -p), $name, $unit) =~ s/\n\z//r;
}
sub active ($unit) {
    return property($unit, 'ActiveState') eq 'active';
}
if (!wait_until(seconds(60), sub { property('multi-user.target', 'ActiveState') eq 'active' })) {
    diag(slurp("$dir/console"));
    plan skip_all => 'systemd cannot be booted in namespaces here';
}

# ---- one daemon ----

ok active('onward.service'), 'the daemon runs in its sandbox'
    or diag(inside(qw(journalctl --no-pager -n 20)));
my $pid = property('onward.service', 'MainPID');
like slurp("/proc/$one/root/proc/$pid/status"), qr/^CapEff:\s+0+$/m, 'without any capability';
like slurp("/proc/$one/root/proc/$pid/status"), qr/^Uid:\s+[1-9]/m,  'not as root';
like property('onward.service', 'StatusText'), qr/sessions/, 'and tells how it is';
my ($code, $out) = inside(qw(systemctl reload onward));
is $code, 0, 'a reload' or diag($out);

my $conf = "$root/etc/onward/onward.conf";
my $good = slurp($conf);
spew($conf, $good . "nonsense = 1;\n");
($code, $out) = inside(qw(systemctl reload onward));
isnt $code, 0, 'with a bad configuration fails';
like inside(qw(journalctl --no-pager -u onward)), qr/nonsense: unknown setting/,
    'and the journal says why';
is property('onward.service', 'MainPID'), $pid, 'the daemon goes on';
ok active('onward.service'), 'and is not touched';

inside(qw(systemctl stop onward));
($code) = inside(qw(systemctl start onward));
isnt $code, 0, 'a start with a bad configuration fails';
sleep 3;
is property('onward.service', 'NRestarts'), '0', 'and is not tried again';
is property('onward.service', 'ExecMainStatus'), '78', 'exit status 78';
spew($conf, $good);
inside(qw(systemctl reset-failed onward));

# ---- watchdog ----

inside(qw(systemctl start onward));
$pid = property('onward.service', 'MainPID');
inside('sh', '-c', "kill -STOP $pid");
ok wait_until(seconds(60), sub {
    my $now = property('onward.service', 'MainPID');
    return $now ne $pid && $now ne '0' && active('onward.service');
}), 'a daemon that hangs is replaced';

# ---- sockets ----

inside(qw(systemctl stop onward));
($code, $out) = inside(qw(systemctl start onward.socket onward));
is $code, 0, 'with a socket that systemd holds' or diag($out);
ok active('onward.service'), 'it runs';
inside(qw(systemctl stop onward.socket onward));
inside(qw(groupadd -r postfix));
spew($conf, $good =~ s{127\.0\.0\.1:10025}{unix:/var/spool/postfix/onward/mx}r);
($code, $out) = inside(qw(systemctl start onward-queue.socket onward));
is $code, 0, 'with a socket in the queue directory' or diag($out);
like inside(qw(stat -c), '%a %U:%G', '/var/spool/postfix/onward/mx'),
    qr/^660 onward:postfix$/, 'which is for Postfix alone';
like inside(qw(journalctl --no-pager -n 5 -u onward)), qr{mx=unix:/var/spool}, 'and is used';
inside(qw(systemctl stop onward-queue.socket onward));

# ---- instances, and rotation ----

($code, $out) = inside(qw(systemctl start onward@a onward@b));
is $code, 0, 'two instances share a port'
    or diag($out, inside(qw(journalctl --no-pager -n 20)));
ok active("onward\@$_.service"), "instance $_ runs" for qw(a b);
is inside(qw(stat -c), '%U', '/var/lib/onward/a'), "onward\n", 'each in its own directory';

spew($conf, $good);
($code, $out) = inside(qw(systemctl start onward-rotate));
is $code, 0, 'rotation in its sandbox'
    or diag(inside(qw(journalctl --no-pager -n 20 -u onward-rotate)));

# With something to do: a key that stopped signing eight days ago is deleted,
# one that is due gets a successor, which the site's program publishes, and the
# daemons are told.
my $keys = "$root/etc/onward/dkim/x.example";
inside(qw(onward dkim keygen x.example --type ed25519 --selector), $_)
    for qw(due gone);
rename "$keys/due.next.pem",  "$keys/due.pem";
rename "$keys/gone.next.pem", "$keys/gone.old.pem";
utime time - 200 * 86400, time - 200 * 86400, "$keys/due.pem";
utime time - 8 * 86400,   time - 8 * 86400,   "$keys/gone.old.pem";
spew("$root/etc/onward/publish", "#!/bin/sh\necho hook \$1\ncat\n", 0755);
inside(qw(systemctl start onward));
my $reloads = sub {
    return scalar(() = inside(qw(journalctl --no-pager -u onward)) =~ /reloaded /g);
};
my $before = $reloads->();
($code, $out) = inside(qw(systemctl start onward-rotate));
my $journal = inside(qw(journalctl --no-pager -u onward-rotate));
is $code, 0, 'rotation that has something to do' or diag($out, $journal);
like $journal, qr/deleted x\.example gone/, 'deletes';
like $journal, qr/wrote \S+x\.example\/e\d{6}\.next\.pem/, 'makes';
like $journal, qr/hook x\.example.*update add e\d{6}\._domainkey/s, 'publishes';
my ($made) = glob "$keys/e*.next.pem";
is inside(qw(stat -c), '%a %U:%G', $made =~ s/^\Q$root\E//r),
    "640 root:onward\n", 'a key that the daemon can read';
ok wait_until(seconds(10), sub { $reloads->() > $before }), 'and reloads the daemon';

done_testing;
