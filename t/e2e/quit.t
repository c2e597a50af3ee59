# The end of a session: the reply to QUIT arrives, whatever stands behind the
# QUIT, and nothing of the session stays.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);
my $back   = Onward::Test::Upstream->new;
my $onward = Onward::Test::Daemon->new(upstream => $back->port)->start;

sub descriptors () { return scalar(() = glob '/proc/' . $onward->pid . '/fd/*') }

# What comes until the end, and how it ended.
sub read_all ($client) {
    my ($text, $end) = ('', time() + seconds(5));
    while (time() < $end) {
        my $n = sysread $client->{socket}, my $octets, 65536;
        return ($text, 'reset') if !defined $n;
        return ($text, 'end')   if !$n;
        $text .= $octets;
    }
    return ($text, 'nothing');
}

my $before = descriptors();
my $large  = 'x' x 300_000;
for my $case (
    [ 'QUIT', "QUIT\r\n", "221 2.0.0 Bye\r\n" ],
    [ 'an envelope that ends with QUIT',
        "EHLO c.example\r\nMAIL FROM:<a\@b.example>\r\nQUIT\r\n",
        qr/\r\n250 2\.1\.0 Ok\r\n221 2\.0\.0 Bye\r\n\z/ ],
    [ 'a command behind QUIT', "QUIT\r\nNOOP\r\n", "221 2.0.0 Bye\r\n" ],
    [ 'a mailbox of octets behind QUIT', "QUIT\r\n$large", "221 2.0.0 Bye\r\n" ],
    )
{
    my ($name, $octets, $want) = @$case;
    my $client = Onward::Test::Client->new($onward->port);
    $client->send($octets);
    my ($text, $how) = read_all($client);
    ref $want ? like($text, $want, $name) : is($text, $want, $name);
    is $how, 'end', '... and the end, no reset';
}

# As smtpd does it: QUIT, and nobody waits for the reply.
for (1 .. 50) {
    my $client = Onward::Test::Client->new($onward->port);
    $client->send("QUIT\r\n");
    close $client->{socket};
}
ok wait_until(seconds(5), sub { descriptors() <= $before }),
    'nothing stays of those who do not wait';

# The reply does not fit: it is waited for.
my $client = Onward::Test::Client->new($onward->port);
my $noops  = "NOOP\r\n" x 20_000;
$client->send($noops . "QUIT\r\n");
sleep 0.3;
my ($text, $how) = read_all($client);
like $text, qr/\A(?:250 [^\r]*\r\n)+(?:221|421) [^\r]*\r\n\z/,
    'a client that reads late reads all';
is $how, 'end', '... to the end';
ok wait_until(seconds(5), sub { descriptors() <= $before }), '... and is gone';
$onward->ends_well;
done_testing;
