# Starting: what is wrong is said and ends it; an absent upstream is not wrong;
# sockets are made, taken over from a dead process, or inherited.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Fcntl qw(F_DUPFD);
use IO::Socket::UNIX;
use POSIX qw(_exit dup2);
use Socket qw(SOCK_STREAM);
use Test::More;
use Time::HiRes qw(time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Server;
use Onward::Test::Upstream;

need qw(binary);

# Exit code and standard error of one that is expected to end by itself.
sub ends (@command) {
    my $dir = scratch('start');
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDOUT, '>', "$dir/out";
        open STDERR, '>', "$dir/err";
        exec @command or _exit(127);
    }
    my $end = wait_until(seconds(10),
        sub { waitpid($pid, POSIX::WNOHANG()) == $pid });
    my $status = $?;
    if (!$end) {
        kill KILL => $pid;
        waitpid $pid, 0;
        return ('none', slurp("$dir/err"));
    }
    return ($status >> 8, slurp("$dir/err"));
}

my $upstream = Onward::Test::Upstream->new;

subtest 'what ends it' => sub {
    my ($code, $err) = ends(binary(), '-c', '/nonexistent', 'serve');
    is($code, 78, 'no configuration: exit 78');
    like($err, qr{/nonexistent}, '... which names the file');

    ($code, $err) = ends(binary(), 'serve', 'now');
    is($code, 64, 'an argument: exit 64');

    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        settings => "limits = { sessions = 0; };\ntimeouts = 5;");
    ($code, $err) = ends(binary(), '-c', $onward->conf, 'serve');
    is($code, 78, 'a bad configuration: exit 78');
    like($err, qr{onward\.conf:\d+: limits\.sessions}, '... the first error');
    like($err, qr{onward\.conf:\d+: timeouts}, '... and the second');
};

subtest 'a port in use' => sub {
    my $first = Onward::Test::Daemon->new(upstream => $upstream->port)->start;
    my ($code, $err) = ends(binary(), '-c', $first->conf, 'serve');
    is($code, 69, 'the second instance: exit 69');
    my $port = $first->port;
    like($err, qr{listener mx: 127\.0\.0\.1:$port: address already in use}i,
        '... says which listener, which address, and why');
    is(Onward::Test::Client->new($port)->greeting,
        '220 proxy.public.example ESMTP', 'the first goes on');
    $first->ends_well;
};

subtest 'upstream absent' => sub {
    my $port = free_port();
    my $onward = Onward::Test::Daemon->new(upstream => $port);
    my $before = time;
    $onward->start;
    cmp_ok(time() - $before, '<', seconds(1.5), 'it listens all the same');
    ok($onward->logged(qr{upstream 127\.0\.0\.1:$port cannot be reached}),
        '... and the log says so');
    my $client = Onward::Test::Client->hello($onward->port);
    like($client->ehlo, qr/250[ -]$_\b/m, "EHLO offers $_")
        for qw(PIPELINING 8BITMIME SMTPUTF8 DSN XFORWARD);
    like($client->transaction('a@sender.example', 'bob@public.example', 'x'),
        qr/^451 4\.4\.1 /, 'a recipient is asked to come again');
    $client->quit;

    my $late = Onward::Test::Upstream->new(port => $port);
    is(Onward::Test::Client->hello($onward->port)
            ->transaction('a@sender.example', 'bob@public.example', "x\r\n"),
        '250 2.0.0 Ok: queued as UP1X1', 'once it is there mail flows');
    $onward->ends_well;
};

subtest 'upstream silent' => sub {
    my $silent = Onward::Test::Server->new(
        handler => sub ($server, $socket, $n) { sleep 60 });
    my $onward = Onward::Test::Daemon->new(upstream => $silent->port);
    my $before = time;
    $onward->start;
    my $took = time() - $before;
    cmp_ok($took, '>', 0.8, 'it is waited for');
    cmp_ok($took, '<', seconds(2), '... but not longer than a second');
    $onward->ends_well;
};

subtest 'EHLO is the intersection' => sub {
    my $plain = Onward::Test::Upstream->new(keywords => ['SIZE 1234']);
    my $onward = Onward::Test::Daemon->new(upstream => $plain->port)->start;
    my $ehlo = Onward::Test::Client->hello($onward->port)->ehlo;
    unlike($ehlo, qr/$_/, "no $_") for qw(8BITMIME SMTPUTF8 DSN);
    like($ehlo, qr/SIZE 1234/, 'the size that upstream takes');
    like($ehlo, qr/XFORWARD/, 'XFORWARD always');
    is($plain->connections, 1, 'learnt from one probe');
    like($plain->received, qr/\AEHLO \S+\r\nQUIT\r\n\z/,
        '... that says EHLO and QUIT');
    $onward->ends_well;
};

