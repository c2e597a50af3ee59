# import haraka: the printed configuration passes `onward check`, and forwards
# what the plugin forwarded. With --literal it is compared with the plugin's
# own matching, rule by rule, address by address.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use Test::More;
use Onward::Test;
use Onward::Test::Import;
use Onward::Test::Verify;

need qw(binary);

my $dir = scratch('haraka');
mkdir "$dir/$_" for 'config', 'config/dkim', 'config/dkim/public.com';
spew("$dir/config/rcpt_to.alias_forward", <<'END');
{
  "alias": {
    "public.com": [
      { "local_name": "leaked", "disable": true,
        "forward_to": "me@private.example" },
      { "local_name": "bob", "forward_to": "bob@private.example" },
      { "local_name": "fwd.*", "forward_to": "me@private.example",
        "__DESCRIPTION__": "all that begins with\nfwd." },
      { "local_name": "list-(dev|ops)",
        "forward_to": [ "a@private.example", "b@private.example" ] },
      { "local_name": "^exact$", "forward_to": "exact@private.example" },
      { "local_name": "^one$|^two$", "forward_to": "onetwo@private.example" },
      { "local_name": "a+b", "forward_to": "plus@private.example" },
      { "local_name": "order[0-9]{2,3}", "forward_to": "order@private.example" },
      { "local_name": "tag-.*", "forward_to": "tag@private.example" },
      { "local_name": "bad(", "forward_to": "bad@private.example" },
      { "local_name": "old", "accept_when_match": false,
        "forward_to": "old@private.example" },
      { "local_name": "void", "forward_to": "not an address" }
    ],
    "all.com": [
      { "local_name": "off", "disable": true },
      { "local_name": "*", "forward_to": "all@private.example" }
    ],
    "Upper.com": [
      { "local_name": "*", "forward_to": "up@private.example" }
    ]
  }
}
END
spew("$dir/config/srs.ini", <<'END');
[main]
secret=ChangeThisWithWhateverYouInvented
sender_domain=srs.public.com
END
spew("$dir/config/host_list", "mail.public.com\n# none\n");
make_key("$dir/config/dkim/public.com/private");
spew("$dir/config/dkim/public.com/selector", "nov2026\n");

my ($conf, $notes, $status) = import_from('haraka', $dir);
is $status, 0, 'import haraka reads the directory above config';
is((import_from('haraka', "$dir/config"))[0], $conf, '... and config itself');
my $file = usable($conf);
my ($said, $checked) = check_of($file);
is $checked, 0, 'onward check accepts what it prints' or diag $said, $conf;

my %is = (    # what was meant
    'leaked@public.com'     => 'reject',
    'bob@public.com'        => 'bob@private.example',
    'BOB@Public.com'        => 'bob@private.example',
    'bobby@public.com'      => 'pass',
    'notbob@public.com'     => 'pass',
    'fwd.shop@public.com'   => 'me@private.example',
    'fwd.@public.com'       => 'me@private.example',
    'xfwd.shop@public.com'  => 'pass',
    'fwdxshop@public.com'   => 'pass',
    'list-dev@public.com'   => 'a@private.example b@private.example',
    'list-devs@public.com'  => 'pass',
    'exact@public.com'      => 'exact@private.example',
    'exactly@public.com'    => 'pass',
    'one@public.com'        => 'onetwo@private.example',
    'two@public.com'        => 'onetwo@private.example',
    'twofold@public.com'    => 'pass',
    'a+b@public.com'        => 'plus@private.example',
    'aab@public.com'        => 'pass',
    'order17@public.com'    => 'order@private.example',
    'order1@public.com'     => 'pass',
    'tag-shop@public.com'   => 'tag@private.example',
    'tag-@public.com'       => 'tag@private.example',
    'mytag-shop@public.com' => 'pass',
    '"bad("@public.com'     => 'bad@private.example',
    'bad@public.com'        => 'pass',
    'old@public.com'        => 'old@private.example',
    'void@public.com'       => 'reject',
    'off@all.com'           => 'reject',
    'office@all.com'        => 'all@private.example',
    'x@all.com'             => 'all@private.example',
    'x@upper.com'           => 'up@private.example',
    'x@other.com'           => 'pass',
);
my @addresses = sort keys %is;
my @got = explained($file, @addresses);
is $got[$_], $is{ $addresses[$_] }, "meant: $addresses[$_]" for keys @got;

