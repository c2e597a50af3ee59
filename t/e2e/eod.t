# Where does a message end? Every spelling that some server takes for the end
# of data, with a forged transaction behind it, through a real Postfix on both
# sides and straight at Onward: one message at most, never the forged one. The
# Postfix behind is as it ships: it would believe most of them. All of it is
# forwarded, so each message that comes out bears our signature, which holds.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Postfix;
use Onward::Test::Sink;
use Onward::Test::Verify;

need qw(binary root postfix Mail::DKIM);

my $back   = free_port();
my $sink   = Onward::Test::Sink->new;
my $onward = Onward::Test::Daemon->new(
    upstream => $back,
    aliases  => join(', ', map {
        "{ match = \"$_*\@public.example\";"
            . " to = ( \"$_\$1\@private.example\" ); }"
    } qw(front straight)),
)->start;
my $postfix = Onward::Test::Postfix->new(
    sink   => $sink->port,
    fronts => { front => $onward->port },
    backs  => { back => 'default' },
    ports  => { back => $back },
)->start;

# What stands between the outer content and the forged transaction; what
# becomes of the outer message through the front (which makes CRLF of a bare
# LF) and straight at Onward (which refuses it): "one" or "none".
my @spellings = (
    ['LF . LF',                 "\n.\n",             'one',  'none'],
    ['LF . CR LF',              "\n.\r\n",           'one',  'none'],
    ['CR LF . LF',              "\r\n.\n",           'one',  'none'],
    ['CR . CR',                 "\r.\r",             'one',  'one'],
    ['CR . CR LF',              "\r.\r\n",           'one',  'one'],
    ['CR . LF',                 "\r.\n",             'one',  'none'],
    ['LF . CR',                 "\n.\r",             'one',  'none'],
    ['CR LF . CR',              "\r\n.\r",           'one',  'one'],
    ['LF LF . CR LF',           "\n\n.\r\n",         'one',  'none'],
    ['LF LF . LF LF',           "\n\n.\n\n",         'one',  'none'],
    ['CR LF . CR CR LF',        "\r\n.\r\r\n",       'one',  'one'],
    ['CR LF . CR CR CR LF',     "\r\n.\r\r\r\n",     'one',  'one'],
    ['CR CR LF . CR CR LF',     "\r\r\n.\r\r\n",     'one',  'one'],
    ['CR LF CR . CR LF',        "\r\n\r.\r\n",       'one',  'one'],
    ['CR LF CR . CR CR LF',     "\r\n\r.\r\r\n",     'one',  'one'],
    ['CR LF . CR . CR LF',      "\r\n.\r.\r\n",      'one',  'one'],
    ['CR LF . CR blank CR LF', "\r\n.\r \r\n",      'one',  'one'],
    ['CR LF . NUL CR LF',       "\r\n.\0\r\n",       'none', 'none'],
    ['CR LF NUL . CR LF',       "\r\n\0.\r\n",       'none', 'none'],
    ['CR LF . CR NUL LF',       "\r\n.\r\0\n",       'none', 'none'],
    ['CR NUL LF . CR LF',       "\r\0\n.\r\n",       'none', 'none'],
    ['CR LF . blank CR LF',     "\r\n. \r\n",        'one',  'one'],
    ['CR LF blank . CR LF',     "\r\n .\r\n",        'one',  'one'],
    ['CR LF . TAB CR LF',       "\r\n.\t\r\n",       'one',  'one'],
    ['CR LF . VT CR LF',        "\r\n.\x0b\r\n",     'one',  'one'],
    ['CR LF . FF CR LF',        "\r\n.\x0c\r\n",     'one',  'one'],
    ['CR LF . NEL CR LF',       "\r\n.\xc2\x85\r\n", 'one',  'one'],
    ['CR LF . LS CR LF',     "\r\n.\xe2\x80\xa8\r\n", 'one', 'one'],
    ['CR LF full width dot',    "\r\n\xef\xbc\x8e\r\n", 'one', 'one'],
    ['CR LF . . CR LF',         "\r\n..\r\n",        'one',  'one'],
    ['CR LF . x CR LF',         "\r\n.x\r\n",        'one',  'one'],
    ['CR LF . . CR CR LF',      "\r\n..\r\r\n",      'one',  'one'],
    ['LF CR . LF CR',           "\n\r.\n\r",         'one',  'none'],
    ['CR CR . CR CR',           "\r\r.\r\r",         'one',  'one'],
);

