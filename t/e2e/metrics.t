# Metrics add up: after a counted run each message is in exactly one of
# accepted, rejected, deferred, aborted and discarded of its listener. And each
# table has its own look-ups, durations and reloads.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Http;
use Onward::Test::Upstream;

need qw(binary);

my @results = qw(accepted rejected deferred aborted discarded);
# What upstream says depends on the recipient.
my $upstream = Onward::Test::Upstream->new(
    RCPT => sub ($server, $talk, $line) {
        return '450 4.2.0 later' if $line =~ /<later@/;
        return '550 5.1.1 never' if $line =~ /<never@/;
        return '250 2.1.5 Ok';
    },
    DOT => sub ($server, $talk, $line) {
        my $content = $talk->{content} // '';
        return '452 4.3.1 no space' if $content =~ /^X-Say: 452/m;
        return '554 5.7.1 no'       if $content =~ /^X-Say: 554/m;
        return '250 2.0.0 Ok: queued as ABCDEF';
    },
);
my $port  = free_port();
my $dir   = scratch('tables');
my $table = "texthash:$dir/aliases";
spew("$dir/aliases", <<'END');
info@public.example me@private.example
home@public.example keep@public.example
END
spew("$dir/domains.txt", "public.example x\n");
run_out(binary(), qw(map build --type domains), "cdb:$dir/domains", "$dir/domains.txt");
my $onward = Onward::Test::Daemon->new(
    upstream      => $upstream->port,
    listeners     => { mx => 'inbound', second => 'inbound', submission => 'outbound' },
    keys          => { 'own.example' => 'k' },
    key           => 'ed25519',
    local_domains => ["cdb:$dir/domains"],
    aliases       => '{ match = "drop@public.example"; action = "discard"; },'
        . '{ match = "no@public.example"; action = "reject"; },'
        . "\"$table\"",
);
spew($onward->conf, slurp($onward->conf)
        =~ s/http = \{[^}]*\}/http = { listen = "127.0.0.1:$port" }/r);
$onward->start;
my $http = Onward::Test::Http->new($port);

# ---- one message each; what became of it, as the client saw it ----

my %end = (
    fine => sub ($client) { $client->transaction('a@sender.example', 'x@other.example', content()) },
    alias => sub ($client) { $client->transaction('a@sender.example', 'info@public.example', content()) },
    home => sub ($client) { $client->transaction('a@sender.example', 'home@public.example', content()) },
    two => sub ($client) {
        $client->transaction('a@sender.example',
            ['info@public.example', 'stays@public.example'], content());
    },
    refused   => sub ($client) { $client->transaction('a@sender.example', 'no@public.example', content()) },
    forged    => sub ($client) { $client->transaction('', 'SRS0=abcdef=7G=a.example=b@srs.public.example', content()) },
    never     => sub ($client) { $client->transaction('a@sender.example', 'never@other.example', content()) },
    later     => sub ($client) { $client->transaction('a@sender.example', 'later@other.example', content()) },
    at_dot    => sub ($client) { $client->transaction('a@sender.example', 'x@other.example', content('X-Say: 554')) },
    no_space  => sub ($client) { $client->transaction('a@sender.example', 'x@other.example', content('X-Say: 452')) },
    bare_lf   => sub ($client) { $client->transaction('a@sender.example', 'x@other.example', content() . "a\nb\r\n") },
    dropped   => sub ($client) { $client->transaction('a@sender.example', 'drop@public.example', content()) },
    # One of two recipients is refused: the message is for the other one.
    partly => sub ($client) {
        $client->cmd('MAIL FROM:<a@sender.example>');
        $client->cmd('RCPT TO:<no@public.example>');
        $client->cmd('RCPT TO:<x@other.example>');
        $client->cmd('DATA');
        return $client->content(content());
    },
    reset => sub ($client) {
        $client->cmd('MAIL FROM:<a@sender.example>');
        $client->cmd('RCPT TO:<x@other.example>');
        $client->cmd('RSET');
        return 'aborted';
    },
    quit => sub ($client) {
        $client->cmd('MAIL FROM:<a@sender.example>');
        return 'aborted';
    },
    lost => sub ($client) {
        $client->cmd('MAIL FROM:<a@sender.example>');
        $client->cmd('RCPT TO:<x@other.example>');
        $client->cmd('DATA');
        $client->send("From: a\@sender.example\r\n\r\nhalf");
        $client->close;
        return 'aborted';
    },
    # No transaction at all.
    nothing => sub ($client) { $client->cmd('NOOP'); return 'none' },
    nested => sub ($client) {
        $client->cmd('MAIL FROM:<a@sender.example>');
        $client->cmd('MAIL FROM:<b@sender.example>'); # 503, the same one
        $client->cmd('RSET');
        return 'aborted';
    },
);

sub content ($field = 'X-Say: 250') {
    return "From: a\@own.example\r\n$field\r\nSubject: x\r\n\r\nx\r\n";
}

