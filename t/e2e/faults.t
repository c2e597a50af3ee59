# Upstream misbehaves at every step, and the client leaves at the wrong moment:
# nothing is acknowledged that was not committed, nothing is committed that was
# not whole, and the next session works.

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

my $port   = free_port();
my $onward = Onward::Test::Daemon->new(
    upstream          => $port,
    upstream_settings => 'connect_timeout = "1s"; reply_timeout = "2s";'
        . ' idle_timeout = "0s";',
    aliases => '{ match = "fwd.*@public.example"; to = '
        . '( "me@private.example" ); },'
        . '{ match = "two@public.example"; to = '
        . '( "one@private.example", "other@private.example" ); }',
)->start;

my $message = "From: alice\@sender.example\r\nSubject: fault\r\n\r\n"
    . "first line\r\n" . "x" x 70 . "\r\nlast line\r\n";

# One session; the reply to each command, as far as it got. A refused RCPT is
# followed by DATA all the same.
sub talk (@to) {
    @to = 'bob@public.example' if !@to;
    my $client = Onward::Test::Client->hello($onward->port);
    $client->cmd('XFORWARD NAME=mail.sender.example ADDR=192.0.2.7'
            . ' PROTO=ESMTP SOURCE=LOCAL');
    my %said = (mail => $client->cmd('MAIL FROM:<alice@sender.example>'));
    $said{rcpt} = join '|', map { $client->cmd("RCPT TO:<$_>") } @to;
    $said{data} = $client->cmd('DATA');
    $said{dot} = $client->content($message) if $said{data} =~ /^354/;
    $said{quit} = $client->cmd('QUIT');
    return \%said;
}

sub upstream (%steps) {
    return Onward::Test::Upstream->new(port => $port, %steps);
}

