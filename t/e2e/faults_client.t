# What strangers send (a front passes most of it on): commands, addresses and
# content that are long, odd, or made to be read in two ways. Each gets the
# reply it should, nothing forbidden reaches upstream, and the session after it
# works.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

my $upstream = Onward::Test::Upstream->new;
my $onward   = Onward::Test::Daemon->new(
    upstream          => $upstream->port,
    upstream_settings => 'idle_timeout = "0s";',
    settings          => 'limits = { recipients = 50; };',
)->start;

my $content = "From: alice\@sender.example\r\n\r\nx\r\n";
my @start   = ('MAIL FROM:<alice@sender.example>',
    'RCPT TO:<bob@public.example>', 'DATA');

sub hello () { Onward::Test::Client->hello($onward->port) }

# What upstream got from the last conversation on.
sub news ($do) {
    my $before = length $upstream->received(0);
    $do->();
    sleep 0.05;
    return substr $upstream->received(0), $before;
}

sub works ($name) {
    like hello()->transaction('alice@sender.example', 'bob@public.example',
        $content), qr/^250 .*queued as UP/, "$name: the next session works";
}

# One command, in a state where it would be fine; the reply; whether the
# session goes on ("goes on") or is closed ("closed").
my $long = 'x' x 5000;
my @commands = (
    # name, before it, octets, reply, then
    ['an unknown command', 0, "FOO\r\n", qr/^500|^502 5\.5\.1/, 'goes on'],
    ['STARTTLS', 0, "STARTTLS\r\n", qr/^50\d /, 'goes on'],
    ['AUTH',     0, "AUTH PLAIN AGEAYg==\r\n", qr/^50\d /, 'goes on'],
    ['XCLIENT',  0, "XCLIENT ADDR=127.0.0.1 LOGIN=root\r\n", qr/^50\d /,
        'goes on'],
    ['ETRN', 0, "ETRN public.example\r\n", qr/^50\d /, 'goes on'],
    ['VRFY', 0, "VRFY bob\r\n", qr/^252 2\.0\.0 bob/, 'goes on'],
    ['HELP', 0, "HELP\r\n", qr/^214 /, 'goes on'],
    ['NOOP with 4000 octets', 0, 'NOOP ' . 'x' x 4000 . "\r\n", qr/^250 /,
        'goes on'],
    ['a command of 5000 octets', 0, "NOOP $long\r\n",
        qr/^500 5\.5\.2 Error: line too long/, 'goes on'],
    ['70,000 octets without an end', 0, 'x' x 70_000,
        qr/^421 4\.7\.0 Error: line too long/, 'closed'],
    ['bare CR in a command', 1,
        "RCPT TO:<b\@d.example>\rRCPT TO:<evil\@e.example>\r\n",
        qr/^500 5\.5\.2 Error: bare CR, LF or NUL in command/, 'closed'],
    ['bare LF in a command', 1,
        "RCPT TO:<b\@d.example>\nRCPT TO:<evil\@e.example>\r\n",
        qr/^500 5\.5\.2 Error: bare CR, LF or NUL in command/, 'closed'],
    ['NUL in a command', 1, "RCPT TO:<b\0\@d.example>\r\n",
        qr/^500 5\.5\.2 Error: bare CR, LF or NUL in command/, 'closed'],
    ['a command that begins with a bare CR', 1,
        "\rRCPT TO:<b\@d.example>\r\n", qr/^500 5\.5\.2 /, 'closed'],
    ['HTTP', 0, "POST / HTTP/1.1\r\n", qr/^(?:[45]\d\d) /, 'any'],
    ['a TLS hello', 0, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
        qr/^[45]\d\d /, 'any'],
    ['a PROXY header', 0, "PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n",
        qr/^[45]\d\d /, 'any'],
    ['RCPT before MAIL', 0, "RCPT TO:<b\@d.example>\r\n",
        qr/^503 5\.5\.1 Error: need MAIL command/, 'goes on'],
    ['DATA before MAIL', 0, "DATA\r\n", qr/^503 5\.5\.1 /, 'goes on'],
    ['DATA without a recipient', 1, "DATA\r\n",
        qr/^554 5\.5\.1 Error: no valid recipients/, 'goes on'],
    ['MAIL twice', 1, "MAIL FROM:<a\@b.example>\r\n",
        qr/^503 5\.5\.1 Error: nested MAIL command/, 'goes on'],
    ['BDAT', 1, "BDAT 5\r\n", qr/^50\d /, 'any'],
    ['SIZE=-1', 0, "MAIL FROM:<a\@b.example> SIZE=-1\r\n",
        qr/^501 5\.5\.4 /, 'goes on'],
    ['SIZE of 23 digits', 0,
        "MAIL FROM:<a\@b.example> SIZE=12345678901234567890123\r\n",
        qr/^(?:501 5\.5\.4|552 5\.3\.4) /, 'goes on'],
    ['a parameter nobody knows', 0, "MAIL FROM:<a\@b.example> FOO=bar\r\n",
        qr/^555 5\.5\.4 /, 'goes on'],
    ['a sender without end', 0, "MAIL FROM:<a\@b.example\r\n",
        qr/^501 5\.1\.7 /, 'goes on'],
    ['a recipient without end', 1, "RCPT TO:<a\@b.example\r\n",
        qr/^501 5\.1\.3 /, 'goes on'],
    ['<<a@b>>', 1, "RCPT TO:<<a\@b.example>>\r\n", qr/^501 5\.1\.3 /,
        'goes on'],
    ['<@dom>', 1, "RCPT TO:<\@b.example>\r\n", qr/^501 5\.1\.3 /, 'goes on'],
    ['a literal without end', 1, "RCPT TO:<a\@[1.2.3.4>\r\n",
        qr/^501 5\.1\.3 /, 'goes on'],
    ['a control character', 1, "RCPT TO:<a\x01\@b.example>\r\n",
        qr/^501 5\.1\.3 /, 'goes on'],
    ['8 bits that are no UTF-8', 1, "RCPT TO:<a\xff\@b.example>\r\n",
        qr/^501 /, 'goes on'],
    ['a null recipient', 1, "RCPT TO:<>\r\n", qr/^501 5\.1\.3 /, 'goes on'],
    ['a path of 3000 octets', 1, 'RCPT TO:<' . 'x' x 3000 . "\@b.example>\r\n",
        qr/^(?:501 5\.1\.3|500 5\.5\.2) /, 'goes on'],
    # Not an alias, and nothing is made of it: it would be, somewhere.
    ['a % in an alias', 1, "RCPT TO:<fwd.a%evil.example\@public.example>\r\n",
        qr/^(?:250|550 5\.1\.3) /, 'goes on'],
);

