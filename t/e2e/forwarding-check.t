# Configurations that would hurt are refused by `onward check`, with the line
# and what to do; and `serve` does not start with them.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;

need qw(binary);

my $dir = scratch('bad');
mkdir "$dir/state", 0750;
spew("$dir/good",  "0123456789abcdef\n",                  0640);
spew("$dir/seed",  "ChangeThisWithWhateverYouInvented\n", 0640);
spew("$dir/short", "0123456789abcdef\nshort\n",           0640);
spew("$dir/open",  "0123456789abcdef\n",                  0644);
spew("$dir/round", "a\@public.example b\@public.example\n"
        . "b\@public.example c\@public.example\nc\@public.example a\@public.example\n");
spew("$dir/command", "a\@public.example me\@private.example\n"
        . "b\@public.example |/bin/sh\nc\@public.example /var/mail/c\n"
        . "d\@public.example :include:/etc/passwd\n");
spew("$dir/many", 'a@public.example '
        . join(', ', map {"t$_\@private.example"} 1 .. 51) . "\n");
spew("$dir/map", "a.example nodot\n");

my $file = "$dir/onward.conf";

# The configuration stands from line 4 on.
sub check ($text) {
    spew($file, <<~END . $text . "\n");
        listeners = ( { name = "mx"; address = "127.0.0.1:10025"; role = "inbound"; } );
        state_directory = "$dir/state";
        postfix = { config_directory = ""; };
        END
    my $out = run_out('sh', '-c', 'exec "$@" 2>&1 >/dev/null', 'sh', binary(),
        '-c', $file, 'check');
    return ($out, $? >> 8);
}

sub srs ($domain, $secret, $more = '') {
    return "srs = { domain = \"$domain\";\n  secret_file = \"$dir/$secret\"; $more };";
}

sub aliases ($text) { return "forward = { aliases = (\n$text ); };" }

my ($out, $status) = check(
    srs('srs.public.example', 'good') . aliases(
        '{ match = "fwd.*@public.example"; to = ( "$1@private.example" ); }'));
is $status, 0, 'a good one passes' or diag $out;
is $out, '', '... without a word';

my @rows = (
    # name, configuration, place, what it says
    ['the secret that haraka-alias-forward ships', srs('srs.public.example', 'seed'),
        "$dir/seed:1", qr/ships.*make a new one with: openssl rand -base64 24/],
    ['a short secret', srs('srs.public.example', 'short'), "$dir/short:2",
        qr/shorter than 16 octets; make one with: openssl rand/],
    ['a secret that everybody may read', srs('srs.public.example', 'open'),
        "$dir/open", qr/readable by everybody; run: chmod 0640 \Q$dir\E\/open/],
    ['no secret', srs('srs.public.example', 'none'), "$file:5",
        qr/make it with: .*openssl rand -base64 24 > \Q$dir\E\/none/],
    ['an SRS domain without a dot', srs('localhost', 'good'), "$file:4",
        qr/"localhost" has no dot, so bounces .*; write a domain whose MX is this Postfix/],
    ['an SRS domain with a $', srs('$myhostname', 'good'), "$file:4",
        qr/"\$myhostname" holds a \$, and .*; write the name itself/],
    ['... in domain_map', srs('srs.public.example', 'good',
            'domain_map = ( { from = "a.example"; to = "srs"; } );'),
        "$file:5", qr/"srs" has no dot/],
    ['... in a table of domain_map', srs('srs.public.example', 'good',
            "domain_map = ( \"texthash:$dir/map\" );"),
        "$file:5", qr/"nodot" for "a\.example" is no domain that bounces/],
    ['a cycle of rules', aliases(
            "{ match = \"a\@public.example\"; to = ( \"b\@public.example\" ); },\n"
                . '{ match = "b@public.example"; to = ( "a@public.example" ); }'),
        "$file:[56]", qr/a\@public\.example -> b\@public\.example -> a\@public\.example: a cycle; take one of these out/],
    ['a cycle by a glob', aliases(
            "{ match = \"x.*\@public.example\"; to = ( \"y.1\@public.example\" ); },\n"
                . '{ match = "y.*@public.example"; to = ( "x.1@public.example" ); }'),
        "$file:[56]", qr/a cycle/],
    ['a cycle in a table', aliases("\"texthash:$dir/round\""),
        "(?:texthash:)?$dir/round:1", qr/a cycle/],
    ['a target domain of the message, by $1', aliases(
            '{ match = "fwd.*@public.example"; to = ( "me@$1" ); }'),
        "$file:5", qr/must be literal; write it out/],
    ['... in a part of it', aliases(
            '{ regex = "^(.+)@(.+)$"; to = ( "$1@$2.private.example" ); }'),
        "$file:5", qr/domain/],
    ['a $2 that nothing fills', aliases(
            '{ match = "fwd.*@public.example"; to = ( "$2@private.example" ); }'),
        "$file:5", qr/\$2/],
    ['a star in the domain', aliases(
            '{ match = "fwd@*.example"; to = ( "me@private.example" ); }'),
        "$file:5", qr/domain/],
    ['a target that is no address', aliases(
            '{ match = "fwd@public.example"; to = ( "me" ); }'),
        "$file:5", qr/"me" has no domain/],
    ['a command as target', aliases("\"texthash:$dir/command\""),
        "$dir/command:2", qr/\|\/bin\/sh/],
    ['a file as target', aliases("\"texthash:$dir/command\""),
        "$dir/command:3", qr/\/var\/mail\/c/],
    ['an :include: as target', aliases("\"texthash:$dir/command\""),
        "$dir/command:4", qr/:include:/],
    ['a regex that is none', aliases(
            '{ regex = "^fwd(@public"; to = ( "me@private.example" ); }'),
        "$file:5", qr/regex/],
    ['a reply that is none', aliases(
            '{ match = "old@public.example"; action = "reject"; reply = "250 ok"; }'),
        "$file:5", qr/reply/],
    ['a rule that forwards nowhere', aliases('{ match = "old@public.example"; }'),
        "$file:5", qr/to/],
    ['more targets than max_targets', aliases("\"texthash:$dir/many\""),
        "(?:texthash:)?$dir/many:1", qr/50/],
);
for (@rows) {
    my ($name, $conf, $place, $says) = @$_;
    my ($out, $status) = check($conf);
    is $status, 78, "$name: refused";
    my ($line) = grep {/^$place: /} split /\n/, $out;
    ok $line, "$name: where it stands" or diag $out;
    like $line // '', $says, "$name: what to do";
}

# All at once, in the order of the file.
($out, $status) = check(srs('localhost', 'short') . "\n"
        . aliases('{ match = "fwd.*@public.example"; to = ( "me@$1" ); }'));
is scalar(() = $out =~ /^\S+:\d+: /mg), 3, 'all of them are told at once'
    or diag $out;
my $err = run_out('sh', '-c', 'exec "$@" 2>&1', 'sh', binary(), '-c', $file,
    'serve');
is $? >> 8, 78, 'serve does not start with them';
like $err, qr/"localhost" has no dot/, '... and says the same';

done_testing;