sub result_of ($reply) {
    return $reply if $reply =~ /^[a-z]+$/;
    return 'discarded' if $reply =~ /^250 .*discarded/;
    return { 2 => 'accepted', 4 => 'deferred', 5 => 'rejected' }->{ substr $reply, 0, 1 }
        // "unknown: $reply";
}

my %want;
my %sessions;
for my $listener (qw(mx second submission)) {
    $want{$listener}{$_} = 0 for @results;
}
# Not the same number of anything anywhere.
my $n = 0;
for my $listener (qw(mx mx second submission mx submission)) {
    for my $name (sort keys %end) {
        next if ++$n % 7 == 0;
        my $client = Onward::Test::Client->hello($onward->port($listener));
        $sessions{$listener}++;
        my $result = result_of($end{$name}->($client));
        $want{$listener}{$result}++ if $result ne 'none';
        # A second message of the same session is counted by itself.
        if ($name =~ /^(?:fine|refused|reset)$/) {
            $client->cmd('RSET');
            $want{$listener}{ result_of($end{alias}->($client)) }++;
        }
        $client->quit if $name ne 'lost';
    }
}

my %got;
wait_until(seconds(5), sub {
    %got = $http->metrics;
    return !grep { $got{qq(onward_sessions_active{listener="$_"})} } keys %want;
});
for my $listener (sort keys %want) {
    my %have = map { $_ => $got{qq(onward_transactions_total{listener="$listener",result="$_"})} } @results;
    is_deeply \%have, $want{$listener}, "$listener: each message in one place"
        or diag explain \%have, $want{$listener};
    cmp_ok $have{$_}, '>', 0, "$listener: some were $_" for @results;
    is $got{qq(onward_sessions_total{listener="$listener"})},
        # start: the harness waits for a greeting of the first listener
        $sessions{$listener} + ($listener eq 'mx'), "$listener: sessions";
}
my $all = 0;
$all += $_ for map { values %$_ } values %want;
my $sum = 0;
$sum += $got{$_} for grep {/^onward_transactions_total/} keys %got;
is $sum, $all, "$all messages, counted $sum times";
my $last = 0;
$last += $got{$_} for grep {/^onward_rejects_total/} keys %got;
cmp_ok $last, '>', 0, 'reasons are counted';
is $got{'onward_upstream_duration_seconds_count'},
    $got{'onward_message_bytes_count'} > 0
    ? do { my $a = 0; $a += $want{$_}{accepted} for keys %want; $a } : 0,
    'what upstream took was timed, once each';

# ---- tables ----

sub lookups (%series) {
    return map { $_ => $series{qq(onward_table_lookups_total{table="$table",result="$_"})} } qw(hit miss error);
}
my %before = lookups(%got);
cmp_ok $before{hit},  '>', 0, 'the alias table has hits';
cmp_ok $before{miss}, '>', 0, 'and misses';
is $before{error}, 0, 'no errors';
is $got{qq(onward_table_lookup_duration_seconds_count{table="$table"})},
    $before{hit} + $before{miss}, 'each was timed';
cmp_ok $got{qq(onward_table_lookups_total{table="cdb:$dir/domains",result="hit"})},
    '>', 0, 'the other table has its own';
my $client = Onward::Test::Client->hello($onward->port('mx'));
$client->transaction('a@sender.example', 'info@public.example', content());
$client->quit;
%got = $http->metrics;
my %now = lookups(%got);
is $now{hit}, $before{hit} + 1, 'one hit more for one message more';
is $now{miss}, $before{miss} + 2, 'its target is no alias: neither it nor @domain';

sub reloads ($spec, $result) {
    my %series = $http->metrics;
    return $series{qq(onward_table_reloads_total{table="$spec",result="$result"})};
}
is reloads($table, 'success'), 0, 'no reload yet';
spew("$dir/aliases", "info\@public.example you\@private.example, me\@private.example\n");
kill HUP => $onward->pid;
ok wait_until(seconds(5), sub { reloads($table, 'success') == 1 }),
    'SIGHUP: the changed table was taken over';
is reloads("cdb:$dir/domains", 'success'), 0, 'the other one is what it was';
%got = $http->metrics;
is_deeply { lookups(%got) }, \%now,
    'a reload does not count as look-ups, nor forget them';

spew("$dir/domains.txt", "public.example x\nmore.example x\n");
run_out(binary(), qw(map build --type domains), "cdb:$dir/domains", "$dir/domains.txt");
ok wait_until(seconds(10), sub { reloads("cdb:$dir/domains", 'success') == 1 }),
    'a replaced cdb is counted';
spew("$dir/new", 'not a cdb');
rename "$dir/new", "$dir/domains.cdb" or die $!;
ok wait_until(seconds(10), sub { reloads("cdb:$dir/domains", 'failure') >= 1 }),
    'one that is damaged, too';
is reloads("cdb:$dir/domains", 'success'), 1, 'and is no success';

like join(' ', keys %got),
    qr/onward_build_info\{version="[0-9.]+",revision="[^"]*",openssl="OpenSSL [^"]+"\}/,
    'what it was built from';

$onward->ends_well;
done_testing;
