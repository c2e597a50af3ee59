# Tables that are files are watched; a socketmap is asked, remembered, and its
# trouble is 451.

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

sub rcpt ($onward, $rcpt) {
    my $client = Onward::Test::Client->hello($onward->port);
    $client->cmd('MAIL FROM:<a@sender.example>');
    my $reply = $client->cmd("RCPT TO:<$rcpt>");
    $client->quit;
    return $reply unless $reply =~ /^250/;
    my @rcpts = $upstream->received(0) =~ /^RCPT TO:<([^>]*)>/mg;
    return $rcpts[-1];
}

subtest 'cdb' => sub {
    plan skip_all => 'needs postmap with cdb'
        unless Onward::Test::find_program('postmap')
        && { postfix_tables() }->{cdb};
    my $dir = scratch('tables');
    my $build = sub ($text) {
        spew("$dir/aliases", $text);
        neutral_postfix();
        is(system('postmap', "cdb:$dir/aliases"), 0, 'postmap');
    };
    $build->("one\@public.example me\@private.example\n");
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        local_domains => [qw(public.example private.example)],
        aliases => "\"cdb:$dir/aliases\"")->start;
    is(rcpt($onward, 'one@public.example'), 'me@private.example', 'found');
    $build->("one\@public.example you\@private.example\n");
    ok(wait_until(seconds(5), sub {
            rcpt($onward, 'one@public.example') eq 'you@private.example' }),
        'a new file is found without SIGHUP');

    # Damaged where it lies: the header is whole, what it points to is not. Not
    # one alias may pass as an address of its own.
    my $size = -s "$dir/aliases.cdb";
    open my $cdb, '+<:raw', "$dir/aliases.cdb" or die "$dir/aliases.cdb: $!";
    seek $cdb, 2048, 0;
    print $cdb "\xff" x ($size - 2048);
    close $cdb;
    like(rcpt($onward, 'one@public.example'), qr/^451 4\.3\.0 /,
        'a damaged file is 451');
    $build->("one\@public.example me\@private.example\n");
    ok(wait_until(seconds(5), sub {
            rcpt($onward, 'one@public.example') eq 'me@private.example' }),
        'and the next good one is taken');
    $onward->ends_well;
};

# LMDB's own library would have ended the process with SIGBUS.
subtest 'lmdb' => sub {
    my $dir = scratch('tables');
    my $build = sub ($to) {
        spew("$dir/aliases", join '', map
            {"u$_\@public.example $to\@private.example\n"} 1 .. 5000);
        run_out(binary(), qw(map build), "lmdb:$dir/aliases", "$dir/aliases");
        is($?, 0, 'map build');
    };
    $build->('me');
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        local_domains => [qw(public.example private.example)],
        aliases => "\"lmdb:$dir/aliases\"")->start;
    is(rcpt($onward, 'u77@public.example'), 'me@private.example', 'found');
    is(rcpt($onward, 'x@public.example'), 'x@public.example', 'not there');
    truncate "$dir/aliases.lmdb", 3 * 4096 or die $!;
    like(rcpt($onward, 'u77@public.example'), qr/^451 4\.3\.0 /,
        'cut under the daemon: 451');
    truncate "$dir/aliases.lmdb", 0 or die $!;
    like(rcpt($onward, 'x@public.example'), qr/^451 4\.3\.0 /,
        'to nothing: 451');
    $build->('you');
    ok(wait_until(seconds(5), sub {
            rcpt($onward, 'u77@public.example') eq 'you@private.example' }),
        'and the next good one is taken');
    $onward->ends_well;
};

sub with_map ($server, %more) {
    return Onward::Test::Daemon->new(upstream => $upstream->port,
        local_domains => [qw(public.example private.example)],
        aliases =>
            "\"socketmap:inet:127.0.0.1:@{[$server->port]}:aliases\"",
        %more)->start;
}