for my $name (
    'bob', 'fwd.*', 'list-(dev|ops)', '^one$|^two$', 'a+b', 'order[0-9]{2,3}',
    'tag-.*', 'old', 'off'
    ) {
    next if $name eq '^one$|^two$'; # anchored at both ends already
    like $notes, qr/alias_forward:\d+: narrowed: "\Q$name\E" /,
        "named as narrowed: $name";
}
unlike $notes, qr/narrowed: "(?:\*|\^exact\$)"/, 'what was anchored is not';
like $notes, qr/:17: .*accept_when_match.* left out/, 'settings that never did anything';
like $notes, qr/"bad\(" is no expression/, 'an expression that is none';
like $notes, qr/:19: a target is no address: "not an address"/, 'a target that is none';
like $notes, qr/"Upper\.com" has capitals, so it never matched/, 'capitals';
like $notes, qr/the secret is the one that everybody has/, 'the shipped secret';
like $notes, qr/bounces to those of the last weeks are lost/, 'old SRS addresses';
like $conf, qr/domain\s+= "srs\.public\.com"/, 'sender_domain stays the SRS domain';
unlike $conf, qr/ChangeThis/, 'the secret is not in the configuration';
like $conf, qr/local_domains = \( "mail\.public\.com" \)/, 'host_list';
like $conf, qr/# all that begins with fwd\./, 'descriptions';

# The command that it names puts the key where it signs.
my ($copy) = $notes =~ /(install -D .*)/;
ok $copy, 'it says how to copy the key' or diag $notes;
my $base = $file =~ s{/[^/]+$}{}r;
(my $run = $copy) =~ s{/etc/onward}{$base}g;
$run =~ s/ -g onward//;
is system($run), 0, '... which works';
like run_out(binary(), '-c', $file, 'dkim', 'list'),
    qr/^public\.com\s+nov2026\s+active/m, '... and the key is in use';

# --literal: what the plugin did (its code in facts: equal, else the
# expression, anywhere and in any case; the first rule wins).
my $rules = decode_json(slurp("$dir/config/rcpt_to.alias_forward"))->{alias};

sub plugin ($address) {
    my ($local, $domain) = $address =~ /^(.*)@(.*)$/;
    $local =~ s/^"(.*)"$/$1/;
    for my $rule (@{ $rules->{$domain} // [] }) {
        my $name = $rule->{local_name};
        next unless $name eq '*' || $name eq $local
            || eval { $local =~ /$name/i };
        return 'reject' if $rule->{disable};
        my @to = ref $rule->{forward_to} ? @{ $rule->{forward_to} }
            : $rule->{forward_to};
        return 'reject' if grep { !/@/ } @to;
        return join ' ', @to;
    }
    return 'pass';
}

my ($literal, undef, $ok) = import_from('haraka', '--literal', $dir);
is $ok, 0, '--literal';
my $literal_file = usable($literal);
($said, $checked) = check_of($literal_file);
is $checked, 0, 'onward check accepts that too' or diag $said, $literal;
my @tried = grep { !/upper\.com|[A-Z]/ } @addresses;
srand 20261124;
my @pieces = qw(bob leaked fwd . x list-dev list- ops exact one two a aab a+b
    order 1 22 tag- old void off b);
push @tried, map {
    join('', map { $pieces[rand @pieces] } 0 .. rand 3) . '@'
        . (qw(public.com all.com))[rand 2]
} 1 .. 500;
@tried = grep { !/^\.|\.\.|\.@/ } @tried;
my @literally = explained($literal_file, @tried);
my @differ = map { "$tried[$_]: $literally[$_], not " . plugin($tried[$_]) }
    grep { $literally[$_] ne plugin($tried[$_]) } keys @tried;
is_deeply \@differ, [], '--literal: ' . @tried . ' addresses go where they went';

# Input that is none.
spew("$dir/config/rcpt_to.alias_forward", "{ \"alias\": {\n \"a\": [ } }\n");
(my $nothing, $notes, $status) = import_from('haraka', $dir);
is $status, 65, 'broken JSON: 65';
is $nothing, '', '... prints nothing';
like $notes, qr/^rcpt_to\.alias_forward:2: /m, '... and says where';
is((import_from('haraka', "$dir/nowhere"))[2], 65, 'a directory that is not there: 65');

done_testing;
