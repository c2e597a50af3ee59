# postfix-examples/socketmap-postgresql with a real PostgreSQL of its own: mail
# is forwarded by what the database says now; while the database or the bridge
# is away it is 451 and status says so; when they are back, nobody had to help.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Socket::UNIX;
use JSON::PP qw(decode_json);
use POSIX    qw(_exit);
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Janitor;
use Onward::Test::Upstream;

need qw(binary DBD::Pg);
require DBI;
my ($bin) = sort { $b cmp $a } glob '/usr/lib/postgresql/*/bin';
plan skip_all => 'socketmap-postgresql.t needs postgresql'
    unless $bin && -x "$bin/initdb";
my @as = $> == 0
    ? qw(setpriv --reuid=postgres --regid=postgres --clear-groups)
    : ();

my $example = top() . '/postfix-examples/socketmap-postgresql';
my $dir     = scratch('postgresql');
my $data    = "$dir/data";
my $socket  = "$dir/pgmap";
my $dsn     = "dbi:Pg:dbname=postgres;host=$dir/data;user=mail";

# ---- the database, with a socket and no port ----

sub said (@command) {
    my $out = run_out('sh', '-c', 'exec "$@" 2>&1', 'sh', @command);
    return wantarray ? ($?, $out) : $out;
}

mkdir $data, 0700;
if ($> == 0) {
    my ($uid, $gid) = (getpwnam 'postgres')[ 2, 3 ];
    plan skip_all => 'socketmap-postgresql.t needs the user postgres'
        unless defined $uid;
    chown $uid, $gid, $data or die "chown $data: $!";
}
my ($status, $out) = said(@as, "$bin/initdb", qw(-N -A trust -U mail
    -E UTF8 --locale=C -D), $data);
is($status, 0, 'initdb') or die $out;

my ($postmaster, $bridge);

sub run_aside ($log, @command) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        setpgrp 0, 0;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $log;
        open STDERR, '>&', \*STDOUT;
        exec @command or _exit(127);
    }
    setpgrp $pid, $pid;    # both sides: whoever is first
    Onward::Test::Janitor::hear(pid => $pid);
    return $pid;
}

sub end ($pid, $signal) {
    kill $signal => $pid;
    waitpid $pid, 0;
    Onward::Test::Janitor::hear(gone => $pid);
}

sub sql (@statements) {
    my $db = DBI->connect($dsn, undef, undef,
        { RaiseError => 1, PrintError => 0 });
    $db->do($_) for @statements;
    $db->disconnect;
}

sub start_database () {
    $postmaster = run_aside("$dir/pg.log", @as, "$bin/postgres", '-D', $data,
        '-k', $data, '-c', 'listen_addresses=', '-c', 'fsync=off');
    return wait_until(seconds(20), sub { eval { sql('SELECT 1'); 1 } });
}

sub start_bridge () {
    $bridge = run_aside("$dir/bridge.log", $^X, "$example/onward-pgmap",
        "unix:$socket", $dsn);
    return wait_until(seconds(10), sub {
        IO::Socket::UNIX->new(Peer => $socket) });
}

on_exit(sub {
    end($bridge, 'TERM')     if $bridge;
    end($postmaster, 'QUIT') if $postmaster;
});

ok(start_database(), 'a PostgreSQL') or die slurp("$dir/pg.log");
sql(slurp("$example/schema.sql"));
sql(
    q{INSERT INTO domain VALUES ('public.example'), ('private.example')},
    q{INSERT INTO alias VALUES
        ('one@public.example', 'me@private.example'),
        ('two@public.example', 'a@far.example'),
        ('two@public.example', 'b@far.example'),
        ('@catch.example', 'all@private.example'),
        ('o''hara@public.example', 'quote@private.example')},
    q{INSERT INTO alias SELECT 'n' || n || '@public.example',
        't' || n || '@private.example' FROM generate_series(1, 100) n},
);
ok(start_bridge(), 'the bridge') or die slurp("$dir/bridge.log");

