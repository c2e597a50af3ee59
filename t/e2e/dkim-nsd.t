# The life of keys on a real name server: NSD loads what `dkim dns` prints, as
# it is, and while mail runs keys are made, published, activated and deleted,
# with reloads in between. Each message is verified by dkimpy, which asks that
# server, before the sink acknowledges it.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP    qw(encode_json decode_json);
use MIME::Base64;
use POSIX       qw(_exit WNOHANG);
use Test::More;
use Time::HiRes qw(sleep);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::NSD;
use Onward::Test::Postfix;
use Onward::Test::Sink;
use Onward::Test::Verify;

need qw(binary root postfix nsd openssl Net::DNS python3-dkim);

my ($ours, $srs, $bad) = qw(public.example srs.public.example wrong.example);
my $nsd  = Onward::Test::NSD->new($ours, $srs, $bad);
my $sink = Onward::Test::Sink->new(
    on_message => sub ($content) {
        return encode_json([ dkimpy($content, $nsd->address) ]);
    },
);
my $back   = free_port();
my $onward = Onward::Test::Daemon->new(
    upstream  => $back,
    listeners => { mx => 'inbound', submission => 'outbound' },
    key       => '',
    settings  => 'dns = { servers = ( "' . $nsd->address
        . '" ); timeout = "3s"; };',
);

# Exit code and all that was said.
sub dkim (@arguments) {
    my $out = run_out('sh', '-c', 'exec "$@" 2>&1', 'sh', binary(), '-c',
        $onward->conf, 'dkim', @arguments);
    return ($? >> 8, $out);
}

sub runs ($name, $arguments, $code, $out) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @got = dkim(@$arguments);
    like "exit $got[0]\n$got[1]", qr/\Aexit $code\n$out/, $name;
}

# The zones with what the program prints, untouched.
sub publish (@domains) {
    $nsd->publish(map { $_ => (dkim('dns', $_))[1] } @domains);
}

# ---- what `dkim check` says of a real answer ----

dkim('keygen', $bad, '--selector', 'k', '--bits', '4096');
my $name   = "k._domainkey.$bad.";
my $pem    = $onward->dir . "/dkim/$bad/k.next.pem";
my $record = dns_record($pem);
my $other  = dns_record(make_key($onward->dir . '/other.pem'));
my @pieces = $record =~ /(.{1,255})/g;
my $pkcs1  = 'v=DKIM1; k=rsa; p=' . encode_base64(
    run_out('sh', '-c', 'openssl rsa -RSAPublicKey_out -outform DER -in "$0"'
            . ' 2>/dev/null', $pem), '');

