# onward-rotate where something goes wrong: a clock, a hook, a reload, a key
# left over, a second run, and a run cut off anywhere. No domain is ever
# without a key that signs, and the days after put everything right.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP qw(decode_json);
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::DNS;

need qw(binary Net::DNS strace);

my $dns    = Onward::Test::DNS->new;
# Before the environment says otherwise.
my ($binary, $sanitized) = (binary(), sanitized());
my ($dir, @onward);

# The program, which kills the run before or after its Nth call; and which
# cannot make keys for a domain.
my $wrapper = scratch('rotate') . '/onward';
spew($wrapper, <<'END', 0755);
#!/bin/sh
count=$(($(cat "$CUT.count" 2>/dev/null || echo 0) + 1))
echo $count >"$CUT.count"
[ "before $count" != "$CUT_WHEN" ] || kill -9 0
case " $* " in *" keygen $CUT_KEYGEN "*) exit 75 ;; esac
"$CUT_PROGRAM" "$@"
status=$?
[ "after $count" != "$CUT_WHEN" ] || kill -9 0
exit $status
END

# A site with nothing but these domains, whose keys sign.
sub begin (@domains) {
    $dir = scratch('rotate');
    mkdir "$dir/keys";
    spew("$dir/onward.conf", <<"END");
hostname = "mx.example.org";
listeners = ( { name = "out"; address = "127.0.0.1:10027"; role = "outbound"; } );
dkim = { key_directory = "$dir/keys"; };
state_directory = "$dir";
dns = { servers = ( "${\ $dns->address}" ); timeout = "${\ in_ms(0.5) }"; };
postfix = { config_directory = ""; };
END
    @onward = ($binary, '-c', "$dir/onward.conf");
    %ENV = (%ENV,
        ONWARD          => $wrapper,
        CUT             => "$dir/cut",
        CUT_WHEN        => '',
        CUT_KEYGEN      => '-',
        CUT_PROGRAM     => $binary,
        ROTATE_RELOAD   => "cp -r $dir/keys $dir/loaded",
        ROTATE_PUBLISH  => "$dir/publish",
        ROTATE_PATIENCE => 1,
        ROTATE_MOST     => 100);
    for my $domain (@domains) {
        keygen($domain, 'a1');
        rename "$dir/keys/$domain/a1.next.pem", "$dir/keys/$domain/a1.pem"
            or die "rename: $!\n";
    }
    return;
}

sub keygen ($domain, $selector) {
    run_out(@onward, qw(dkim keygen --type ed25519), $domain, '--selector',
        $selector);
    return;
}

# One day: exit status and what was said. The reload leaves what it found.
sub day (%settings) {
    local %ENV = (%ENV, %settings);
    run_out('rm', '-rf', "$dir/loaded", "$dir/cut.count");
    my $out = run_out($^X, '-e',
        'setpgrp; open STDERR, ">&STDOUT"; exec @ARGV',
        top() . '/proxy/dist/onward-rotate', "$dir/onward.conf");
    return ($? == 9 ? 'killed' : $? >> 8, $out);
}

sub age ($file, $days) {
    my $then = time - $days * 86400;
    utime $then, $then, "$dir/keys/$file" or die "$file: $!\n";
    return;
}

# "domain state" of each key, sorted.
sub states () {
    return [ sort map { join ' ', (split)[ 0, 2 ] }
            split /\n/, run_out(@onward, qw(dkim list)) ];
}

sub signing ($domain) { return scalar grep { $_ eq "$domain active" } @{ states() } }

sub publish () {
    $dns->set(map { ($_->{name} =~ s/\.$//r => [ $_->{value} ]) }
        @{ decode_json(run_out(@onward, qw(dkim dns --all --format json))) });
    return;
}

# ---- a key left over ----

begin('one.example');
keygen('one.example', 'stray');
age('one.example/stray.next.pem', 300);
age('one.example/a1.pem', 200);
my ($code, $out) = day();
is $code, 0, 'a waiting key that is older than the one that signs';
like $out, qr/^one\.example: a1 signs for 200 days$/m,
    'is no successor: one is made';
publish();
day();
is_deeply states(), [ map {"one.example $_"} qw(active next old) ],
    'and takes over';

# ---- clocks ----

begin('one.example');
age('one.example/a1.pem', -4000);
($code, $out) = day();
is $code, 0, 'a key of the future';
like $out, qr{one\.example/a1\.pem: is of the future; from now on it is of today},
    'is told';
cmp_ok abs(time - (stat "$dir/keys/one.example/a1.pem")[9]), '<', 60,
    'and becomes one of today';
age('one.example/a1.pem', 20000);
day();
publish();
day();
is_deeply states(), [ 'one.example active', 'one.example old' ],
    'one of 1972 is replaced like others';

# ---- domains that fail, and domains that do not ----

my @three = qw(one.example three.example two.example);
begin(@three);
age("$_/a1.pem", 200) for @three;
spew("$dir/publish", <<'END', 0755);
#!/bin/sh
case $1 in
one.example) exit 1 ;;
three.example) sleep 100 ;;
esac
cat >"$CUT.$1"
END
my $start = time;
($code, $out) = day(CUT_KEYGEN => 'one.example');
is $code, 1, 'a key that cannot be made: exit 1';
like $out, qr/one\.example: no key was made/, 'is told';
is_deeply [ map { signing($_) } @three ], [ 1, 1, 1 ], 'all sign';
is_deeply [ grep {/next/} @{ states() } ],
    [ 'three.example next', 'two.example next' ], 'the others get theirs';
