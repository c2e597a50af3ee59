# The Debian package, and `cmake --install`: what is in it, where, and that
# nothing else is. With `t/run --all` also: the same sources in another place
# give the same octets, and its life in a fresh root.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;

plan skip_all => 'it has its own build, once is enough'
    if -e binary() && sanitized();
need qw(cmake cpack dpkg-deb dpkg-shlibdeps gzip);

my $dir = scratch('package');
my $top = top();

sub run_all (@command) {
    my $out = run_out('sh', '-c', 'exec 2>&1; "$@"', 'sh', @command);
    my $ok  = $? == 0;
    diag("@command:\n", $out =~ /((?:.*\n){0,20}.*)\z/) if !$ok;
    return $ok;
}

# Configures, builds and packs; the path of the package.
sub build ($source, $build) {
    run_all(qw(cmake -S), $source, '-B', $build,
        qw(-DCMAKE_BUILD_TYPE=Release -DONWARD_TESTS=OFF))
        && run_all(qw(cmake --build), $build, '-j2')
        && run_all('sh', '-c', 'cd "$1" && cpack -G DEB', 'sh', $build)
        or return;
    my ($deb) = glob "$build/*.deb";
    return $deb;
}

my $deb = build($top, "$dir/build");
ok defined $deb, 'cpack -G DEB makes a package' or die "no package\n";
like $deb, qr{/onward_1\.0\.0_[a-z0-9]+\.deb$}, 'its name';

# ---- what is in it ----

my %mode = map { m{^(\S{10}) root/root .* \./(.*)$} ? ("/$2" => $1) : () }
    split /\n/, run_out('dpkg-deb', '-c', $deb);
my %want = (
    '/usr/sbin/onward'                                        => '-rwxr-xr-x',
    '/etc/onward/onward.conf'                                 => '-rw-r--r--',
    '/usr/lib/systemd/system/onward.service'                  => '-rw-r--r--',
    '/usr/lib/systemd/system/onward@.service'                 => '-rw-r--r--',
    '/usr/lib/systemd/system/onward.socket'                   => '-rw-r--r--',
    '/usr/lib/systemd/system/onward-queue.socket'             => '-rw-r--r--',
    '/usr/lib/systemd/system/onward-rotate.service'           => '-rw-r--r--',
    '/usr/lib/systemd/system/onward-rotate.timer'             => '-rw-r--r--',
    '/usr/lib/sysusers.d/onward.conf'                         => '-rw-r--r--',
    '/usr/lib/tmpfiles.d/onward.conf'                         => '-rw-r--r--',
    '/usr/libexec/onward/onward-rotate'                       => '-rwxr-xr-x',
    '/usr/share/bash-completion/completions/onward'           => '-rw-r--r--',
    '/usr/share/zsh/vendor-completions/_onward'               => '-rw-r--r--',
    '/usr/share/man/man1/onward.1.gz'                         => '-rw-r--r--',
    '/usr/share/man/man5/onward.conf.5.gz'                    => '-rw-r--r--',
    '/usr/share/man/man5/onward-tables.5.gz'                  => '-rw-r--r--',
    '/usr/share/man/man8/onward.8.gz'                         => '-rw-r--r--',
    '/usr/share/doc/onward/README'                            => '-rw-r--r--',
    '/usr/share/doc/onward/alerts.yml'                        => '-rw-r--r--',
    '/usr/share/doc/onward/grafana-dashboard.json'            => '-rw-r--r--',
    '/usr/share/doc/onward/copyright'                         => '-rw-r--r--',
    '/usr/share/doc/onward/changelog.gz'                      => '-rw-r--r--',
    '/usr/share/doc/onward/examples/self-hosted/onward.conf'  => '-rw-r--r--',
);
is $mode{$_}, $want{$_}, "$_ ($want{$_})" for sort keys %want;
is_deeply [ grep { !m{^/(?:|etc|usr)(?:/|$)} } keys %mode ], [],
    'everything is under /usr and /etc';
is_deeply [ grep { m{/$} && $mode{$_} ne 'drwxr-xr-x' } keys %mode ], [],
    'directories are 0755';
is_deeply [ grep {m{^/etc/.*[^/]$}} keys %mode ], ['/etc/onward/onward.conf'],
    'the only file in /etc is the configuration';

run_all('dpkg-deb', '-R', $deb, "$dir/tree");
my $control = slurp("$dir/tree/DEBIAN/control");
is slurp("$dir/tree/DEBIAN/conffiles"), "/etc/onward/onward.conf\n",
    'the configuration is a conffile';
like $control, qr/^Maintainer: .* <\S+\@\S+>$/m, 'it has a maintainer';
# The libraries, by the names of their packages on this system.
my %soname = map { $_ => 1 }
    run_out('objdump', '-p', "$dir/tree/usr/sbin/onward")
    =~ /^ +NEEDED +(\S+)$/mg;
