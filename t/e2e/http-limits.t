# The HTTP listener on its bad days: on a unix socket, while the process stops,
# without a free address, and with clients that are many, slow or rude.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Http;
use Onward::Test::Upstream;

need qw(binary);

my $upstream = Onward::Test::Upstream->new;
my $message  = "From: a\@sender.example\r\nSubject: x\r\n\r\nx\r\n";

sub daemon ($listen) {
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port, key => '');
    spew($onward->conf, slurp($onward->conf)
            =~ s/http = \{[^}]*\}/http = { listen = "$listen"; }/r);
    return $onward;
}

sub mail ($onward) {
    my $client = Onward::Test::Client->hello($onward->port);
    my $reply = $client->transaction('a@sender.example', 'bob@public.example', $message);
    $client->quit;
    return $reply;
}

subtest 'a unix socket' => sub {
    my $path = scratch('http') . '/http.sock';
    my $onward = daemon("unix:$path")->start;
    my $http = Onward::Test::Http->new($path);
    is +($http->get('/healthz'))[0], 200, 'is answered';
    is sprintf('%04o', (stat $path)[2] & 07777), '0660', 'for the group, not for all';
    ok +{ $http->metrics }->{'onward_upstream_up'}, 'metrics';
    like run_out(binary(), '-c', $onward->conf, 'status'), qr/READY$/m, 'status';
    $onward->kill; # its socket stays behind
    ok -S $path, 'killed: the socket is left';
    like run_out(binary(), '-c', $onward->conf, 'status') . $?, qr/^\d+$/, 'status';
    is $? >> 8, 69, 'exit 69';
    $onward->start;
    is +($http->get('/healthz'))[0], 200, 'the next one takes its place';
    $onward->ends_well;
    ok !-e $path, 'and takes it away';
};

subtest 'no free address is a warning, and mail goes on' => sub {
    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die;
    my $onward = daemon('127.0.0.1:' . $taken->sockport)->start;
    ok $onward->logged(qr/http\.listen: 127\.0\.0\.1:\d+: .*in use.*mail goes on/),
        'said, with address and reason';
    like mail($onward), qr/^250 /, 'mail';
    $onward->ends_well;
    my $nowhere = daemon('unix:' . scratch('http') . '/no/such/http.sock')->start;
    ok $nowhere->logged(qr{http\.listen: unix:/\S+: No such file.*mail goes on}),
        'a directory that is not there';
    like mail($nowhere), qr/^250 /, 'mail';
    $nowhere->ends_well;
};

my $port   = free_port();
my $onward = daemon("127.0.0.1:$port")->start;
my $http   = Onward::Test::Http->new($port);

# What comes until it closes; undef: it did not within the time.
sub rest ($socket, $timeout) {
    my ($select, $got, $end) = (IO::Select->new($socket), '', time() + $timeout);
    while (time() < $end) {
        next if !$select->can_read(0.1);
        my $n = sysread $socket, $got, 65536, length $got;
        return $got if !$n;
    }
    return;
}

subtest 'rude clients' => sub {
    my %row = (
        'an empty line'            => "\r\n\r\n",
        'no version'               => "GET /\r\n\r\n",
        'a version of tomorrow'    => "GET / HTTP/9.9\r\n\r\n",
        'another protocol'         => "EHLO client.example\r\n\r\n",
        'TLS'                      => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "\r\n\r\n",
        'a NUL'                    => "GET /\0metrics HTTP/1.1\r\n\r\n",
        'octets above 127'         => "GET /\xff\xfe HTTP/1.1\r\n\r\n",
        'a path that goes up'      => "GET /../../etc/passwd HTTP/1.1\r\n\r\n",
        'a whole URL'              => "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        'a body'                   => "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        'two requests'             => "GET /healthz HTTP/1.1\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n",
        'a query'                  => "GET /healthz?x=<script> HTTP/1.1\r\n\r\n",
        'no end'                   => 'GET / HTTP/1.1' . "\r\nX: y" x 4000,
    );
    for my $name (sort keys %row) {
        my $answer = $http->raw($row{$name}) // '';
        like $answer, qr{\AHTTP/1\.1 (?:200|4\d\d) [^\r\n]*\r\n(?:[^\r\n]+\r\n)+\r\n}, "$name: an answer";
        is scalar(() = $answer =~ m{^HTTP/1\.1 }mg), 1, '... just one';
        unlike $answer, qr/root:|<script>/, '... and nothing of theirs in it';
    }
    my $reset  = $http->connect;
    print $reset "GET / HTTP/1.1\r\n\r\n";
    setsockopt $reset, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack('ii', 1, 0);
    close $reset;
    is +($http->get('/healthz'))[0], 200, 'it lives';
    like mail($onward), qr/^250 /, 'mail';
};