# A fault, what the client must be told at which command, and how many
# messages upstream has committed (0 unless said).
sub fault ($name, $steps, $expected, %opt) {
    my $upstream = $steps ? upstream(%$steps) : undef;
    my $start    = time;
    my $said     = talk(@{ $opt{to} // [] });
    my $ok       = 1;
    subtest $name => sub {
        for my $command (qw(rcpt data dot)) {
            my $pattern = $expected->{$command} // next;
            $ok &= like $said->{$command} // '(not sent)', $pattern,
                uc $command;
        }
        $ok &= unlike $said->{dot} // '', qr/^2/, 'nothing is acknowledged'
            unless ($expected->{dot} // '') =~ /250/;
        $ok &= like $said->{quit}, qr/^221/, 'the session is in step';
        my @committed = $upstream ? $upstream->committed : ();
        $ok &= is scalar @committed, $opt{committed} // 0,
            'messages committed';
        $ok &= cmp_ok time - $start, '<', seconds(8), 'in time';
        diag explain $said, $upstream ? $upstream->received(0) : ''
            unless $ok;
        $opt{more}->($upstream) if $opt{more};
    };
    $upstream->stop if $upstream;
}

my $gone   = sub ($server, $with, $line) { $with->drop };
my $reset  = sub ($server, $with, $line) { $with->reset };
my $silent = sub ($server, $with, $line) { $with->hang };
my $down = qr/^451 4\.4\.1 /;
my $lost = qr/^451 4\.4\.2 /;
my $odd  = qr/^451 4\.5\.0 /;
# Without a recipient there is no DATA, whatever was the matter.
my $none = qr/^(?:554 5\.5\.1|451) /;
my $any  = qr/^451 4\.(?:4\.[12]|5\.0) /;

# Without a fault, so that the rest means something.
fault 'no fault', {}, { rcpt => qr/^250/, dot => qr/^250 .*queued as UP/ },
    committed => 1;

# Before the envelope
fault 'nobody listens', undef, { rcpt => $down };
fault 'greeting: 554', { CONNECT => '554 no' }, { rcpt => $any };
fault 'greeting: 421', { CONNECT => '421 later' }, { rcpt => $any };
fault 'greeting: garbage', { CONNECT => 'hello there' }, { rcpt => $any };
fault 'greeting: closed', { CONNECT => $gone }, { rcpt => $any };
fault 'greeting: silence', { CONNECT => $silent }, { rcpt => $any };
fault 'greeting: a flood without an end of line',
    { CONNECT => sub ($server, $with, $line) {
        $with->say_raw('220 ' . 'x' x 1_000_000) for 1 .. 20;
        $with->hang;
    } },
    { rcpt => $any };
fault 'EHLO: 502, so HELO', { EHLO => '502 what' },
    { rcpt => qr/^250/, dot => qr/^250 .*queued as UP/ }, committed => 1;
fault 'EHLO: 502, HELO: 502', { EHLO => '502 what', HELO => '502 what' },
    { rcpt => $any };
fault 'EHLO: 421', { EHLO => '421 later' }, { rcpt => $any };
fault 'EHLO: lost', { EHLO => $gone }, { rcpt => $any };
fault 'EHLO: a reply without end',
    { EHLO => sub ($server, $with, $line) {
        $with->say_raw("250-X\r\n" x 100) for 1 .. 1000;
        $with->hang;
    } },
    { rcpt => $any };

# The envelope
fault 'XFORWARD: refused, mail goes on', { XFORWARD => '550 not you' },
    { rcpt => qr/^250/, dot => qr/^250 .*queued as UP/ }, committed => 1;
fault 'MAIL: 550 is the reply to RCPT', { MAIL => '550 5.7.1 not him' },
    { rcpt => qr/^550 5\.7\.1 not him$/, data => $none };
fault 'MAIL: 451 is the reply to RCPT', { MAIL => '451 4.3.0 later' },
    { rcpt => qr/^451 4\.3\.0 later$/, data => $none };
fault 'MAIL: reset', { MAIL => $reset }, { rcpt => $lost, data => $none };
fault 'RCPT: 550', { RCPT => '550 5.1.1 nobody' },
    { rcpt => qr/^550 5\.1\.1 nobody$/, data => qr/^554 5\.5\.1 / };
fault 'RCPT: a reply of three lines',
    { RCPT => "550-5.1.1 no\r\n550-5.1.1 body\r\n550 5.1.1 here" },
    { rcpt => qr/\A550-5\.1\.1 no\n550-5\.1\.1 body\n550 5\.1\.1 here\z/ };
fault 'RCPT: control characters in the reply',
    { RCPT => "550 5.1.1 \e[31mred\x7f\x01" },
    { rcpt => qr/\A550 5\.1\.1 [ -~]*\z/ };
fault 'RCPT: two codes in one reply', { RCPT => "250-ok\r\n550 no" },
    { rcpt => $odd, data => $none };
fault 'RCPT: garbage', { RCPT => 'fine with me' },
    { rcpt => $odd, data => $none };
fault 'RCPT: 354', { RCPT => '354 go' }, { rcpt => $odd, data => $none };
fault 'RCPT: 421 is not for our client', { RCPT => '421 4.3.2 bye' },
    { rcpt => qr/^451 /, data => $none };
fault 'RCPT: lost', { RCPT => $gone }, { rcpt => $lost, data => $none };
fault 'RCPT: silence', { RCPT => $silent }, { rcpt => $lost, data => $none };
fault 'RCPT: lost at the second; the first still gets all of it',
    { RCPT => sub ($server, $with, $line) {
        $line =~ /carol/ ? $with->drop : '250 2.1.5 Ok';
    } },
    {   rcpt => qr/^250.*\|451 4\.4\.2 /,
        dot  => qr/^250 .*queued as UP/,
    },
    to        => ['bob@public.example', 'carol@public.example'],
    committed => 1,
    more      => sub ($upstream) {
        my ($message) = $upstream->committed;
        is_deeply [$message =~ /^RCPT TO:<(.*?)>/mg], ['bob@public.example'],
            '... in one transaction, and who was refused gets nothing';
    };

# One alias, two targets
fault 'one target of an alias is refused: the alias is',
    { RCPT => sub ($server, $with, $line) {
        $line =~ /other/ ? '550 5.1.1 no other' : '250 2.1.5 Ok';
    } },
    {   rcpt => qr/^550 5\.1\.1 no other\|250/,
        dot  => qr/^250 .*queued as UP/,
    },
    to        => ['two@public.example', 'fwd.x@public.example'],
    committed => 1,
    more      => sub ($upstream) {
        my ($message) = $upstream->committed;
        is_deeply [map {lc} $message =~ /^RCPT TO:<(.*?)>/mg],
            ['me@private.example'],
            '... and nobody gets what its other target would have got';
    };

# Content
fault 'DATA: 554', { DATA => '554 5.7.1 no mail today' },
    { data => qr/^354/, dot => qr/^554 5\.7\.1 no mail today$/ };
fault 'DATA: 451', { DATA => '451 4.3.0 later' },
    { dot => qr/^451 4\.3\.0 later$/ };
fault 'DATA: 250', { DATA => '250 what now' }, { dot => qr/^451 / };
fault 'DATA: lost', { DATA => $gone }, { dot => $lost };
fault 'DATA: silence', { DATA => $silent }, { dot => $lost };
fault 'dies in mid-content',
    { DATA => sub ($server, $with, $line) {
        $with->say_raw("354 go on\r\n");
        $with->more;
        $with->reset;
    } },
    { dot => $lost };
fault 'speaks before it has all of it',
    { DATA => "354 go on\r\n250 2.0.0 Ok: queued as TOOSOON\r\n" },
    { dot => qr/^4/ };

# The final dot
fault 'dot: 554', { DOT => '554 5.7.1 spam' },
    { dot => qr/^554 5\.7\.1 spam$/ };
fault 'dot: 451', { DOT => '451 4.3.0 queue full' },
    { dot => qr/^451 4\.3\.0 queue full$/ };
fault 'dot: 250 in three lines',
    { DOT => "250-2.0.0 one\r\n250-2.0.0 two\r\n250 2.0.0 queued as UP" },
    { dot => qr/\A250-2\.0\.0 one\n250-2\.0\.0 two\n250 2\.0\.0 queued as UP/ },
    committed => 1;
fault 'dot: an octet at a time',
    { DOT => sub ($server, $with, $line) {
        $with->commit;
        $with->drip("250-2.0.0 slow\r\n250 2.0.0 queued as UP\r\n", 0.01);
    } },
    { dot => qr/\A250-2\.0\.0 slow\n250 2\.0\.0 queued as UP/ },
    committed => 1;
fault 'dot: silence', { DOT => $silent }, { dot => $lost };
fault 'dot: closed', { DOT => $gone }, { dot => $lost };
fault 'dot: reset', { DOT => $reset }, { dot => $lost };
for my $half ('2', '250', '250 2.0.0 Ok: queued as HALF', "250 2.0.0 Ok\r",
    "250-2.0.0 Ok\r\n", "250-2.0.0 Ok\r\n250")
{
    my $name = $half =~ s/\r/\\r/gr =~ s/\n/\\n/gr;
    fault "dot: '$name' and closed",
        { DOT => sub ($server, $with, $line) {
            $with->say_raw($half);
            $with->drop;
        } },
        { dot => $lost };
}
fault "dot: $_", { DOT => $_ }, { dot => qr/^451 / }
    for '199 x', '354 more', '999 x', '2500 x', '25 x', 'Ok', '',
    "250-Ok\r\n550 no", "550-no\r\n250 Ok";
fault 'dot: 421', { DOT => '421 4.3.2 bye' }, { dot => qr/^4/ };
fault 'dot: committed, and lost before it said so',
    { DOT => sub ($server, $with, $line) { $with->commit; $with->drop } },
    { dot => $lost }, committed => 1;

# Two upstream transactions
my @both = ('fwd.x@public.example', 'bob@public.example');
my $leaves = sub ($with) { "@{ $with->{envelope} }" =~ /me\@private/ };
my $nth = sub ($n, $reply) {
    # Which of the two final dots comes first is ours to say.
    my $count = scratch('dots');
    return sub ($server, $with, $line) {
        my $dots = () = glob "$count/*";
        spew("$count/$dots", '');
        return $reply if $dots == $n;
        $with->commit;
        return '250 2.0.0 Ok: queued as UP' . $dots;
    };
};
fault 'two transactions: both accepted', {},
    { rcpt => qr/^250.*\|250/, dot => qr/^250 .*queued as UP/ },
    to => \@both, committed => 2;
fault 'two transactions: the first is refused, none is accepted',
    { DOT => $nth->(0, '554 5.7.1 no') }, { dot => qr/^554 5\.7\.1 no$/ },
    to => \@both;
fault 'two transactions: the second is refused, the client must retry',
    { DOT => $nth->(1, '554 5.7.1 no') },
    { dot => qr/^451 4\.4\.2 Partly delivered/ },
    to => \@both, committed => 1;

# The client leaves
sub leaves ($name, $how, %steps) {
    my $upstream = upstream(%steps);
    subtest $name => sub {
        my $client = Onward::Test::Client->hello($onward->port);
        $client->cmd('MAIL FROM:<alice@sender.example>');
        like $client->cmd('RCPT TO:<bob@public.example>'), qr/^250/, 'RCPT';
        like $client->cmd('DATA'), qr/^354/, 'DATA';
        $how->($client);
        # Upstream is let go, and never got a dot.
        sleep 0.7;
        is scalar $upstream->committed, 0, 'nothing is committed';
        unlike $upstream->received(0), qr/\r\n\.\r\n/, 'no dot went upstream';
    };
    $upstream->stop;
}
my $slow_354 = sub ($server, $with, $line) { sleep 0.4; '354 go on' };

leaves 'reset in mid-content', sub ($client) {
    $client->send("Subject: half\r\n\r\nhal");
    $client->reset;
};
leaves 'closed in mid-content', sub ($client) {
    $client->send("Subject: half\r\n\r\nhalf\r\n");
    $client->close;
};
leaves 'a front that gives up: QUIT glued to half a line', sub ($client) {
    $client->send("Subject: half\r\n\r\nhalQUIT\r\n");
    $client->close;
};
leaves 'half closed in mid-content', sub ($client) {
    $client->send("Subject: half\r\n\r\nhalf\r\n.");
    $client->half_close;
};
leaves 'reset after its dot, before ours', sub ($client) {
    $client->send("$message.\r\n");
    sleep 0.1;
    $client->reset;
}, DATA => $slow_354;
leaves 'closed after its dot, before ours', sub ($client) {
    $client->send("$message.\r\n");
    sleep 0.1;
    $client->close;
}, DATA => $slow_354;

# After our dot the message is upstream's: the log says what became of it.
{
    my $upstream = upstream(DOT => sub ($server, $with, $line) {
        $with->commit;
        sleep 0.4;
        return '250 2.0.0 Ok: queued as LATE';
    });
    my $client = Onward::Test::Client->hello($onward->port);
    $client->cmd($_) for 'MAIL FROM:<alice@sender.example>',
        'RCPT TO:<bob@public.example>', 'DATA';
    $client->send("$message.\r\n");
    wait_until(seconds(5), sub { $upstream->committed });
    $client->reset;
    ok $onward->logged('queued as LATE'),
        'gone after our dot: logged with the queue id';
    is scalar $upstream->committed, 1, '... and there is one message';
    $upstream->stop;
}

fault 'after all that', {}, { dot => qr/^250 .*queued as UP/ },
    committed => 1;
$onward->ends_well;
done_testing;
