# The main job on a real Postfix: a message for an alias is forwarded, SRS
# rewritten and signed, without touching what it already had; its bounce finds
# its way home, a forged one does not; what stays is left alone.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Postfix;
use Onward::Test::Relay;
use Onward::Test::SRS;
use Onward::Test::Sink;
use Onward::Test::Verify;

need qw(binary root postfix Mail::DKIM::Verifier python3-dkim);

# front -> before -> onward -> behind -> back -> sink; the relays record.
my $back   = free_port();
my $sink   = Onward::Test::Sink->new;
my $socket = scratch('socket') . '/mx';
my $behind = Onward::Test::Relay->new(to => $back);
my $onward = Onward::Test::Daemon->new(
    upstream => $behind->port,
    # One connection for each upstream transaction, so that each is a record.
    upstream_settings => 'idle_timeout = "0s";',
    more_listeners => "{ name = \"local\"; address = \"unix:$socket\";"
        . ' role = "inbound"; group = "postfix"; mode = "0660"; }',
)->start;
my $before = Onward::Test::Relay->new(to => $onward->port);
my $postfix = Onward::Test::Postfix->new(
    sink      => $sink->port,
    fronts    => {
        front  => $before->port,
        adjust => $onward->port,
        local  => "unix:$socket",
    },
    front_options => { adjust => ['smtpd_proxy_options=speed_adjust'] },
    ports     => { reinject => $back },
    transport => { 'srs.public.example' => $onward->port },
)->start;

my $alice = 'alice@sender.example';
my $alias = 'fwd.shop@public.example';
my $key   = make_key($onward->dir . '/alice.pem');
my %dns   = (
    %{ $onward->dns },
    'alice._domainkey.sender.example' => dns_record($key),
);

# A message with what a careless relay would damage: folded fields, odd white
# space, a repeated field, 8-bit text, dots, no Message-ID.
sub message ($subject) {
    return sign_as(
        join("\r\n",
            "From: Alice  Example <$alice>",
            "To: $alias",
            "Subject: $subject",
            "\tin  two lines ",
            'Date: Tue, 24 Nov 2026 10:00:00 +0000',
            'X-Odd:no space',
            'X-Odd:   many   ',
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 8bit",
            '',
            '.one dot', '..two dots', '.', "gr\xc3\xbc\xc3\x9fe  ", '', '',
            'end', '', ''),
        'sender.example', 'alice', $key
    );
}

sub front (%opt) { Onward::Test::Client->hello($postfix->port('front'), %opt) }

# All fields and the body below (and with) the first line that matches.
sub below ($content, $pattern) {
    $content =~ /^$pattern/m or return "no line matches $pattern";
    return substr $content, $-[0];
}

my ($forwarded, $queue_id);

subtest 'a message for an alias leaves forwarded, SRS rewritten and signed' =>
    sub {
    my $reply = front()->transaction($alice, $alias, message('shop'));
    like $reply, qr/^250 2\.0\.0 Ok: queued as (\w+)$/,
        "the last reply is Postfix' own";
    ($queue_id) = $reply =~ /queued as (\w+)/;

    $forwarded = $sink->wait_to('me@private.example')
        or return fail('it arrives at the private address');
    is_deeply $forwarded->{to}, ['me@private.example'], 'one recipient';
    my %allowed = map {
        srs0($alice, 'srs.public.example', 'a secret for tests only',
            time => $_) => 1
    } time - 60, time;
    ok $allowed{ $forwarded->{from} },
        "the reverse-path is Alice's, made into SRS"
        or diag $forwarded->{from};

    my $got  = $before->content;
    my $sent = $behind->content;
    is substr($sent, -length $got), $got,
        'what the front sent passes byte for byte';
    my $added = substr $sent, 0, length($sent) - length $got;
    is_deeply [map {lc} $added =~ /^([\w-]+):/mg],
        [qw(dkim-signature x-original-to x-onward-loop)],
        'a signature, the alias and a loop mark stand above it, nothing else';
    my $data = $forwarded->{data}->();
    is below($data, 'DKIM-Signature'), below($sent, 'DKIM-Signature'),
        'and so it leaves Postfix';

    my @rows = verdicts($data, \%dns);
    is_deeply [map {"$_->{verifier} $_->{domain} $_->{result}"} @rows],
        [
        'dkimpy srs.public.example pass', 'dkimpy sender.example pass',
        'Mail::DKIM srs.public.example pass', 'Mail::DKIM sender.example pass'
        ],
        'two verifiers: our signature is good, and so is still the sender\'s'
        or diag explain \@rows;
    my $changed = $data =~ s/\r\nend/\r\nEnd/r;
    is scalar(grep { $_->{result} eq 'pass' } verdicts($changed, \%dns)), 0,
        '... and both would notice one changed letter';
    };

