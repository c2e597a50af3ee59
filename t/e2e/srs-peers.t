# The classic MAC against those who speak it: addresses that Onward makes are
# genuine to Mail::SRS, pysrs and PostSRSd 1.10, theirs are genuine to Onward,
# and both write the same octets. A peer that is not installed is skipped.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Socket::INET;
use IPC::Open2;
use Test::More;
use Onward::Test;

need qw(binary);

my $domain  = 'fwd.example';
my $secret  = '0123456789abcdef';
my $dir     = scratch('srs-peers');
my $secrets = spew("$dir/secret", "$secret\n", 0600);
my @onward  = (binary(), 'srs');
my @classic = (
    '--domain', $domain, '--secret-file', $secrets,
    '--mac', 'classic', '--hash-length', 4
);

# The same senders each time: what fails once can be looked at.
srand 20261124;

sub random_text ($chars, $most) {
    return join '', map { substr $chars, rand length $chars, 1 }
        0 .. rand $most;
}

sub random_sender () {
    my $local = random_text('abcxyzABCXYZ0123456789-_+=.', 20);
    $local =~ s/^\.|\.$|\.(?=\.)/x/g;
    my $host = join '.',
        map { random_text('abcdefghXYZ0123456789', 10) } 0 .. rand 2;
    return "$local\@$host.example";
}
my @senders = map { random_sender() } 1 .. 1000;

# SRS addresses of two other forwarders are senders as well.
push @senders,
    map { "SRS0=abcd=7G=origin.example=$_\@first.example" } 'a' .. 'j';
push @senders,
    map { "SRS1=abcd=first.example==efgh=7G=origin.example=$_\@second.example" }
    'a' .. 'j';

# One line in, one line out.
sub filter ($lines, @command) {
    spew("$dir/in", join('', map { "$_\n" } @$lines));
    my $out = run_out('sh', '-c', 'exec "$@" <"$0"', "$dir/in", @command);
    return [ split /\n/, $out ];
}

sub onward ($verb, $lines) {
    return filter($lines, @onward, $verb, @classic, '-');
}

# What the sender becomes on its way back: SRS is undone one step at a time.
sub expected ($sender) {
    return $sender =~ /^SRS1=[^=]*=([^=]*)=(=.*)@/ ? "SRS0$2\@$1" : $sender;
}

my $ours = onward(forward => \@senders);
is scalar @$ours, scalar @senders, 'one line for each sender';
is_deeply onward(reverse => $ours), [ map { expected($_) } @senders ],
    'ours come back';

sub try_peer ($name, $forward, $reverse) {
    subtest $name => sub {
        my @theirs = @{ $forward->(\@senders) };
        is_deeply \@theirs, $ours, 'both write the same';
        is_deeply $reverse->($ours), [ map { expected($_) } @senders ],
            'ours are genuine to them';
        is_deeply onward(reverse => \@theirs),
            [ map { expected($_) } @senders ], 'theirs are genuine to us';

        # One character of the hash changed: nobody takes it.
        my @bad = map { s/=(.)/'=' . (lc $1 eq 'b' ? 'C' : 'B')/er } @$ours;
        my @lost = grep { /^\w/ } @{ onward(reverse => \@bad) };
        is scalar @lost, 0, 'a changed hash is refused by us';
        @lost = grep { defined && /^\w/ } @{ $reverse->(\@bad) };
        is scalar @lost, 0, 'and by them';
        done_testing;
    };
}

SKIP: {
    skip 'Mail::SRS is not installed (libmail-srs-perl)', 1
        unless eval { require Mail::SRS; 1 };
    my $srs = Mail::SRS->new(Secret => $secret, MaxAge => 21);
    try_peer(
        'Mail::SRS',
        sub ($all) { [ map { $srs->forward($_, $domain) } @$all ] },
        sub ($all) { [ map { eval { $srs->reverse($_) } } @$all ] },
    );
}

my $python = <<'END';
import sys, SRS
srs = SRS.new(secret=sys.argv[1], maxage=21)
for line in sys.stdin:
    line = line.rstrip("\n")
    try:
        print(srs.forward(line, sys.argv[3]) if sys.argv[2] == "forward"
              else srs.reverse(line))
    except Exception as e:
        print("!", type(e).__name__)
END
SKIP: {
    skip 'pysrs is not installed (python3-srs)', 1
        if system('/usr/bin/python3 -c "import SRS" 2>/dev/null') != 0;
    my @python = ('/usr/bin/python3', '-c', $python, $secret);
    try_peer(
        'pysrs',
        sub ($all) { filter($all, @python, 'forward', $domain) },
        sub ($all) { filter($all, @python, 'reverse', $domain) },
    );
}

# PostSRSd 1.x speaks Postfix' tcp_table(5) on two ports.
sub tcp_table ($port, $lines) {
    my $socket = wait_until(seconds(5), sub {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
    }) or return [];
    my @answers;
    for my $line (@$lines) {
        print $socket 'get '
            . $line =~ s/([^\x21-\x24\x26-\x7e])/sprintf '%%%02X', ord $1/ger
            . "\n";
        my $answer = <$socket> // '';
        push @answers,
            $answer =~ /^200 (.*?)\r?$/
            ? $1 =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger
            : "! $answer";
    }
    return \@answers;
}

sub postsrsd_version () {
    my $program = Onward::Test::find_program('postsrsd') or return;
    my ($version) = run_out('sh', '-c', "$program -v 2>&1") =~ /(\d+\.\d+)/;
    return $version;
}

SKIP: {
    my $version = postsrsd_version();
    skip 'PostSRSd 1.x is not installed', 1
        unless defined $version && $version < 2;
    my ($forward, $reverse) = (free_port(), free_port());
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>', '/dev/null';
        exec Onward::Test::find_program('postsrsd'), "-s$secrets",
            "-d$domain", '-l127.0.0.1', '-4', "-f$forward", "-r$reverse";
        exit 127;
    }
    on_exit(sub { kill 'TERM', $pid; waitpid $pid, 0 });
    try_peer(
        "PostSRSd $version",
        sub ($all) { tcp_table($forward, $all) },
        sub ($all) { tcp_table($reverse, $all) },
    );
}

done_testing;
