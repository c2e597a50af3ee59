# X-Original-To, and the order of what stands above a forwarded message.

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
my $onward   = Onward::Test::Daemon->new(
    upstream  => $upstream->port,
    listeners => { mx => 'inbound', submission => 'outbound' },
    aliases   => '{ match = "fwd.*@public.example";'
        . ' to = ( "$1@private.example" ); }',
)->start;

# Name and value of what we put above a message.
sub above ($listener, $content, @to) {
    my $client = Onward::Test::Client->hello($onward->port($listener));
    my $reply = $client->transaction('alice@sender.example', \@to, $content);
    $client->quit;
    like $reply, qr/^250 /, "to @to";
    my ($message) = ($upstream->committed)[-1] =~ /^DATA\r?\n(.*)/ms
        ? $1 : ($upstream->committed)[-1];
    $message =~ s/\Q$content\E.*//s or fail('the message is below');
    $message =~ s/\A.*?(?=^[\w-]+: )//ms;
    return map { [/^([\w-]+):[ ]?(.*)/s] }
        split /\r\n(?![ \t])/, $message;
}
sub names (@fields) { return join ' ', grep {defined} map { $_->[0] } @fields }

my $message = "From: a\@sender.example\r\nSubject: x\r\n\r\nx\r\n";

my @fields = above(mx => $message, 'Fwd.Shop@Public.example');
is names(@fields), 'DKIM-Signature X-Original-To X-Onward-Loop',
    'from the top: our signature, the alias, the mark';
is $fields[1][1], 'Fwd.Shop@Public.example', 'the alias, as the client named it';
unlike $fields[0][1], qr/h=[^;]*X-Original-To/i, 'which is not signed';

@fields = above(mx => $message, 'fwd.a@public.example', 'fwd.b@public.example');
is names(@fields), 'DKIM-Signature X-Onward-Loop X-Onward-Loop',
    'of two aliases none is told';

@fields = above(mx => $message, '"fwd.a b"@public.example');
is $fields[1][1], '"fwd.a b"@public.example', 'quoted where it must be';

@fields = above(mx => "X-Original-To: somebody\@else.example\r\n$message",
    'fwd.a@public.example');
is names(@fields), 'DKIM-Signature X-Original-To X-Onward-Loop',
    'above one that is there';

@fields = above(submission => $message, 'fwd.a@public.example');
is names(@fields), 'DKIM-Signature X-Original-To X-Onward-Loop Date Message-ID',
    'on an outbound listener, with what is missing below';

@fields = above(mx => $message, 'me@private.example');
is names(@fields), '', 'nothing where no alias is';

$onward->ends_well;
done_testing;
