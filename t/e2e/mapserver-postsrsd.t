# In PostSRSd's place: the same answers, asked by Postfix itself, for a
# thousand addresses each way. Of version 1 (options, tcp tables) or 2 (a file,
# a socketmap), whichever is installed.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Socket::INET;
use IPC::Open2;
use POSIX qw(_exit);
use Test::More;
use Onward::Test;
use Onward::Test::Daemon;

need(qw(binary postfix postsrsd));

my %port = map { $_ => free_port() } qw(map forward reverse);
my $secret = 'a secret that both of them know';
my $dir = scratch('postsrsd');
spew("$dir/secret", "$secret\n", 0644);
spew("$dir/main.cf", "compatibility_level = 3.6\n");

my $onward = Onward::Test::Daemon->new(
    upstream   => free_port(),
    secret     => $secret,
    srs_domain => 'srs.public.example',
    settings   => qq(socketmap = { listen = "127.0.0.1:$port{map}"; };\n),
);
spew($onward->conf, slurp($onward->conf)
    =~ s/(srs = \{)/$1 mac = "classic"; hash_length = 4; hash_minimum = 4;/r);
$onward->start;

my $is_new = run_out('sh', '-c', 'postsrsd -h 2>&1') =~ /^ +-C <FILE>/m;
my @options = ("-s$dir/secret", '-dsrs.public.example', "-f$port{forward}",
    "-r$port{reverse}", '-Xpublic.example', '-4');
my %table = map { $_ => "tcp:127.0.0.1:$port{$_}" } qw(forward reverse);
if ($is_new) {
    spew("$dir/postsrsd.conf", <<~END);
        srs-domain = "srs.public.example"
        domains = { "public.example" }
        socketmap = inet:127.0.0.1:$port{reverse}
        secrets-file = "$dir/secret"
        unprivileged-user = ""
        chroot-dir = ""
        END
    @options = ('-C', "$dir/postsrsd.conf");
    %table = map { $_ => "socketmap:inet:127.0.0.1:$port{reverse}:$_" }
        qw(forward reverse);
}

my $postsrsd = fork // die "fork: $!\n";
if ($postsrsd == 0) {
    open STDERR, '>', "$dir/log";
    exec 'postsrsd', @options or _exit(127);
}
on_exit(sub { kill TERM => $postsrsd; waitpid $postsrsd, 0 });
wait_until(seconds(5), sub {
    IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port{reverse})
}) or die "postsrsd does not start:\n", slurp("$dir/log");

# What `postmap -q -` prints: "KEY<TAB>VALUE" for each key that is found.
sub postmap ($table, @keys) {
    my $pid = open2(my $out, my $in, 'postmap', '-c', $dir, '-q', '-', $table);
    if (!fork) { # both ends of a pipe must not wait for each other
        close $out;
        print $in map {"$_\n"} @keys;
        _exit(0) if close $in;
        _exit(1);
    }
    close $in;
    my %found = map { chomp; split /\t/, $_, 2 } <$out>;
    waitpid $pid, 0;
    return \%found;
}

my @words = qw(alice bob.smith x+y a-b under_score o'brien q=r 1234 "" z);
my @senders = map {
    my $word = $words[ $_ % @words ] =~ s/"//gr || 'anna';
    my $domain = $_ % 7 == 0 ? 'public.example'
        : $_ % 11 == 0 ? 'srs.public.example'
        : 'host' . ($_ % 50) . '.sender' . ($_ % 13) . '.example';
    "$word$_\@$domain"
} 1 .. 990;
push @senders, map {"SRS0=abcd=7G=origin$_.example=user\@first.example"} 1 .. 5;
push @senders, map {"SRS1=abcd=first.example==wxyz=7G=o$_.example=u\@b.example"}
    1 .. 5;

my $theirs = postmap($table{forward}, @senders);
my $ours = postmap("socketmap:inet:127.0.0.1:$port{map}:forward", @senders);
# Version 1 gives back senders at the SRS domain as they are: not found means
# the same to Postfix.
$theirs->{$_} eq $_ && delete $theirs->{$_} for keys %$theirs;
cmp_ok(scalar keys %$theirs, '>', 700, 'PostSRSd rewrites most of 1000');
# Version 2 writes - and _ in a hash where version 1 and we write + and /.
sub same_hash (%answers) {
    return { map { $_ => $answers{$_} =~ s{(?<=^SRS[01]=)(.{4})}{$1 =~ tr(-_)(+/)r}er }
            keys %answers };
}
is_deeply(same_hash(%$ours), same_hash(%$theirs), 'forward: the same answers');

# There and back: what was made, in lower case as Postfix asks, what was
# tampered with, and what is none of ours.
my @made = map { $theirs->{$_} } sort keys %$theirs;
my @back = (@made[ 0 .. 299 ], map({lc} @made[ 300 .. 599 ]),
    map({s/(?<=^SRS0=.)./*/r} @made[ 0 .. 199 ]), @senders[ 0 .. 199 ]);
is(scalar @back, 1000, 'a thousand to reverse');
is_deeply(
    postmap("socketmap:inet:127.0.0.1:$port{map}:reverse", @back),
    postmap($table{reverse}, @back),
    'reverse: the same answers'
);
my @our_own = map { $ours->{$_} } sort keys %$ours;
is_deeply(postmap($table{reverse}, @our_own),
    postmap("socketmap:inet:127.0.0.1:$port{map}:reverse", @our_own),
    'reverse of what we made: the same answers');

# Version 1 reverses addresses of other people's SRS domains as well, which
# later versions do not.
is_deeply(
    postmap("socketmap:inet:127.0.0.1:$port{map}:reverse",
        map {s/\@srs\.public\.example$/\@else.example/r} @made[ 0 .. 99 ]),
    {}, 'what is not ours is left alone'
);

$onward->ends_well;
done_testing;
