# What our own users send is signed as theirs, with every active key of their
# domain; the listener decides, never the message.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Postfix;
use Onward::Test::Sink;
use Onward::Test::Verify;

need qw(binary root postfix Mail::DKIM::Verifier python3-dkim);

my $back   = free_port();
my $sink   = Onward::Test::Sink->new;
my $onward = Onward::Test::Daemon->new(
    upstream  => $back,
    listeners => { mx => 'inbound', submission => 'outbound' },
    keys      => { 'public.example' => 's2026' },
);
my $second = make_key($onward->dir . '/dkim/public.example/e2026.pem',
    'ed25519');
my %dns = (
    %{ $onward->dns },
    'e2026._domainkey.public.example' => dns_record($second),
);
# Made, but waiting for DNS; retired: neither signs.
make_key($onward->dir . "/dkim/public.example/$_.pem")
    for 'new.next', 'past.old';
$onward->start;

my $postfix = Onward::Test::Postfix->new(
    sink   => $sink->port,
    fronts => {
        front      => $onward->port('mx'),
        submission => $onward->port('submission'),
    },
    ports => { reinject => $back },
)->start;

my $n = 0;

# Sends it from the trusted network, and returns it as it came out.
sub through ($service, $from, $header, $body = "hello\r\n", $to = undef) {
    $to //= 'friend' . ++$n . '@elsewhere.example';
    my $client = Onward::Test::Client->hello($postfix->port($service),
        from => '127.0.0.2');
    my $reply = $client->transaction($from, $to, "$header\r\n$body");
    like $reply, qr/^250 .*queued as/, 'accepted' or return '';
    my $out = $sink->wait_to($to =~ /^fwd/ ? 'me@private.example' : $to)
        or return '';
    return $out->{data}->();
}

sub signers ($message) {
    return [map {"$_->{domain}/$_->{selector} $_->{result}"}
            dkimpy($message, \%dns)];
}

my $header = "From: Bob <bob\@public.example>\r\nTo: a\@elsewhere.example\r\n"
    . "Subject: hi\r\n";
my $dated = $header . "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
    . "Message-ID: <1\@public.example>\r\n";

subtest 'our user: one good signature for each active key' => sub {
    my $out = through('submission', 'bob@public.example', $dated);
    is_deeply [sort @{ signers($out) }],
        ['public.example/e2026 pass', 'public.example/s2026 pass'],
        'dkimpy: RSA and Ed25519';
    my ($rsa) = grep { $_->{selector} eq 's2026' } mail_dkim($out, \%dns);
    is $rsa->{result}, 'pass', 'Mail::DKIM: RSA (it knows no Ed25519)';
    my @fields = $out =~ /^(DKIM-Signature: .*\r\n(?:[ \t].*\r\n)*)/mg;
    for my $field (@fields) {
        like $field, qr/\bc=relaxed\/relaxed;/, 'relaxed/relaxed';
        unlike $field, qr/[;\s](?:l|z|i|q)=/, 'no l=, z=, i=, q=';
        cmp_ok length $_, '<=', 80, 'a line fits'
            for split /(?<=\n)/, $field;
    }
    for my $added ("From: eve\@evil.example\r\n", "Subject: other\r\n",
        "To: x\@evil.example\r\n")
    {
        my $forged = $out =~ s/^(From: Bob)/$added$1/mr;
        is_deeply [grep {/pass/} @{ signers($forged) }], [],
            'oversigned: another ' . $added =~ s/:.*//sr . ' breaks them';
    }
    my $listed = "Sender: owner\@list.example\r\nList-Id: <k.list.example>\r\n"
        . "Precedence: bulk\r\nMIME-Version: 1.0\r\n"
        . "Content-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\n";
    is_deeply [grep { !/pass/ } @{ signers($out =~ s/^(From: Bob)/$listed$1/mr) }],
        [], 'fields that a list adds do not';
};

subtest 'missing Date and Message-ID are added, and signed' => sub {
    my $out = through('submission', 'bob@public.example', $header);
    is scalar(() = $out =~ /^Date: /mg),       1, 'one Date';
    is scalar(() = $out =~ /^Message-ID: /mig), 1, 'one Message-ID';
    is_deeply [grep { !/pass$/ } @{ signers($out) }], [], 'all good';
    my $changed = $out =~ s/^Date: \w+/Date: Xyz/mr;
    is_deeply [grep {/pass$/} @{ signers($changed) }], [],
        '... and they cover the Date';
};

