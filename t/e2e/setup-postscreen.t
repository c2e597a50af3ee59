# Port 25 behind postscreen, and a submission port: both are found.

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

my $sink = Onward::Test::Sink->new;
my $postfix = Onward::Test::Debian->new(
    sink => $sink->port,
    main => join("\n",
        'postscreen_greet_wait = 1s',
        'postscreen_access_list = cidr:{{127.0.0.0/8 permit}}',
        # A value of the site's own, which must come back as it was.
        'transport_maps = inline:{{other.example = smtp:[127.0.0.1]:1}},',
        '  inline:{{third.example = error:gone}}',
        'relay_domains = backup.example',
        'relay_recipient_maps = inline:{{a@backup.example = x}}',
    ),
)->prepare;
$postfix->postconf('-M', 'smtp/inet=smtp inet n - y - 1 postscreen');
$postfix->postconf('-M', 'smtpd/pass=smtpd pass - - y - 40 smtpd');
$postfix->postconf('-M', 'dnsblog/unix=dnsblog unix - - y - 0 dnsblog');
$postfix->postconf('-M', 'tlsproxy/unix=tlsproxy unix - - y - 0 tlsproxy');
$postfix->postconf('-M', 'submission/inet=submission inet n - y - 20 smtpd'
    . ' -o syslog_name=postfix/submission -o smtpd_tls_security_level=none'
    . ' -o { smtpd_relay_restrictions = permit_mynetworks, reject }');
# amavis' way back, which is no front.
$postfix->postconf('-M', '127.0.0.1:10025/inet=127.0.0.1:10025 inet n - y - -'
    . ' smtpd -o content_filter= -o mynetworks=127.0.0.0/8');
$postfix->start;

my $setup = Onward::Test::Setup->new(
    postfix => $postfix, sink => $sink, submission => 587,
);
my $shown = $setup->run('setup');
like($shown, qr{^postconf .*-P smtpd/pass/smtpd_proxy_filter=}m,
    'the smtpd behind postscreen is the front');
like($shown, qr{^postconf .*-P submission/inet/smtpd_proxy_filter=}m,
    'and the submission port');
unlike($shown, qr{-P smtp/inet/}, 'not postscreen itself');
unlike($shown, qr{127\.0\.0\.1:10025/inet}, 'nor the way back from amavis');
like($shown, qr/inet n - y - 120 smtpd/,
    'behind us there is room for twice 40 and 20 processes');
$setup->life;

done_testing;
