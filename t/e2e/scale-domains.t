# 5,000 domains of two keys (500 in the short form); a texthash of 100,000
# lines: starting, reloading, memory, and who waits meanwhile. Figures are notes:
# what is asserted is that the loop goes on, and that nothing is lost.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;
use Onward::Test::Verify;

need qw(binary openssl Mail::DKIM);
plan skip_all => 'figures of a sanitized build say nothing' if sanitized();

my $all     = $ENV{ONWARD_TEST_ALL};
my $domains = $all ? 5000 : 500;
my $lines   = 100_000;

my $upstream = Onward::Test::Upstream->new;

# NOOPs while it reloads: how many were answered before it was done, and what
# the slowest took. A loop that loads answers none.
sub reloads ($onward, $name) {
    my $client = Onward::Test::Client->hello($onward->port);
    my $log    = length $onward->log;
    my ($slowest, $count, $over) = (0, 0, 0);
    my $start = time;
    kill HUP => $onward->pid;
    while (time() < $start + 60) {
        my $before = time;
        $client->cmd('NOOP') =~ /^250/ or die 'NOOP failed';
        my $took = (time() - $before) * 1000;
        $count++;
        $slowest = $took if $took > $slowest;
        $over++ if $took > 10;
        last if $count % 10 == 0 && substr($onward->log, $log) =~ /reloaded/;
    }
    my $seconds = time() - $start;
    $client->quit;
    like(substr($onward->log, $log), qr/reloaded/, "$name: reloaded");
    note sprintf '%s: %.3f s; slowest of %d NOOPs %.1f ms, %d over 10 ms;'
        . ' %d KiB resident', $name, $seconds, $count, $slowest, $over,
        $onward->memory;
    return ($count, $seconds);
}

# 8 pairs, used by turns: reading them is what is measured.
my $dir = scratch('scale-keys');
make_key("$dir/r$_.pem", 'rsa'), make_key("$dir/e$_.pem", 'ed25519')
    for 0 .. 7;
my @pem = map { [ slurp("$dir/r$_.pem"), slurp("$dir/e$_.pem") ] } 0 .. 7;

# The keys of domain i are those of pair n.
sub put_keys ($onward, $i, $n) {
    my $at = $onward->dir . "/dkim/d$i.example";
    mkdir $at, 0750;
    spew("$at/r.pem", $pem[ $n % 8 ][0], 0640);
    spew("$at/e.pem", $pem[ $n % 8 ][1], 0640);
}

# With which pair a message of domain i is signed: -1 with none.
sub signed_with ($onward, $i) {
    state $count = 0;
    my $subject = 'message ' . ++$count;
    my $client = Onward::Test::Client->hello($onward->port('submission'));
    $client->transaction("a\@d$i.example", 'b@elsewhere.example',
        "From: a\@d$i.example\r\nSubject: $subject\r\n\r\nx\r\n") =~ /^250 /
        or return -1;
    $client->quit;
    my ($commit)  = grep {/^Subject: $subject\r/m} $upstream->committed;
    my ($message) = $commit =~ /^(DKIM-Signature:.*\r\n)\.\r\n\z/ms
        or return -1;
    for my $n (0 .. 7) {
        my %dns = ("r._domainkey.d$i.example" => dns_record("$dir/r$n.pem"));
        return $n if grep { $_->{selector} eq 'r' && $_->{result} eq 'pass' }
            Onward::Test::Verify::mail_dkim($message, \%dns);
    }
    return -1;
}

subtest 'keys' => sub {
    my $none = Onward::Test::Daemon->new(upstream => $upstream->port)->start;
    my $few = $none->memory;
    $none->ends_well;

    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        listeners => { mx => 'inbound', submission => 'outbound' });
    put_keys($onward, $_, $_) for 1 .. $domains;
    my $before = time;
    $onward->start;
    note sprintf '%d domains x 2 keys: ready in %.2f s, %d KiB resident'
        . ' (without: %d KiB)', $domains, time() - $before, $onward->memory,
        $few;
    is(signed_with($onward, 17), 17 % 8, 'signed with its key');

    reloads($onward, 'nothing changed');
    put_keys($onward, 17 * $_, 17 * $_ + 1) for 1 .. 10;
    reloads($onward, '20 keys of ' . 2 * $domains . ' changed');
    is(signed_with($onward, 17), 18 % 8, 'a key that changed is in force');
    is(signed_with($onward, 18), 18 % 8, 'one that did not is what it was');
    system 'rm', '-r', $onward->dir . '/dkim/d19.example';
    reloads($onward, 'a domain is gone');
    is(signed_with($onward, 19), -1, 'it is signed for no more');
    put_keys($onward, $_, $_ + 2) for 1 .. $domains;
    my ($noops) = reloads($onward, 'all keys changed');
    cmp_ok($noops, '>', 20, 'sessions are answered while all keys are read');
    is(signed_with($onward, 17), 19 % 8, 'the new key is in force');

    # Messages while it reloads all the time, with keys that come and go.
    my ($bad, $sent, $changes) = (0, 0, 0);
    my $already = $upstream->committed;
    my $end = time + ($all ? 20 : 3);
    while (time() < $end) {
        if ($sent % 5 == 0) {
            put_keys($onward, 1 + $changes % $domains, $changes);
            $changes++;
            kill HUP => $onward->pid;
        }
        my $client = Onward::Test::Client->hello($onward->port);
        $bad++ if $client->transaction('a@sender.example',
            'fwd.x@public.example', "Subject: x\r\n\r\nx\r\n") !~ /^250 /;
        $client->quit;
        $sent++;
    }
    is($bad, 0, "$sent messages during $changes reloads");
    is($upstream->committed - $already, $sent, '... and all arrived');
    $onward->ends_well;
};

subtest 'texthash' => sub {
    my $write = sub ($to) {
        spew("$dir/new", join '', map
            {"u$_\@public.example $to$_\@private.example\n"} 1 .. $lines);
        rename "$dir/new", "$dir/aliases" or die $!;
    };
    $write->('a');
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port,
        local_domains => [qw(public.example private.example)],
        aliases => "\"texthash:$dir/aliases\"")->start;
    my $to = sub ($subject) {
        my $client = Onward::Test::Client->hello($onward->port);
        $client->transaction('a@sender.example', "u$lines\@public.example",
            "Subject: $subject\r\n\r\nx\r\n");
        $client->quit;
        my ($commit) = grep {/^Subject: $subject\r/m} $upstream->committed;
        my ($rcpt)   = $commit =~ /^RCPT TO:<([^>]*)>/m;
        return $rcpt;
    };
    is($to->('before'), "a$lines\@private.example", 'the old text');
    $write->('b');
    my ($noops) = reloads($onward, "texthash of $lines lines");
    cmp_ok($noops, '>', 20, 'sessions are answered while it is read');
    is($to->('after'), "b$lines\@private.example", 'the new text');
    $onward->ends_well;
};

done_testing;
