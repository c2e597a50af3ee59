# What a stranger's commands, header and a hostile upstream's replies cost in
# memory, measured: of the whole process, while they are held.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

# In KiB a session, of so many sessions that do this and then wait. One of them
# goes first: what the process keeps for the next ones is no cost of theirs.
sub cost ($onward, $sessions, $do) {
    my @held;
    my $open = sub { Onward::Test::Client->hello($onward->port,
            timeout => seconds(60)) };
    my $first = $open->();
    $do->($first);
    $first->close;
    sleep 0.3;
    my $before = $onward->memory;
    for (1 .. $sessions) {
        push @held, my $client = $open->();
        $do->($client);
    }
    sleep 0.5;
    my $cost = ($onward->memory - $before) / $sessions;
    $_->close for @held;
    note sprintf '%.0f KiB a session', $cost;
    return $cost;
}

# The codes of so many RCPTs, sent at once.
sub recipients ($client, @addresses) {
    $client->cmd('MAIL FROM:<a@sender.example>');
    my %codes;
    while (my @some = splice @addresses, 0, 100) {
        $client->send(join '', map {"RCPT TO:<$_>\r\n"} @some);
        $codes{ substr $client->reply, 0, 3 }++ for @some;
    }
    return join ' ', map {"$codes{$_} x $_"} sort keys %codes;
}

my $targets = join ', ',
    map {"\"target-with-a-longish-name-$_\@private-$_.example\""} 101 .. 150;
my $lists = "{ match = \"list*\@public.example\"; to = ( $targets ); },"
    . ' { match = "many.*@public.example"; to = ( '
    . join(', ', map {"\"\$1-$_\@private-$_.example\""} 10 .. 24) . ' ); }';

subtest 'the same list again and again' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward   = Onward::Test::Daemon->new(upstream => $upstream->port,
        aliases => $lists)->start;
    my $cost = cost($onward, 4, sub ($client) {
        is recipients($client, ('list@public.example') x 1000), '1000 x 250',
            'a thousand times: accepted';
    });
    cmp_ok $cost, '<=', 512, '... for no more than once' if !sanitized();
    $cost = cost($onward, 4, sub ($client) {
        is recipients($client, map {"list$_\@public.example"} 1 .. 1000),
            '1000 x 250', 'under a thousand names: accepted';
    });
    cmp_ok $cost, '<=', 1024, '... for what the names take' if !sanitized();
    $onward->ends_well;
};

subtest 'lists that are refused' => sub {
    my $upstream = Onward::Test::Upstream->new(
        RCPT => sub ($server, $with, $line) {
            return $line =~ /-150\@|-24\@/ ? '550 5.1.1 ' . 'no ' x 150 : '250 Ok';
        });
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        aliases => $lists)->start;
    for (['the same', map { [('list@public.example') x 1000] } 1],
        ['others', [map {"many.$_\@public.example"} 1 .. 1000]]) {
        my ($name, $addresses) = @$_;
        my $cost = cost($onward, 2, sub ($client) {
            is recipients($client, @$addresses), '1000 x 550',
                "$name: refused by the last of their targets";
        });
        # Upstream has the other 14 of each, until the envelope is rebuilt.
        cmp_ok $cost, '<=', $name eq 'others' ? 4096 : 512, '... and bounded'
            if !sanitized();
    }
    $onward->ends_well;
};

subtest 'a tree of aliases that is too large' => sub {
    my $dir = scratch('tree');
    spew("$dir/tree", join '', map {
        my $level = $_;
        map {"l$level-$_\@public.example "
            . join(', ', map {'l' . ($level + 1) . "-$_\@public.example"} 0 .. 7)
            . "\n"} 0 .. 7;
    } 0 .. 8);
    is run_out(binary(), 'map', 'build', "cdb:$dir/tree", "$dir/tree") && $? >> 8,
        0, 'it is built';
    my $upstream = Onward::Test::Upstream->new;
    my $onward   = Onward::Test::Daemon->new(upstream => $upstream->port,
        aliases => "\"cdb:$dir/tree\"")->start;
    my $cost = cost($onward, 2, sub ($client) {
        my $codes = recipients($client, ('l0-0@public.example') x 1000);
        like $codes, qr/^(?:1000 x 451|1000 x 250)$/, "a verdict: $codes";
    });
    cmp_ok $cost, '<=', 512, '... and nothing of it stays' if !sanitized();
    $onward->ends_well;
};

