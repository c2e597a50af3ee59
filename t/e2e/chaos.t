# Everything hostile at once: clients, upstream, a socketmap server, clients of
# socketmap.listen and of http.listen, and SIGHUPs with good and bad
# configurations. The process lives; a 250 at the end of a message is upstream's;
# no look-up ever gets another's answer; and once all are well again, so is it.
# ONWARD_TEST_ALL: ten minutes; CHAOS_SECONDS and CHAOS_SEED choose.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Map;
use Onward::Test::MapServer;
use Onward::Test::Server;

need('binary');

my $seconds = $ENV{CHAOS_SECONDS} // ($ENV{ONWARD_TEST_ALL} ? 600 : 8);
my $seed    = $ENV{CHAOS_SEED}    // int rand 1e6;
note "CHAOS_SEED=$seed";
my $dir  = scratch('chaos');
my $calm = "$dir/calm"; # while it is there, all servers are well

sub pick (@list)      { return $list[rand @list] }
sub maybe ($chance)   { return !-e $calm && rand() < $chance }
sub nap ($least, $most) { sleep $least + rand($most - $least) }
sub seed ($number)    { srand $seed * 1000 + $number }

# ---- upstream --------------------------------------------------------------

# Each message has a number; its recipient by the socketmap has the same one.
sub judge ($content, @rcpt) {
    my ($number) = $content =~ /^Number: (\d+)/m or return;
    for (@rcpt) {
        next unless /<got\.(\d+)\@/;
        spew("$dir/mixed.$number", $_) if $1 != $number;
    }
    spew("$dir/accepted.$number", '');
}

sub upstream ($self, $socket, $n) {
    seed($n);
    my $say = sub (@lines) { print {$socket} map {"$_\r\n"} @lines };
    my @rcpt;
    $socket->autoflush(1);
    nap(0, 3) if maybe(0.02);
    return    if maybe(0.02);
    $say->(maybe(0.1)
        ? pick('554 no', '421 later', 'garbage', "220 x\r\n250 unasked")
        : '220 up ESMTP');
    while (defined(my $line = <$socket>)) {
        my $verb = uc substr $line, 0, 4;
        return if maybe(0.01);
        nap(0, 1.5) if maybe(0.01);
        @rcpt = () if $verb =~ /MAIL|RSET|EHLO/;
        if ($verb eq 'EHLO') {
            $say->(maybe(0.1) ? pick('500 no', '250 x') : ('250-up',
                '250-PIPELINING', '250-8BITMIME', '250-DSN', '250-SMTPUTF8',
                '250 XFORWARD NAME ADDR PORT PROTO HELO SOURCE'));
        } elsif ($verb eq 'DATA' && @rcpt) {
            if (maybe(0.1)) {
                $say->(pick('451 no', '554 no', '250 what'));
                next;
            }
            $say->('354 go');
            my $content = '';
            while (defined($line = <$socket>) && $line ne ".\r\n") {
                return if maybe(0.005);
                $say->('451 early') if maybe(0.002);
                $content .= $line;
            }
            return unless defined $line;
            if (maybe(0.2)) {
                nap(0, 1) if maybe(0.2);
                $say->(pick('451 no', "550-5 no\r\n550 5 no", '354 go', 'x'));
                return if maybe(0.5);
                next;
            }
            judge($content, @rcpt);
            $say->('250 2.0.0 Ok: queued as ' . pick('A' .. 'F') x 8);
            @rcpt = ();
        } elsif ($verb eq 'QUIT') {
            $say->('221 bye');
            return;
        } elsif ($verb eq 'RCPT' && maybe(0.15)) {
            $say->(pick('550 5.1.1 no', '451 later', "250-a\r\n450 b", '521 x'));
        } elsif (maybe(0.03)) {
            $say->(pick('451 no', '550 no', "250 a\r\n250 b"));
        } else {
            push @rcpt, $line if $verb eq 'RCPT';
            $say->($verb eq 'DATA' ? '503 no' : '250 Ok');
        }
    }
}

