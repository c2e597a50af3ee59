# Our databases in Postfix' hands, and Postfix' in ours: ten thousand random
# keys each way, for cdb and lmdb, and the octets themselves.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;

need qw(binary postfix postmap);

my $dir   = scratch('map-postmap');
my $count = 10_000;
my %types = postfix_tables();
neutral_postfix();

srand(my $seed = $ENV{ONWARD_SEED} // time);
note "ONWARD_SEED=$seed";

sub word ($least, $most, @chars) {
    return join '', map { $chars[rand @chars] }
        1 .. $least + int rand($most - $least + 1);
}

sub address () {
    my @letters = ('a' .. 'z', 0 .. 9);
    my $local   = rand() < 0.9
        ? word(1, 12, @letters, '_', '+') . '.' . word(1, 8, @letters, '-')
        : '"' . word(1, 5, @letters) . ' ' . word(1, 5, @letters) . '"';
    return $local . '@' . word(1, 10, @letters) . '.example';
}

my %pairs;
while (keys %pairs < $count) {
    $pairs{ address() } = join rand() < 0.5 ? ', ' : ' ',
        map { address() } 1 .. 1 + int rand 3;
}
my @keys = keys %pairs;
my $text = join '', map {"$_\t$pairs{$_}\n"} @keys;
spew("$dir/source", $text);

# Half of the keys that are asked for are not there.
my $asked = join '', map {"$_\nx$_\n"} @keys;
spew("$dir/asked", $asked);
my $want = join '', map {"$_\t$pairs{$_}\n"} @keys;

sub postmap (@arguments) {
    my $out = run_out('sh', '-c', 'exec postmap "$@" 2>&1', 'sh', @arguments);
    is $?, 0, "postmap @arguments";
    return $out;
}

sub ask ($program, @arguments) {
    return run_out('sh', '-c', 'exec "$@" <"$0"', "$dir/asked", $program,
        @arguments);
}

for my $type (qw(cdb lmdb)) {
    subtest $type => sub {
        plan skip_all => "this Postfix has no $type" unless $types{$type};

        spew("$dir/theirs-$type", $text);
        is postmap("$type:$dir/theirs-$type"), '', 'postmap builds';
        is ask(binary(), 'map', 'query', "$type:$dir/theirs-$type", '-'),
            $want, 'we find all that postmap wrote, and nothing else';

        my $out = run_out(binary(), 'map', 'build', "$type:$dir/ours-$type",
            "$dir/source");
        is $?, 0, 'we build';
        like $out, qr/^10,000 keys, 0 duplicates, /, 'all of it';
        is ask('postmap', '-q', '-', "$type:$dir/ours-$type"), $want,
            'postmap finds all that we wrote, and nothing else';

        is run_out(binary(), 'map', 'diff', "$type:$dir/theirs-$type",
            "$type:$dir/ours-$type"),
            '', 'no difference';
        is $?, 0, 'says the exit code too';
        is run_out(binary(), 'map', 'diff', "texthash:$dir/source",
            "$type:$dir/ours-$type"),
            '', 'nor from the text';
        my $dumped = run_out(binary(), 'map', 'dump', "$type:$dir/ours-$type");
        is join("\n", sort split /\n/, $dumped),
            join("\n", sort split /\n/, $text), 'a dump is the text';
        if ($type eq 'cdb') {
            is slurp("$dir/ours-cdb.cdb"), slurp("$dir/theirs-cdb.cdb"),
                'the same octets';
        } else { # postmap cannot list a cdb
            is postmap('-s', "lmdb:$dir/ours-lmdb") =~ tr/\n//, $count,
                'postmap walks it as well';
        }
    };
}

# postmap adds to an lmdb that we built and we see it; it is not kept waiting.
subtest 'lmdb, both at work' => sub {
    plan skip_all => 'this Postfix has no lmdb' unless $types{lmdb};
    spew("$dir/add", "added\@b.example c\@d.example\n");
    run_out('sh', '-c', 'exec postmap -i "$1" <"$0"', "$dir/add",
        "lmdb:$dir/ours-lmdb");
    is $?, 0, 'postmap -i';
    is run_out(binary(), 'map', 'query', "lmdb:$dir/ours-lmdb",
        'added@b.example'),
        "c\@d.example\n", 'a record of postmap in our file';
    like run_out(binary(), 'map', 'stat', "lmdb:$dir/ours-lmdb"),
        qr/^keys +10001$/m, 'it is counted';
};

done_testing;