for (@commands) {
    my ($name, $in_mail, $octets, $reply, $then) = @$_;
    my $heard = news(sub {
        my $client = hello();
        $client->cmd('MAIL FROM:<alice@sender.example>') if $in_mail;
        $client->send($octets);
        my $got = $client->reply;
        like $got, $reply, "$name";
        if ($then eq 'closed') {
            ok $client->closed(seconds(2)), "$name: ... and closed";
        } elsif ($then eq 'goes on') {
            like $client->cmd('NOOP'), qr/^250/, "$name: ... and in step";
        }
        $client->close;
    });
    unlike $heard, qr/evil@|victim/, "$name: nothing forged goes upstream";
}
works('after all these commands');

# Addresses that some server would send elsewhere: they go nowhere, or they go
# upstream as they are; never to the second domain in them.
for my $address ('user%victim.example@public.example',
    'victim.example!user@public.example', '"user@victim.example"@public.example',
    '@public.example:user@victim.example', '|id@public.example',
    '/etc/passwd@public.example', ':include:/etc/passwd@public.example',
    '"fwd.x y"@public.example', 'fwd.@public.example',
    'FWD.shop@PUBLIC.EXAMPLE', 'xfwd.shop@public.example',
    'fwdxshop@public.example')
{
    my $heard = news(sub {
        my $client = hello();
        $client->cmd('MAIL FROM:<alice@sender.example>');
        my $reply = $client->cmd("RCPT TO:<$address>");
        like $reply, qr/^(?:250|5\d\d) /, "RCPT $address is answered";
        $client->cmd('RSET');
        $client->quit;
    });
    my @rcpt = $heard =~ /^RCPT TO:<(.*)>/mg;
    my $is_alias = $address =~ /^"?fwd\..*\@public\.example$/i;
    my $route = $address =~ /^@/;
    my @allowed = $is_alias ? 'me@private.example'
        : $route ? 'user@victim.example' : $address;
    is scalar(grep { my $r = $_; !grep { $_ eq $r } @allowed } @rcpt), 0,
        '... and goes where it says or nowhere' or diag $heard;
}