like $out, qr{publish three\.example failed}, 'a hook that hangs is told';
cmp_ok time - $start, '<', seconds(60), 'and ended';
like slurp("$dir/cut.two.example"), qr/update add .* two|two\.example/s,
    'the others are published';
($code, $out) = day();
like $out, qr{publish one\.example failed.*publish three\.example failed}s,
    'the next day all are tried again';
publish();
day();
is_deeply states(), [ map { ("$_ active", "$_ old") } @three ],
    'and all get there';

begin(@three);
age('one.example/a1.pem', 200);
age('two.example/a1.pem', 300);
age('three.example/a1.pem', 250);
day(ROTATE_MOST => 2);
is_deeply [ grep {/next/} @{ states() } ],
    [ 'three.example next', 'two.example next' ], 'of many the oldest first';
day(ROTATE_MOST => 2);
is scalar(grep {/next/} @{ states() }), 3, 'the others on the next day';

# ---- the daemon is not told ----

begin('one.example');
keygen('one.example', 'n1');
publish();
($code, $out) = day(ROTATE_RELOAD => 'false');
is $code, 1, 'a reload that fails: exit 1';
like $out, qr/no reload/, 'is told';
($code, $out) = day();
is $code, 0, 'the next day, with nothing else to do';
ok -e "$dir/loaded/one.example/n1.pem", 'there is a reload';
day();
ok !-e "$dir/loaded", 'and no other the day after';

# ---- two at once ----

begin('one.example');
age('one.example/a1.pem', 200);
spew("$dir/publish", "#!/bin/sh\n: >'$dir/there'; sleep 10\n", 0755);
my $pid = fork // die "fork: $!\n";
if ($pid == 0) {
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    $ENV{ROTATE_PATIENCE} = 10;
    exec top() . '/proxy/dist/onward-rotate', "$dir/onward.conf";
}
ok wait_until(seconds(60), sub { -e "$dir/there" }), 'one run publishes';
my $before = states();
($code, $out) = day();
is $code, 75, 'another one at the same time: exit 75';
like $out, qr/another run is under way/, 'is told';
is_deeply states(), $before, 'and nothing is done twice';
kill KILL => $pid;
waitpid $pid, 0;
spew("$dir/publish", "#!/bin/sh\n", 0755);
is +(day())[0], 0, 'a run that was killed leaves no lock';

# ---- cut off anywhere ----

# A day on which there is everything to do at once.
sub busy () {
    begin(qw(one.example two.example));
    age('one.example/a1.pem', 200);    # due
    age('two.example/a1.pem', 10);
    keygen('two.example', 'n1');       # published
    keygen('two.example', 'o1');
    rename "$dir/keys/two.example/o1.next.pem", "$dir/keys/two.example/o1.old.pem";
    age('two.example/o1.old.pem', 8);  # to be deleted
    publish();
    return;
}

# What the run left, and what two days make of it.
sub recovers ($name) {
    my @left = (signing('one.example'), signing('two.example'));
    day();
    publish();
    day();
    my @gone = grep { !-e "$dir/keys/$_" }
        map {s{\Q$dir\E/loaded/}{}r} glob "$dir/loaded/*/*.pem";
    if (signing('two.example') == 2) {
        # Cut between two names: both sign until the older one is due.
        age('two.example/a1.pem', 200);
        for (1 .. 2) {
            day();
            publish();
        }
    }
    my @end = (signing('one.example'), signing('two.example'));
    return 1 if !(grep { $_ < 1 } @left) && "@end" eq '1 1' && !@gone
        && !-e "$dir/keys/.reload";
    diag("$name: left @left, in the end @end; @gone");
    diag(join ', ', @{ states() });
    return 0;
}

busy();
day();
my $calls = slurp("$dir/cut.count");
cmp_ok $calls, '>=', 10, "a busy day asks the program $calls times" =~ s/\n//r;
my $step = $ENV{ONWARD_TEST_ALL} ? 1 : $sanitized ? 6 : 2;
my @bad;
my $cuts = 0;
for my $when (qw(before after)) {
    for (my $n = 1; $n <= $calls; $n += $step) {
        busy();
        my ($how) = day(CUT_WHEN => "$when $n");
        push @bad, "$when $n: not cut" if $how ne 'killed';
        push @bad, "$when $n" if !recovers("$when $n");
        $cuts++;
    }
}
is_deeply \@bad, [], "cut off at $cuts places: all sign, and it goes on";

SKIP: {
    skip 'strace may not trace here', 1
        if $sanitized || system('strace -o /dev/null true 2>/dev/null') != 0;
    my @bad;
    for my $n (1, 2) {
        busy();
        system('strace', '-o', '/dev/null', '-e', 'trace=renameat2', '-e',
            "inject=renameat2:signal=KILL:when=$n", @onward,
            qw(dkim activate --all));
        push @bad, "not killed at $n" if $? == 0;
        push @bad, "rename $n" if !recovers("rename $n");
    }
    is_deeply \@bad, [], 'activation cut off between two names';
}

done_testing;
