# What a site's own settings do to mail that comes to Onward: the harm on a real
# Postfix first, then what check --postfix says of it, and no harm after the
# command that it names.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Debian;
use Onward::Test::Setup;
use Onward::Test::Sink;

need(qw(root binary postfix Mail::DKIM));
Onward::Test::Debian->own_network;
# An address that is not this host's loopback.
system('ip addr add 192.0.2.25/32 dev lo') == 0
    or plan(skip_all => 'setup-harm.t needs ip addr');

my $sink = Onward::Test::Sink->new;
my $postfix = Onward::Test::Debian->new(sink => $sink->port)->start;
my $setup = Onward::Test::Setup->new(postfix => $postfix, sink => $sink);
my $onward = $setup->onward;
my @before = $postfix->shown;
$onward->start;
$setup->run('setup', '--apply');
is($? >> 8, 0, 'Onward is in front');
$postfix->greets;
my @good = $postfix->files;
my $path = $onward->conf;
my $good_conf = slurp($path);
my $state = $postfix->config . '/onward.setup';
my $good_state = slurp($state);

my $message = join "\r\n", 'From: Alice <alice@sender.example>',
    'Subject: x', 'Date: Tue, 24 Nov 2026 10:00:00 +0000',
    'Message-ID: <1@sender.example>', '', 'hello', '';

sub reload () {
    $postfix->command('reload');
    sleep 2;
    $postfix->greets;
}
sub send_to ($to, $from = 'alice@sender.example') {
    return $setup->client->transaction($from, $to, $message);
}

# The commands, the harm (true while it is there), what is said of it.
sub harm ($name, $provoke, $is_harmed, $said) {
    for (@$provoke) {
        my ($flag, $rest) = split / /, $_, 2;
        $postfix->postconf($flag, $rest);
    }
    reload();
    $sink->clear;
    ok($is_harmed->(), "$name: the harm");
    my $text = $setup->run('check', '--postfix');
    is($? >> 8, 78, '... is an error');
    my ($line) = grep {$_ =~ $said} split /\n/, $text;
    ok($line, '... which check --postfix finds') or diag($text);
    my ($command) = ($line // '') =~ /; run: (.*)$/;
    my $program = binary();
    ($command //= 'false')
        =~ s/\bonward setup/$program -c $path setup/;
    my $out = `($command) 2>&1`;
    is($?, 0, '... with a command') or diag($out);
    reload();
    $sink->clear;
    ok(!$is_harmed->(), '... after which it is gone')
        or diag($command, $postfix->log);
    my @left = grep {$_ =~ $said} split /\n/,
        $setup->run('check', '--postfix');
    is_deeply(\@left, [], '... and nothing more is said');
    spew($postfix->config . '/main.cf', $good[0]);
    spew($postfix->config . '/master.cf', $good[1]);
    spew($state, $good_state, 0600);
    spew($path, $good_conf);
}

# The sink knows no alias, as a mailbox server does not.
$sink->rules({ 'TO:<fwd.shop@public' => '550 5.1.1 no such user' });
harm('recipients are verified',
    ['-e smtpd_recipient_restrictions='
        . 'permit_mynetworks, reject_unverified_recipient'],
    sub { send_to('fwd.shop@public.example') !~ /^250/ },
    qr/reject_unverified_recipient: .* 450 for ever/);
$sink->rules({});

harm('restrictions that name the site\'s own domains alone',
    ['-e parent_domain_matches_subdomains=',
        '-e smtpd_relay_restrictions = permit_mynetworks, '
        . 'check_recipient_access inline:{public.example=permit}, reject'],
    sub {
        return 1 if send_to('fwd.shop@public.example') !~ /^250/;
        my $there = $sink->wait_to('me@private.example') or return 1;
        return send_to($there->{from}, '') !~ /^250/;
    },
    qr/lacks permit_auth_destination/);

# Bounces that this Postfix makes come from smtp(8).
sub bounce_is_lost () {
    $sink->rules({ 'TO:<me@private' => '550 5.1.1 no such user' });
    send_to('fwd.gone@public.example', 'carol@sender.example') =~ /^250/
        or return 1;
    my $home = $sink->wait_to('carol@sender.example', 8);
    $sink->rules({});
    return !$home;
}
harm('smtp(8) comes from another address',
    ['-P onward/unix/smtp_bind_address=192.0.2.25'], \&bounce_is_lost,
    qr{onward/unix/smtp_bind_address: .* refuses});

# PostSRSd's default: the SRS domain is the mail domain. This is what setup did
# to it.
spew($path, $good_conf =~ s/srs\.public\.example/public.example/gr);
$onward->stop;
$onward->start;
my $port = $onward->port('mx');
harm('all of a mail domain routed to us',
    ["-e transport_maps=inline:{public.example=onward:[127.0.0.1]:$port}"],
    sub {
        send_to('bob@public.example') =~ /^250/ or return 1;
        return !$sink->wait_to('bob@public.example', 8);
    },
    qr/all of public\.example is routed to Onward/);

# An alias domain that Postfix has not heard of.
spew($path, $good_conf =~ s/(aliases = \(\s*)/$1\{ match = "*\@old.example"; to = ( "me\@private.example" ); },/r);
$onward->stop;
$onward->start;
harm('an alias domain in no address class', [],
    sub { send_to('x@old.example') !~ /^250/ },
    qr/old\.example has aliases of ours and is in no address class/);

# All of it again, and out.
spew($path, $good_conf);
$onward->stop;
$onward->start;
$setup->run('setup', '--remove');
is($? >> 8, 0, 'setup --remove');
is_deeply([$postfix->shown], \@before, 'postconf -n, -M, -P are as before');
spew($path, $good_conf =~ s/srs\.public\.example/public.example/gr);
$onward->stop;
$onward->start;
$setup->run('setup', '--apply');
is($? >> 8, 0, 'the mail domain as SRS domain: setup --apply');
reload();
$sink->clear;
like(send_to('bob@public.example'), qr/^250/, '... mail to a mailbox');
ok($sink->wait_to('bob@public.example'), '... gets there');
like(send_to('fwd.shop@public.example'), qr/^250/, '... an alias');
my $there = $sink->wait_to('me@private.example');
like($there && $there->{from}, qr/^SRS0=.*\@public\.example$/, '... leaves');
ok(!bounce_is_lost(), '... and a bounce made here comes home');
$setup->run('setup', '--remove');
is_deeply([$postfix->shown], \@before, 'setup --remove: as before');

$onward->ends_well;
done_testing;