# ---- unix sockets

sub unix_daemon ($path, $more = '') {
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port);
    my $text = slurp($onward->conf);
    $text =~ s{listeners = \(}{listeners = (
        { name = "local"; address = "unix:$path"; role = "inbound"; $more },};
    spew($onward->conf, $text);
    return $onward;
}

sub greets ($path) {
    my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path)
        or return "connect: $!";
    local $SIG{ALRM} = sub { die "no greeting\n" };
    alarm 10;
    my $line = <$socket>;
    alarm 0;
    return $line // 'closed';
}

subtest 'unix sockets' => sub {
    my $path = scratch('unix') . '/mx.sock';
    my $stale = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $path,
        Listen => 1);
    close $stale;
    ok(-S $path, 'a dead process left its socket');

    my $onward = unix_daemon($path)->start;
    like(greets($path), qr/^220 /, '... which is replaced');
    is(sprintf('%o', (stat $path)[2] & 07777), '660', 'mode 0660');

    my ($code, $err) = ends(binary(), '-c', unix_daemon($path)->conf, 'serve');
    is($code, 69, 'a live one is not');
    like($err, qr{listener local: unix:\Q$path\E: address already in use}i,
        '... and the message names it');
    like(greets($path), qr/^220 /, '... and it goes on');

    $onward->ends_well;
    ok(!-e $path, 'it is gone at the end');

    spew($path, "a file\n");
    ($code) = ends(binary(), '-c', unix_daemon($path)->conf, 'serve');
    is($code, 69, 'a file of that name is left alone');
    is(slurp($path), "a file\n", '... with its content');
};

subtest 'upstream behind a unix socket' => sub {
    my $path = scratch('chain') . '/back.sock';
    my $back = unix_daemon($path)->start;
    my $front = Onward::Test::Daemon->new(upstream => 1);
    spew($front->conf, slurp($front->conf)
            =~ s{address = "127\.0\.0\.1:1"}{address = "unix:$path"}r);
    $front->start;
    like(Onward::Test::Client->hello($front->port)
            ->transaction('a@sender.example', 'bob@public.example', "x\r\n"),
        qr/^250 .*queued as UP/, 'a message through both');
    like($back->logged(qr/status=sent/) // '', qr/client=[^,]*\[?local/,
        'the peer of a unix socket is local');
    $front->ends_well;
    $back->ends_well;
};

subtest 'group and mode' => sub {
    plan skip_all => 'needs root' if $> != 0;
    my $path  = scratch('group') . '/mx.sock';
    my $group = getgrgid(1);
    my $onward = unix_daemon($path, "group = \"$group\"; mode = \"0620\";");
    my ($code) = ends(binary(), '-c', $onward->conf, 'check');
    if ($code) {
        $onward = unix_daemon($path, "group = \"$group\";");
    }
    $onward->start;
    is((stat $path)[5], 1, 'the group of the configuration');
    is(sprintf('%o', (stat $path)[2] & 07777), $code ? '660' : '620',
        'the mode as well');
    $onward->ends_well;
};

# ---- inherited sockets

subtest 'inherited sockets' => sub {
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        listeners => { mx => 'inbound', out => 'outbound' });
    my %held = map {
        $_ => IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', Listen => 10, ReuseAddr => 1,
            LocalPort => $_ eq 'other' ? 0 : $onward->port($_))
    } qw(mx out other);
    # One that nobody has accepted yet: it must not be lost.
    my $early = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $onward->port('out'));

    # Named in another order than they come; one nobody knows.
    my @order = qw(other out mx);
    my $binary = binary();
    my $log = $onward->{log} = $onward->dir . '/log';
    my $pid = fork // die;
    if ($pid == 0) {
        # Out of the way first; dup2 leaves them open across exec.
        my @spare = map { fcntl $held{$_}, F_DUPFD, 20 } @order;
        dup2($spare[$_], 3 + $_) for 0 .. 2;
        open STDERR, '>>', $log;
        $ENV{LISTEN_PID} = $$;
        $ENV{LISTEN_FDS} = 3;
        $ENV{LISTEN_FDNAMES} = 'strange:onward.socket:mx';
        exec $binary, '-c', $onward->conf, 'serve' or _exit(127);
    }
    $onward->{pid} = $pid;
    delete @held{qw(mx out other)};
    like($early->getline, qr/^220 /, 'who waited in the backlog is greeted');
    like(Onward::Test::Client->new($onward->port('mx'))->greeting, qr/^220 /,
        'by name');
    like(Onward::Test::Client->new($onward->port('out'))->greeting,
        qr/^220 /, 'by address');
    ok($onward->logged(qr/inherited sockets that no listener wants: strange/),
        'what nobody wants is closed, and said');
    close $early;
    $onward->ends_well;
};

done_testing;
