# Two lists of a stranger's making in one message: twice as much of both costs
# twice as much time, and no field of whatever name stops the process.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

# An upstream of 6 lines: it is not what is measured, but it has to keep up.
my $upstream = Onward::Test::Upstream->new(
    RCPT => sub ($server, $with, $line) {
        return $line =~ /-never\@/ ? '550 5.1.1 no' : '250 2.1.5 Ok';
    });
my $targets = join ', ',
    map {"\"target-$_\@private-$_.example\""} 101 .. 150;
my $onward = Onward::Test::Daemon->new(
    upstream => $upstream->port,
    aliases  => "{ match = \"list*\@public.example\"; to = ( $targets ); },"
        . ' { match = "bad.*@public.example"; to = ( '
        . join(', ', map {"\"\$1-$_\@private.example\""} 1 .. 9, 'never')
        . ' ); }, { match = "own.*@public.example"; to = ( "$1@private.example" ); },'
        . ' { match = "*@public.example"; to = ( "me@private.example" ); }',
    settings => 'limits = { message_memory = "16K"; };',
)->start;

# Processor time of all its threads, in ms.
sub cpu () {
    my $sum = 0;
    for (glob '/proc/' . $onward->pid . '/task/*/schedstat') {
        $sum += (split / /, slurp($_))[0];
    }
    return $sum / 1e6;
}

# The last reply, how many RCPTs were accepted, and the time of RCPTs and of
# the content.
sub send_it ($addresses, $content) {
    my $client = Onward::Test::Client->hello($onward->port,
        timeout => seconds(60));
    my ($start, $accepted) = (cpu(), 0);
    $client->cmd('MAIL FROM:<alice@sender.example>');
    my @left = @$addresses;
    while (my @some = splice @left, 0, 100) {
        $client->send(join '', map {"RCPT TO:<$_>\r\n"} @some);
        $accepted += $client->reply =~ /^250 / for @some;
    }
    my $middle = cpu();
    my $reply  = $client->cmd('DATA');
    $reply = $client->content($content) if $reply =~ /^354/;
    my $end = cpu();
    $client->quit;
    return ($reply, $accepted, $middle - $start, $end - $middle);
}

my $from = "From: alice\@sender.example\r\n";
my $mark = 'X-Onward-Loop: 01234567-0123456789abcdef';

# What n recipients and a header of n pieces are, for the sizes 1 and 2.
my @rcpts = (
    ['distinct aliases'  => sub ($n) { map {"u$_\@public.example"} 1 .. $n }],
    ['one alias'         => sub ($n) { ('u@public.example') x $n }],
    ['aliases with targets of their own' =>
        sub ($n) { map {"own.$_\@public.example"} 1 .. $n }],
    ['lists of 50' => sub ($n) { map {"list$_\@public.example"} 1 .. $n }],
    ['lists that are refused' =>
        sub ($n) { 'u@public.example', map {"bad.$_\@public.example"} 1 .. $n }],
    ['mailboxes' => sub ($n) { map {"u$_\@other.example"} 1 .. $n }],
);
my @headers = (
    ['marks'    => sub ($n) { "$mark\r\n" x ($n / 16) }],
    ['blanks'   => sub ($n) { 'X-Onward-Loop:' . ' ' x (1000 * $n) . "\r\n" }],
    ['fields'   => sub ($n) { "X-A: b\r\n" x (9 * $n) }],
    ['a signed field' => sub ($n) { "Reply-To: b\@c.example\r\n" x (9 * $n) }],
    ['signatures' => sub ($n) {
        ("DKIM-Signature: v=1; a=rsa-sha256; d=x.example; s=s; h=" . 'From:' x 60
            . "To;\r\n bh=x; b=" . 'y' x 600 . "\r\n") x $n }],
    ['Received, authors' => sub ($n) { "Received: x\r\n" x 50 . 'To: '
            . join(",\r\n ", map {"u$_\@sender.example"} 1 .. 20 * $n)
            . "\r\n" }],
);

