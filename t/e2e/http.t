# The HTTP listener: what it answers, what it refuses, that health turns with
# upstream, and that the metrics add up.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Http;
use Onward::Test::Upstream;

need qw(binary);

my $upstream = Onward::Test::Upstream->new;
my $port     = free_port();
my $table    = scratch('table') . '/aliases';
spew($table, "info\@public.example me\@private.example\n");
my $onward   = Onward::Test::Daemon->new(
    upstream  => $upstream->port,
    listeners => { mx => 'inbound', submission => 'outbound' },
    aliases   => '{ match = "fwd.*@public.example"; to = ( "me@private.example" ); },'
        . '{ match = "no@public.example"; action = "reject"; },'
        . "\"texthash:$table\"",
);
spew($onward->conf,
    slurp($onward->conf) =~
        s/http = \{[^}]*\}/http = { listen = "127.0.0.1:$port" }/r);
$onward->start;

my $http = Onward::Test::Http->new($port);
sub raw ($octets) { return $http->raw($octets) }
sub get ($path)   { return $http->get($path) }
sub metrics ()    { return $http->metrics }

sub run_status (@options) {
    return run_out(binary(), '-c', $onward->conf, 'status', @options);
}

sub mail ($listener, $from, $to) {
    my $client = Onward::Test::Client->hello($onward->port($listener));
    my $reply  = $client->transaction($from, $to,
        "From: a\@sender.example\r\nSubject: x\r\n\r\nx\r\n");
    $client->quit;
    return $reply;
}

