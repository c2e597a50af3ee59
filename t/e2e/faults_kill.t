# The power goes at any instant: what was acknowledged is upstream, whole; what
# is upstream without having been acknowledged was on its way at that instant.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(sleep);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

my $times    = $ENV{ONWARD_TEST_ALL} ? 200 : 12;
my $clients  = 4;
my $dir      = scratch('acknowledged');
my $upstream = Onward::Test::Upstream->new;
my $onward   = Onward::Test::Daemon->new(
    upstream => $upstream->port,
    settings => 'limits = { message_memory = "4K"; };',
);

# Sends until the other side is gone; what was acknowledged goes to a file.
sub pump ($round, $client) {
    open my $acknowledged, '>>', "$dir/$round.$client" or _exit(1);
    $acknowledged->autoflush;
    for (my $n = 0;; $n++) {
        my $id = "id-$round-$client-$n";
        my $smtp = eval { Onward::Test::Client->hello($onward->port) }
            or last;
        my $reply = $smtp->transaction('alice@sender.example',
            $n % 2 ? 'fwd.x@public.example' : 'bob@public.example',
            "Subject: $id\r\n\r\n" . ('y' x 70 . "\r\n") x (1 + $n % 3 * 100)
                . "end of $id\r\n");
        last if $reply !~ /^2/;
        print $acknowledged "$id\n";
    }
    _exit(0);
}

for my $round (1 .. $times) {
    $onward->start;
    my @pids = map {
        my $client = $_;
        my $pid = fork // die "fork: $!\n";
        pump($round, $client) if $pid == 0;
        $pid;
    } 1 .. $clients;
    sleep 0.02 + rand 0.3;
    $onward->kill;
    waitpid $_, 0 for @pids;
}
# What is still on its way into upstream's files.
sleep 0.2;

my (%committed, @broken);
for my $message ($upstream->committed) {
    my ($id) = $message =~ /^Subject: (id-\S+)/m or next;
    $committed{$id}++;
    push @broken, $id if $message !~ /\r\nend of \Q$id\E\r\n\.\r\n\z/;
}
my %acknowledged = map { chomp; $_ => 1 } map { split /^/, slurp($_) }
    glob "$dir/*";
my $sent = keys %acknowledged;
note "$times kills, $sent messages acknowledged";

cmp_ok $sent, '>', $times, 'mail went through between the kills';
is_deeply \@broken, [], 'every message upstream has is whole';
is_deeply [grep { !$committed{$_} } sort keys %acknowledged], [],
    'every acknowledged message is upstream';
is_deeply [grep { $committed{$_} > 1 } sort keys %committed], [],
    '... once';
my %late;
for my $id (grep { !$acknowledged{$_} } keys %committed) {
    my ($round, $client) = $id =~ /^id-(\d+)-(\d+)-/;
    $late{"$round-$client"}++;
}
is_deeply [grep { $late{$_} > 1 } sort keys %late], [],
    'of those that were not, one at most a client and kill';
is_deeply [glob $onward->dir . '/state/*'], [],
    'no spool file outlives its process';

done_testing;