subtest 'one line of the log joins both halves' => sub {
    ok $queue_id, 'there is a queue id' or return;
    my $line = $onward->logged(qr/queued as $queue_id/);
    ok $line, 'our line has it' or return diag $onward->log;
    for my $part (
        qr/\bclient=\S+\[127\.0\.0\.1\]/, qr/\blistener=mx\b/,
        qr/\bfrom=<\Q$alice\E>/, qr/\bsrs=<SRS0=[^>]+\@srs\.public\.example>/,
        qr/\borig_to=<\Q$alias\E>/, qr/\bto=<me\@private\.example>/,
        qr/\bsize=\d+/, qr{\bdkim=srs\.public\.example/s2026\b},
        qr/\bstatus=sent\b/, qr/\breply="250 2\.0\.0 Ok: queued as $queue_id"/
        ) {
        like $line, $part, "it says $part";
    }
    ok $postfix->logged(qr{reinject/smtpd.* $queue_id: client=}),
        'the re-injection has it';
    ok $postfix->logged(qr{front/smtpd.*proxy-accept.*queued as $queue_id}),
        'the front has it';
    ok $postfix->logged(
        qr{reinject/smtpd.* $queue_id: .*orig_client=\S+\[127\.0\.0\.1\]}),
        'the client is known behind us (XFORWARD)';
    like $behind->said(0), qr/^XFORWARD .*SOURCE=REMOTE/m,
        'to upstream every client is remote';
    unlike $behind->said(0), qr/SOURCE=LOCAL/, '... always';
};

my $bounce = join "\r\n", 'From: MAILER-DAEMON@private.example',
    "To: <$alice>", 'Subject: Undelivered', '', 'no such user', '';
my $return = $forwarded ? $forwarded->{from} : 'none';

subtest 'a bounce finds its way home' => sub {
    $sink->clear;
    like front()->transaction('', $return, $bounce), qr/^250 .*queued as/,
        'it is accepted';
    my $home = $sink->wait_to($alice) or return fail('it reaches Alice');
    is $home->{from}, '', 'from nobody, as it came';
    is_deeply $home->{to}, [$alice], 'to nobody else';
    like $home->{data}->(), qr/\r\n\r\nno such user\r\n\z/,
        'as it was written';

    $sink->clear;
    like front()->transaction('', lc $return, $bounce), qr/^250/,
        'in lower case too, as some relays make it';
    ok $sink->wait_to($alice), '... it reaches Alice';
};

subtest 'a forged bounce does not' => sub {
    $sink->clear;
    my ($hash) = $return =~ /^SRS0=([^=]+)=/ or return fail('an SRS address');
    for my $at (0 .. length($hash) - 1) {
        my $forged = $return;
        substr $forged, 5 + $at, 1, substr($hash, $at, 1) =~ /a/i ? 'b' : 'a';
        my $client = front();
        $client->cmd('MAIL FROM:<>');
        like $client->cmd("RCPT TO:<$forged>"), qr/^550 5\.7\.1 /,
            'character ' . ($at + 1) . ' of the hash changed: 550 5.7.1';
    }
    my $user = $return =~ s/=alice@/=mallory@/r;
    my $client = front();
    $client->cmd('MAIL FROM:<>');
    like $client->cmd("RCPT TO:<$user>"), qr/^550 5\.7\.1 /,
        'another user with this hash: 550 5.7.1';
    my $old = srs0($alice, 'srs.public.example', 'a secret for tests only',
        time => time - 23 * 86400);
    like $client->cmd("RCPT TO:<$old>"), qr/^550 5\.1\.6 /,
        'made 23 days ago: 550 5.1.6';
    ok $onward->logged(qr/status=rejected, reason=srs-expired/),
        '... and the log says why';
    my $young = srs0($alice, 'srs.public.example', 'a secret for tests only',
        time => time - 20 * 86400);
    like $client->cmd("RCPT TO:<$young>"), qr/^250/,
        'made 20 days ago: welcome';

    $client = front();
    $client->cmd('MAIL FROM:<eve@elsewhere.example>');
    like $client->cmd("RCPT TO:<$return>"), qr/^250/,
        'a genuine one from a sender: known';
    like $client->cmd('DATA'), qr/^550 5\.7\.1 /, '... but for bounces only';
    is $sink->count, 0, 'and nothing came through';
};

subtest 'a bounce that this Postfix makes itself goes home too' => sub {
    $sink->clear;
    $sink->rules({ 'RCPT TO:<me@private' => '550 5.1.1 no such user' });
    like front()->transaction($alice, $alias, message('bounce')), qr/^250/,
        'forwarded, and refused by its next hop';
    my $home = $sink->wait_to($alice)
        or return fail('the bounce reaches Alice');
    is $home->{from}, '', 'as a bounce';
    like $home->{data}->(), qr/Subject: Undelivered Mail/,
        "it is Postfix' own";
    $sink->rules({});
};