# Content
my @contents = (
    ['bare CR in a line',   "a\rb\r\n",     qr/^250/, qr/^a b\r$/m],
    ['bare LF in a line',   "a\nb\r\n",     qr/^550 5\.6\.0 /],
    ['NUL in a line',       "a\0b\r\n",     qr/^550 5\.6\.0 /],
    ['a line of 998',       'x' x 998 . "\r\n",    qr/^250/, qr/^x{998}\r$/m],
    ['a line of 65,536',    'x' x 65536 . "\r\n",  qr/^250/],
    ['a line of 1 MiB',     'x' x 1048576 . "\r\n", qr/^250/],
    ['8-bit octets',        "\xff\xfe\x80\r\n", qr/^250/, qr/^\xff\xfe\x80\r$/m],
    ['lines of dots',       ".\r\n..\r\n...\r\n", qr/^250/,
        qr/^\.\.\r\n\.\.\.\r\n\.\.\.\.\r\n/m],
);
for (@contents) {
    my ($name, $body, $reply, $upstream_has) = @$_;
    my $n = () = $upstream->committed;
    like hello()->transaction('alice@sender.example', 'bob@public.example',
        "Subject: x\r\n\r\n$body"), $reply, "content with $name";
    my @committed = $upstream->committed;
    is @committed - $n, $reply eq qr/^250/ ? 1 : 0, '... committed or not';
    next if @committed == $n;
    my $text = join '', @committed;
    ok index($text, Onward::Test::Client::stuff($body) =~ s/\r(?!\n)/ /gr) > 0,
        '... whole';
    like $text, $upstream_has, '... as it should be' if $upstream_has;
}
for (['nothing at all', ''], ['no header', "\r\nx\r\n"],
    ['a header only', "Subject: x\r\n"],
    ['no empty line', "this is no field\r\nat all\r\n"],
    ['an mbox From first', "From a\@b Tue\r\nSubject: x\r\n\r\nx\r\n"],
    ['two From', "From: a\@b.example\r\nFrom: c\@d.example\r\n\r\nx\r\n"])
{
    my ($name, $message) = @$_;
    for my $to ('bob@public.example', 'fwd.x@public.example') {
        like hello()->transaction('alice@sender.example', $to, $message),
            qr/^250 /, "$name, to $to";
    }
}
{
    my $received = "Received: from a by b; Tue, 24 Nov 2026 10:00:00 +0000\r\n";
    for ([50, qr/^250/], [51, qr/^554 5\.4\.6 /]) {
        like hello()->transaction('alice@sender.example',
            'fwd.x@public.example', $received x $_->[0] . "\r\nx\r\n"),
            $_->[1], "$_->[0] Received fields";
    }
    my $start = time;
    like hello()->transaction('alice@sender.example', 'fwd.x@public.example',
        "X-A: b\r\n" x 100_000 . "\r\nx\r\n"), qr/^(?:250|5\d\d|4\d\d) /,
        '100,000 fields';
    cmp_ok time - $start, '<', seconds(2), '... in 2 seconds';
}

# Quantity
{
    my $client = hello();
    $client->cmd('MAIL FROM:<alice@sender.example>');
    my @replies = map { $client->cmd("RCPT TO:<u$_\@public.example>") } 1 .. 51;
    is scalar(grep {/^250/} @replies), 50, '50 recipients are allowed';
    like $replies[-1], qr/^452 4\.5\.3 Error: too many recipients/, '51 not';
}
{
    my $client = hello();
    $client->send("NOOP\r\n" x 10_000);
    my $n = grep { $client->reply =~ /^250/ } 1 .. 10_000;
    is $n, 10_000, '10,000 NOOP in one go are all answered';
}
{
    my $client = hello();
    my ($n, $last) = (0);
    while ($n < 100 && ($last = $client->cmd('FOO')) =~ /^50/) { $n++ }
    cmp_ok $n, '<=', 20, 'errors have a limit';
    like $last, qr/^421 4\.7\.0 Error: too many errors/, '... and an end';
    ok $client->closed(seconds(2)), '... and it closes';
}
{
    # Who does not read replies is not read from either.
    my $client = hello();
    my $before = $onward->memory;
    my $sent   = 0;
    $client->{timeout} = 1;
    while ($sent < 64) {
        $client->send('NOOP ' . "\r\nNOOP" x 200_000 . "\r\n") or last;
        $sent++;
    }
    cmp_ok $onward->memory - $before, '<', 4096,
        'replies that nobody reads do not pile up'
        unless sanitized();
    cmp_ok $sent, '<', 64, '... since reading stops';
    $client->reset;
}

# Pipelining: one reply for each command, in order; DATA ends the group.
{
    my $client = hello();
    my @replies = $client->pipeline(@start);
    is join(' ', map { substr $_, 0, 3 } @replies), '250 250 354',
        'a pipelined envelope';
    # The next transaction comes in the segment of the dot.
    $client->send("$content.\r\n" . join '', map {"$_\r\n"} @start);
    is join(' ', map { substr $client->reply, 0, 3 } 1 .. 4),
        '250 250 250 354', '... the next one behind its dot';
    $client->send("$content.\r\nQUIT\r\n");
    is join(' ', map { substr $client->reply, 0, 3 } 1 .. 2), '250 221',
        '... and QUIT behind that';
}
{
    my $client = Onward::Test::Client->new($onward->port, greeting => 0);
    $client->send("EHLO early.example\r\n");
    like $client->reply, qr/^220 /, 'who speaks before the greeting is greeted';
    like $client->reply, qr/^250/, '... and answered';
}
for my $way (qw(close reset)) {
    my $client = Onward::Test::Client->new($onward->port, greeting => 0);
    $client->$way;
}
works('at last');
$onward->ends_well;
done_testing;
