# Each thing that does not fit, provoked in a real Postfix configuration, found
# by `check --postfix`, and mended by the command that it names.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Debian;
use Onward::Test::Setup;
use Onward::Test::Sink;

need(qw(root binary postfix));

my $postfix = Onward::Test::Debian->new(sink => free_port())->prepare->jail;
$postfix->postconf('-M', 'submission/inet=submission inet n - y - 20 smtpd');
my $setup = Onward::Test::Setup->new(postfix => $postfix, sink => undef);
my $onward = $setup->onward;
my $config = $postfix->config;
my $back = '127.0.0.1:' . $setup->{upstream};
my %port = map { $_ => $onward->port($_) } qw(mx submission);

$setup->run('setup', '--apply');
is($? >> 8, 0, 'Onward is in front');
my @good = $postfix->files;
my $conf = slurp($onward->conf);

sub check () {
    my $text = $setup->run('check', '--postfix');
    return ($? >> 8, grep {/\Q$config\E/} split /\n/, $text);
}
my ($status, @usual) = check();
is($status, 0, 'without an error');
is_deeply([grep { !/^(?:warning|note): / } @usual], [],
    'and all else are warnings and notes');

# [what, the commands that provoke it, what is said, error or warning, and
# whether the command named mends it]
my $setup_again = 'setup';
my @rows = (
    ['nothing leads to us', ["-PX smtp/inet/smtpd_proxy_filter"],
        qr/nothing sends mail to listener mx/, 'error', $setup_again],
    ['the filter leads elsewhere',
        ["-P smtp/inet/smtpd_proxy_filter=127.0.0.1:9"],
        qr{smtp/inet/smtpd_proxy_filter: leads to 127\.0\.0\.1:9}, 'error'],
    ['strangers at the outbound listener',
        ["-P smtp/inet/smtpd_proxy_filter=127.0.0.1:$port{submission}"],
        qr/leads strangers to listener submission/, 'error'],
    ['users at the inbound listener',
        ["-P submission/inet/smtpd_proxy_filter=127.0.0.1:$port{mx}"],
        qr/leads users to listener mx/, 'warning'],
    ['a submission port without us',
        ["-PX submission/inet/smtpd_proxy_filter"],
        qr{submission/inet: what users send there does not come}, 'warning',
        $setup_again],
    ['no service behind us', ["-MX $back/inet"],
        qr/upstream\.address, where nothing listens/, 'error', $setup_again],
    ['a loop', ["-P $back/inet/smtpd_proxy_filter=127.0.0.1:$port{mx}"],
        qr/mail comes to us again and again/, 'error'],
    ['a loop by main.cf', ["-PX $back/inet/smtpd_proxy_filter",
            "-e smtpd_proxy_filter=127.0.0.1:$port{mx}"],
        qr/mail comes to us again and again/, 'error'],
    ['behind us for everybody', ["-MX $back/inet",
            "-M $setup->{upstream}/inet=$setup->{upstream} inet n - n - - smtpd"],
        qr/listens on all addresses/, 'error'],
    ['no XFORWARD', ["-P $back/inet/smtpd_authorized_xforward_hosts="],
        qr/does not show the client/, 'warning'],
    ['bare newlines behind us', ["-P $back/inet/smtpd_forbid_bare_newline=no"],
        qr/last guard against smuggled/, 'warning'],
    ['exclusions from that',
        ["-PX $back/inet/smtpd_forbid_bare_newline_exclusions"],
        qr/does not hold for what comes from us/, 'warning'],
    ['bare newlines in front', ['-e smtpd_forbid_bare_newline=no'],
        qr/strangers can smuggle messages in/, 'warning'],
    ['TLS demanded behind us',
        ["-P $back/inet/smtpd_tls_security_level=encrypt"],
        qr/we speak no TLS/, 'error'],
    ['a PROXY header wanted behind us',
        ["-P $back/inet/smtpd_upstream_proxy_protocol=haproxy"],
        qr/waits for a header/, 'error'],
    ['AUTH behind us', ["-P $back/inet/smtpd_sasl_auth_enable=yes"],
        qr/offers AUTH/, 'warning'],
    ['an impatient service behind us', ["-PX $back/inet/smtpd_timeout"],
        qr/gives up while a slow client/, 'warning'],
    ['a proxy timeout below ours', ['-e smtpd_proxy_timeout=60s'],
        qr/smtp\/inet\/smtpd_proxy_timeout: 60s is not longer .* twice/,
        'error'],
    ['a size without room', ['-e message_size_limit=20000000'],
        qr/leaves no room for our fields/, 'error', $setup_again],
    ['a smaller size in the queue',
        ['-P onward-cleanup/unix/message_size_limit=10240000'],
        qr/leaves no room for our fields/, 'warning', $setup_again],
    ['processes that wait for each other', ["-F $back/inet/process_limit=40"],
        qr/40 processes behind us, and 120 in front/, 'error'],
    ['no limit in front', ['-F smtp/inet/process_limit=0'],
        qr/no limit in front/, 'error'],
    ['more processes than sessions', ['-F smtp/inet/process_limit=5000',
            "-F $back/inet/process_limit=0"],
        qr/more processes than limits\.sessions/, 'warning', 0],
    ['an SRS domain that nobody knows', ['-e relay_domains='],
        qr/in no address class: bounces are refused/, 'error', $setup_again],
    ['no route for it', ['-X transport_maps'],
        qr/no route for the SRS domain/, 'warning', $setup_again],
    ['recipients of it that are refused',
        ['-e relay_recipient_maps=hash:/nowhere',
            '-PX smtp/inet/virtual_alias_maps'],
        qr/knows no SRS addresses/, 'error', $setup_again],
    ['a front that knows no aliases', ['-PX smtp/inet/virtual_alias_maps',
            '-X relay_recipient_maps'],
        qr/smtp\/inet\/virtual_alias_maps: lacks our map/, 'warning',
        $setup_again],
    ['and is hasty', ['-PX smtp/inet/virtual_alias_maps',
            '-X relay_recipient_maps',
            '-P smtp/inet/smtpd_proxy_options=speed_adjust'],
        qr/one refused recipient refuses the message/, 'error', $setup_again],
    ['recipients that are verified', ['-e smtpd_recipient_restrictions='
                . 'permit_mynetworks, reject_unverified_recipient'],
        qr/450 for ever/, 'error'],
    ['the same by an option', ['-P smtp/inet/smtpd_recipient_restrictions='
                . 'reject_unverified_recipient,reject_unauth_destination'],
        qr/450 for ever/, 'error'],
    ['restrictions that name no domain',
        ['-e smtpd_relay_restrictions = permit_mynetworks, reject'],
        qr/lacks permit_auth_destination/, 'error'],
    ['a transport that comes from elsewhere',
        ['-P onward/unix/smtp_bind_address=192.0.2.1'],
        qr{onward/unix/smtp_bind_address: 192\.0\.2\.1: mail to Onward}, 'error'],
    ['sendmail(1) that comes from elsewhere',
        ['-e smtp_bind_address=192.0.2.1',
            "-P pickup/unix/content_filter=smtp:[127.0.0.1]:$port{submission}"],
        qr/comes to Onward from 192\.0\.2\.1/, 'error'],
    ['a front as upstream.address', [],
        qr{smtp/inet: is upstream\.address, and the service where}, 'error', 0,
        sub { s/(upstream = \{[^}]*address = ")[^"]*/${1}127.0.0.1:25/ }],
    ['all of a mail domain routed to us', ['-e mydestination=srs.public.example',
            '-e relay_domains='],
        qr/all of srs\.public\.example is routed/, 'error', $setup_again],
    ['a milter in front', ['-e smtpd_milters=inet:127.0.0.1:11332'],
        qr/smtp\/inet\/smtpd_milters: .* gets no content/, 'warning'],
    ['OpenDKIM', ['-e smtpd_milters=inet:localhost:8891'],
        qr/main\.cf: smtpd_milters: .* looks like OpenDKIM/, 'warning'],
    ['OpenDKIM for sendmail(1)', ['-e non_smtpd_milters=inet:localhost:8891'],
        qr/non_smtpd_milters: .* looks like OpenDKIM/, 'warning'],
    ['a milter behind us', ['-e smtpd_milters=inet:127.0.0.1:11332',
            "-P $back/inet/receive_override_options=no_address_mappings"],
        qr/runs behind us, after the signature/, 'warning'],
    ['maps expanded behind us', ['-e virtual_alias_maps=texthash:/etc/hosts',
            "-P $back/inet/receive_override_options=no_milters"],
        qr/virtual_alias_maps are expanded behind us/, 'warning', 0],
    ['PostSRSd', ['-e sender_canonical_maps=tcp:localhost:10001',
            "-P $back/inet/receive_override_options=no_milters"],
        qr/is PostSRSd's: senders are rewritten twice/, 'error'],
    ['fields completed behind us',
        ["-PX $back/inet/local_header_rewrite_clients"],
        qr/completed after the signature/, 'warning'],
    ['fields always added',
        ['-P onward-cleanup/unix/always_add_missing_headers=yes'],
        qr/added after the signature/, 'warning'],
    ['a content filter in front',
        ['-P smtp/inet/content_filter=amavis:[127.0.0.1]:10024'],
        qr/has no effect in front of a proxy filter/, 'warning'],
    ['a cleanup of its own in front',
        ['-P smtp/inet/cleanup_service_name=other'],
        qr/cleanup_service_name: has no effect/, 'warning', 0],
    ['mail by sendmail(1)', [],
        qr/mail by sendmail\(1\), cron and PHP does not come/, 'warning'],
    ['a local domain that Postfix has not', ['-e mydestination=localhost'],
        qr/public\.example is one of forward\.local_domains/, 'warning', 0],
    ['a socket outside of the jail', [],
        qr/runs chrooted in .* lies outside/, 'error', 1,
        sub { s{address = "127\.0\.0\.1:$port{mx}"}{address = "unix:/run/x/mx"} },
        ['-P smtp/inet/smtpd_proxy_filter=unix:/run/x/mx',
            '-F submission/inet/chroot=n']],
);

for my $row (@rows) {
    my ($what, $provoke, $said, $kind, $mends, $edit, $more) = @$row;
    $mends //= 1;
    if ($edit) {
        local $_ = $conf;
        $edit->();
        spew($onward->conf, $_);
    }
    for my $command (@$provoke, @{ $more // [] }) {
        my ($flag, $rest) = split / /, $command, 2;
        $postfix->postconf($flag, $rest);
    }
    my ($status, @found) = check();
    my ($line) = grep {$_ =~ $said} @found;
    ok($line, $what) or diag(join "\n", @found);
    is($line && $line =~ /^warning: / ? 'warning' : 'error', $kind,
        "... is a$kind" =~ s/aerror/an error/r =~ s/awarning/a warning/r)
        if $line;
    is($status, $kind eq 'error' ? 78 : $status, '... by exit code')
        if $kind eq 'error';
    if ($line && $mends) {
        my ($command) = $line =~ /; run: (.*)$/;
        ok($command, '... with a command') or next;
        my ($program) = binary();
        my $path = $onward->conf;
        $command =~ s/\bonward setup/$program -c $path setup/g;
        my $out = `($command) 2>&1`;
        is($?, 0, '... that runs') or diag("$command\n$out");
        my ($after, @left) = check();
        is(scalar(grep {$_ =~ $said} @left), 0, '... and mends it')
            or diag("$command\n", join "\n", @left);
    }
    spew("$config/main.cf", $good[0]);
    spew("$config/master.cf", $good[1]);
    spew($onward->conf, $conf);
}

# What changes mail after the signature, all at once: [the command that
# provokes it, what is said, whether the command named mends it].
my @after = (
    ['-e remote_header_rewrite_domain=domain.invalid',
        qr/remote_header_rewrite_domain: .* mapped after the signature/, 1],
    ['-e canonical_maps=texthash:/etc/hosts',
        qr/canonical_maps maps addresses behind us/, 0],
    ["-P $back/inet/receive_override_options=no_milters", qr/^/, 0],
    ['-e header_checks=regexp:/etc/hosts',
        qr{onward-cleanup/unix/header_checks: regexp:/etc/hosts: runs after},
        0],
    ['-e body_checks=regexp:/etc/hosts',
        qr{onward-cleanup/unix/body_checks: .*runs after}, 0],
    ['-e message_drop_headers=bcc,reply-to,return-path',
        qr/message_drop_headers: Reply-To is dropped after/, 0],
    ['-e message_strip_characters=\0',
        qr/characters are removed after the signature/, 1],
    ['-e header_size_limit=16384',
        qr/longer header fields are cut off after/, 1],
    ["-P $back/inet/content_filter=amavis:[127.0.0.1]:10024",
        qr{inet/content_filter: .* runs after the signature}, 0],
    ['-X disable_mime_output_conversion',
        qr/main\.cf: disable_mime_output_conversion: not yes/, 1],
    ['-P relay/unix/disable_mime_output_conversion=no',
        qr{relay/unix/disable_mime_output_conversion: not yes}, 1],
    ['-e smtp_line_length_limit=990',
        qr/smtp_line_length_limit: 990: longer lines are folded/, 1],
    ['-e smtp_generic_maps=texthash:/etc/hosts',
        qr/smtp_generic_maps: addresses .* after the signature/, 0],
    ['-P smtp/unix/smtp_header_checks=regexp:/etc/hosts',
        qr{smtp/unix/smtp_header_checks: runs after}, 0],
);
$postfix->postconf(split / /, $_->[0], 2) for @after;
my ($code, @found) = check();
is $code, 0, 'what changes mail after the signature: warnings';
for my $row (@after) {
    my ($provoke, $said, $mends) = @$row;
    my ($line) = grep {$_ =~ $said} @found;
    ok $line, $provoke or next;
    my ($command) = $line =~ /; run: (.*)$/;
    ok $command, '... with a command' if $mends;
    system "($command) >/dev/null 2>&1" if $mends && $command;
}
(undef, my @left) = check();
for my $row (grep { $_->[2] } @after) {
    is scalar(grep { $_ =~ $row->[1] } @left), 0, "mended: $row->[0]";
}
spew($onward->conf, $conf =~ s/key_directory = "[^"]*"/key_directory = ""/r);
is_deeply [ grep { defined && /smtp_generic_maps|body_checks/ } check() ], [],
    'not for whom nothing is signed';
spew($onward->conf, $conf);
spew("$config/main.cf", $good[0]);
spew("$config/master.cf", $good[1]);

my $json = $setup->run('check', '--postfix', '--json');
require JSON::PP;
my $parsed = eval { JSON::PP::decode_json($json) };
ok($parsed && $parsed->{ok}, '--json prints one document');

done_testing;
