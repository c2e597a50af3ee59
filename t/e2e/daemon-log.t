# Where log lines go, and that a log which blocks or is gone never holds up
# mail.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Fcntl qw(F_SETPIPE_SZ);
use IO::Select;
use JSON::PP;
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

my $upstream = Onward::Test::Upstream->new;
my $message = "From: a\@sender.example\r\nSubject: x\r\n\r\nx\r\n";

sub daemon ($log, %more) {
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port, %more);
    my $dir = $onward->dir;
    $log =~ s/DIR/$dir/;
    spew($onward->conf,
        slurp($onward->conf) =~ s/log = \{[^}]*\}/log = { $log }/r);
    return $onward;
}

sub mail ($onward, $from = 'a@sender.example') {
    my $client = Onward::Test::Client->hello($onward->port);
    my $reply = $client->transaction($from, 'bob@public.example', $message);
    $client->quit;
    return $reply;
}

subtest 'standard error' => sub {
    my $onward = daemon('target = "stderr";')->start;
    my $pid = $onward->pid;
    like(mail($onward), qr/^250 /, 'a message');
    ok($onward->logged(qr/^onward\[$pid\]: [0-9A-Za-z]+: client=.*status=sent/),
        'its line, with the name and the process');
    like(($onward->lines)[0], qr/^onward\[$pid\]: started/, 'the first line');
    $onward->ends_well;
    like(($onward->lines)[-1], qr/^onward\[$pid\]: stopped/, 'the last line');
};

subtest 'a file' => sub {
    my $onward = daemon('target = "file:DIR/own.log";')->start;
    my $file = $onward->dir . '/own.log';
    my $pid = $onward->pid;
    mail($onward);
    like(slurp($file), qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 \S+ onward\[$pid\]: \w+: client=/m,
        'with time and host, as in mail.log');
    is(sprintf('%o', (stat $file)[2] & 0777 & ~umask), '640', 'mode 0640');
    rename $file, "$file.1";
    kill HUP => $onward->pid;
    ok(wait_until(seconds(3), sub { -s $file }), 'SIGHUP opens it anew');
    $onward->ends_well;
};

subtest 'JSON' => sub {
    my $onward = daemon('target = "stderr"; format = "json";')->start;
    mail($onward);
    spew($onward->conf . '.good', slurp($onward->conf));
    spew($onward->conf, "what?\n");
    kill HUP => $onward->pid;
    ok($onward->logged(qr/not reloaded/), 'a message of the process');
    $onward->ends_well;
    my @objects = map { eval { decode_json($_) } } $onward->lines;
    is(scalar(grep { ref eq 'HASH' } @objects), scalar(my @l = $onward->lines),
        'every line is an object, start and stop included');
    is(scalar(grep { ($_->{status} // '') eq 'sent' } @objects), 1,
        'the transaction');
    is(scalar(grep { ($_->{time} // '') =~ /^\d{4}-/ } @objects),
        scalar @objects, 'all have a time');
};

subtest 'repeated trouble' => sub {
    my $onward = daemon('target = "stderr";',
        aliases => '"socketmap:inet:127.0.0.1:' . free_port() . ':x"')->start;
    like(mail($onward), qr/^451 4\.3\.0/, 'a table that is away') for 1 .. 5;
    $onward->ends_well;
    is(scalar(grep {/socketmap .*refused$/} $onward->lines), 1,
        'is said once');
    ok(scalar(grep {/socketmap .*refused, 4 more in 60 s$/} $onward->lines),
        '... and then how often');
    is(scalar(grep {/status=deferred/} $onward->lines), 5,
        'but each transaction has its line');
};

# A pipe that nobody reads, and that is soon full.
subtest 'a log that blocks' => sub {
    my $onward = daemon('target = "stderr";');
    pipe(my $reader, my $writer) or die;
    fcntl $writer, F_SETPIPE_SZ, 4096;
    my $pid = fork // die;
    if ($pid == 0) {
        close $reader;
        open STDERR, '>&', $writer;
        exec binary(), '-c', $onward->conf, 'serve' or _exit(127);
    }
    close $writer;
    $onward->{pid} = $pid;
    $onward->{log} = '/dev/null';
    wait_until(seconds(5),
        sub { eval { Onward::Test::Client->new($onward->port); 1 } });
    my $client = Onward::Test::Client->hello($onward->port);
    my ($refused, $slow) = (0, 0);
    # Lines of several KiB: more than the queue holds.
    my @to = map { sprintf('%s%02d', 'r' x 60, $_) . '@' . 'public.example' }
        1 .. 40;
    for (1 .. 300) {
        my $before = time;
        my $reply = $client->transaction('a@sender.example', \@to, $message);
        $slow++ if time() - $before > seconds(2);
        $refused++ if $reply !~ /^250 /;
    }
    is($refused, 0, '300 messages go through');
    is($slow, 0, '... none of them late');
    is(mail($onward) =~ /^250/, 1, '... nor the next session');
    my $text = '';
    my $end = time() + 60;
    while (time() < $end && $text !~ /lines dropped$/) {
        IO::Select->new($reader)->can_read(1) or last;
        sysread $reader, $text, 65536, length $text or last;
    }
    my @lines = grep {/status=sent/} split /\n/, $text;
    cmp_ok(scalar @lines, '>', 100, scalar @lines . ' lines were kept');
    my ($dropped) = $text =~ /log: (\d+) lines dropped/;
    ok($dropped, 'some were dropped');
    is(@lines + ($dropped // 0), 301, '... and counted');
    $onward->ends_well;
};

# Whoever read it has gone.
subtest 'a log that is gone' => sub {
    my $onward = daemon('target = "stderr";');
    pipe(my $reader, my $writer) or die;
    my $pid = fork // die;
    if ($pid == 0) {
        close $reader;
        open STDERR, '>&', $writer;
        exec binary(), '-c', $onward->conf, 'serve' or _exit(127);
    }
    close $writer;
    close $reader;
    $onward->{pid} = $pid;
    $onward->{log} = '/dev/null';
    wait_until(seconds(5),
        sub { eval { Onward::Test::Client->new($onward->port); 1 } });
    like(mail($onward), qr/^250 /, 'mail goes on');
    $onward->ends_well;
};

done_testing;
