# What is read whole is a regular file of a size that is stated: no FIFO stops
# a command, no device or sparse file fills the memory, and nothing that a table
# has become ends the daemon at SIGHUP.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use POSIX qw(mkfifo);
use Test::More;
use Time::HiRes qw(time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary sh);

my $dir = scratch('files');

sub sparse ($path, $octets) {
    spew($path, '');
    truncate $path, $octets or die "$path: $!";
    return $path;
}

# Exit code and standard error of a command that gets 1.5 GB of address space
# (a sanitizer needs more) and a minute.
sub limited (@arguments) {
    my $ulimit = sanitized() ? '' : 'ulimit -v 1500000;';
    run_out('sh', '-c', qq($ulimit exec timeout 60 "\$@" 2>"$dir/stderr" </dev/null),
        'sh', binary(), @arguments);
    return ($? >> 8, slurp("$dir/stderr"));
}

sub is_refused ($name, $why, $exit, @arguments) {
    my ($code, $text) = limited(@arguments);
    is $code, $exit, "$name: exit $exit";
    like $text, $why, '... and says why';
    return;
}

# Commands

is_refused("map build: $_->[0]", qr/: is larger than 1024 MiB$/m, 65,
    qw(map build), "cdb:$dir/out", sparse("$dir/source", $_->[1]))
    for [ '1 TB', 1 << 40 ], [ 'an octet over', (1 << 30) + 1 ];
is_refused('map build: 300 MB of NUL', qr/longer than|no memory/, 65,
    qw(map build), "cdb:$dir/out", sparse("$dir/source", 300_000_000));
mkfifo("$dir/fifo", 0600) or die $!;
is_refused('map build: a FIFO', qr/is not a regular file/, 65,
    qw(map build), "cdb:$dir/out", "$dir/fifo");
is_refused('map build: a device', qr/is not a regular file/, 65,
    qw(map build), "cdb:$dir/out", '/dev/zero');
ok !-e "$dir/out.cdb", 'nothing was built';

for my $row (
    [ '/dev/zero', sub ($to) { symlink '/dev/zero', $to }, qr/not a regular/ ],
    [ 'a FIFO', sub ($to) { mkfifo($to, 0600) }, qr/not a regular/ ],
    [ 'a directory', sub ($to) { mkdir $to }, qr/not a regular/ ],
    [ '100 MB', sub ($to) { sparse($to, 100_000_000) }, qr/larger than 64 MiB/ ],
) {
    my ($what, $make, $why) = @$row;
    my $from = scratch('haraka');
    $make->("$from/srs.ini") or die "$what: $!";
    my ($code, $text) = limited(qw(import haraka), $from);
    isnt $code, 124, "import haraka, srs.ini is $what: it ends";
    like $text, $why, '... and says why';
    is_refused("import postsrsd: $what", $why, 65,
        qw(import postsrsd), "$from/srs.ini");
}

# The daemon

my $upstream = Onward::Test::Upstream->new;
spew("$dir/aliases", "info\@public.example me\@private.example\n");
my $onward = Onward::Test::Daemon->new(
    upstream => $upstream->port,
    aliases  => qq("texthash:$dir/aliases"),
)->start;

sub is_alive ($name) {
    my $client = Onward::Test::Client->hello($onward->port);
    $client->cmd('MAIL FROM:<a@sender.example>');
    like $client->cmd('RCPT TO:<info@public.example>'), qr/^250/, $name;
    $client->quit;
    return;
}
is_alive('an alias of a texthash');
for my $row (
    [ '1 TB', sub { sparse("$dir/new", 1 << 40) }, qr/larger than 256 MiB/ ],
    [ '100 MB', sub { sparse("$dir/new", 100 << 20) },
        qr/longer than 200000 octets/ ],
    [ 'a FIFO', sub { mkfifo("$dir/new", 0644) }, qr/not a regular file/ ],
) {
    my ($what, $make, $why) = @$row;
    $make->() or die "$what: $!";
    rename "$dir/new", "$dir/aliases" or die $!;
    kill HUP => $onward->pid;
    ok $onward->logged(qr/config: .*aliases(?::\d+)?: .*$why/, seconds(20)),
        "$what at SIGHUP: an error that says why";
    is_alive('the old table is in force');
}
$onward->stop;

done_testing;