my $upstream
    = Onward::Test::Server->new(handler => \&upstream, dir => scratch('up'));

# ---- the socketmap server --------------------------------------------------

my $tables = Onward::Test::MapServer->new(sub ($query, $socket) {
    state $seeded = seed($$);
    my $answer = $query =~ /^\S+ s(\d+)@/ ? "OK got.$1\@private.example"
        : 'NOTFOUND ';
    nap(1.9, 2.3) if maybe(0.03);
    nap(0, 0.2)   if maybe(0.1);
    return if maybe(0.02);
    syswrite($socket, '12:OK '), return if maybe(0.01);
    if (maybe(0.03)) { # twice at once
        my $framed = length($answer) . ":$answer,";
        syswrite $socket, $framed x 2;
        sysread $socket, my $rest, 1; # until it is closed
        return;
    }
    return maybe(0.05) ? pick('PERM x', 'TEMP y', 'OK ', 'OK |/bin/sh',
        'x' x 90_000, "OK \0\377") : $answer;
});

# ---- Onward ----------------------------------------------------------------

my $map_port = free_port();
my $http     = "$dir/http.sock";

my $onward = Onward::Test::Daemon->new(
    upstream => $upstream->port,
    aliases  => '{ match = "fwd.*@public.example";'
        . ' to = ( "me@private.example" ); }, "socketmap:inet:127.0.0.1:'
        . $tables->port . ':aliases"',
    upstream_settings => 'reply_timeout = "3s"; idle_timeout = "2s";',
    settings          => <<~END);
        socketmap = { listen = "127.0.0.1:$map_port"; };
        limits = { sessions = 60; hops = 50; message_memory = "4K";
          spool_total = "20M"; };
        timeouts = { command = "3s"; content = "3s"; drain = "3s"; };
        END
my $good = slurp($onward->conf) =~ s/http = \K.*/{ listen = "unix:$http"; };/r;
spew($onward->conf, $good);
$onward->start;

# ---- clients ---------------------------------------------------------------

sub connect_to ($port) {
    return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 5);
}

# What it reads within the time, up to a pattern.
sub hear ($socket, $pattern, $time) {
    my $end = time + $time;
    my $in  = '';
    my $select = IO::Select->new($socket);
    while ($in !~ $pattern && (my $left = $end - time) > 0) {
        last unless $select->can_read($left);
        sysread $socket, $in, 65536, length $in or last;
    }
    return $in;
}

sub message ($number) {
    my $lines = maybe(0.05) ? 4000 : int rand 30;
    return pick("From: a\@sender.example\r\n", '', " odd\r\n")
        . "Number: $number\r\nSubject: s\r\n\r\n"
        . "..a line of text\r\n" x $lines;
}

sub smtp_client ($number) {
    my $socket = connect_to($onward->port) or return nap(0.05, 0.2);
    my $rcpt = "s$number\@public.example";
    my @say = ("EHLO x\r\n", 'MAIL FROM:<'
            . pick('', 'a@sender.example', 'x' x 60 . '@long.example') . ">\r\n",
        map {"RCPT TO:<$_>\r\n"} pick($rcpt, 'fwd.x@public.example', $rcpt),
        $rcpt, maybe(0.3) ? 'bob@public.example' : ());
    push @say, pick("RSET\r\n", "NOOP\r\n", "BDAT 5\r\n", "\xff\r\n") if maybe(0.1);
    my $pipelines = maybe(0.3);
    my $stops     = maybe(0.2) ? rand @say : @say;
    for my $line (@say) {
        last if $stops-- <= 0;
        hear($socket, qr/^\d{3} .*\n/m, 4) unless $pipelines;
        syswrite $socket, $line or return;
    }
    hear($socket, qr/^\d{3} .*\n/m, 4);
    return if $stops < 0 || maybe(0.05);
    syswrite $socket, "DATA\r\n" or return;
    return unless hear($socket, qr/^354 .*\n|^[45]\d\d .*\n/m, 5) =~ /^354 /m;
    my $content = message($number);
    if (maybe(0.1)) { # it goes in the middle
        syswrite $socket, substr $content, 0, rand length $content;
        return;
    }
    syswrite $socket, "$content.\r\n" or return;
    return if maybe(0.05);
    my $reply = hear($socket, qr/^\d{3} .*\n/m, 8);
    spew("$dir/told.$number", '') if $reply =~ /^250 /;
    syswrite $socket, "QUIT\r\n" if maybe(0.5);
}

