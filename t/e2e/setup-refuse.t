# What setup does not do, and says why; what it leaves as it is; and what it
# does when things changed since.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Socket::INET;
use Test::More;
use Onward::Test;
use Onward::Test::Debian;
use Onward::Test::Setup;

need(qw(root binary postfix));

my ($postfix, $setup, @files);

# A stopped Postfix with these postconf commands run on it.
sub fresh ($commands = [], %opt) {
    $postfix = Onward::Test::Debian->new(sink => 1, %opt)->prepare;
    $setup = Onward::Test::Setup->new(postfix => $postfix, sink => undef);
    for (@$commands) {
        my ($flag, $rest) = split / /, $_, 2;
        $postfix->postconf($flag, $rest);
    }
    @files = $postfix->files;
}

sub refuses ($what, $said) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $out = $setup->run('setup', '--apply');
    is($? >> 8, 1, "$what: refused");
    like($out, $said, 'with words');
    is_deeply([$postfix->files], \@files, 'and nothing is touched');
    ok(!-e $postfix->config . '/onward.setup', 'nor remembered');
}

fresh(['-P smtp/inet/smtpd_proxy_filter=127.0.0.1:10024']);
refuses('another proxy filter',
    qr{smtp/inet has smtpd_proxy_filter = 127\.0\.0\.1:10024 already});

fresh(['-e smtpd_proxy_filter=inet:127.0.0.1:10024']);
refuses('another proxy filter in main.cf', qr/there is room for one/);

fresh();
my $mx = $setup->onward->port('mx');
$postfix->postconf('-M', "127.0.0.1:$mx/inet=127.0.0.1:$mx inet n - n - - smtpd");
@files = $postfix->files;
refuses('a listener\'s port in master.cf', qr/give the listener another port/);

fresh();
my $up = $setup->{upstream};
$postfix->postconf('-M', "$up/inet=$up inet n n n - - spawn user=nobody argv=/bin/true");
@files = $postfix->files;
refuses('upstream\'s port in master.cf', qr/is no smtpd; choose another port/);

fresh();
{
    my $taken = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $setup->{upstream},
        Listen => 1, ReuseAddr => 1) or die;
    refuses('upstream\'s port in other hands',
        qr/in use by \S+ \(pid $$\), .*; \d+ is free/);
    my $listener = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $setup->onward->port('mx'),
        Listen => 1, ReuseAddr => 1) or die;
    close $taken;
    like($setup->run('setup'),
        qr/^note: listener mx: .* is in use by \S+ \(pid $$\)/m,
        'a listener\'s port in other hands: a note');
}

fresh(['-MX smtp/inet']);
refuses('no port 25', qr/no smtpd service faces outside/);

# What stays

my $before;
sub applied ($what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $out = $setup->run('setup', '--apply');
    is($? >> 8, 0, "$what: applied") or diag($out);
    return $out;
}
sub removed ($what = 'removed') {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $out = $setup->run('setup', '--remove');
    is($? >> 8, 0, $what) or diag($out);
    is_deeply([$postfix->shown], $before, 'all is as before');
    return $out;
}
sub main_cf ($name) {
    return $postfix->postconf('-h', $name) =~ s/\n\z//r;
}

fresh(['-e transport_maps = texthash:/etc/t, inline:{{x = y}}',
    '-e virtual_alias_maps = texthash:/etc/aliases texthash:/etc/v',
    '-P smtp/inet/smtpd_proxy_timeout=20s', '-F smtp/inet/process_limit=7']);
$before = [$postfix->shown];
applied('values of the site\'s own');
like(main_cf('transport_maps'),
    qr/^texthash:\/etc\/t, inline:\{\{x = y\}\}, inline:\{srs\.public/,
    'transport_maps are kept');
like($postfix->postconf('-P', 'smtp/inet/virtual_alias_maps'),
    qr{= texthash:/etc/aliases,texthash:/etc/v,socketmap:}, 'so are aliases');
like($postfix->postconf('-P', "127.0.0.1:$setup->{upstream}/inet/receive_override_options"),
    qr/= no_unknown_recipient_checks,no_milters$/,
    'which Postfix goes on expanding behind us');
like($postfix->postconf('-P', 'smtp/inet/smtpd_proxy_timeout'), qr/= 100s/,
    'a short timeout is mended');
removed();

# Values with blanks of their own on the front
fresh(['-e virtual_alias_maps = inline:{{ a@public.example = b@public.example }}']);
$before = [$postfix->shown];
applied('an inline map');
like(main_cf('onward_virtual_alias_maps'), qr/^inline:\{.*, socketmap:/,
    'goes by a parameter of its own');
removed();

# A content filter goes on, behind us
fresh(['-e content_filter = amavis:[127.0.0.1]:10024']);
$before = [$postfix->shown];
applied('a content filter');
like($postfix->postconf('-P', "127.0.0.1:$setup->{upstream}/inet/content_filter"),
    qr/= amavis:/, 'goes on behind us');
removed();

# Changed by somebody since
fresh();
applied('later changed by the administrator');
my $now = main_cf('transport_maps');
$postfix->postconf('-e', "transport_maps = texthash:/etc/new, $now");
$postfix->postconf('-e', 'relay_domains = entirely.other.example');
my $out = $setup->run('setup', '--remove');
is($? >> 8, 0, 'removed');
is(main_cf('transport_maps'), 'texthash:/etc/new',
    'of a list only our part is taken out');
is(main_cf('relay_domains'), 'entirely.other.example',
    'what is no longer ours is left');
like($out, qr/relay_domains was changed since/, 'and said so');

# The configuration changed since
fresh();
$before = [$postfix->shown];
applied('first one port');
my $old = $setup->{upstream};
my $new = free_port();
spew($setup->onward->conf,
    slurp($setup->onward->conf) =~ s/127\.0\.0\.1:$old/127.0.0.1:$new/r);
applied('then another');
is($postfix->postconf('-M', "127.0.0.1:$old/inet"), '',
    'the service at the old port is gone');
like($postfix->postconf('-M', "127.0.0.1:$new/inet"), qr/reinject/,
    'the new one is there');
like(applied('and again'), qr/^Nothing to change/m, 'nothing');
unlink $setup->onward->conf;
$setup->run('setup', '--remove', '--postfix-config', $postfix->config);
is($? >> 8, 0, 'removed without the configuration');
is_deeply([$postfix->shown], $before, 'all is as before');

# Cut short: what is remembered covers what was done
fresh();
$before = [$postfix->shown];
applied('an apply');
$postfix->postconf('-PX', 'smtp/inet/smtpd_proxy_filter');
$postfix->postconf('-MX', "127.0.0.1:$setup->{upstream}/inet");
removed('that was half undone');

# Not to be trusted
fresh();
applied('a state');
chmod 0666, $postfix->config . '/onward.setup';
@files = $postfix->files;
$out = $setup->run('setup', '--remove');
isnt($? >> 8, 0, 'that others could have written');
like($out, qr/others could have written it/, 'is not acted on');
is_deeply([$postfix->files], \@files, 'at all');
chmod 0600, $postfix->config . '/onward.setup';
spew($postfix->config . '/onward.setup', "main\tx\n", 0600);
like($setup->run('setup', '--remove'), qr/damaged at line 1/,
    'nor is a damaged one');

# Usage
$setup->run('setup', '--apply', '--remove');
is($? >> 8, 64, 'both at once is usage');
$setup->run('setup', '--postfix-config', '/nowhere');
is($? >> 8, 69, 'a directory that is none');

done_testing;