my $upstream = Onward::Test::Upstream->new;
my $http     = free_port();
my $onward   = Onward::Test::Daemon->new(
    upstream      => $upstream->port,
    local_domains => [ "socketmap:unix:$socket:domains" ],
    aliases       => "\"socketmap:unix:$socket:aliases\"",
);
my $conf = slurp($onward->conf);
$conf =~ s/^http = \{ listen = ""/http = { listen = "127.0.0.1:$http"/m
    or die 'no http setting';
spew($onward->conf, $conf);
$onward->start;

# Sends a message; the forward-paths that upstream took, or our refusal.
sub forward ($to) {
    state $count = 0;
    my $subject = 'message ' . ++$count;
    my $client = Onward::Test::Client->hello($onward->port);
    my $reply = $client->transaction('sender@far.example', $to,
        "From: sender\@far.example\r\nSubject: $subject\r\n\r\nx\r\n");
    $client->quit;
    return $reply if $reply !~ /^250 /;
    my ($commit) = grep {/^Subject: $subject\r/m} $upstream->committed;
    return join ',', sort $commit =~ /^RCPT TO:<([^>]*)>/mg;
}

sub status () {
    my $json = run_out(binary(), '-c', $onward->conf, 'status', '--json');
    my ($table) = grep { $_->{use} eq 'aliases' }
        @{ decode_json($json)->{tables} };
    my $text = run_out(binary(), '-c', $onward->conf, 'status');
    return ($table->{failing} ? 'failing' : 'well',
        $text =~ /socketmap:unix:\S+:aliases +FAILING/ ? 'failing' : 'well');
}

my $away = qr/^451 4\.3\.0 Alias lookup failed$/;

subtest 'what the database says' => sub {
    is(forward('one@public.example'), 'me@private.example', 'one target');
    is(forward('two@public.example'), 'a@far.example,b@far.example', 'two');
    is(forward('any@catch.example'), 'all@private.example', 'a catch-all');
    is(forward('one+ext@public.example'), 'me+ext@private.example',
        'an extension');
    is(forward('nobody@public.example'), 'nobody@public.example',
        'what is not there is not changed');
    is(forward(q{o'hara@public.example}), 'quote@private.example', 'a quote');
    is(forward(q{"';drop table alias;--"@public.example}),
        q{"';drop table alias;--"@public.example}, 'no SQL of strangers');
    is(forward('n100@public.example'), 't100@private.example',
        'the table is still there');
    sql(q{INSERT INTO alias VALUES ('new@public.example', 'n@far.example')});
    is(forward('new@public.example'), 'n@far.example',
        'a new row is in force at once');
    is_deeply([status()], [ 'well', 'well' ], 'status');
};

subtest 'map query' => sub {
    my ($exit, $text) = said(binary(), qw(map query),
        "socketmap:unix:$socket:aliases", 'two@public.example');
    is($text, "a\@far.example,b\@far.example\n", 'a value');
    ($exit) = said(binary(), qw(map query),
        "socketmap:unix:$socket:aliases", 'nobody@public.example');
    is($exit >> 8, 1, 'not there');
    ($exit, $text) = said(binary(), qw(map query),
        "socketmap:unix:$socket:other", 'x');
    is($exit >> 8, 75, 'no such map: trouble');
};

subtest 'the database dies' => sub {
    end($postmaster, 'QUIT');    # at once, without farewell
    undef $postmaster;
    like(forward('n1@public.example'), $away, '451, not "not there"');
    like(forward('nobody2@public.example'), $away, '451 for strangers too');
    is(forward('one@public.example'), 'me@private.example',
        'what was known is known for a minute');
    is_deeply([status()], [ 'failing', 'failing' ], 'status says so');
    ok($onward->logged(qr/socketmap unix:\S+: TEMP /), 'and the log');
    ok(start_database(), 'it is back');
    is(forward('n1@public.example'), 't1@private.example',
        'the bridge found it again');
    is_deeply([status()], [ 'well', 'well' ], 'status says so');
};

subtest 'restarted while nobody asks' => sub {
    is(forward('n2@public.example'), 't2@private.example', 'before');
    end($postmaster, 'QUIT');
    ok(start_database(), 'restarted');
    is(forward('n3@public.example'), 't3@private.example',
        'the next question is answered');
};

subtest 'a query that takes too long' => sub {
    my $lock = DBI->connect($dsn, undef, undef,
        { RaiseError => 1, AutoCommit => 0 });
    $lock->do('LOCK TABLE alias IN ACCESS EXCLUSIVE MODE');
    my $before = time;
    like(forward('n4@public.example'), $away, 'is 451');
    cmp_ok(time() - $before, '<', seconds(4), '... within the time');
    $lock->rollback;
    $lock->disconnect;
    is(forward('n4@public.example'), 't4@private.example', 'then it is found');
};

subtest 'the bridge dies' => sub {
    end($bridge, '-KILL');    # and its processes, one for each connection
    undef $bridge;
    like(forward('n5@public.example'), $away, 'is 451');
    is_deeply([status()], [ 'failing', 'failing' ], 'status says so');
    ok(start_bridge(), 'it is back');
    is(forward('n5@public.example'), 't5@private.example', 'found');
    is_deeply([status()], [ 'well', 'well' ], 'status says so');
};

subtest 'peers that say no request' => sub {
    for my $bad ('99999:', 'x', '01:a,', '3:abc;', '2000:' . 'a' x 2000) {
        my $peer = IO::Socket::UNIX->new(Peer => $socket) or die $!;
        print $peer $bad;
        $peer->flush;
        is(sysread($peer, my $in, 100) // 0, 0,
            'closed: ' . substr $bad, 0, 10);
    }
    my $peer = IO::Socket::UNIX->new(Peer => $socket) or die $!;
    my $key = "aliases \xff\xfe\@public.example";
    print $peer length($key) . ":$key,";
    $peer->flush;
    sysread $peer, my $in, 100;
    is($in, '9:NOTFOUND ,', 'no UTF-8 is in no database');
};

$onward->ends_well;
done_testing;