my $n = sanitized() ? 100 : 500;
for my $i (0 .. $#rcpts) {
    # Each list of recipients with two of the headers; each header twice.
    for my $k ($i, ($i + 1) % @headers) {
        my ($rcpt, $rcpts)   = $rcpts[$i]->@*;
        my ($field, $fields) = $headers[$k]->@*;
        subtest "$rcpt x $field" => sub {
            my @best = ([1e9, 1e9], [1e9, 1e9]);
            for (1 .. 4) {
                for my $size (1, 2) {
                    my ($reply, $accepted, @used) = send_it(
                        [$rcpts->($size * $n)],
                        $from . $fields->($size * $n) . "\r\nx\r\n");
                    like $reply, qr/^(?:250|5\d\d) /, 'a verdict' or return;
                    for my $part (0, 1) {
                        my $best = \$best[$part][ $size - 1 ];
                        $$best = $used[$part] if $used[$part] < $$best;
                    }
                }
                last if !grep { $_->[1] > 2.2 * $_->[0] + 3 } @best;
            }
            for (['RCPTs', $best[0]], ['content', $best[1]]) {
                my ($part, $used) = @$_;
                cmp_ok $used->[1], '<=', 2.6 * $used->[0] + 10,
                    sprintf '%s: twice as much: %.1f ms, then %.1f ms', $part,
                    @$used
                    if !sanitized();
                cmp_ok $used->[1], '<', seconds(250), '... and not long';
            }
        };
    }
}

subtest 'a thousand recipients x a megabyte of one field' => sub {
    for my $name ('X-Onward-Loop', 'Received', 'From', 'Auto-Submitted',
        'DKIM-Signature', 'X-Original-To', 'Subject', 'To', 'X') {
        for (['blanks', ' '], ['commas', ','], ['brackets', '<('],
            ['octets', 'a@b,'], ['names', "a\@\xc3\xa4.example,"], ['folds', "\r\n "], ['CRs', "\r"]) {
            my ($kind, $what) = @$_;
            my $length = 1_048_000 - 200;
            my $field = "$name:" . substr($what x ($length / length $what), 0,
                $length);
            $field =~ s/[\r\n ]+\z/ x/;
            my @best = (1e9, '');
            for (1 .. 3) {
                my ($reply, $accepted, $before, $used) = send_it(
                    [map {"u$_\@public.example"} 1 .. 1000],
                    ($name eq 'From' ? '' : $from) . "$field\r\n\r\nx\r\n");
                @best = ($used, $reply) if $used < $best[0];
                last if $best[0] < 200;
            }
            like $best[1], qr/^(?:250|5\d\d) /, "$name of $kind: a verdict";
            cmp_ok $best[0], '<=', 250, sprintf '... in %.1f ms', $best[0]
                if !sanitized();
        }
    }
};

$onward->ends_well;

# A tree of aliases that is refused as too large costs a millisecond, a thousand
# of them come at once: others have their turn between.
subtest 'large expansions' => sub {
    my $dir = scratch('tree');
    my $line = sub ($name, @to) {
        return "$name\@public.example "
            . join(', ', map {"$_\@public.example"} @to) . "\n";
    };
    spew("$dir/tree", join '', $line->('top', map {"a$_"} 1 .. 24),
        map { my $i = $_; ($line->("a$i", map {"b$i-$_"} 1 .. 24),
                map { $line->("b$i-$_", "c$i-$_") } 1 .. 24) } 1 .. 24);
    run_out(binary(), 'map', 'build', "cdb:$dir/tree", "$dir/tree");
    my $slow = Onward::Test::Daemon->new(upstream => $upstream->port,
        aliases => "\"cdb:$dir/tree\"")->start;
    my $client = Onward::Test::Client->hello($slow->port,
        timeout => seconds(60));
    my $other = Onward::Test::Client->hello($slow->port,
        timeout => seconds(60));
    $client->cmd('MAIL FROM:<a@sender.example>');
    $client->send("RCPT TO:<top\@public.example>\r\n" x 500);
    my $before = 0;
    for (1 .. 20) {
        like $other->cmd('NOOP'), qr/^250 /, 'another session is answered'
            if $_ == 1;
        $before++ while $client->reply(0) ne '';
        last if $before;
    }
    cmp_ok $before, '<', 250, "... when $before of 500 were";
    my $all = $before;
    $all++ while $all < 500 && $client->reply =~ /^451 4\.3\.0 /;
    is $all, 500, 'all have their verdict in the end';
    like $client->cmd('RSET'), qr/^250 /, '... in step';
    $slow->ends_well;
};
done_testing;