subtest "another domain's SRS address passes untouched" => sub {
    $sink->clear;
    my $foreign = 'SRS0=abcd=7G=sender.example=bob@forwarder.example';
    my $client = front(from => '127.0.0.2');
    like $client->transaction('', $foreign, $bounce), qr/^250/, 'accepted';
    my $out = $sink->wait_to($foreign) or return fail('it arrives');
    is_deeply $out->{to}, [$foreign], 'as it was';
    is $out->{from}, '', 'from whom it was';
};

subtest 'what stays is left alone, what leaves is rewritten: one message' =>
    sub {
    $sink->clear;
    my $connections = $behind->connections;
    my $client = front();
    like $client->transaction($alice, [$alias, 'bob@public.example'],
        message('both')), qr/^250 .*queued as (\w+)$/, 'accepted';
    my $away  = $sink->wait_to('me@private.example');
    my $local = $sink->wait_to('bob@public.example');
    ok $away && $local, 'both arrive' or return;
    like $away->{from}, qr/^SRS0=.*=sender\.example=alice\@srs\.public/,
        'what leaves has an SRS sender';
    is $local->{from}, $alice, "what stays has Alice's own";
    is_deeply $away->{to},  ['me@private.example'], 'each by itself';
    is_deeply $local->{to}, ['bob@public.example'], '...';
    my $signed = () = $local->{data}->() =~ /^DKIM-Signature:/mg;
    is $signed, 1, "what stays has Alice's signature and none of ours";
    unlike $local->{data}->(), qr/^X-Onward-Loop/m, '... and no loop mark';
    is $behind->connections - $connections, 2, 'two upstream transactions';
    my $line = $onward->logged(qr/to=<[^>]+>,<[^>]+>/);
    ok $line, 'one line of the log names both' or diag $onward->log;
    };

subtest 'a message that stays only is not touched at all' => sub {
    $sink->clear;
    like front()->transaction($alice, 'bob@public.example', message('stay')),
        qr/^250/, 'accepted';
    my $local = $sink->wait_to('bob@public.example')
        or return fail('it arrives');
    is $local->{from}, $alice, 'its sender is its own';
    is $behind->content, $before->content, 'its content is what came';
};

subtest 'a front that adjusts speed: all at once, after the dot' => sub {
    $sink->clear;
    my $adjust = sub {
        Onward::Test::Client->hello($postfix->port('adjust'));
    };
    like $adjust->()->transaction($alice, [$alias, 'bob@public.example'],
        message('adjust')), qr/^250 .*queued as/, 'accepted';
    ok $sink->wait_to('me@private.example'), 'the one that leaves arrives';
    ok $sink->wait_to('bob@public.example'), 'the one that stays too';
    my $forged = $return =~ s/=alice@/=mallory@/r;
    like $adjust->()->transaction('', $forged, $bounce), qr/^550 5\.7\.1 /,
        'a forged bounce is refused';
};

subtest 'a front that comes by a unix socket' => sub {
    $sink->clear;
    my $client = Onward::Test::Client->hello($postfix->port('local'));
    like $client->transaction($alice, $alias, message('unix')),
        qr/^250 .*queued as/, 'accepted';
    ok $sink->wait_to('me@private.example'), 'it arrives';
    ok $onward->logged(qr/listener=local.*status=sent/), '... and is logged';
};

subtest 'a null reverse-path stays null' => sub {
    $sink->clear;
    like front()->transaction('', $alias, $bounce), qr/^250/, 'accepted';
    my $out = $sink->wait_to('me@private.example')
        or return fail('it arrives');
    is $out->{from}, '', 'a bounce is not given a return path';
};

subtest 'a stranger who says a name of ours is rewritten' => sub {
    $sink->clear;
    like front()->transaction('bob@public.example', $alias, message('own')),
        qr/^250/, 'accepted';
    my $out = $sink->wait_to('me@private.example')
        or return fail('it arrives');
    like $out->{from}, qr/^SRS0=.*=public\.example=bob\@srs\.public\.example$/,
        'as any other';
};

subtest 'a message that has been here before is a loop' => sub {
    my ($mark) = $forwarded
        ? $forwarded->{data}->() =~ /^(X-Onward-Loop: [0-9a-f]{8}-[0-9a-f]{16}\r\n)/m
        : ();
    ok $mark, 'it had a mark' or return;
    like front()->transaction($alice, $alias, $mark . message('loop')),
        qr/^554 5\.4\.6 /, 'refused: 554 5.4.6';
};

$onward->ends_well;
done_testing;
