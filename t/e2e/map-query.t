# `onward map query`, `dump`, `stat` and `diff`: what scripts rely on.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
use Test::More;
use Time::HiRes qw(time);
use Onward::Test;

need qw(binary);

my $dir = scratch('map-query');
spew("$dir/a", <<'END');
info@example.org  bob@gmail.test, info@example.org
list@example.org  a@one.test,
                  b@two.test
@example.net      @example.org
END
spew("$dir/b", <<'END');
@example.net      @example.org
info@example.org  bob@gmail.test
new@example.org   c@three.test
END
my $a = "texthash:$dir/a";
my $b = "texthash:$dir/b";

# Standard output, standard error, exit code.
sub map_of ($input, $verb, @arguments) {
    spew("$dir/in", $input);
    my $out = run_out(
        'sh', '-c', 'exec "$@" <"$0" 2>"$0.err"', "$dir/in",
        binary(), 'map', $verb, @arguments
    );
    return ($out, slurp("$dir/in.err"), $? >> 8);
}

sub says ($name, $arguments, $want, $want_exit, $want_err = qr/^$/) {
    my ($out, $err, $exit) = map_of('', @$arguments);
    is $out,  $want,      "$name: standard output";
    is $exit, $want_exit, "$name: exit code";
    like $err, $want_err, "$name: standard error";
}

subtest query => sub {
    says('a key', [ query => $a, 'info@example.org' ],
        "bob\@gmail.test, info\@example.org\n", 0);
    says('a key in capitals', [ query => $a, 'INFO@Example.ORG' ],
        "bob\@gmail.test, info\@example.org\n", 0);
    says('no such key', [ query => $a, 'x@example.org' ], '', 1);
    says('exact keys only', [ query => $a, 'info+x@example.org' ], '', 1);
    says('no key', [ query => $a ], '', 64, qr/^usage: onward .*map query/);
    says('no such file', [ query => "texthash:$dir/none", 'x' ], '', 65,
        qr/^\Q$dir\E\/none: No such file or directory$/);
    says('no such type', [ query => "hash:$dir/a", 'x' ], '', 65,
        qr/onward map build/);
    says('no type', [ query => "$dir/a", 'x' ], '', 64, qr/TYPE:PATH/);
    spew("$dir/broken.cdb", 'x' x 3000);
    says('a broken database', [ query => "cdb:$dir/broken", 'x' ], '', 65,
        qr/is no cdb file/);

    my ($out, $err, $exit) = map_of(
        "Info\@example.org\nx\@example.org\n\n\@example.net", query => $a,
        '-');
    is $out,
        "Info\@example.org\tbob\@gmail.test, info\@example.org\n"
        . "\@example.net\t\@example.org\n",
        'keys of standard input, as postmap -q - answers';
    is $exit, 0, 'exit code';
    (undef, undef, $exit) = map_of("x\ny\n", query => $a, '-');
    is $exit, 1, 'none of them is there';
};

subtest 'dump, stat, diff' => sub {
    says('dump', [ dump => $a ],
        "info\@example.org\tbob\@gmail.test, info\@example.org\n"
        . "list\@example.org\ta\@one.test,                  b\@two.test\n"
        . "\@example.net\t\@example.org\n", 0);
    my ($out, $err, $exit) = map_of('', stat => $a);
    my $stat = "table     $a\nfile      $dir/a\nkeys      3\n"
        . 'size      ' . (-s "$dir/a") . "\n";
    like $out,
        qr/^\Q$stat\Emodified  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$/,
        'stat';
    is $exit, 0, 'its exit code';
    ($out, undef, $exit) = map_of('', diff => $a, $b);
    is join("\n", sort split /\n/, $out), join("\n", sort split /\n/, <<'END'),
-info@example.org	bob@gmail.test, info@example.org
+info@example.org	bob@gmail.test
-list@example.org	a@one.test,                  b@two.test
+new@example.org	c@three.test
END
        'diff';
    is $exit, 1, 'its exit code';
    says('no difference', [ diff => $a, $a ], '', 0);
    says('half of a diff', [ diff => $a ], '', 64, qr/usage/);
    says('diff with nothing', [ diff => $a, "texthash:$dir/none" ], '', 65,
        qr/No such file/);
    says('dump of a socketmap', [ dump => 'socketmap:unix:/x:y' ], '', 64,
        qr/tells only what it is asked/);
};