my %library = map { (split /:/)[0] => 1 }
    map { run_out('dpkg', '-S', '*/' . s{.*/}{}r) }
    map { /^\s*(\S+) => (\S+)/ && $soname{$1} ? $2 : () }
    split /\n/, run_out('ldd', "$dir/tree/usr/sbin/onward");
cmp_ok scalar(keys %library), '>=', 7, 'it is linked with libraries';
my ($depends) = $control =~ /^Depends: (.*)$/m;
is_deeply [ grep { $depends !~ /(?:^|, )\Q$_\E(?: \(|,|$)/ } sort keys %library ],
    [], 'depends on them' or diag($depends);
like $control, qr/^Depends: .*\bsystemd\b/m,   'and on systemd-sysusers';
like $control, qr/^Recommends: postfix, publicsuffix$/m,
    'recommends Postfix and the list of public suffixes';
unlike join('', map { slurp("$dir/tree/DEBIAN/$_") } qw(postinst prerm postrm)),
    qr/systemctl[^\n]*\b(?:start|enable|restart)\b(?<!try-restart)/,
    'its scripts start and enable nothing';
my ($version) = slurp("$top/CMakeLists.txt") =~ /project\(onward VERSION (\S+)/;
like slurp("$top/proxy/dist/deb/changelog"), qr/\Aonward \(\Q$version\E\) /,
    'the changelog begins with this version';
unlike slurp("$dir/tree/usr/sbin/onward"), qr/\Q$dir\E|\Q$top\E/,
    'the program names no path of the build';
like slurp("$dir/tree/usr/lib/systemd/system/onward.service"),
    qr{^ExecStart=/usr/sbin/onward serve$}m, 'the unit starts /usr/sbin/onward';

# The shipped configuration is one that the program accepts; only the
# directories of the account are elsewhere here.
mkdir "$dir/$_" for qw(keys state);
spew("$dir/onward.conf",
    slurp("$dir/tree/etc/onward/onward.conf") =~ s{"/etc/onward/dkim"}{"$dir/keys"}r
        . qq{state_directory = "$dir/state";\npostfix = { config_directory = ""; };\n});
ok run_all("$dir/tree/usr/sbin/onward", '-c', "$dir/onward.conf", 'check'),
    'the configuration as shipped is accepted';
# And with all that is commented out ("#setting", "#  setting"; "# " is prose),
# once the secret is there.
spew("$dir/srs.secret", "0123456789abcdef\n", 0640);
spew("$dir/aliases", "info\@example.org me\@private.example\n");
spew("$dir/all.conf", slurp("$dir/onward.conf") =~ s/^#(?=\S|  )//gmr
        =~ s{/etc/onward/(srs\.secret|aliases)}{$dir/$1}gr);
ok run_all("$dir/tree/usr/sbin/onward", '-c', "$dir/all.conf", 'check'),
    'and with everything that is commented out';
like run_out("$dir/tree/usr/sbin/onward", '-c', "$dir/all.conf", 'check'),
    qr/2 alias entries/, 'which is in force then';

# A package that does not name them would not start where it is installed.
mkdir "$dir/nameless";
my $out = run_out('sh', '-c', 'cd "$1" && cpack -G DEB -B "$2" '
        . '-D SHLIBDEPS_PROGRAM=/nonexistent 2>&1', 'sh', "$dir/build",
    "$dir/nameless");
isnt $?, 0, 'libraries that cannot be named are an error';
like $out, qr/cannot name the libraries/, 'which says so';
is_deeply [ glob "$dir/nameless/*.deb" ], [], 'and no package is made';

SKIP: {
    skip 'lintian is not installed', 1
        if system('command -v lintian >/dev/null') != 0;
    my $out = run_out('sh', '-c', "lintian --fail-on error '$deb' 2>/dev/null");
    is_deeply [ grep {/^E/} split /\n/, $out ], [], 'lintian finds no error';
}

# ---- cmake --install ----

ok run_all('env', "DESTDIR=$dir/dest", qw(cmake --install), "$dir/build"),
    'cmake --install';
my $local = "$dir/dest/usr/local";
ok -x "$local/sbin/onward", 'the program is in /usr/local/sbin';
like slurp("$local/lib/systemd/system/onward.service"),
    qr{^ExecStart=/usr/local/sbin/onward serve$}m, 'where the unit starts it';
like slurp("$local/lib/systemd/system/onward-rotate.service"),
    qr{^ExecStart=/usr/local/libexec/onward/onward-rotate$}m, 'rotation, too';
like slurp("$local/libexec/onward/onward-rotate"),
    qr{:-/usr/local/sbin/onward\}}, 'which calls this program';
ok -e "$local/lib/sysusers.d/onward.conf", 'the account';
ok -e "$dir/dest/etc/onward/onward.conf",  'the configuration is in /etc';
spew("$dir/dest/etc/onward/onward.conf", "# edited\n");
run_all('env', "DESTDIR=$dir/dest", qw(cmake --install), "$dir/build");
is slurp("$dir/dest/etc/onward/onward.conf"), "# edited\n",
    'an edited one is left alone';

# ---- the rpm ----

SKIP: {
    skip 'rpmbuild is not installed', 4
        if system('command -v rpmbuild >/dev/null') != 0;
    run_all('sh', '-c', 'cd "$1" && cpack -G RPM', 'sh', "$dir/build");
    my ($rpm) = glob "$dir/build/*.rpm";
    my @deb = sort grep { !m{/$} } keys %mode;
    my @rpm = sort grep { $_ ne '' } split /\n/,
        run_out('rpm', '-qp', '--queryformat',
        '[%{FILENAMES} %{FILEMODES:perms}\n]', $rpm) =~ s/^(\S+) d\S*\n//gmr
        =~ s/ -\S+$//gmr;
    is_deeply \@rpm, \@deb, 'the rpm has the files of the deb';
    like run_out('rpm', '-qp', '--requires', $rpm), qr/^libcrypto\.so\.3/m,
        'and needs their libraries';
    is run_out('rpm', '-qpc', $rpm), "/etc/onward/onward.conf\n",
        'the rpm keeps an edited configuration';
    like run_out('rpm', '-qpl', $rpm),
        qr{^/usr/lib/systemd/system/onward\.service$}m, 'and has the units';
}

# ---- with --all ----

SKIP: {
    skip 't/run --all', 1 if !$ENV{ONWARD_TEST_ALL};
    mkdir "$dir/another"; mkdir "$dir/another/place";
    run_all('sh', '-c',
        'cd "$1" && tar c --exclude=./.git --exclude="./build*" . | tar x -C "$2"',
        'sh', $top, "$dir/another/place");
    my $again = build("$dir/another/place", "$dir/another/place/b");
    ok defined $again && slurp($again) eq slurp($deb),
        'built again in another place: the same octets';
}

SKIP: {
    skip 't/run --all, as root, with debootstrap', 1
        if !$ENV{ONWARD_TEST_ALL} || $> != 0
        || system('command -v debootstrap >/dev/null') != 0;
    my $root = "$dir/root";
    run_all(qw(debootstrap --variant=minbase --include=systemd), debian_suite(),
        $root, 'http://deb.debian.org/debian')
        or skip 'no Debian mirror', 1;
    run_all('cp', $deb, "$root/tmp/onward.deb");
    run_all('cp', '/etc/resolv.conf', "$root/etc/resolv.conf");

    # Sections of its output begin with "== NAME".
    spew("$root/tmp/life", <<'END');
exec 2>&1
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
everything() {
    find /etc /lib /usr /var /run -xdev ! -path '/var/lib/dpkg/*' \
        ! -path '/var/cache/*' ! -path '/var/log/*' ! -path '/var/lib/apt/*' |
        sort
}
apt-get -q update >/dev/null
dpkg --unpack /tmp/onward.deb >/dev/null 2>&1
apt-get -q -y --no-install-recommends -f install >/dev/null 2>&1
echo "== account"; getent passwd onward
echo "== directories"
stat -c '%a %U:%G %n' /etc/onward /etc/onward/dkim /var/lib/onward
echo "== check"; onward check; echo "exit $?"
echo "== verify"
systemd-analyze verify --man=no /usr/lib/systemd/system/onward*.service \
    /usr/lib/systemd/system/onward.socket \
    /usr/lib/systemd/system/onward-rotate.timer
echo "exit $?"
echo "== enabled"; find /etc/systemd /run -name '*onward*'
echo '# edited' >>/etc/onward/onward.conf
dpkg -i /tmp/onward.deb >/dev/null 2>&1
echo "== edited"; tail -n 1 /etc/onward/onward.conf
apt-get -q -y remove onward >/dev/null 2>&1
echo "== removed"; ls /etc/onward /usr/sbin/onward 2>/dev/null
dpkg -i /tmp/onward.deb >/dev/null 2>&1
apt-get -q -y purge onward >/dev/null 2>&1
echo "== purged"; getent passwd onward; everything | grep onward
END
    my $out = run_out('chroot', $root, 'sh', '/tmp/life');
    my %part = $out =~ /^== (\w+)\n((?:(?!== ).*\n)*)/mg;
    like $part{account}, qr/^onward:x:\d+:\d+:.*nologin$/m, 'an account is made';
    is $part{directories}, <<'END', 'and its directories';
755 root:root /etc/onward
750 root:onward /etc/onward/dkim
750 onward:onward /var/lib/onward
END
    like $part{check}, qr/^OK: .*\nexit 0$/m, 'onward check speaks';
    is $part{verify}, "exit 0\n", 'systemd finds no fault in the units';
    is $part{enabled}, '', 'nothing is started or enabled';
    is $part{edited}, "# edited\n", 'an edited configuration is kept';
    is $part{removed}, "/etc/onward:\ndkim\nonward.conf\n", 'so it is by remove';
    is $part{purged}, '', 'purge leaves nothing' or diag($out);
}

done_testing;
