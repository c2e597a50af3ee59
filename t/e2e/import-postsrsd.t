# import postsrsd: configurations of 1.x and 2.x become one that passes
# `onward check`, leaves the same senders alone and makes the same addresses.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Import;
use Onward::Test::SRS;

need qw(binary);

my $dir    = scratch('postsrsd');
my $secret = 'a secret of PostSRSd';
spew("$dir/secret", "$secret\n", 0640);
spew("$dir/domains", "# ours\nlisted.example\n.sub.example\n");

# One alias, so that there is something to forward.
sub with_alias ($conf) {
    return $conf =~ s/^forward = \{\n/forward = {\n  aliases = ( {
        match = "fwd\@public.example"; to = ( "me\@private.example" ); } );\n/mr;
}

# The reverse-path that a sender gets, from our own users or from outside.
sub sent_as ($file, $sender, $listener = 'mx') {
    my $out = run_out(binary(), '-c', $file, 'explain', '--from', $sender,
        '--listener', $listener, 'fwd@public.example');
    return $out =~ /MAIL FROM:<([^>]*)>/ ? $1 : $out;
}

my @rows = (
    {
        name => '1.x, as Debian writes it',
        text => <<~END,
            # Default settings for postsrsd
            SRS_DOMAIN=srs.public.example
            SRS_EXCLUDE_DOMAINS=own.example,second.example
            SRS_SEPARATOR==
            SRS_SECRET=$dir/secret
            SRS_HASHLENGTH=4
            SRS_HASHMIN=4
            SRS_FORWARD_PORT=10001
            RUN_AS=postsrsd
            END
        ours => [qw(own.example second.example)], length => 4,
        notes => [qr/the secret stays where it is \(\Q$dir\E\/secret\)/,
            qr/take PostSRSd out of Postfix: postconf -X sender_canonical_maps/],
    },
    {
        name => '1.x with quotes, blanks as separators and a longer hash',
        text => <<~END,
            SRS_DOMAIN="srs.public.example"
            SRS_EXCLUDE_DOMAINS="own.example second.example"
            SRS_SEPARATOR='+'
            SRS_SECRET="$dir/secret"
            SRS_HASHLENGTH=6
            SRS_HASHMIN=5
            END
        ours => [qw(own.example second.example)], length => 6,
        notes => [qr/separator "\+": Onward writes "=" and reads all three/],
    },
    {
        name => '2.x with a list',
        text => <<~END,
            srs-domain = "srs.public.example"
            domains = {
                "own.example", # the first
                "second.example"
            }
            secrets-file = "$dir/secret"
            separator = "="
            hash-length = 4
            hash-minimum = 4
            socketmap = unix:/var/spool/postfix/srs
            END
        ours => [qw(own.example second.example)], length => 4,
    },
    {
        name => '2.x with a file of domains, and a database',
        text => <<~END,
            srs-domain = "srs.public.example"
            domains-file = "$dir/domains"
            secrets-file = "$dir/secret"
            original-envelope = database
            always-rewrite = on
            END
        ours => [qw(listed.example)], length => 4,
        notes => [
            qr/"\.sub\.example" stands for all sub-domains/,
            qr/senders that PostSRSd stored cannot be read back/,
            qr/always-rewrite: Onward rewrites only what leaves/
        ],
        like => qr/long_sender = "store"/,
    },
    {
        name => '2.x without srs-domain: the first of its domains',
        text => <<~END,
            domains = { "own.example" }
            secrets-file = "$dir/secret"
            END
        ours => [qw(own.example)], length => 4, domain => 'own.example',
    },
);

for my $row (@rows) {
    subtest $row->{name} => sub {
        spew("$dir/conf", $row->{text});
        my ($conf, $notes, $status) = import_from('postsrsd', "$dir/conf");
        is $status, 0, 'it is read';
        my $file = usable(with_alias($conf));
        my ($said, $checked) = check_of($file);
        is $checked, 0, 'onward check accepts it' or diag $said, $conf;
        like $conf, qr/mac = "classic"/, 'with their MAC';
        my $domain = $row->{domain} // 'srs.public.example';
        is sent_as($file, 'alice@sender.example'),
            srs_address(
            'alice@sender.example',
            domain => $domain, secret => $secret, classic => 1,
            length => $row->{length}
            ),
            'a sender gets the address that PostSRSd gave it';
        is sent_as($file, "bob\@$_", 'submission'), "bob\@$_", "$_ is ours"
            for @{ $row->{ours} };
        my $theirs = srs_address(
            'alice@sender.example',
            domain => $domain, secret => $secret, classic => 1,
            length => $row->{length}, separator => '+', time => time - 86400
        );
        is run_out(binary(), '-c', $file, 'srs', 'reverse', $theirs),
            "alice\@sender.example\n", "yesterday's addresses come home";
        like $notes, $_, "noted: $_" for @{ $row->{notes} // [] };
        like $conf, $row->{like}, 'the rest' if $row->{like};
    };
}

subtest 'what cannot be taken as it is' => sub {
    spew("$dir/conf", "SRS_DOMAIN=localdomain\nSRS_HASHLENGTH=2\n"
            . "SRS_HASHMIN=2\nSRS_SECRET=$dir/secret\n");
    my ($conf, $notes, $status) = import_from('postsrsd', "$dir/conf");
    is $status, 0, 'it is read';
    like $notes, qr/hash_length 2: Onward takes 4 to 27/, 'a hash of 2';
    like $notes, qr/"localdomain" has no dot/, 'a domain that is none';
    is((import_from('postsrsd', "$dir/absent"))[2], 65, 'a file that is absent: 65');
    is((import_from('postsrsd'))[2], 64, 'no file: usage');

    spew("$dir/conf", "domains-file = $dir/absent\nsrs-domain = s.example\n");
    (undef, $notes) = import_from('postsrsd', "$dir/conf");
    like $notes, qr/domains-file cannot be read/, 'a domains-file that is absent';
};

done_testing;
