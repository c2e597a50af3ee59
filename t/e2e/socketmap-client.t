# The socketmap client and servers that lie, drip, hang or die: each question
# has its answer or a 451 within the time, connections and memory are bounded,
# and the next question is well again.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::MapServer;
use Onward::Test::Upstream;

need qw(binary);

my $upstream = Onward::Test::Upstream->new;
my $trouble  = '451 4.3.0 Alias lookup failed';

sub with_map ($server) {
    return Onward::Test::Daemon->new(upstream => $upstream->port, key => '',
        local_domains => [qw(public.example private.example)],
        aliases =>
            "\"socketmap:inet:127.0.0.1:@{[$server->port]}:aliases\"")->start;
}

sub begin ($onward) {
    my $client = Onward::Test::Client->hello($onward->port);
    $client->cmd('MAIL FROM:<a@sender.example>');
    return $client;
}

sub rcpt ($onward, $local) {
    my $client = begin($onward);
    my $reply = $client->cmd("RCPT TO:<$local\@public.example>");
    $client->quit;
    return $reply;
}

sub asked ($server, $local) {
    return scalar grep {/ \Q$local\E@/} $server->asked;
}

subtest 'servers that lie' => sub {
    my %says = (
        'unasked'     => '3:OK ,' . '11:OK x@b.test,',
        'twice'       => '11:OK x@b.test,' . '11:OK y@b.test,',
        'short'       => '5:OK x@b.test,',
        'long'        => '50:OK x@b.test,',
        'endless'     => '99999999:',
        'zeros'       => '00011:OK x@b.test,',
        'negative'    => '-11:OK x@b.test,',
        'over'        => '100001:OK ' . 'x' x 99998 . ',',
        'no value'    => '3:OK ,',
        'no status'   => '0:,',
        'no address'  => '12:OK not one x,',
        'a command'   => '13:OK |/bin/sh x,',
        'an include'  => '21:OK :include:/etc/pass,',
        'controls'    => "14:OK x\@b.test\r\nQ,",
        'lower case'  => '11:ok x@b.test,',
        'nul'         => "12:OK x\@b.test\0,",
    );
    my $server = Onward::Test::MapServer->new(sub ($query, $socket) {
        my ($what) = $query =~ / ([a-z.]+)\d*@/ or return 'NOTFOUND ';
        my ($name) = grep { tr/ /./r eq $what } keys %says;
        return 'OK me@private.example' if $what eq 'good';
        return 'NOTFOUND ' if !$name;
        syswrite $socket, $says{$name};
        sysread $socket, my $rest, 1; # until it is closed, or asks again
        return;
    });
    my $onward = with_map($server);
    my $count  = 0;
    for my $name (sort keys %says) {
        my $before = time;
        like(rcpt($onward, $name =~ tr/ /./r), qr/^451 4\.3\.0 /, $name);
        cmp_ok(time() - $before, '<', seconds(4), '... in time');
        like(rcpt($onward, 'good' . ++$count), qr/^250/,
            '... and well after it');
    }
    $onward->ends_well;
};

subtest 'servers that are slow' => sub {
    my $server = Onward::Test::MapServer->new(sub ($query, $socket) {
        return 'NOTFOUND ' unless $query =~ / drip/;
        for my $octet (split //, '11:OK x@b.test') {
            syswrite $socket, $octet;
            sleep 0.3;
        }
        return;
    });
    my $onward = with_map($server);
    my $before = time;
    is(rcpt($onward, 'drip'), $trouble, 'an octet now and then');
    my $took = time() - $before;
    cmp_ok($took, '>', 1.9, '... has its two seconds');
    cmp_ok($took, '<', seconds(2.6), '... and no more');
    $onward->ends_well;
};