subtest 'headers that wait' => sub {
    my $upstream = Onward::Test::Upstream->new(
        DATA => sub ($server, $with, $line) { sleep 60; '354 go on' });
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        key => 'rsa')->start;
    my $from = "From: <a\@sender.example>\r\n";
    for (['10,000 fields', $from . ('X: ' . 'y' x 98 . "\r\n") x 9_990],
        ['10,000 of a field that is signed',
            $from . ('Reply-To: ' . 'y' x 91 . "\r\n") x 9_990],
        ['many authors', 'From: ' . join(",\r\n ",
                ('a@' . 'b' x 8 . '.example') x 44_000) . "\r\n"],
        ['one field', "${from}Subject: " . 'y' x 1_040_000 . "\r\n"],
        ['one of our own marks', "${from}X-Onward-Loop: " . ' ' x 1_040_000
            . "\r\n"]) {
        my ($name, $header) = @$_;
        cmp_ok length $header, '>', 900_000, "$name: a header of a megabyte";
        my $cost = cost($onward, 30, sub ($client) {
            $client->cmd('MAIL FROM:<a@sender.example>');
            $client->cmd('RCPT TO:<fwd.x@public.example>');
            $client->cmd('DATA');
            $client->send("$header\r\nx\r\n.\r\n");
        });
        cmp_ok $cost, '<=', 2560, '... waits for upstream' if !sanitized();
    }
    $onward->stop(3);
};

subtest 'too many fields' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port)->start;
    my $client = Onward::Test::Client->hello($onward->port,
        timeout => seconds(30));
    for my $n (9_999, 10_000, 100_000, 250_000) {
        my $reply = $client->transaction('a@sender.example',
            'fwd.x@public.example',
            "From: a\@sender.example\r\n" . "a:\r\n" x $n . "\r\nx\r\n");
        like $reply, $n < 10_000 ? qr/^250 / : qr/^552 5\.3\.4 /,
            "$n and From";
    }
    like $client->transaction('a@sender.example', 'bob@public.example',
        "a:\r\n" x 10_001 . "\r\nx\r\n"), qr/^552 /, '... to a mailbox, too';
    $onward->ends_well;
};

subtest 'what upstream says' => sub {
    my $big = join "\r\n", map({ '250-' . 'x' x 2000 } 1 .. 99), '250 ok';
    my $bad = join "\r\n", map({ '450-' . 'x' x 2000 } 1 .. 99), '450 no';
    for (['accepts', '250', RCPT => $big], ['defers', '450', RCPT => $bad],
        ['refuses the sender', '450', MAIL => $bad]) {
        my ($name, $code, %steps) = @$_;
        my $upstream = Onward::Test::Upstream->new(%steps);
        my $onward
            = Onward::Test::Daemon->new(upstream => $upstream->port)->start;
        my $lines = 0;
        my $cost = cost($onward, 1, sub ($client) {
            $client->cmd('MAIL FROM:<a@sender.example>');
            for my $n (1 .. 300) {
                my $reply = $client->cmd("RCPT TO:<u$n\@else.example>");
                is substr($reply, 0, 3), $code, 'a reply' if $n < 3;
                my @lines = split /\r?\n/, $client->raw;
                $lines = @lines if @lines > $lines;
            }
        });
        cmp_ok $lines, '<=', 4, "$name: no more than 4 lines are passed on";
        cmp_ok $cost, '<=', 1024, '... or kept' if !sanitized();
        $onward->ends_well;
    }
};

done_testing;