# ---- a socketmap server ----

sub netstring ($text) {
    return length($text) . ":$text,";
}

# Says what the key asks it to: the rest of a key behind "say.".
sub serve ($listener) {
    my $pid = fork // die;
    return $pid if $pid;
    Onward::Test::own();
    while (my $peer = $listener->accept) {
        my $request = '';
        while ($request !~ /,$/) {
            sysread $peer, $request, 4096, length $request or last;
        }
        my ($map, $key) = $request =~ /^\d+:(\S+) (.*),$/s or next;
        my %says = (
            'known@example.org' => netstring('OK bob@gmail.test'),
            'temp@example.org'  => netstring('TEMP no database'),
            'perm@example.org'  => netstring('PERM no such map'),
            'junk@example.org'  => 'this is no netstring',
            'cut@example.org'   => '20:OK half of',
            'mute@example.org'  => '',
        );
        my $answer = $says{$key} // netstring('NOTFOUND ');
        $answer = netstring("TEMP $map?") if $map ne 'alias';
        print $peer $answer;
        $peer->flush;
        sleep 30 if $key =~ /^mute/;
    }
    exit 0;
}

my $port = free_port();
my @servers = (
    serve(IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $port,
        Listen    => 5,
        ReuseAddr => 1,
    ) // die "listen: $!\n"),
    serve(IO::Socket::UNIX->new(
        Type   => SOCK_STREAM,
        Local  => "$dir/sock",
        Listen => 5,
    ) // die "listen: $!\n"),
);
on_exit(sub { kill KILL => @servers; waitpid $_, 0 for @servers });

for my $where ("inet:127.0.0.1:$port", "unix:$dir/sock") {
    subtest "socketmap:$where" => sub {
        my $table = "socketmap:$where:alias";
        says('a key', [ query => $table, 'Known@example.org' ],
            "bob\@gmail.test\n", 0);
        says('no such key', [ query => $table, 'x@example.org' ], '', 1);
        says('trouble', [ query => $table, 'temp@example.org' ], '', 75,
            qr/TEMP no database/);
        says('refusal', [ query => $table, 'perm@example.org' ], '', 75,
            qr/PERM no such map/);
        says('another map', [ query => "socketmap:$where:other", 'x' ], '',
            75, qr/TEMP other\?/);
        says('no protocol', [ query => $table, 'junk@example.org' ], '', 69,
            qr/no answer/);
        says('half an answer', [ query => $table, 'cut@example.org' ], '',
            69, qr/no answer/);
        my ($out) = map_of("x\nknown\@example.org\n", query => $table, '-');
        is $out, "known\@example.org\tbob\@gmail.test\n",
            'keys of standard input';
    };
}

subtest 'a socketmap that is not there' => sub {
    my $closed = free_port();
    says('nobody listens',
        [ query => "socketmap:inet:127.0.0.1:$closed:alias", 'x' ], '', 69,
        qr/no answer/);
    says('no such socket', [ query => "socketmap:unix:$dir/no:alias", 'x' ],
        '', 69, qr/no answer/);
    my $start = time;
    says('no answer', [
            query => "socketmap:inet:127.0.0.1:$port:alias",
            'mute@example.org'
        ], '', 69, qr/no answer/);
    my $took = time() - $start;
    cmp_ok $took, '>', 1.5, 'it is given two seconds';
    cmp_ok $took, '<', seconds(5), 'and no more';
};

done_testing;