sub forged ($n) {
    return join "\r\n", 'MAIL FROM:<evil@smuggled.example>',
        "RCPT TO:<victim$n\@local.example>", 'DATA',
        "From: ceo\@local.example", '', 'pay now', '.', '';
}

# Sends one of them; the reply to the final dot.
sub attack ($port, $way, $n, $sequence) {
    my $client = Onward::Test::Client->hello($port);
    $client->pipeline('MAIL FROM:<stranger@sender.example>');
    $client->pipeline("RCPT TO:<$way$n\@public.example>");
    $client->cmd('DATA') =~ /^354/ or return 'no 354';
    $client->send("From: stranger\@sender.example\r\nDate: now\r\n\r\nouter"
            . $sequence
            . forged($n));
    my $reply = $client->reply;
    # Nothing else was executed: QUIT is the next command that is answered.
    my $bye = $client->cmd('QUIT');
    return $bye =~ /^221/ ? $reply : "$reply, then: $bye";
}

my %reply;
for my $n (keys @spellings) {
    my $sequence = $spellings[$n][1];
    $reply{"front$n"}  = attack($postfix->port('front'), 'front', $n,
        $sequence);
    $reply{"straight$n"} = attack($onward->port, 'straight', $n, $sequence);
}

# All that was accepted has to come out before anything can be said of what
# does not.
my $accepted = grep {/^250/} values %reply;
$sink->wait_for($accepted);
ok $postfix->drained, 'the queue is empty';
my %to;
for my $message ($sink->messages) {
    push @{ $to{ $_ =~ s/@.*//r } }, $message for @{ $message->{to} };
}
is_deeply [grep {/^victim/} sort keys %to], [],
    'not one forged message came out';

for my $n (keys @spellings) {
    my ($name, $sequence, $front, $straight) = @{ $spellings[$n] };
    for ([front => $front, 'through Postfix'],
        [straight => $straight, 'straight']) {
        my ($way, $expected, $how) = @$_;
        my $is    = $reply{"$way$n"};
        my @out   = @{ $to{"$way$n"} // [] };
        my $data  = @out ? $out[0]{data}->() : '';
        my $whole = $data =~ /outer.*MAIL FROM:<evil.*^pay now\r\n\z/ms;
        if ($expected eq 'one') {
            ok $is =~ /\A250 [^\n]*\z/ && @out == 1 && $whole,
                "$name, $how: one message, and all of it"
                or diag "reply: $is; ", scalar @out, " messages\n", $data;
        } else {
            ok $is =~ /\A550 5\.6\.0 [^\n]*\z/ && @out == 0,
                "$name, $how: refused, 550 5.6.0"
                or diag "reply: $is; ", scalar @out, " messages\n", $data;
        }
        next if !@out;
        ok $data !~ /\r(?!\n)|(?<!\r)\n|\0/, "$name, $how: nothing bare";
        is_deeply [map {"$_->{domain} $_->{result}"}
                mail_dkim($data, $onward->dns)],
            ['srs.public.example pass'], "$name, $how: our signature holds";
    }
}

# The genuine end, wherever the octets are cut.
sub ends_at ($name, @pieces) {
    my $client = Onward::Test::Client->hello($onward->port);
    $client->cmd('MAIL FROM:<a@sender.example>');
    $client->cmd('RCPT TO:<bob@public.example>');
    $client->cmd('DATA');
    for my $piece (@pieces) {
        $client->send($piece);
        # Only separate segments are a cut.
        select undef, undef, undef, 0.003 if @pieces > 1;
    }
    my $reply = $client->reply;
    like $reply, qr/^250 /, "$name: the message ends";
    like $client->quit, qr/^221/, "$name: in step";
}

ends_at('one octet a segment', split //, "From: a\@b\r\n\r\nx\r\n..\r\n.\r\n");
ends_at("cut after octet $_ of the end",
    "From: a\@b\r\n\r\nx" . substr("\r\n.\r\n", 0, $_),
    substr("\r\n.\r\n", $_))
    for 1 .. 4;
for my $boundary (4096, 8192, 16384, 32768, 65536) {
    for my $off (-2 .. 2) {
        my $header = "From: a\@b\r\n\r\n";
        my $fill = $boundary + $off - length $header;
        ends_at("end at $boundary " . sprintf('%+d', $off),
            $header . 'x' x $fill . "\r\n.\r\n");
    }
}

$onward->ends_well;
done_testing;