subtest 'many questions at once' => sub {
    my $server = Onward::Test::MapServer->new(sub ($query, $socket) {
        sleep 0.2;
        return $query =~ / m\d/ ? 'OK me@private.example' : 'NOTFOUND ';
    });
    my $onward = with_map($server);
    my @clients = map { begin($onward) } 1 .. 20;
    my $before = time;
    $clients[$_]->send("RCPT TO:<m$_\@public.example>\r\n") for 0 .. 19;
    my @replies = map { $_->reply } @clients;
    my $took = time() - $before;
    is(scalar(grep {/^250/} @replies), 20, 'all are answered');
    my %connections = map { (split / /)[0] => 1 } $server->asked;
    is(scalar keys %connections, 4, '... over four connections');
    cmp_ok($took, '>', 0.9, '... one at a time on each');
    $_->close for @clients;

    # Twice as slow as can be answered for all: some get 451, none hangs.
    @clients = map { begin($onward) } 1 .. 60;
    $before = time;
    $clients[$_]->send("RCPT TO:<m1$_\@public.example>\r\n") for 0 .. 59;
    @replies = map { $_->reply } @clients;
    $took = time() - $before;
    is(scalar(grep {/^(?:250|\Q$trouble\E)/} @replies), 60,
        'too many: an answer or 451');
    cmp_ok(scalar(grep {/^250/} @replies), '>', 10, '... many an answer');
    cmp_ok($took, '<', seconds(3.5), '... in time');
    $_->close for @clients;
    like(rcpt($onward, 'm200'), qr/^250/, 'and well after it');
    $onward->ends_well;
};

subtest 'what is remembered' => sub {
    my $dir = scratch('remembered');
    my $server = Onward::Test::MapServer->new(sub ($query, $socket) {
        return 'OK ' . 'x' x 900 . '@private.example' if $query =~ / long/;
        return -e "$dir/there" ? 'OK me@private.example' : 'NOTFOUND ';
    });
    my $onward = with_map($server);
    rcpt($onward, 'late') for 1 .. 3;
    is(asked($server, 'late'), 1, 'that it was not there');
    spew("$dir/there", '');
    my $before = time;
    ok(wait_until(seconds(8), sub { rcpt($onward, 'late');
            asked($server, 'late') > 1 }), '... for a while');
    cmp_ok(time() - $before, '>', 3, '... of some seconds');
    rcpt($onward, 'late') for 1 .. 3;
    is(asked($server, 'late'), 2, 'that it was there');

    # More than is kept: 10,000 answers, 4 MiB.
    plan skip_all => 'memory of a sanitized build says nothing' if sanitized();
    my $client = begin($onward);
    my $ask = sub ($prefix, $n) {
        for my $at (map { 500 * $_ } 0 .. $n / 500 - 1) {
            $client->cmd('RSET');
            $client->cmd('MAIL FROM:<a@sender.example>');
            $client->pipeline(map {"RCPT TO:<$prefix$_\@public.example>"}
                $at .. $at + 499);
        }
    };
    $ask->('first', 1000);
    my $few = $onward->memory;
    $ask->('k', $ENV{ONWARD_TEST_ALL} ? 30_000 : 10_500);
    my $many = $onward->memory;
    note "$few KiB after 1,000 questions, $many KiB after all";
    cmp_ok($many - $few, '<', 16 * 1024, 'memory is bounded');
    my $was = asked($server, 'first7');
    rcpt($onward, 'first7');
    is(asked($server, 'first7'), $was + 1, 'the oldest was forgotten');
    $client->close;
    $onward->ends_well;
};

subtest 'a server that is not there' => sub {
    my $server = Onward::Test::MapServer->new(
        sub ($query, $socket) { return 'NOTFOUND ' }, autostart => 0,
        port => free_port());
    my $onward = with_map($server);
    my $before = time;
    is(rcpt($onward, 'x'), $trouble, 'refused: 451');
    cmp_ok(time() - $before, '<', seconds(1.5), '... at once');
    $server->start;
    like(rcpt($onward, 'x'), qr/^250/, 'it came');
    $onward->ends_well;
};

done_testing;