# Nothing between Onward and the sink changes what was signed: neither the
# re-injection smtpd and its cleanup nor smtp(8).
my $utf8 = "J\xc3\xbcrgen";
for (
    [ '7-bit', '', "hello\r\n", 'Bob' ],
    [ '8-bit', ' BODY=8BITMIME', "Gr\xfc\xdfe, \xc3\xa9 \xff\r\n", 'Bob' ],
    [ 'SMTPUTF8', ' SMTPUTF8 BODY=8BITMIME', "Gr\xc3\xbc\xc3\x9fe\r\n", $utf8 ],
    [ 'SMTPUTF8, with such addresses', ' SMTPUTF8 BODY=8BITMIME', "x\r\n",
        $utf8, $utf8 ],
    )
{
    my ($name, $parameters, $body, $phrase, $local) = @$_;
    $local //= 'bob';
    for my $date ("Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n", '') {
        subtest $name . ($date ? ', with Date' : ', without Date') => sub {
            my $to = ($parameters =~ /UTF8/ ? "fr\xc3\xa9d" : 'fred') . ++$n
                . '@elsewhere.example';
            my $client = Onward::Test::Client->hello(
                $postfix->port('submission'), from => '127.0.0.2');
            like $client->cmd("MAIL FROM:<$local\@public.example>$parameters"),
                qr/^250/, 'MAIL';
            like $client->cmd("RCPT TO:<$to>"), qr/^250/, 'RCPT';
            like $client->cmd('DATA'), qr/^354/, 'DATA';
            like $client->content("From: $phrase <$local\@public.example>\r\n"
                    . "To: <$to>\r\nSubject: $phrase\r\n$date\r\n$body"),
                qr/^250 .*queued as/, 'accepted';
            my $out = $sink->wait_to($to) or return fail 'it did not arrive';
            my $data = $out->{data}->();
            like $out->{mail}, qr/\Q$_\E/, "smtp(8) says $_"
                for split ' ', $parameters;
            like $data, qr/\r\n\r\n\Q$body\E\z/, 'the body as it was';
            is scalar(() = $data =~ /^Date: /mgi), 1, 'one Date';
            is_deeply [ sort @{ signers($data) } ],
                ['public.example/e2026 pass', 'public.example/s2026 pass'],
                'both signatures verify at the sink';
            is_deeply [ grep {/pass/}
                    @{ signers($data =~ s/^Date: \w+/Date: Xyz/mr) } ], [],
                '... and cover the Date';
        };
    }
}

subtest 'a sub-domain is signed with its parent\'s key' => sub {
    my $out = through('submission', 'bob@sub.public.example',
        $dated =~ s/public\.example/sub.public.example/r);
    is_deeply [grep { !/^public\.example\/\w+ pass$/ } @{ signers($out) }],
        [], 'by public.example';
    cmp_ok scalar @{ signers($out) }, '>', 0, '... at all';
};

for (
    ['a domain without a key', 'bob@public.example',
        $dated =~ s/bob\@public/eve\@other/r],
    ['a reverse-path of another domain', 'eve@other.example', $dated],
    ['two From fields', 'bob@public.example',
        "From: eve\@evil.example\r\n$dated"],
    ['no From', 'bob@public.example', $dated =~ s/^From:.*?\r\n//r],
    ['a parent of the key\'s domain', 'bob@public.example',
        $dated =~ s/bob\@public\.example/bob\@example/r],
    ['a domain that only ends alike', 'bob@public.example',
        $dated =~ s/bob\@public/bob\@xpublic/r],
    )
{
    my ($name, $from, $fields) = @$_;
    subtest "$name: not signed" => sub {
        my $out = through('submission', $from, $fields);
        ok $out ne '', 'it goes out';
        unlike $out, qr/^DKIM-Signature/m, 'without a signature';
        ok $onward->logged(qr/dkim="?none\(\S+.*friend$n\@|friend$n\@.*dkim="?none\(/),
            '... and the log says why';
    };
}

subtest 'the same message from outside gets no signature of the author' =>
    sub {
    my $out = through('front', 'bob@public.example', $dated);
    ok $out ne '', 'it passes';
    is_deeply signers($out), [], 'unsigned, as it stays';
    $out = through('front', 'alice@sender.example', $dated, "hello\r\n",
        'fwd.spoof@public.example');
    ok $out ne '', 'forwarded, it passes';
    is_deeply signers($out), [], '... and our name is not lent to it';
    $sink->clear;
    $out = through('front', 'alice@sender.example',
        $dated =~ s/bob\@public/alice\@sender/r, "hello\r\n",
        'fwd.other@public.example');
    is_deeply signers($out), ['srs.public.example/s2026 pass'],
        'a stranger\'s own is signed as forwarded';
    };

subtest 'nothing is added to what only passes' => sub {
    my $out = through('front', 'alice@sender.example',
        "From: alice\@sender.example\r\n", "x\r\n", 'bob@public.example');
    unlike $out, qr/^(?:Date|Message-ID|X-Onward-Loop|DKIM-Signature):/mi,
        'no Date, no Message-ID, no mark';
};

$onward->ends_well;
done_testing;