sub map_client ($number) {
    my $socket = connect_to($map_port) or return nap(0.05, 0.2);
    for (1 .. 1 + rand 5) {
        my @keys = map { $number . int rand 1000 } 1 .. 1 + rand 5;
        syswrite $socket, join '', map { Onward::Test::Map::netstring($_) }
            map { (pick('recipient', 'recipient', 'forward', 'reverse', 'none'))
                . " s$_\@public.example" } @keys;
        hear($socket, qr/,\z/, 2.5) if maybe(0.6);
    }
    syswrite $socket, pick('999999999:', '20:recip', "\x16\x03") if maybe(0.2);
}

sub http_client ($number) {
    my $socket = IO::Socket::UNIX->new(Peer => $http) or return nap(0.05, 0.2);
    syswrite $socket, pick("GET / HTTP/1.0\r\n\r\n", 'GE',
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /readyz HTTP/1.0\r\n\r\n", 'GET /' . 'a' x 9000);
    hear($socket, qr/\z(?!)/, 0.3) if maybe(0.7);
    nap(0.05, 0.3);
}

# A process that does one thing after the other until time is up.
sub endless ($number, $what) {
    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;
    local $SIG{PIPE} = 'IGNORE';
    seed($number);
    my $end = time + $seconds;
    for (my $i = 0; time < $end; $i++) {
        $what->($number * 1_000_000 + $i);
    }
    _exit(0);
}

my $n = 100;
my @hostile = map { endless($n++, $_) } (\&smtp_client) x 10,
    (\&map_client) x 3, \&http_client;
seed(1);
for (my $end = time + $seconds; time < $end;) {
    nap(0.3, 1.2);
    spew($onward->conf, pick($good, $good, $good =~ s/hops = \d+/'hops = '
        . (20 + int rand 40)/er, 'listeners = (', substr $good, 0, 300));
    kill HUP => $onward->pid;
}
waitpid $_, 0 for @hostile;

# ---- afterwards ------------------------------------------------------------

spew($calm, '');
spew($onward->conf, $good);
kill HUP => $onward->pid;
ok kill(0 => $onward->pid), 'it is alive';
my %told     = map { /told\.(\d+)/     ? ($1 => 1) : () } glob "$dir/told.*";
my %accepted = map { /accepted\.(\d+)/ ? ($1 => 1) : () } glob "$dir/accepted.*";
my $told     = keys %told;
cmp_ok $told, '>', 0, "$told messages came through";
is_deeply [grep { !$accepted{$_} } keys %told], [],
    '... all of them accepted by upstream';
is_deeply [glob "$dir/mixed.*"], [], 'no look-up had the answer of another';
ok wait_until(seconds(10), sub {
        my $client = Onward::Test::Client->new($onward->port, greeting => 0);
        $client->reply =~ /^220 / or return;
        $client->cmd('EHLO x');
        return $client->transaction('a@sender.example', 's1@public.example',
            message(1)) =~ /^250 /;
    }), 'mail goes through as ever';
ok wait_until(seconds(10), sub {
        my $answer = Onward::Test::Map->new($map_port)
            ->ask(recipient => 's77@public.example') // '';
        return $answer eq 'OK s77@public.example' }), '... and look-ups';
ok wait_until(seconds(15), sub {
        (() = glob '/proc/' . $onward->pid . '/fd/*') < 60 }),
    'what was open is closed';
$onward->ends_well;
done_testing;