# A TXT record of these strings.
sub txt ($owner, @strings) {
    return "$owner IN TXT "
        . join(' ', map { '"' . s/(["\\])/\\$1/gr . '"' } @strings) . "\n";
}

sub whole ($text) { return txt($name, $text =~ /(.{1,255})/g) }

for my $row (
    [ 'nothing there', '', 1, 'missing: is not published' ],
    [ 'another key', whole($other), 1,
        'differs: the record holds another key' ],
    [ 'two records', whole($record) . whole($other), 1,
        'differs: 2 TXT records under one name' ],
    [ 'each string as a record of its own',
        join('', map { txt($name, $_) } @pieces), 1,
        'differs: ' . @pieces . ' TXT records under one name' ],
    [ 'an empty p=', txt($name, 'v=DKIM1; k=rsa; p='), 1,
        'differs: the record is revoked: its p= is empty' ],
    [ 'PKCS#1', whole($pkcs1), 1,
        'differs: the record has our key as PKCS#1' ],
    [ 'the last string lost', txt($name, @pieces[0 .. $#pieces - 1]), 1,
        'differs: the record has only the beginning of our key' ],
    [ 'a string cut short', txt($name, $pieces[0] =~ s/.{3}\z//r,
            @pieces[1 .. $#pieces]), 1,
        'differs: the record has a p= that is cut off' ],
    [ 'quotation marks pasted', txt($name, map {"\"$_\" "}
            $record =~ /(.{1,200})/g), 1,
        'differs: the record begins with a quotation mark' ],
    [ 'quotation marks inside', txt($name, split /(?<=" )/,
            join '" "', $record =~ /(.{1,200})/g), 1,
        'differs: the record has quotation marks inside p=' ],
    [ 'CNAME to nowhere', "$name IN CNAME nowhere.$bad.\n", 1,
        "missing: its name is an alias \\(CNAME\\) of nowhere\\.\Q$bad\E, which has no TXT" ],
    [ 'CNAME to nowhere, in another zone',
        "$name IN CNAME nowhere.elsewhere.example.\n", 1,
        'missing: its name is an alias \(CNAME\) of nowhere\.elsewhere\.example' ],
    [ 'CNAME to something that is no TXT', "$name IN CNAME ns.$bad.\n", 1,
        "missing: its name is an alias \\(CNAME\\) of ns\\.\Q$bad\E" ],
    [ 'CNAME to the record', "$name IN CNAME real.$bad.\n"
            . txt("real.$bad.", @pieces), 0, 'ok$' ],
    [ 'strings of other lengths', txt($name, $record =~ /(.{1,100})/g), 0,
        'ok$' ],
    [ 'a blank at each cut', txt($name, map {"$_ "}
            $record =~ /(.{1,200})/g), 0, 'ok$' ],
    [ 'as printed', (dkim('dns', $bad))[1], 0, 'ok$' ],
) {
    my ($what, $zone, $code, $text) = @$row;
    $nsd->publish($bad => $zone);
    runs("check: $what", [ 'check', $bad ], $code,
        qr/\Q$bad\E k next: $text/m);
    runs("... not activated", [ 'activate', '--when-published', $bad ], 1,
        qr/.*\bk is not activated: /) if $code != 0;
}

# ---- the first keys ----

sub selectors ($round) { return ("r$round", "e$round") }

sub make_keys ($round) {
    for my $domain ($ours, $srs) {
        runs("round $round: keygen, RSA", [ 'keygen', $domain, '--selector',
            "r$round" ], 0, qr/wrote /);
        runs("round $round: keygen, Ed25519", [ 'keygen', $domain,
            '--selector', "e$round", '--type', 'ed25519' ], 0, qr/wrote /);
    }
}

sub activate_keys ($round) {
    for my $domain ($ours, $srs) {
        runs("round $round: check says no", [ 'check', $domain ], 1,
            qr/(?:.*\n)*\Q$domain\E r$round next: missing: is not published/);
        runs("round $round: nothing is activated", [ 'activate', $domain,
            '--when-published' ], 1, qr/.*not activated: is not published/);
        publish($domain);
        runs("round $round: published, check says yes", [ 'check', $domain ],
            0, qr/(?:\Q$domain\E [re]\d (?:next|active|old): ok\n)+\z/);
        runs("round $round: activated", [ 'activate', $domain,
            '--when-published' ], 0,
            qr/(?=.*^activated \Q$domain\E r$round )(?=.*^activated \Q$domain\E e$round )/ms);
    }
}

make_keys(1);
activate_keys(1);
$onward->start;
my $postfix = Onward::Test::Postfix->new(
    sink   => $sink->port,
    fronts => {
        front      => $onward->port('mx'),
        submission => $onward->port('submission'),
    },
    ports => { reinject => $back },
)->start;

# ---- traffic ----

# Mail without an end; the file counts what was acknowledged.
my %traffic = (
    out => [ 'submission', 'bob@public.example', 'friend@elsewhere.example' ],
    fwd => [ 'front', 'alice@sender.example', 'fwd.us@public.example' ],
);
my $stop = $onward->dir . '/stop';

sub run_traffic ($kind) {
    my ($service, $from, $to) = @{ $traffic{$kind} };
    my $daemon = $onward->pid;
    my $pid    = fork // die "fork: $!\n";
    if ($pid != 0) {
        Onward::Test::Janitor::hear(pid => $pid);
        return $pid;
    }
    open my $count, '>', sent_file($kind) or _exit(1);
    for (my $n = 1; !-e $stop; $n++) {
        my $client = eval { Onward::Test::Client->hello(
            $postfix->port($service), from => '127.0.0.2') } or _exit(2);
        my $reply = $client->transaction($from, $to, "From: <$from>\r\n"
                . "To: <$to>\r\nSubject: $kind $n.\r\n\r\nMessage $n \r\n");
        $reply =~ /^250 .*queued as/ or warn("$kind $n: $reply\n"), _exit(3);
        syswrite $count, '.';
        $client->quit;
        kill HUP => $daemon if $n % 4 == 0;
        # The judges, a process for each message, are slower than mail is
        # sent: a few messages are under way at any time, and no more than a
        # few in a second.
        do { sleep 0.3 }
            while !-e $stop && sent('out') + sent('fwd') > $sink->count + 6;
    }
    _exit(0);
}

sub sent_file ($kind) { return $onward->dir . "/sent.$kind" }
sub sent ($kind)      { return -s sent_file($kind) || 0 }

# "out 17" => its signatures as they were when it came.
my %arrived;

sub look () {
    for my $message ($sink->messages) {
        state %seen;
        next if $seen{ $message->{name} }++;
        my ($id) = $message->{data}->() =~ /^Subject: (\w+ \d+)\./m;
        push @{ $arrived{$id} }, decode_json($message->{verdict});
    }
}

# Everything sent so far is there, and so many more of each kind besides.
sub all_arrived ($more) {
    for my $kind (sort keys %traffic) {
        my $until = sent($kind) + $more;
        ok wait_until(seconds(60), sub {
            look();
            return !grep { !$arrived{"$kind $_"} } 1 .. $until;
        }), "$kind: everything up to message $until has come" or return 0;
    }
    return 1;
}

my %pid = map { $_ => run_traffic($_) } sort keys %traffic;

sub reload () {
    my $reloads = sub { scalar grep {/reloaded /} $onward->lines };
    my $before = $reloads->();
    kill HUP => $onward->pid;
    # One that was under way may have read the names before; the next has not.
    kill HUP => $onward->pid
        if wait_until(seconds(5), sub { $reloads->() > $before });
    ok wait_until(seconds(5), sub { $reloads->() > $before + 1 }), 'reloaded';
}

all_arrived(8);
for my $round (2 .. 4) {
    make_keys($round);
    all_arrived(1);
    activate_keys($round);
    reload();
    # What was signed with the old keys has to arrive before they go; a week
    # in real life.
    all_arrived(8);
    my $past = $round - 1;
    for my $domain ($ours, $srs) {
        my $then = time - 8 * 86400;
        my @old = map { $onward->dir . "/dkim/$domain/$_.old.pem" }
            selectors($past);
        is scalar(utime $then, $then, @old), 2,
            "round $round: those of round $past are old";
        runs("round $round: retire", [ 'retire', $domain ], 0,
            qr/(?=.*^deleted \Q$domain\E r$past)(?=.*^deleted \Q$domain\E e$past)/ms);
        publish($domain);
    }
    all_arrived(4);
}
spew($stop, '');
for my $kind (sort keys %pid) {
    wait_until(seconds(20), sub { waitpid($pid{$kind}, WNOHANG) != 0 });
    is $?, 0, "$kind: no message was refused";
    Onward::Test::Janitor::hear(gone => $pid{$kind});
}
all_arrived(0);

# ---- what came ----

my %wrong;
my %signed;
my $total = 0;
for my $id (sort keys %arrived) {
    my $domain = $id =~ /^out/ ? $ours : $srs;
    $total += @{ $arrived{$id} };
    push @{ $wrong{twice} }, $id if @{ $arrived{$id} } != 1;
    for my $signatures (@{ $arrived{$id} }) {
        push @{ $wrong{unsigned} }, $id if !@$signatures;
        for my $signature (@$signatures) {
            my ($d, $s) = @$signature{qw(domain selector)};
            push @{ $wrong{'not verified'} }, "$id $s: $signature->{result}"
                if $signature->{result} ne 'pass';
            push @{ $wrong{'another domain'} }, "$id $d" if $d ne $domain;
            $signed{"$domain $s"}++;
        }
        for my $algorithm (qw(r e)) {
            push @{ $wrong{'one algorithm only'} }, $id
                if !grep { $_->{selector} =~ /^$algorithm/ } @$signatures;
        }
    }
}
is_deeply \%wrong, {},
    "$total messages, each once: signed with both algorithms, and verified";
cmp_ok $total, '>=', 100, 'that was some traffic';
is_deeply [ sort keys %signed ],
    [ sort map { my $s = $_; ("$ours $s", "$srs $s") } map { selectors($_) }
        1 .. 4 ],
    'and the keys of all rounds have signed';
note join ', ', map {"$_: $signed{$_}"} sort keys %signed;

# The judge is no yes-man: what came first no longer verifies, as its keys are
# gone from the zone.
my ($first) = $sink->messages;
is_deeply [ map { $_->{result} eq 'pass' ? 'pass' : 'no' }
        dkimpy($first->{data}->(), $nsd->address) ], [ 'no', 'no' ],
    'with the keys gone from DNS a signature is worth nothing';

$onward->ends_well;
done_testing;
