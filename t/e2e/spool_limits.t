# A message that is too large, a spool that is full, a disk that fails: the
# one message is refused for now or for good, the others go on.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

my $upstream = Onward::Test::Upstream->new;

sub onward ($limits, %opt) {
    return Onward::Test::Daemon->new(
        upstream => $upstream->port,
        settings => "limits = { $limits };",
        %opt,
    );
}

# Up to 354; content may follow.
sub in_data ($onward) {
    my $client = Onward::Test::Client->hello($onward->port);
    $client->pipeline('MAIL FROM:<alice@sender.example>',
        'RCPT TO:<bob@public.example>', 'DATA');
    return $client;
}

sub lines_of ($bytes) { return ('x' x 62 . "\r\n") x ($bytes / 64) }

sub sends ($onward, $bytes) {
    my $client = in_data($onward);
    my $reply  = $client->content("Subject: x\r\n\r\n" . lines_of($bytes));
    like $client->cmd('NOOP'), qr/^250/, '... in step';
    return $reply;
}

sub committed_by ($do) {
    my $before = () = $upstream->committed;
    $do->();
    return ($upstream->committed) - $before;
}

subtest 'too large' => sub {
    my $onward = onward('message_size = "1M"; message_memory = "64K";')->start;
    my $client = Onward::Test::Client->hello($onward->port);
    my ($size) = $client->ehlo =~ /^250[- ]SIZE (\d+)$/m;
    ok $size && $size <= 1048576, 'EHLO says how much';
    like $client->cmd('MAIL FROM:<a@sender.example> SIZE=2000000'),
        qr/^552 5\.3\.4 /, 'said in advance: refused in advance';
    like $client->cmd('MAIL FROM:<a@sender.example> SIZE=1000000'), qr/^250/,
        '... and small enough is taken';
    $client->close;
    my $reply;
    is committed_by(sub { $reply = sends($onward, 4_000_000) }), 0,
        'nothing of it goes upstream';
    like $reply, qr/^552 5\.3\.4 /, 'not said: refused after the dot';
    is committed_by(sub { $reply = sends($onward, 900_000) }), 1,
        'one below the limit does';
    like $reply, qr/^250/, '... and is accepted';
    $onward->ends_well;
};

subtest 'a full spool' => sub {
    my $onward = onward('message_memory = "64K"; spool_total = "4M";')->start;
    my @open = map { in_data($onward) } 1 .. 3;
    $_->send("Subject: x\r\n\r\n" . lines_of(1_100_000)) for @open;
    # Read, not only sent.
    wait_until(seconds(5), sub {
        my $spooled = 0;
        for my $fd (glob '/proc/' . $onward->pid . '/fd/*') {
            $spooled += -s $fd // 0 if (readlink $fd // '') =~ /deleted/;
        }
        return $spooled >= 3_200_000;
    });
    my $reply;
    is committed_by(sub { $reply = sends($onward, 3_000_000) }), 0,
        'one more is not taken';
    like $reply, qr/^452 4\.3\.1 /, '... for now';
    like sends($onward, 2000), qr/^250/, 'a small one needs no spool';
    my @replies = map { $_->send(".\r\n"); $_->reply } @open;
    is scalar(grep {/^250/} @replies), 3, 'those that were there are accepted'
        or diag explain \@replies;
    like sends($onward, 3_000_000), qr/^250/, 'and then there is room again';
    $onward->ends_well;
};

subtest 'no directory' => sub {
    my $onward = onward('message_memory = "64K";')->start;
    my $dir = $onward->dir . '/state';
    rename $dir, "$dir.gone" or die "$dir: $!\n";
    my $reply;
    is committed_by(sub { $reply = sends($onward, 500_000) }), 0,
        'a large message is not taken';
    like $reply, qr/^45[12] 4\.3\.[01] /, '... for now';
    like sends($onward, 2000), qr/^250/, 'a small one is';
    rename "$dir.gone", $dir or die "$dir: $!\n";
    like sends($onward, 500_000), qr/^250/, 'it is back: so is all';
    $onward->ends_well;
};

# The disk fails, from the n-th write or read on. Not with AddressSanitizer,
# whose leak check and strace exclude each other.
my $strace = Onward::Test::find_program('strace');
my $works = $strace && !sanitized()
    && system("$strace -o /dev/null true 2>/dev/null") == 0;

# The dynamic loader reads too; those calls come first and must work.
sub by_loader ($call) {
    my $out = scratch('strace') . '/calls';
    run_out($strace, '-f', '-o', $out, '-e', "trace=$call", binary(),
        '--version');
    return scalar(() = slurp($out) =~ /\b$call\(/g);
}

for (
    ['pwrite64', 'ENOSPC', 1, qr/^452 4\.3\.1 /],
    ['pwrite64', 'ENOSPC', 3, qr/^452 4\.3\.1 /],
    ['pwrite64', 'EDQUOT', 1, qr/^452 4\.3\.1 /],
    ['pwrite64', 'EIO',    3, qr/^45[12] 4\.3\.[01] /],
    ['pread64',  'EIO',    1, qr/^451 4\.3\.0 /],
    ['pread64',  'EIO',    3, qr/^451 4\.3\.0 /],
    )
{
    my ($call, $error, $when, $expected) = @$_;
    SKIP: {
        skip "$call $error: needs strace, without AddressSanitizer", 1
            if !$works;
        subtest "$error at $call number $when" => sub {
            # -D: the pid is Onward's own.
            my $from   = by_loader($call) + $when;
            my $onward = onward('message_memory = "64K";', under => [
                $strace, '-D', '-f', '-o', '/dev/null', '-e', "trace=$call",
                '-e', "inject=$call:error=$error:when=$from+",
            ])->start;
            my $reply;
            is committed_by(sub { $reply = sends($onward, 1_000_000) }), 0,
                'it is not taken';
            like $reply, $expected, '... for now';
            like sends($onward, 2000), qr/^250/, 'a small one is';
            $onward->ends_well;
        };
    }
}

done_testing;
