# What is behind is slow, or comes and goes: one thread for all signatures, a
# disk that takes its time, a Postfix that is reloaded again and again. Mail
# waits, or is told to come again; nothing is lost, and nobody else waits.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Postfix;
use Onward::Test::Robust;
use Onward::Test::Sink;
use Onward::Test::Upstream;

need qw(binary);

my $all = $ENV{ONWARD_TEST_ALL};
my $message = "From: alice\@sender.example\r\nSubject: x\r\n\r\nx\r\n";

sub send_one ($client, $to = 'fwd.x@public.example') {
    return $client->transaction('alice@sender.example', $to, $message);
}

# RSA of 4096 bits takes the worker milliseconds, and fifty sessions want it.
subtest 'one thread signs for all' => sub {
    my $dir = scratch('slow');
    mkdir "$dir/$_", 0750 for 'dkim', 'dkim/srs.public.example';
    spew("$dir/dkim/srs.public.example/s2026.pem",
        slurp(top() . '/t/data/dkim/keys/rsa4096.pem'), 0640);
    my $count  = $all ? 1000 : sanitized() ? 60 : 150;
    my $back   = free_port();
    my $onward = Onward::Test::Daemon->new(upstream => $back, dir => $dir,
        under => [qw(env UV_THREADPOOL_SIZE=1)])->start;
    my $driver = Onward::Test::Robust->new(upstream => $back,
        onward => $onward->port, s => 50, n => $count, l => 20);
    my $other = Onward::Test::Client->hello($onward->port);
    $driver->go;
    my ($waited, $answers) = (0, 0);
    my $end = time + 1;
    while (time < $end) {
        my $from = time;
        $answers++ if $other->cmd('NOOP') =~ /^250 /;
        $waited = time - $from if time - $from > $waited;
    }
    my $book = $driver->book;
    $driver->holds('4096 bits');
    is $book->{accepted}, $count, "$count messages, each signed";
    is $book->{attempts}, $count, 'nobody had to come again';
    cmp_ok $answers, '>', 5, 'others are answered meanwhile';
    note sprintf '%d answers to another meanwhile, the slowest after %.1f ms; ',
        $answers, 1000 * $waited;
    note $driver->figures(qw(rate message_p50 message_max));
    $other->quit;
    $onward->ends_well;
};

# A disk that needs 150 ms for each write.
SKIP: {
    my $strace = Onward::Test::find_program('strace');
    skip 'a slow disk: needs strace, without AddressSanitizer', 1
        if !$strace || sanitized()
        || system("$strace -o /dev/null true 2>/dev/null") != 0;
    subtest 'a slow disk' => sub {
        my $upstream = Onward::Test::Upstream->new;
        my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
            settings => 'limits = { message_memory = "4K"; };')->start;
        my $out = scratch('strace') . '/out';
        my $pid = fork // die "fork: $!\n";
        if ($pid == 0) {
            open STDERR, '>', "$out.err";
            exec $strace, '-f', '-o', $out, '-e',
                'inject=pwrite64:delay_enter=150000', '-p', $onward->pid
                or POSIX::_exit(127);
        }
        wait_until(seconds(5), sub { -e "$out.err" && slurp("$out.err") =~ /attached/ });
        my @clients = map { Onward::Test::Client->hello($onward->port) } 1 .. 3;
        my $body = join '', map { sprintf "line %06d of it\r\n", $_ } 1 .. 20_000;
        my $large = "From: alice\@sender.example\r\n\r\n$body";
        for (@clients) {
            $_->pipeline('MAIL FROM:<alice@sender.example>',
                'RCPT TO:<fwd.x@public.example>', 'DATA');
            $_->send("$large.\r\n");
        }
        my @replies = map { $_->reply } @clients;
        is scalar(grep { !/^250 |^451 / } @replies), 0,
            'each is accepted or told to come again' or diag @replies;
        my $delayed = () = slurp($out) =~ /pwrite64\(.*DELAYED/g;
        cmp_ok $delayed, '>=', 3, "$delayed writes were slow";
        my @committed = $upstream->committed;
        is scalar @committed, scalar(grep {/^250 /} @replies),
            'what was accepted is upstream';
        is scalar(grep { index($_, $body) < 0 } @committed), 0, '... whole';
        kill TERM => $pid;
        waitpid $pid, 0;
        like send_one($clients[0]), qr/^250 /, 'afterwards it is as ever';
        $_->quit for @clients;
        $onward->ends_well;
    };
}

# Reloaded, its smtpd processes end when they have done what they do; what is
# kept open for the next message is closed at any moment.
SKIP: {
    skip 'a Postfix that is reloaded: needs root and Postfix', 1
        if $> != 0 || !Onward::Test::find_program('postconf');
    subtest 'a Postfix that is reloaded' => sub {
        my $back   = free_port();
        my $sink   = Onward::Test::Sink->new;
        my $onward = Onward::Test::Daemon->new(upstream => $back,
            upstream_settings => 'idle_timeout = "30s";')->start;
        my $postfix = Onward::Test::Postfix->new(sink => $sink->port,
            fronts => { front => $onward->port }, backs => { back => 'default' },
            ports => { back => $back })->start;
        my ($accepted, %said) = (0);
        my $reload_at = 0;
        my $end = time + ($all ? 60 : 4);
        my $reloads = 0;
        while (time < $end) {
            if (time > $reload_at) {
                $postfix->command('reload');
                $reloads++;
                $reload_at = time + 0.5;
            }
            my $client = Onward::Test::Client->hello($onward->port);
            my $reply = send_one($client);
            $said{ substr $reply, 0, 9 }++;
            $accepted++ if $reply =~ /^250 /;
            $client->quit;
        }
        is_deeply [grep { !/^(?:250 2\.0\.0|451 4\.)/ } keys %said], [],
            'each message is accepted or told to come again' or diag explain \%said;
        cmp_ok $accepted, '>', 5, "$accepted are accepted, $reloads reloads";
        $sink->wait_for($accepted);
        ok $postfix->drained, 'the queue is empty';
        my $out = () = $sink->messages;
        cmp_ok $out, '>=', $accepted, 'what was accepted comes out';
        cmp_ok $out, '<=', $accepted + ($said{'451 4.4.2'} // 0),
            '... once, but for what may have been lost at the dot';
        note join ', ', map {"$_: $said{$_}"} sort keys %said;
        $onward->ends_well;
    };
}

done_testing;