subtest 'socketmap' => sub {
    my $server = Onward::Test::MapServer->new(sub ($query, $socket) {
        return 'OK me@private.example' if $query =~ / found@/;
        return 'TEMP the database is away' if $query =~ / temp@/;
        return 'PERM go away'              if $query =~ / perm@/;
        return 'TIMEOUT'                   if $query =~ / timeout@/;
        return 'gibberish'                 if $query =~ / gibberish@/;
        return undef                       if $query =~ / close@/;
        if ($query =~ / raw@/) {
            syswrite $socket, 'no netstring at all';
            return undef;
        }
        if ($query =~ / slow@/) {
            sleep 5;
            return 'OK me@private.example';
        }
        return 'NOTFOUND ';
    });
    my $onward = with_map($server);
    is(rcpt($onward, 'found@public.example'), 'me@private.example', 'OK');
    is(rcpt($onward, 'bob@public.example'), 'bob@public.example', 'NOTFOUND');
    for my $what (qw(temp perm timeout gibberish close raw)) {
        is(rcpt($onward, "$what\@public.example"),
            '451 4.3.0 Alias lookup failed', $what);
    }
    my $before = time;
    is(rcpt($onward, 'slow@public.example'), '451 4.3.0 Alias lookup failed',
        'no answer');
    my $took = time() - $before;
    cmp_ok($took, '>', 1.9, '... is waited for two seconds');
    cmp_ok($took, '<', seconds(2.5), '... and no longer');
    is(rcpt($onward, 'found@public.example'), 'me@private.example',
        'it goes on after that');
    is(scalar(grep {/ found@/} $server->asked), 1,
        'what was found is remembered');
    is(scalar(grep {/ temp@/} $server->asked), 1, 'trouble was asked once');
    rcpt($onward, 'temp@public.example');
    is(scalar(grep {/ temp@/} $server->asked), 2, '... and is not remembered');
    ok($onward->logged(qr/socketmap inet:\S+: TEMP the database is away/),
        'the log says what it said');

    kill HUP => $onward->pid;
    ok($onward->logged(qr/reloaded/), 'reloaded');
    rcpt($onward, 'found@public.example');
    is(scalar(grep {/ found@/} $server->asked), 2,
        'a reload forgets what was remembered');
    $onward->ends_well;
};

subtest 'many ask the same' => sub {
    my $server = Onward::Test::MapServer->new(sub ($query, $socket) {
        sleep 1;
        return $query =~ /many@/ ? 'OK me@private.example' : 'NOTFOUND ';
    });
    my $onward = with_map($server);
    my @clients = map { Onward::Test::Client->hello($onward->port) } 1 .. 20;
    $_->cmd('MAIL FROM:<a@sender.example>') for @clients;
    $_->send("RCPT TO:<many\@public.example>\r\n") for @clients;
    my @replies = map { $_->reply } @clients;
    is(scalar(grep {/^250/} @replies), 20, 'all are answered');
    is(scalar(grep {/ many@/} $server->asked), 1, '... by one question');
    $_->close for @clients;
    $onward->ends_well;
};

subtest 'connections are kept, and one that is stale is replaced' => sub {
    my $server = Onward::Test::MapServer->new(sub ($query, $socket) { return 'NOTFOUND ' });
    my $onward = with_map($server);
    rcpt($onward, "u$_\@public.example") for 1 .. 5;
    my %connections = map { (split / /)[0] => 1 } $server->asked;
    is(scalar keys %connections, 1, 'one connection for all');
    $server->stop;
    $server->start;
    is(rcpt($onward, 'again@public.example'), 'again@public.example',
        'the server was restarted: nobody notices');
    $server->stop;
    is(rcpt($onward, 'gone@public.example'), '451 4.3.0 Alias lookup failed',
        'it is away: 451');
    $server->start;
    is(rcpt($onward, 'back@public.example'), 'back@public.example',
        'it is back');
    $onward->ends_well;
};

done_testing;
