# Aliases of every kind, as upstream sees them: which addresses a recipient
# becomes, from whom, and what is said when it becomes nothing.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Upstream;

need qw(binary);

my $files = scratch('aliases');
spew("$files/aliases", <<'END');
# as virtual(5)
info@public.example       info@public.example, me@private.example
Mixed.Case@public.example me@private.example
user@public.example       me@private.example
chain@public.example      info@public.example
gone@public.example       reject:550 5.1.6 moved away
hole@public.example       discard:
@whole.example            all@private.example
END

my $upstream = Onward::Test::Upstream->new;
my $onward   = Onward::Test::Daemon->new(
    upstream          => $upstream->port,
    upstream_settings => 'idle_timeout = "0s";',
    local_domains     => ['public.example', 'whole.example'],
    aliases           => <<~END,
        { match = "fwd.spam\@public.example"; action = "reject";
          reply = "550 5.1.6 closed"; },
        { match = "fwd.later\@public.example"; action = "defer"; },
        { match = "fwd.void\@public.example"; action = "discard"; },
        { match = "fwd.*\@public.example"; to = ( "me+\$1\@private.example" ); },
        { regex = "^list-(.+)\@public\\\\.example\$";
          to = ( "archive+\$1\@private.example", "copy\@private.example" ); },
        { match = "exact\@public.example"; to = ( "one\@private.example" ); },
        { match = "home\@public.example"; to = ( "bob\@public.example" ); },
        { match = "*\@catchall.example"; to = ( "catch\@private.example" ); },
        "texthash:$files/aliases"
        END
)->start;

# What one message to these recipients becomes: the reply, and each upstream
# transaction as "sender -> recipients".
sub becomes (@to) {
    my $n      = () = $upstream->committed;
    my $client = Onward::Test::Client->hello($onward->port);
    my $reply  = $client->transaction('alice@sender.example', [@to],
        "From: alice\@sender.example\r\n\r\nx\r\n");
    $client->quit;
    my @new = ($upstream->committed)[ $n .. ($upstream->committed) - 1 ];
    return $reply, sort map {
        my ($from) = /^MAIL FROM:<(.*?)>/m;
        $from = 'SRS' if $from =~ /^SRS0=[^=]+=..=sender\.example=alice\@srs/;
        $from = 'alice' if $from eq 'alice@sender.example';
        join ' ', $from, '->', /^RCPT TO:<(.*?)>/mg;
    } @new;
}

my $ok = qr/^250 .*queued as UP/;
my @rows = (
    # name, recipients, reply, upstream transactions
    ['a glob, with what it matched', ['fwd.shop@public.example'], $ok,
        'SRS -> me+shop@private.example'],
    ['in another case', ['FWD.shop@Public.Example'], $ok,
        'SRS -> me+shop@private.example'],
    ['the first that answers wins', ['fwd.spam@public.example'],
        qr/^550 5\.1\.6 closed$/],
    ['deferred', ['fwd.later@public.example'],
        qr/^450 4\.2\.1 Address deferred$/],
    ['discarded, with our own 250', ['fwd.void@public.example'], qr/^250 /],
    ['one discarded, one not',
        ['fwd.void@public.example', 'fwd.x@public.example'], $ok,
        'SRS -> me+x@private.example'],
    ['a glob is anchored', ['xfwd.shop@public.example'], $ok,
        'alice -> xfwd.shop@public.example'],
    ['... and its dot is a dot', ['fwdxshop@public.example'], $ok,
        'alice -> fwdxshop@public.example'],
    ['a regex with two targets', ['list-dev@public.example'], $ok,
        'SRS -> archive+dev@private.example copy@private.example'],
    ['exact', ['exact@public.example'], $ok, 'SRS -> one@private.example'],
    ['exact is not a prefix', ['exactly@public.example'], $ok,
        'alice -> exactly@public.example'],
    ['a catch-all', ['anybody@catchall.example'], $ok,
        'SRS -> catch@private.example'],
    ['a target that stays', ['home@public.example'], $ok,
        'alice -> bob@public.example'],
    ['a table: one copy stays, one leaves', ['info@public.example'], $ok,
        'SRS -> me@private.example', 'alice -> info@public.example'],
    ['... whatever the case of its keys', ['mixed.case@public.example'], $ok,
        'SRS -> me@private.example'],
    ['... an alias of an alias', ['chain@public.example'], $ok,
        'SRS -> me@private.example', 'alice -> info@public.example'],
    ['... reject:', ['gone@public.example'], qr/^550 5\.1\.6 moved away$/],
    ['... discard:', ['hole@public.example'], qr/^250 /],
    ['... @domain', ['somebody@whole.example'], $ok,
        'SRS -> all@private.example'],
    ['who is no alias stays', ['bob@public.example'], $ok,
        'alice -> bob@public.example'],
    ['... elsewhere too: it did not come out of an alias',
        ['bob@elsewhere.example'], $ok, 'alice -> bob@elsewhere.example'],
    ['two aliases of one target: one recipient',
        ['mixed.case@public.example', 'user@public.example'], $ok,
        'SRS -> me@private.example'],
    ['the alias and its target itself: the first wins',
        ['exact@public.example', 'one@private.example'], $ok,
        'SRS -> one@private.example'],
    ['two aliases, both delivered (D2)',
        ['exact@public.example', 'fwd.x@public.example'], $ok,
        'SRS -> one@private.example me+x@private.example'],
    ['what is captured cannot choose a domain',
        ['"fwd.a@evil.example"@public.example'], qr/^(?:550 5\.1\.3|250) /,
        'any'],
);
for (@rows) {
    my ($name, $to, $reply, @expected) = @$_;
    my ($got, @became) = becomes(@$to);
    like $got, $reply, "$name: the reply";
    if ("@expected" eq 'any') {
        unlike "@became", qr/evil\.example$/, "$name: not there";
    } else {
        is_deeply \@became, \@expected, "$name: upstream"
            or diag explain \@became;
    }
}
ok $onward->logged(qr/status=discarded/), 'discarded mail is logged as such';
ok $onward->logged(qr/orig_to=<fwd\.spam\@public\.example>.*status=rejected/),
    'rejected mail too';

# An alias leads nowhere else after the first one matched (D1).
{
    my $client = Onward::Test::Client->hello($onward->port);
    $client->cmd('MAIL FROM:<alice@sender.example>');
    $client->cmd('RCPT TO:<exact@public.example>');
    $client->cmd('RCPT TO:<victim@elsewhere.example>');
    $client->cmd('DATA');
    $client->content("Subject: x\r\n\r\nx\r\n");
    my ($stays) = grep {/victim/} $upstream->committed;
    like $stays, qr/^MAIL FROM:<alice\@sender\.example>/m,
        'a stranger never gets our SRS sender for a recipient that is no alias';
}

$onward->ends_well;
done_testing;