subtest 'what is answered' => sub {
    is((get('/healthz'))[0], 200, 'healthz');
    is((get('/nothing'))[0], 404, 'another path');
    like(raw("POST / HTTP/1.1\r\n\r\n"), qr{^HTTP/1.1 405 }, 'POST');
    like(raw("nonsense\r\n\r\n"),        qr{^HTTP/1.1 400 }, 'nonsense');
    like(raw("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
        qr{^HTTP/1.1 403 }, 'a name of somewhere else');
    like(raw("GET /" . 'x' x 9000 . " HTTP/1.1\r\n\r\n"),
        qr{^HTTP/1.1 431 }, 'more than 8 KiB');
    my ($status, $body, $head) = get('/');
    is($status, 200, 'the page');
    like($head, qr/^Content-Security-Policy: default-src 'none'/m, 'its policy');
    like($head, qr/^X-Content-Type-Options: nosniff/m, 'nosniff');
    unlike($body, qr{<script|https?://|\ssrc=}i, 'asks for nothing');
    my $only = raw("HEAD /healthz HTTP/1.0\r\n\r\n");
    like($only, qr/\r\n\r\n\z/, 'HEAD has no body');
};

subtest 'metrics add up' => sub {
    my %before = metrics();
    my %want = (accepted => 0, rejected => 0, deferred => 0, aborted => 0,
        discarded => 0);
    like(mail('mx', 'a@sender.example', 'fwd.a@public.example'), qr/^250 /);
    like(mail('mx', 'a@sender.example', 'fwd.b@public.example'), qr/^250 /);
    like(mail('mx', 'a@sender.example', 'no@public.example'),    qr/^550 /);
    my $cut = Onward::Test::Client->hello($onward->port('mx'));
    $cut->cmd('MAIL FROM:<a@sender.example>');
    $cut->cmd('RCPT TO:<fwd.c@public.example>');
    $cut->quit;
    like(mail('submission', 'a@sender.example', 'x@other.example'), qr/^250 /);
    @want{qw(accepted rejected aborted)} = (2, 1, 1);
    my %after;
    wait_until(seconds(3), sub {
        %after = metrics();
        return $after{'onward_sessions_active{listener="mx"}'} == 0;
    });
    for (sort keys %want) {
        is($after{qq(onward_transactions_total{listener="mx",result="$_"})},
            $want{$_}, "mx: $_");
    }
    is($after{'onward_transactions_total{listener="submission",result="accepted"}'},
        1, 'submission: accepted');
    is($after{'onward_sessions_total{listener="mx"}'}
        - $before{'onward_sessions_total{listener="mx"}'}, 4, 'sessions');
    is($after{'onward_message_bytes_count'},             3, 'messages measured');
    is($after{'onward_upstream_duration_seconds_count'}, 3, 'and timed');
    my $status = decode_json((get('/status'))[1]);
    is($status->{transactions}{accepted}, 3, 'status has the same');
    my ($page) = (get('/'))[1];
    like($page, qr/a\.\.\.\@sender\.example/, 'addresses on the page are masked');
    unlike($page, qr/fwd\.a\@/, 'all of them');
};

subtest 'dashboard, alerts and page name what there is' => sub {
    my %series = metrics();
    my %have   = map { s/\{.*//r => 1 } keys %series;
    $have{$_} = 1 for map { s/_count$//r } keys %have; # a histogram's own name
    for my $file (qw(dist/alerts.yml dist/grafana-dashboard.json man/onward.8)) {
        my $text = slurp(top() . "/proxy/$file");
        my %named = map { $_ => 1 }
            $text =~ /\b((?:onward|process)_[a-z_0-9]+)/g;
        ok(%named, "$file names some");
        is(join(' ', grep { !$have{$_} } sort keys %named),
            '', "$file: all of them exist");
    }
    ok(decode_json(slurp(top() . '/proxy/dist/grafana-dashboard.json')),
        'the dashboard is JSON');
};

subtest 'a table older than its file' => sub {
    spew($table, "info\@public.example me\@private.example, you\@private.example\n");
    my ($status, $body) = get('/readyz');
    is($status, 200, 'is a warning only');
    like($body, qr/^warning: table texthash:\Q$table\E is older/m, 'in words');
};

# The look at the keys is not taken with each request.
sub stale_keys_said ($as) {
    return wait_until(seconds(25), sub {
        return ((get('/readyz'))[1] =~ /key set is older/ ? 1 : 0) == $as;
    });
}

subtest 'a key that was written in place' => sub {
    my ($key) = glob $onward->dir . '/dkim/srs.public.example/*.pem';
    ok stale_keys_said(0), 'the keys are those on disk';
    open my $file, '>>', $key or die "$key: $!"; # its directory stays as it is
    print $file "\n";
    close $file;
    ok stale_keys_said(1), 'noticed';
    like run_status(), qr/^keys .*STALE$/m, 'status says so';
    is $? >> 8, 0, 'which is a warning';
    kill HUP => $onward->pid;
    ok stale_keys_said(0), 'until they are loaded';
};

subtest 'the command status' => sub {
    my $screen = run_status();
    is($? >> 8, 0, 'healthy');
    like($screen, qr/^onward \S+  up .* READY$/m, 'the verdict');
    like($screen, qr/accepted 3 .*rejected 1/, 'traffic');
    ok(decode_json(run_status('--json'))->{ready}, 'JSON');
    # It asks the process, and needs nothing that only the process may read.
    my $secret = $onward->dir . '/srs.secret';
    rename $secret, "$secret.away" or die "$secret: $!";
    like(run_status(), qr/READY$/m, 'without the secrets and keys');
    is($? >> 8, 0, 'healthy all the same');
    rename "$secret.away", $secret or die "$secret: $!";
};

subtest 'health turns within 10 s' => sub {
    is((get('/readyz'))[0], 200, 'ready');
    $upstream->stop;
    my $from = time;
    ok(wait_until(seconds(10), sub { (get('/readyz'))[0] == 503 }),
        'upstream is gone');
    note sprintf 'after %.1f s', time - $from;
    like((get('/readyz'))[1], qr/upstream .* is unreachable/, 'in words');
    is((get('/healthz'))[0], 200, 'and alive');
    like(run_status(), qr/NOT READY/, 'status says so');
    is($? >> 8, 1, 'exit 1');
};

$onward->ends_well;
run_status();
is($? >> 8, 69, 'status, not running: exit 69');
done_testing;
