# A million aliases in a cdb (a hundred thousand in the short form): what they
# cost, and that a bad feed, a replacement, a bad file, a build that is killed
# and a full disk lose nothing.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use List::Util qw(shuffle);
use POSIX      qw(_exit);
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary cc);
plan skip_all => 'figures of a sanitized build say nothing' if sanitized();

my $all     = $ENV{ONWARD_TEST_ALL};
my $entries = $all ? 1_000_000 : 100_000;
my $dir     = scratch('scale');
my $load    = "$dir/load";
system('cc', '-O2', '-std=gnu17', '-o', $load,
    glob top() . '/t/bench/load*.c') == 0
    or die "t/bench/load.c does not compile\n";
my $has_postmap = Onward::Test::find_program('postmap')
    && { postfix_tables() }->{cdb};
neutral_postfix() if $has_postmap;

# Whom a message is sent on to tells the old file from the new one.
sub feed ($name, $to, $n = $entries) {
    open my $fh, '>', "$dir/$name" or die "$dir/$name: $!";
    print $fh "u$_\@public.example $to$_\@private.example\n" for 0 .. $n - 1;
    close $fh or die $!;
    return "$dir/$name";
}

# Exit code and all it said.
sub build ($table, @more) {
    my $out = run_out('sh', '-c', 'exec "$@" 2>&1', 'sh', binary(),
        qw(map build), @more[ 0 .. $#more - 1 ], "cdb:$dir/$table", $more[-1]);
    return ($? >> 8, $out);
}

sub builds ($table, $feed, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($exit, $out) = build($table, $feed);
    is($exit, 0, $name) or diag($out);
}

my $upstream = Onward::Test::Upstream->new;

sub daemon ($aliases) {
    return Onward::Test::Daemon->new(upstream => $upstream->port, key => '',
        local_domains => [qw(public.example private.example)],
        aliases => $aliases)->start;
}

# To whom it goes, or the refusal. Connections to upstream are used again, so it
# is the reverse-path that tells whose forward-path one is.
sub rcpt ($onward, $rcpt) {
    state $count = 0;
    my $from   = 'probe' . ++$count . '@sender.example';
    my $client = Onward::Test::Client->hello($onward->port);
    $client->cmd("MAIL FROM:<$from>");
    my $reply = $client->cmd("RCPT TO:<$rcpt>");
    $client->quit;
    return $reply unless $reply =~ /^250/;
    my ($to) = $upstream->received(0)
        =~ /^MAIL FROM:<\Q$from\E>.*\nRCPT TO:<([^>]*)>/m;
    return $to;
}

my $old = feed('old', 'old');
my $new = feed('new', 'new');

subtest 'a build' => sub {
    my $before = time;
    builds('aliases', $old, 'map build');
    my $ours = time() - $before;
    note sprintf '%d aliases: map build %.2f s', $entries, $ours;
    plan skip_all => 'needs postmap with cdb' unless $has_postmap;

    link $old, "$dir/theirs" or die $!;
    $before = time;
    is(system('postmap', "cdb:$dir/theirs"), 0, 'postmap');
    note sprintf 'postmap %.2f s', time() - $before;

    srand(my $seed = $ENV{ONWARD_SEED} // time);
    note "ONWARD_SEED=$seed";
    my @keys = map {"u$_\@public.example"}
        map { int rand 2 * $entries } 1 .. 10_000;
    spew("$dir/asked", join '', map {"$_\n"} @keys);
    my $want = join '', map {
        /^u(\d+)/ && $1 < $entries ? "$_\told$1\@private.example\n" : ()
    } @keys;
    for my $row (['ours', 'aliases'], ["postmap's", 'theirs']) {
        my ($whose, $table) = @$row;
        for my $asker (['postmap', '-q', '-', "cdb:$dir/$table"],
            [binary(), 'map', 'query', "cdb:$dir/$table", '-'])
        {
            my $said = run_out('sh', '-c', 'exec "$@" <"$0"', "$dir/asked",
                @$asker);
            ok($said eq $want, "10,000 random keys: $whose file answers "
                    . ($asker->[0] eq 'postmap' ? 'postmap' : 'us'));
        }
    }
};

subtest 'a bad feed' => sub {
    my @lines = split /^/, slurp($old);
    my $n     = int($entries * 0.54321);
    my $good  = slurp("$dir/aliases.cdb");
    my @rows  = (
        [ 'a line without a target', "u$n\@public.example\n",
            qr/"u$n\@public\.example" has no value/ ],
        [ 'a duplicate', $lines[17],
            qr/"u17\@public\.example" is there already, in line 18/ ],
        [ 'a pipe', "u$n\@public.example |/bin/sh\n",
            qr{"\|/bin/sh" is a command} ],
        [ 'a key with two @', "u$n\@a\@public.example x\@private.example\n",
            qr/"u$n\@a\@public\.example" is not an address/ ],
        [ 'a target with two @', "u$n\@public.example x\@y\@z.example\n",
            qr/"x\@y\@z\.example" is not an address/ ],
    );
    for my $row (@rows) {
        my ($name, $line, $why) = @$row;
        my @bad = @lines;
        $bad[$n] = $line;
        spew("$dir/bad", join '', @bad);
        my ($exit, $out) = build('aliases', "$dir/bad");
        is($exit, 65, "$name: exit code 65");
        my $at = $n + 1;
        like($out, qr/^\Q$dir\E\/bad:$at: $why/m, '... its line and why');
        is(() = $out =~ /^\Q$dir\E\/bad:/mg, 1, '... and no other line');
        ok(slurp("$dir/aliases.cdb") eq $good, '... the old file stays');
    }
    spew("$dir/bad", join '', @lines[ 0 .. $entries * 0.94 - 1 ]);
    my ($exit, $out) = build('aliases', '--max-shrink=5%', "$dir/bad");
    is($exit, 65, '6 % fewer: exit code 65');
    like($out, qr/shrink it by more than 5%/, '... says so');
    ok(slurp("$dir/aliases.cdb") eq $good, '... the old file stays');
    ($exit) = build('shrunk', '--max-shrink=7%', "$dir/bad");
    is($exit, 0, 'and where that is allowed, it is built');
};

sub cpu_us ($onward) {
    my $sum = 0;
    $sum += (split / /, slurp($_))[0]
        for glob '/proc/' . $onward->pid . '/task/*/schedstat';
    return $sum / 1000;
}

sub median (@values) {
    @values = sort { $a <=> $b } @values;
    return ($values[ $#values / 2 ] + $values[ @values / 2 ]) / 2;
}

# By turns, as what else the machine does would count for one of them only.
subtest 'memory and CPU' => sub {
    my ($rounds, $n) = $all ? (9, 2000) : (3, 100);
    my @arms = (
        [ none => daemon(''),                        'u77' ],
        [ hit  => daemon("\"cdb:$dir/aliases\""),    'u77' ],
        [ miss => daemon("\"cdb:$dir/aliases\""), 'nobody' ],
    );
    my %us;
    for my $round (1 .. $rounds) {
        for my $arm (shuffle @arms) {
            my ($name, $onward, $local) = @$arm;
            my $before = cpu_us($onward);
            my $out = run_out($load, '127.0.0.1', $onward->port, '-s', 20,
                '-n', $n, '-r', "$local\@public.example");
            like($out, qr/^messages=$n errors=0 /, "round $round, $name");
            push @{ $us{$name} }, (cpu_us($onward) - $before) / $n;
        }
    }
    is(rcpt($arms[1][1], 'u77@public.example'), 'old77@private.example',
        'the aliases are in force');
    my %memory = map { $_->[0] => $_->[1]->memory } @arms;
    note sprintf '%s: %.1f us a message, %d KiB resident', $_,
        median(@{ $us{$_} }), $memory{$_}
        for qw(none hit miss);
    cmp_ok($memory{$_} - $memory{none}, '<', 64 * 1024,
        'within 64 MiB of an empty list')
        for qw(hit miss);
    $_->[1]->ends_well for @arms;
};

subtest 'replaced under load' => sub {
    my $times = $all ? 100 : 4;
    $upstream = Onward::Test::Upstream->new;
    builds('b', $new, 'the other file');
    my %with = map { $_ => slurp("$dir/$_.cdb") } qw(aliases b);
    my $onward = daemon("\"cdb:$dir/aliases\"");
    my $pid = fork // die;
    if (!$pid) {
        open STDOUT, '>', "$dir/load.out";
        exec $load, '127.0.0.1', $onward->port, '-s', 10, '-t',
            int($times * 0.7) + 1, '-r', 'u77@public.example'
            or _exit(127);
    }
    for my $i (1 .. $times) {
        sleep 0.7;
        spew("$dir/next", $with{ $i % 2 ? 'b' : 'aliases' });
        rename "$dir/next", "$dir/aliases.cdb" or die $!;
    }
    waitpid $pid, 0;
    my $out = slurp("$dir/load.out");
    my ($messages, $errors) = $out =~ /messages=(\d+) errors=(\d+)/;
    is($errors, 0, "$times replacements, $messages messages, no error");
    my %to;
    $to{$_}++ for map {/^RCPT TO:<([^>]*)>/mg} $upstream->committed;
    is_deeply([sort keys %to],
        [qw(new77@private.example old77@private.example)],
        'each message got the old or the new answer');
    my $sum = 0;
    $sum += $_ for values %to;
    is($sum, $messages, '... and none was lost');
    note join ', ', map {"$_ $to{$_}"} sort keys %to;
    my $open = sub { return grep { (readlink($_) // '') =~ /aliases\.cdb/ }
            glob '/proc/' . $onward->pid . '/fd/*' };
    ok(wait_until(seconds(5), sub { $open->() == 1 }),
        'old files are dropped');
    $onward->ends_well;
};

subtest 'a bad file' => sub {
    $upstream = Onward::Test::Upstream->new;
    builds('aliases', $old, 'a good one');
    my $good   = slurp("$dir/aliases.cdb");
    my $index  = length($good) - 16 * $entries;
    my $onward = daemon("\"cdb:$dir/aliases\"");
    my @rows = (
        [ 'half the header'   => substr $good, 0, 1024 ],
        [ 'cut in the middle' => substr $good, 0, length($good) / 2 ],
        [ 'pointers outside'  => "\xff" x 2048 . 'x' x 4096 ],
        [ 'empty'             => '' ],
        [ 'all zeros'         => "\0" x length $good ],
        [ 'a page of zeros'   => substr($good, 0, $index + 8192)
                . "\0" x 4096 . substr $good, $index + 8192 + 4096 ],
    );
    for my $row (@rows) {
        my ($name, $bytes) = @$row;
        spew("$dir/next", $bytes);
        rename "$dir/next", "$dir/aliases.cdb" or die $!;
        # Long enough to be looked at, and it says so the first time.
        sleep 1.1;
        is(rcpt($onward, 'u77@public.example'), 'old77@private.example',
            "$name: the old one stays");
    }
    ok($onward->logged(qr/: table: \S+aliases\.cdb: is \Q$_\E/), "logged: $_")
        for 'no cdb file, or is damaged', 'damaged: a part of its index';

    # One whose index is right and whose records are not.
    spew("$dir/next", substr($good, 0, 2048)
            . "\0" x ($index - 2048) . substr $good, $index);
    rename "$dir/next", "$dir/aliases.cdb" or die $!;
    ok(wait_until(seconds(5), sub {
            rcpt($onward, 'u77@public.example') =~ /^451 4\.3\.0 / }),
        'records of zeros: 451');
    builds('aliases', $new, 'a good one again');
    ok(wait_until(seconds(4), sub {
            rcpt($onward, 'u77@public.example') eq 'new77@private.example' }),
        'it is found');
    # In place, which no builder of ours does.
    truncate "$dir/aliases.cdb", 3000 or die $!;
    like(rcpt($onward, 'u77@public.example'), qr/^451 4\.3\.0 /,
        'cut under the daemon: 451');
    builds('aliases', $old, 'a good one again');
    ok(wait_until(seconds(4), sub {
            rcpt($onward, 'u77@public.example') eq 'old77@private.example' }),
        'it is found');
    $onward->ends_well;
};

subtest 'a build that is killed' => sub {
    my $good = slurp("$dir/aliases.cdb");
    builds('whole', $new, 'what it would be');
    my $whole  = slurp("$dir/whole.cdb");
    my $killed = 0;
    for my $i (1 .. 10) {
        my $pid = fork // die;
        if (!$pid) {
            open STDOUT, '>', '/dev/null';
            exec binary(), qw(map build), "cdb:$dir/aliases", $new
                or _exit(127);
        }
        sleep 0.05 * $i * ($all ? 1 : 0.1);
        kill KILL => $pid;
        waitpid $pid, 0;
        last if $? != 9;
        my $there = slurp("$dir/aliases.cdb");
        $killed++;
        # Between its rename and its end the new one is in place, whole.
        ok($there eq $good || $there eq $whole,
            "killed: the old file stays, or all of the new one is there");
        last if $there eq $whole;
    }
    cmp_ok($killed, '>', 0, 'killed at least once');
    builds('aliases', $new, 'what is left over is in nobody\'s way');
};

subtest 'a full disk' => sub {
    plan skip_all => 'scale-aliases.t needs root to mount a tmpfs' if $>;
    my $disk = "$dir/disk";
    mkdir $disk;
    system(qw(mount -t tmpfs -o size=1m none), $disk) == 0
        or plan skip_all => 'scale-aliases.t needs leave to mount a tmpfs';
    my $few = feed('few', 'few', 10);
    builds('disk/a', $few, 'a small one');
    my $good = slurp("$disk/a.cdb");
    my ($exit, $out) = build('disk/a', $new);
    is($exit, 75, 'exit code: try again');
    like($out, qr/No space left/, 'the error is named');
    ok(slurp("$disk/a.cdb") eq $good, 'the old file stays');
    is_deeply([glob "$disk/*"], ["$disk/a.cdb"], 'nothing is left beside it');
    system 'umount', $disk;
};

done_testing;
