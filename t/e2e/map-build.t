# `onward map build`: all or nothing. What is malformed, there twice, too few
# or too much smaller is refused, and the database in use is the old one until
# the new one is complete.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(sha256_hex);
use Fcntl       qw(:flock);
use Test::More;
use Time::HiRes qw(sleep);
use Onward::Test;

need qw(binary);

my $dir  = scratch('map-build');
my $file = "$dir/x.cdb";

# Standard output, standard error, exit code.
sub map_of ($input, $verb, @arguments) {
    spew("$dir/in", $input);
    my $out = run_out(
        'sh', '-c', 'exec "$@" <"$0" 2>"$0.err"', "$dir/in",
        binary(), 'map', $verb, @arguments
    );
    return ($out, slurp("$dir/in.err"), $? >> 8);
}

sub value ($table, $key) {
    my ($out) = map_of('', query => $table, $key);
    chomp $out;
    return $out;
}

sub is_untouched ($old, $name) {
    is slurp($file), $old, "$name: the old database stays";
    ok !-e "$file.new", "$name: nothing is left beside it";
}

subtest 'a new one' => sub {
    my ($out, $err, $exit) = map_of(
        "a\@b.example c\@d.example\n\@b.example reject:550 5.1.6 moved\n",
        build => "cdb:$dir/x", '-');
    is $exit, 0, 'exit code';
    is $err, '', 'nothing on standard error';
    my $sum = sha256_hex(slurp($file));
    is $out, "2 keys, 0 duplicates, 2.1 KB, sha256 $sum\n", 'the summary';
    is sprintf('%o', (stat $file)[2] & 07777), '644', 'readable for all';
    is value("cdb:$dir/x", 'A@B.Example'), 'c@d.example', 'a key';
    is value("cdb:$dir/x", '@b.example'), 'reject:550 5.1.6 moved',
        'a special value';
    ok !-e "$file.new", 'nothing is left beside it';
};

my $old = slurp($file);

subtest 'what is malformed' => sub {
    my @rows = (
        [ "a\@b.example c\@d.example\nbroken\n",
            'standard input:2: "broken" has no value' ],
        [ "a\@b.example c\@d.example\n\n# x\nA\@b.example e\@f.example\n",
            'standard input:4: "a@b.example" is there already, in line 1' ],
        [ "a\@b.example |/bin/sh\n",
            'standard input:1: "|/bin/sh" is a command' ],
        [ "a\@b.example bob\@\@c.example\n",
            'standard input:1: "bob@@c.example" is not an address' ],
        [ "a\@b.example :include:/etc/passwd\n",
            'standard input:1: ":include:/etc/passwd" is an include' ],
        [ "a\@b.example " . 'x' x 65 . "\@c.example\n",
            'has a local part of more than 64 octets' ],
    );
    for my $row (@rows) {
        my ($text, $want) = @$row;
        my ($out, $err, $exit) = map_of($text, build => "cdb:$dir/x");
        is $exit, 65, "exit code: $want";
        is $out, '', 'nothing on standard output';
        like $err, qr/\Q$want\E/, 'line and reason';
        like $err, qr/^onward: cdb:\S+ is not built$/m, 'and the result';
        is_untouched($old, 'malformed');
    }
    my ($out, $err, $exit)
        = map_of("a\nb\nc\n", build => "cdb:$dir/x", "$dir/in");
    is scalar(() = $err =~ /^\Q$dir\E\/in:\d: /mg), 3,
        'all errors are told, with the name of the file';
};

subtest 'too few, too small' => sub {
    my $many = join '', map {"u$_\@b.example c\@d.example\n"} 1 .. 100;
    my $less = join '', map {"u$_\@b.example c\@d.example\n"} 1 .. 95;
    my ($out, $err, $exit)
        = map_of($many, build => '--min-entries', 101, "cdb:$dir/x");
    is $exit, 65, '--min-entries';
    like $err, qr/100 keys are fewer than --min-entries=101/, 'says so';
    is_untouched($old, '--min-entries');
    (undef, undef, $exit)
        = map_of($many, build => '--min-entries=100', "cdb:$dir/x");
    is $exit, 0, 'as many as wanted';

    my $before = slurp($file);
    (undef, $err, $exit) = map_of("# nothing\n", build => "cdb:$dir/x");
    is $exit, 65, 'no key at all';
    like $err, qr/0 keys are fewer than --min-entries=1/, 'says the cure';
    is_untouched($before, 'nothing');
    ($out, $err, $exit)
        = map_of('', build => '--min-entries=0', "cdb:$dir/empty");
    is $exit, 0, 'an empty one, if it is meant';
    like $out, qr/^0 keys, 0 duplicates, 2\.0 KB, /, 'says so';

    (undef, $err, $exit)
        = map_of($less, build => '--max-shrink=4%', "cdb:$dir/x");
    is $exit, 65, '--max-shrink';
    like $err, qr/95 keys instead of 100 shrink it by more than 4%/,
        'says so';
    is_untouched($before, '--max-shrink');
    (undef, undef, $exit)
        = map_of($less, build => '--max-shrink', '5%', "cdb:$dir/x");
    is $exit, 0, 'just as small as allowed';
    (undef, undef, $exit)
        = map_of($less, build => '--max-shrink=0', "cdb:$dir/first");
    is $exit, 0, 'nothing to compare with the first time';

    spew("$dir/odd.cdb", "this is no database\n");
    (undef, $err, $exit)
        = map_of($less, build => '--max-shrink=5%', "cdb:$dir/odd");
    is $exit, 65, 'a broken one cannot be compared with';
    is slurp("$dir/odd.cdb"), "this is no database\n", 'and stays';
    (undef, undef, $exit) = map_of($less, build => "cdb:$dir/odd");
    is $exit, 0, 'but it can be replaced';
};