subtest 'slow clients' => sub {
    my ($silent, $lazy, $drip) = map { $http->connect } 1 .. 3;
    print $lazy "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    my $from = time;
    my $closed;
    $drip->blocking(0);
    local $SIG{PIPE} = 'IGNORE';
    for my $octet (split //, 'GET /healthz HTTP/1.1' . 'x' x 200) {
        last if !defined syswrite $drip, $octet;
        sleep 0.2;
        last if $closed = IO::Select->new($drip)->can_read(0);
        last if time() - $from > seconds(20);
    }
    ok $closed, 'an octet now and then keeps nothing open';
    like rest($lazy, seconds(5)), qr{^HTTP/1\.1 200 },
        'who has his answer and does not hang up is hung up on';
    is rest($silent, seconds(5)), '', 'who says nothing is closed without a word';
};

subtest 'more clients than are served at once' => sub {
    my @idle = map { $http->connect // die "connect: $!" } 1 .. 32;
    sleep 0.3;
    my $waiting = $http->connect;
    print $waiting "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    ok !IO::Select->new($waiting)->can_read(0.5), 'the 33rd waits';
    like mail($onward), qr/^250 /, 'mail does not';
    close $idle[7];
    like rest($waiting, seconds(5)), qr{^HTTP/1\.1 200 }, 'until one of them goes';
    my $late = $http->connect;
    print $late "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    like rest($late, seconds(15)), qr{^HTTP/1\.1 200 }, 'or their time is over';
    close $_ for @idle;
};

sub status_says ($pattern, $name, @under) {
    my $said = run_out('sh', '-c', 'exec 2>&1; "$@"', 'sh', @under, binary(), '-c',
        $onward->conf, 'status');
    is $? >> 8, 69, "$name: exit 69";
    like $said, $pattern, '... and why';
}

subtest 'status, when there is no answer' => sub {
    kill STOP => $onward->pid;
    status_says(qr/^onward: it hangs: no answer at 127\.0\.0\.1:\d+ within 5 s$/,
        'a process that stands still');
    kill CONT => $onward->pid;
    my $good = slurp($onward->conf);
    my $other = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die;
    spew($onward->conf, $good =~ s/listen = "127[^"]*"/'listen = "127.0.0.1:' . $other->sockport . '"'/er);
    my $pid = fork // die;
    if ($pid == 0) {
        my $peer = $other->accept;
        print $peer "SSH-2.0-other\r\n";
        POSIX::_exit(0);
    }
    status_says(qr/^onward: no answer of Onward at /, 'somebody else');
    waitpid $pid, 0;
    spew($onward->conf, $good =~ s/listen = "127[^"]*"/listen = ""/r);
    status_says(qr/^onward: http\.listen is off/, 'no listener');
    SKIP: {
        skip 'root', 2 if $> != 0;
        my $dir = scratch('closed');
        chmod 0755, $onward->dir;
        chmod 0700, $dir;
        spew($onward->conf, $good =~ s/listen = "127[^"]*"/listen = "unix:$dir\/http.sock"/r);
        status_says(qr/Permission denied: ask as root/, 'not for everybody',
            qw(setpriv --reuid=nobody --clear-groups));
    }
    spew($onward->conf, $good);
    like run_out(binary(), '-c', $onward->conf, 'status'), qr/READY$/m,
        'it was well all the time';
};

subtest 'while it stops' => sub {
    my $client = Onward::Test::Client->hello($onward->port);
    $client->cmd('MAIL FROM:<a@sender.example>');
    $client->cmd('RCPT TO:<bob@public.example>');
    $client->cmd('DATA');
    is +($http->get('/readyz'))[0], 200, 'ready';
    kill TERM => $onward->pid;
    my ($status, $body);
    ok wait_until(seconds(5), sub {
        ($status, $body) = eval { $http->get('/readyz') };
        return ($status // 0) == 503;
    }), 'not ready any more';
    like $body // '', qr/^draining: /m, 'in words';
    is eval { ($http->get('/healthz'))[0] }, 200, 'alive all the same';
    like eval { ($http->get('/'))[1] } // '', qr/not ready/, 'the page says so';
    like run_out(binary(), '-c', $onward->conf, 'status'), qr/draining/, 'so does status';
    is $? >> 8, 1, 'exit 1';
    like $client->content($message), qr/^250 /, 'and the message is taken';
    is $onward->stop, 0, 'then it is gone';
};

done_testing;
