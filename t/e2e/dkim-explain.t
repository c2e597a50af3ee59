# `explain --message` and `dkim sign` say the same of a message: whether it is
# signed, by which keys, over which fields; or the same word for why not.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP qw(decode_json);
use Test::More;
use Onward::Test;

need qw(binary);

my $dir = scratch('dkim-explain');
mkdir "$dir/keys";
spew("$dir/secret", "0123456789abcdef01234567\n", 0640);
spew("$dir/onward.conf", <<"END");
hostname = "mx.example.org";
listeners = (
    { name = "mx"; address = "127.0.0.1:10025"; role = "inbound"; },
    { name = "out"; address = "127.0.0.1:10027"; role = "outbound"; }
);
upstream = { address = "127.0.0.1:10026"; };
forward = {
    local_domains = ( "example.org" );
    aliases = ( { match = "fwd\@example.org"; to = ( "me\@private.example" ); } );
};
srs = { domain = "srs.example.org"; secret_file = "$dir/secret"; };
dkim = { key_directory = "$dir/keys"; };
state_directory = "$dir";
postfix = { config_directory = ""; };
END

sub onward (@arguments) {
    my $out = run_out('sh', '-c', 'exec "$@" 2>&1', 'sh', binary(), '-c',
        "$dir/onward.conf", @arguments);
    return $out;
}
for my $domain (qw(example.org srs.example.org)) {
    onward(qw(dkim keygen --type ed25519 --selector e1), $domain);
    onward(qw(dkim keygen --bits 1024 --selector r1), $domain);
    onward(qw(dkim activate), $domain);
}

# h= of the first signature, unfolded; what signs; or the word.
sub signed (@arguments) {
    my $out = onward(qw(dkim sign), "$dir/message", @arguments);
    return $1 if $out =~ /^onward: not signed: ([\w-]+)/m;
    my ($top) = $out =~ /\A((?:DKIM-Signature: .*\r\n(?:[ \t].*\r\n)*)+)/
        or return "neither: $out";
    my ($fields) = $top =~ /\bh=([^;]+);/;
    my ($d)      = $top =~ /\bd=([^;]+);/;
    return join ' ', "d=$d", (map {"s=$_"} $top =~ /\bs=([^;]+);/g),
        $fields =~ s/\s+//gr;
}

sub explained ($rcpt, @arguments) {
    my $out = onward('explain', $rcpt, '--message', "$dir/message",
        @arguments);
    return $1 if $out =~ /^  sign +\w+: nothing \(([\w-]+):/m;
    my ($who)    = $out =~ /^  sign +\w+: (d=.*)$/m or return "neither: $out";
    my ($fields) = $out =~ /^  fields +(\S+)$/m;
    return "$who $fields";
}

my $body = "\r\nbody\r\n";
my $full = join '', map {"$_\r\n"} 'From: Bob <bob@example.org>',
    'To: a@elsewhere.example', 'Subject: x',
    'Date: Tue, 24 Nov 2026 10:00:00 +0000', 'Message-ID: <1@example.org>';
for my $row (
    [ 'everything there', $full, qr/^d=example\.org s=e1 s=r1 From:From:/ ],
    [ 'Date and Message-ID to be added',
        "From: bob\@example.org\r\nTo: a\@b.example\r\n",
        qr/:Date:Date:Message-ID:Message-ID$/ ],
    [ 'a Date that is there', "From: bob\@example.org\r\nDate: x\r\n",
        qr/:Date:Date:Message-ID:Message-ID$/ ],
    [ 'three Cc and a List-Id',
        "Cc: a\@b\r\nCc: c\@d\r\nList-Id: <x>\r\nCc: e\@f\r\n$full",
        qr/:To:To:Cc:Cc:Cc:Subject:.*List-Id/ ],
    [ 'a sub-domain', $full =~ s/bob\@/bob\@news./r, qr/^d=example\.org / ],
    [ 'no From', $full =~ s/^From: .*?\r\n//r, qr/^no-from$/ ],
    [ 'two From', "From: eve\@evil.example\r\n$full", qr/^several-from$/ ],
    [ 'a From nobody can read', $full =~ s/org>/org.>/r,
        qr/^from-unreadable$/ ],
    [ 'authors of two domains', $full =~ s/Bob/eve\@evil.example, Bob/r,
        qr/^from-disagree$/ ],
    [ 'no key', $full =~ s/example\.org>/none.example>/r, qr/^no-key$/ ],
    [ 'an odd header', "no colon\r\n$full", qr/^odd-header$/ ],
    [ 'a form feed', $full =~ s/Subject: x/Subject: \f/r, qr/^form-feed$/ ],
    [ 'a huge field', "X-A: " . 'x' x 110_000 . "\r\n$full",
        qr/^huge-field$/ ],
) {
    my ($name, $header, $like) = @$row;
    spew("$dir/message", $header . $body);
    my $signed = signed('--listener', 'out');
    like $signed, $like, "dkim sign: $name";
    is explained('a@elsewhere.example', '--listener', 'out', '--from', '<>'),
        $signed, '... explain says the same';
}

spew("$dir/message", $full . $body);
is explained('a@elsewhere.example', '--listener', 'out', '--from',
    'eve@other.example'), 'from-mismatch', 'another tenant';
is explained('bob@example.org', '--listener', 'mx', '--from', 'a@b.example'),
    'inbound', 'mail that stays';
is signed('--listener', 'mx'), 'inbound', '... dkim sign says the same';
is explained('fwd@example.org', '--listener', 'mx', '--from', 'a@b.example'),
    'own-name', 'mail that is forwarded, and says that we wrote it';
like onward('explain', '--listener', 'mx', '--from', 'a@b.example', '--message',
    "$dir/message", 'fwd@example.org'), qr/leaves: MAIL FROM:<a\@b\.example>\n/,
    '... has its own sender';
for my $from ('<>', 'bob@news.example.org') {
    my $out = run_out(binary(), '-c', "$dir/onward.conf", 'explain',
        '--listener', 'mx', '--from', $from, '--message', "$dir/message",
        'fwd@example.org');
    like $out, qr/refused  550 5\.7\.1 example\.org is ours: .*\n +reason   own-name/,
        "... and is refused from $from";
    is $? >> 8, 1, '... exit code 1';
}
spew("$dir/message", $full =~ s/bob\@example/alice\@sender/r . $body);
like explained('fwd@example.org', '--listener', 'mx', '--from', 'a@b.example'),
    qr/^d=srs\.example\.org s=e1 s=r1 From:From:/, 'mail that is forwarded';

spew("$dir/message", $full . $body);
my $json = decode_json(onward(qw(explain --json --listener out --message),
    "$dir/message", '--from', 'bob@example.org', 'a@elsewhere.example'));
like encode($json), qr/"fields":"From:From:/, '--json has the fields';

sub encode ($data) { return JSON::PP->new->canonical->encode($data) }

done_testing;