subtest 'the file' => sub {
    chmod 0640, $file or die;
    my (undef, undef, $exit)
        = map_of("a\@b.example c\@d.example\n", build => "cdb:$dir/x");
    is $exit, 0, 'built again';
    is sprintf('%o', (stat $file)[2] & 07777), '640', 'the mode stays';

    mkdir "$dir/real" or die;
    symlink "$dir/real/y.cdb", "$dir/y.cdb" or die;
    spew("$dir/real/y.cdb", '');
    map_of("a\@b.example c\@d.example\n", build => "cdb:$dir/y");
    ok -l "$dir/y.cdb", 'a link stays a link';
    is value("cdb:$dir/real/y", 'a@b.example'), 'c@d.example',
        'and what it points to is new';

    (undef, my $err, $exit)
        = map_of("a\@b.example c\@d.example\n", build => "cdb:$dir/no/x");
    is $exit, 75, 'no such directory';
    like $err, qr/No such file or directory/, 'says so';

    open my $lock, '>', "$file.new" or die;
    flock $lock, LOCK_EX or die;
    (undef, $err, $exit)
        = map_of("a\@b.example c\@d.example\n", build => "cdb:$dir/x");
    is $exit, 75, 'one build at a time';
    like $err, qr/another build is at work/, 'says so';
    ok -e "$file.new", 'and leaves its file alone';
};

subtest 'types of value' => sub {
    my (undef, undef, $exit)
        = map_of("b.example OK\n", build => "cdb:$dir/d");
    is $exit, 0, 'a domain and a word';
    (undef, undef, $exit) = map_of("key any thing\n", build => "cdb:$dir/d");
    is $exit, 65, 'a key that is no address';
    (undef, undef, $exit)
        = map_of("key any thing\n", build => '--type=pairs', "cdb:$dir/d");
    is $exit, 0, 'unless it need not be one';
    is value("cdb:$dir/d", 'key'), 'any thing', 'its value';
};

subtest 'without FILE' => sub {
    my ($out, undef, $exit)
        = map_of("a\@b.example c\@d.example\n", build => "cdb:$dir/s");
    is $exit, 0, 'standard input';
    is value("cdb:$dir/s", 'a@b.example'), 'c@d.example', 'is read';
    spew("$dir/s", "e\@b.example f\@d.example\n");
    run_out('sh', '-c', 'exec "$@" </dev/null', 'sh', binary(), 'map',
        'build', "cdb:$dir/s");
    is $?, 0, 'or, where there is none, the text of that name';
    is value("cdb:$dir/s", 'e@b.example'), 'f@d.example',
        'as postmap has it';
};

subtest usage => sub {
    my @rows = (
        [],
        ["texthash:$dir/x"],
        ["$dir/x"],
        ['cdb:'],
        [ "cdb:$dir/x", 'a', 'b' ],
        [ '--min-entries=x', "cdb:$dir/x" ],
        [ '--max-shrink=x%', "cdb:$dir/x" ],
        [ '--max-shrink=101%', "cdb:$dir/x" ],
        [ '--type=x', "cdb:$dir/x" ],
        [ '--nonsense', "cdb:$dir/x" ],
    );
    for my $row (@rows) {
        my ($out, $err, $exit) = map_of('', build => @$row);
        is $exit, 64, "exit code of: @$row";
        isnt $err, '', 'and a word about it';
        is $out, '', 'on standard error';
    }
    my (undef, $err, $exit)
        = map_of('', build => "cdb:$dir/x", "$dir/absent");
    is $exit, 65, 'no such source';
    like $err, qr/absent: No such file/, 'says so';
};

# Killed at whatever point: a look-up finds the old database or the new one.
subtest 'kill -9' => sub {
    my $count = sanitized() ? 100_000 : 400_000;
    spew("$dir/big", join '',
        map {"u$_\@b.example t$_\@d.example\n"} 1 .. $count);
    map_of("old\@b.example c\@d.example\n", build => "cdb:$dir/k");
    my $before = slurp("$dir/k.cdb");
    my $killed = 0;
    for my $round (1 .. 6) {
        my $pid = fork // die;
        if ($pid == 0) {
            open STDOUT, '>', '/dev/null';
            exec binary(), 'map', 'build', "cdb:$dir/k", "$dir/big";
        }
        # The first rounds end it while it writes, the others anywhere.
        if ($round <= 3) {
            wait_until(seconds(20), sub { -s "$dir/k.cdb.new" });
        } else {
            sleep 0.03 * $round;
        }
        kill KILL => $pid;
        waitpid $pid, 0;
        $killed++ if $? == 9 && slurp("$dir/k.cdb") eq $before;
        my $found = value("cdb:$dir/k", 'old@b.example')
            . value("cdb:$dir/k", "u$count\@b.example");
        ok $found eq 'c@d.example' || $found eq "t$count\@d.example",
            "round $round: one of the two, and whole";
        last if slurp("$dir/k.cdb") ne $before;
    }
    cmp_ok $killed, '>', 0, 'the old one was there after a kill';
    my ($out, undef, $exit)
        = map_of('', build => "cdb:$dir/k", "$dir/big");
    is $exit, 0, 'what was left does not stop the next build';
    like $out, qr/^\d{3},000 keys, /, 'which is complete';
    ok !-e "$dir/k.cdb.new", 'and cleans up';
};

done_testing;
