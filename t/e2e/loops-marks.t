# Loop marks: nobody can tell from two of them that they are one alias's, and
# the alias knows its own, with or without SRS, after a restart too.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(hmac_sha256_hex);
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

my $message = "From: a\@sender.example\r\nSubject: x\r\n\r\nx\r\n";
my $form    = qr/^X-Onward-Loop: ([0-9a-f]{8}-[0-9a-f]{16})\r\n/m;

my $upstream = Onward::Test::Upstream->new;

# The reply to a message, and the marks it left with.
sub talk ($onward, $content, @to) {
    my $client = Onward::Test::Client->hello($onward->port);
    my $reply = $client->transaction('a@sender.example', \@to, $content);
    $client->quit;
    my ($last) = ($upstream->committed)[-1];
    return ($reply, ($last // '') =~ /$form/g);
}

sub without_srs (%opt) {
    my $onward = Onward::Test::Daemon->new(upstream => $upstream->port, %opt);
    my $conf = slurp($onward->conf);
    $conf =~ s/^srs = \{.*?^\};\n//ms or die;
    spew($onward->conf, $conf);
    return $onward;
}

subtest 'no two marks are alike' => sub {
    my $onward
        = Onward::Test::Daemon->new(upstream => $upstream->port)->start;
    my %seen;
    for my $n (1 .. 20) {
        my ($reply, @marks) = talk($onward, $message, 'fwd.a@public.example');
        is scalar @marks, 1, 'one alias, one mark';
        my ($salt, $mac) = split /-/, $marks[0];
        ok !$seen{$salt}++ && !$seen{$mac}++, "$marks[0]: seen for the first time";
    }
    my (undef, @both) = talk($onward, $message,
        map { ("fwd.a\@public.example", "fwd.b\@public.example",
                "FWD.A\@public.example") } 1 .. 20);
    is scalar @both, 2, 'two aliases, named again and again: two marks';
    ok !(grep { $seen{ s/-.*//r } } @both), '... new ones';
    for my $mark (@both) {
        my @replies = map { (talk($onward, "X-Onward-Loop: $mark\r\n$message",
                    "fwd.$_\@public.example"))[0] } qw(a b c);
        is scalar(grep {/^554 5\.4\.6 /} @replies), 1,
            '... each known to its alias';
        like $replies[2], qr/^250 /, '... and to no other';
    }
    $onward->ends_well;
};

subtest 'without SRS' => sub {
    my $onward = without_srs()->start;
    my (undef, $mark) = talk($onward, $message, 'fwd.a@public.example');
    ok $mark, 'there is a mark' or return;
    my $looped = "X-Onward-Loop: $mark\r\n$message";
    like((talk($onward, $looped, 'fwd.a@public.example'))[0], qr/^554 5\.4\.6 /,
        'it is known');
    $onward->ends_well;
    $onward->start;
    like((talk($onward, $looped, 'fwd.a@public.example'))[0], qr/^554 5\.4\.6 /,
        '... after a restart too');
    my $file = $onward->dir . '/state/host.secret';
    is -s $file, 32, 'what it is keyed from is kept';
    is((stat $file)[2] & 0777, 0600, '... and nobody else may read it');
    $onward->ends_well;

    my $other = without_srs()->start;
    my ($reply) = talk($other, $looped, 'fwd.a@public.example');
    like $reply, qr/^250 /, 'another host has another one';
    $other->ends_well;
};

subtest 'a secret that cannot be kept' => sub {
    for (['a file that is something else', sub ($f) { spew($f, 'short') }],
        ['a link', sub ($f) { symlink '/dev/zero', $f or die }],
        ['a FIFO', sub ($f) { system('mkfifo', $f) == 0 or die }]) {
        my ($name, $make) = @$_;
        my $onward = without_srs();
        $make->($onward->dir . '/state/host.secret');
        $onward->start;
        my ($reply, $mark) = talk($onward, $message, 'fwd.a@public.example');
        like $reply, qr/^250 /, "$name: mail flows";
        like((talk($onward, "X-Onward-Loop: $mark\r\n$message",
                    'fwd.a@public.example'))[0], qr/^554 /,
            '... marked as well');
        ok scalar(grep {/no secret of this host/} $onward->lines),
            '... and the log says that a restart forgets it';
        $onward->ends_well;
    }
};

# The word for an address in the log is no part of a mark, and cannot be
# computed from what everybody knows.
subtest 'addresses in the log' => sub {
    my $onward = without_srs();
    my $conf = slurp($onward->conf);
    $conf =~ s/(log = \{)/$1 addresses = "hash";/;
    spew($onward->conf, $conf);
    $onward->start;
    my (undef, $mark) = talk($onward, $message, 'fwd.a@public.example');
    my ($hash) = join("\n", $onward->lines)
        =~ /orig_to=<([0-9a-f]{16})\@public\.example>/;
    ok $hash, 'an address is a word' or return;
    unlike $mark, qr/\Q$hash\E/, '... which is not in the mark';
    for my $label ('onward-loop', "onward-log-address\0", '') {
        isnt $hash, substr(hmac_sha256_hex("${label}fwd.a\@public.example",
                'proxy.public.example'), 0, 16), '... nor known to strangers';
    }
    $onward->ends_well;
};

done_testing;
