# Our signature behind the example's re-injection service, in a site whose
# main.cf changes mail wherever it may: canonical maps, masquerading, header
# fields that are always added. And at a next hop without 8BITMIME.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Debian;
use Onward::Test::Example;
use Onward::Test::Sink;
use Onward::Test::Verify;

need(qw(root binary postfix Mail::DKIM));
Onward::Test::Example->enter;

my $sink = Onward::Test::Sink->new;
my $old  = Onward::Test::Sink->new(keywords => ['SIZE 100000000']);
my $example = Onward::Test::Example->new(
    name => 'self-hosted', domain => 'srs.public.example',
);
mkdir '/etc/onward/dkim/public.example', 0750;
$example->{dns}{'s2026._domainkey.public.example'} =
    dns_record(make_key('/etc/onward/dkim/public.example/s2026.pem'));

my $postfix = Onward::Test::Example::Postfix->new(
    sink => $sink->port,
    main => join "\n",
    'canonical_maps = inline:{{alice@sender.example = eve@evil.example},'
        . ' {bob@public.example = eve@evil.example}}',
    'masquerade_domains = public.example, sender.example',
    'always_add_missing_headers = yes',
    'local_header_rewrite_clients = static:all',
)->prepare;
$postfix->postconf('-e', 'append_dot_mydomain = yes');
$postfix->postconf('-M', 'submission/inet=submission inet n - y - - smtpd');
$example->script($_) for qw(main.cf.sh master.cf.sh);
$postfix->postconf('-e', 'transport_maps = inline:{'
        . 'srs.public.example=smtp:[127.0.0.1]:10025,'
        . " old.example=smtp:[127.0.0.1]:${\ $old->port}}");
$postfix->start;
my $onward = Onward::Test::Daemon->run($example->conf, 10025);

# Sends it, and says who signed what came out, and the message.
my $n = 0;

sub through ($port, $from, $to, $parameters, $content, $there = $sink) {
    my $final = $to =~ /^fwd/ ? 'me@private.example' : $to;
    my $before = $there->count;
    my $client = Onward::Test::Client->hello($port, from => '127.0.0.2');
    $client->cmd("MAIL FROM:<$from>$parameters");
    $client->cmd("RCPT TO:<$to>");
    $client->cmd('DATA');
    like $client->content($content), qr/^250 .*queued as/, "... accepted"
        or return '';
    $client->quit;
    wait_until(seconds(20), sub { $there->count > $before })
        or diag($postfix->log), return '';
    my ($message) = ($there->messages)[-1];
    return (join(' ', sort @{ $example->signatures($message) }),
        $message->{data}->());
}

my %kind = (
    '7-bit'         => [ '', "Hello\r\n", 'Bob' ],
    '8-bit'         => [ ' BODY=8BITMIME', "Gr\xfc\xdfe\r\n", 'Bob' ],
    'SMTPUTF8'      => [ ' SMTPUTF8 BODY=8BITMIME', "Gr\xc3\xbc\xc3\x9fe\r\n",
        "J\xc3\xbcrgen" ],
    'lines of 998'  => [ '', 'x' x 998 . "\r\n", 'Bob' ],
    'a lone dot'    => [ '', "..\r\n...\r\n", 'Bob' ],
    'fields to fill in' => [ '', "x\r\n", 'Bob', "Cc: carol, dave\@short\r\n" ],
);
for my $name (sort keys %kind) {
    my ($parameters, $body, $phrase, $more) = (@{ $kind{$name} }, '');
    for my $date ("Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n", '') {
        my $title = $name . ($date ? '' : ', without Date');
        for (
            [ 25, 'alice@sender.example', 'fwd.shop@public.example',
                'srs.public.example' ],
            [ 587, 'bob@public.example', 'friend@elsewhere.example',
                'public.example' ],
            )
        {
            my ($port, $from, $to, $domain) = @$_;
            my $content = "From: $phrase <$from>\r\nTo: <$to>\r\n"
                . "Subject: x\r\n$date$more\r\n$body";
            my ($signed, $out) =
                through($port, $from, $to, $parameters, $content);
            is $signed, "$domain pass", "$title, port $port: verifies";
            ok substr($out // '', -length $content) eq $content,
                '... below it the message, octet for octet';
        }
    }
}

# ---- a next hop without 8BITMIME ----

my @umlauts = (587, 'bob@public.example', 'x@old.example', ' BODY=8BITMIME',
    join("\r\n", 'From: bob@public.example', 'Subject: x', 'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=iso-8859-1',
        'Content-Transfer-Encoding: 8bit', '', "Gr\xfc\xdfe", ''), $old);
is +(through(@umlauts))[0], 'public.example pass',
    '8-bit mail to a host without 8BITMIME: verifies';
$postfix->postconf('-e', 'disable_mime_output_conversion = no');
$postfix->command('reload');
sleep 1;
my ($signed, $out) = through(@umlauts);
like $out, qr/^Content-Transfer-Encoding: quoted-printable/mi,
    'with conversion, which is the default of Postfix';
unlike $signed, qr/pass/, '... it does not: the example has to switch it off';

# ---- a line that smtp(8) folds ----

my @long = (587, 'bob@public.example', 'y@elsewhere.example', '',
    "From: bob\@public.example\r\nSubject: x\r\n\r\n" . 'y' x 1500 . "\r\n");
is +(through(@long))[0], 'public.example pass',
    'a line of 1500 octets: verifies';
ok scalar(grep {/note=long-lines/} $onward->lines),
    '... though the log says that such lines are at risk';
$postfix->postconf('-X', 'smtp_line_length_limit');
$postfix->command('reload');
sleep 1;
($signed) = through(@long);
unlike $signed, qr/pass/,
    'folded, which is the default of Postfix, it does not';

$onward->ends_well;
done_testing;
