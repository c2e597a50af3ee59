# The story that `sh postfix-examples/try` tells: the set-up of self-hosted/,
# with other ports and paths, and one message there and back.

use v5.36;
use FindBin qw($Bin);
use POSIX   qw(setsid _exit);
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Postfix;
use Onward::Test::Relay;
use Onward::Test::Sink;
use Onward::Test::Verify;

$| = 1;
my $keep = grep { $_ eq '--keep' } @ARGV;

# What is shown

my $colours = -t STDOUT && ($ENV{NO_COLOR} // '') eq '';
my $unicode = ($ENV{LC_ALL} || $ENV{LC_CTYPE} || $ENV{LANG} || '') =~ /utf-?8/i;
my ($to, $good, $bad) = $unicode
    ? ("\xe2\x86\x92", "\xe2\x9c\x94", "\xe2\x9c\x98") : ('->', 'ok', 'NO');
my $failures = 0;

sub paint ($code, $text) { $colours ? "\e[${code}m$text\e[0m" : $text }
sub bold ($text)         { paint(1,  $text) }
sub faint ($text)        { paint(2,  $text) }
sub green ($text)        { paint(32, $text) }
sub red ($text)          { paint('1;31', $text) }

sub heading ($title, $text) {
    print "\n", bold($title), "  $text\n";
}

sub row ($name, $text) { printf "    %-11s %s\n", $name, $text }

sub from_to ($name, $before, $after) {
    my $same = $before eq $after ? faint('  (the same)') : '';
    row($name, "$before\n" . ' ' x 14 . "$to $after$same");
}

# One thing that has to hold.
sub holds ($ok, $what, $why = '') {
    $failures++ unless $ok;
    printf "    %s %s%s\n", $ok ? green($good) : red($bad), $what,
        $ok || $why eq '' ? '' : red(": $why");
    return $ok;
}

# A value that the rest of the story cannot do without.
sub expect ($value, $what) {
    return $value if $value;
    holds(0, $what);
    ending();
}

# The set-up

# With --keep the story runs in a process that stays; this one reports how it
# went.
my $told;
if ($keep) {
    pipe my $result, $told or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if ($pid) {
        close $told;
        my $status = <$result> // 1;
        _exit($status);
    }
    close $result;
    Onward::Test::own();
    setsid();
}

# TMPDIR/onward-try-XXXXXX: all that is written is in it.
my $dir = scratch('try');
$ENV{TMPDIR} = $dir;
# What stays must not hold the terminal, or a pipe.
open STDERR, '>>', "$dir/errors" if $keep;

my %port = map { $_ => free_port() } qw(front mx submission reinject map);
my $alice = 'alice@sender.example';
my $alias = 'fwd.shop@public.example';
my $me    = 'me@private.example';

my $sink   = Onward::Test::Sink->new;
my $behind = Onward::Test::Relay->new(to => $port{reinject});
my $before = Onward::Test::Relay->new(to => $port{mx});

# The files of self-hosted/, for this place.
sub adapted ($file) {
    my $text = slurp("$Bin/self-hosted/$file");
    $text =~ s{/etc/onward/}{$dir/onward/}g;
    # Two recorders stand on the way, so that before and after can be shown.
    $text =~ s/smtpd_proxy_filter=127\.0\.0\.1:10025/smtpd_proxy_filter=${\$before->address}/g;
    $text =~ s/(upstream = \{ address = ")127\.0\.0\.1:10026/$1${\$behind->address}/;
    $text =~ s{smtp/inet/}{127.0.0.1:$port{front}/inet/}g;
    $text =~ s/10025/$port{mx}/g;
    $text =~ s/10026/$port{reinject}/g;
    $text =~ s/10027/$port{submission}/g;
    $text =~ s/10028/$port{map}/g;
    return $text;
}

mkdir "$dir/$_" for qw(onward onward/dkim onward/dkim/srs.public.example state);
spew("$dir/onward/$_", adapted($_)) for qw(onward.conf aliases);
spew("$dir/onward/srs.secret", unpack('H*', random(24)) . "\n", 0640);
my $our_key = make_key("$dir/onward/dkim/srs.public.example/s2026.pem");
my $her_key = make_key("$dir/alice.pem");
my %dns = (
    's2026._domainkey.srs.public.example' => dns_record($our_key),
    'alice._domainkey.sender.example'     => dns_record($her_key),
);

sub random ($n) {
    open my $fh, '<:raw', '/dev/urandom' or die "/dev/urandom: $!\n";
    my $octets;
    read $fh, $octets, $n;
    return $octets;
}

my $postfix = Onward::Test::Postfix->new(
    sink            => $sink->port,
    backs           => {},
    ports           => { map { $_ => $port{$_} } qw(front reinject) },
    services        => "127.0.0.1:$port{front} inet n - n - - smtpd\n",
    mailbox_domains => ['public.example'],
    mailboxes       => ['/^(bob|info)@public\.example$/'],
    relay_domains   => [],
    accept          => [],
)->prepare;

# What the sandbox needs and an own machine does not.
spew("$dir/onward/onward.conf",
    slurp("$dir/onward/onward.conf") . <<~END);
    # For this place:
    hostname = "mx.public.example";
    state_directory = "$dir/state";
    log = { target = "stderr"; };
    http = { listen = ""; };
    postfix = { config_directory = "${\$postfix->config}"; };
    END
for my $script (qw(main.cf.sh master.cf.sh)) {
    spew("$dir/$script", adapted($script) =~ s/ (inet|unix) n - y / $1 n - n /gr);
    local $ENV{MAIL_CONFIG} = $postfix->config;
    my $said = `sh -e $dir/$script 2>&1`;
    expect($? == 0, "$script: $said");
}
$postfix->start;
my $onward = Onward::Test::Daemon->run("$dir/onward/onward.conf", $port{mx});

my ($version) = `postconf -dh mail_version 2>/dev/null` =~ /(\S+)/;
print bold('Onward'), " in a private Postfix $version",
    " (this machine's own mail is not touched)\n\n",
    "    the Internet $to Postfix :$port{front} $to Onward :$port{mx} ",
    "$to Postfix :$port{reinject} $to the Internet (a sink)\n";

sub front () { Onward::Test::Client->hello($port{front}) }

# 1. Forwarded

my $message = sign_as(
    join("\r\n",
        "From: Alice Example <$alice>", "To: $alias",
        'Subject: Your order', 'Date: Tue, 24 Nov 2026 10:00:00 +0000',
        'Message-ID: <order-1@sender.example>', 'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: 8bit', '',
        "Gr\xc3\xbc\xc3\x9fe,", '.this line begins with a dot', '', ''),
    'sender.example', 'alice', $her_key
);

heading('1. Forwarded', "Alice writes to $alias");
my $reply     = front()->transaction($alice, $alias, $message);
my ($queued)  = $reply =~ /queued as (\w+)/;
my $forwarded = $sink->wait_to($me, 10);
holds($reply =~ /^250 .*queued as/, "accepted: $reply");
expect($forwarded, "it arrives at $me");
my $return = $forwarded->{from};
from_to('MAIL FROM', "<$alice>", "<$return>");
from_to('RCPT TO',   "<$alias>", join ', ', map {"<$_>"} @{ $forwarded->{to} });

my $got  = $before->content // '';
my $sent = $behind->content // '';
my $kept = length $got && substr($sent, -length $got) eq $got;
my $added = $kept ? substr $sent, 0, length($sent) - length $got : '';
for my $field ($added =~ /^([\w-]+: .*\r\n(?:[ \t].*\r\n)*)/mg) {
    my ($name, $value) = $field =~ /^([\w-]+): (.*)/s;
    $value = $value =~ s/\s+/ /gr =~ s/ \z//r;
    $value = substr($value, 0, 60) . '...' if length $value > 63;
    row('added', "$name: $value");
}
my ($header) = $got =~ /^(.*?\r\n)\r\n/s;
my $fields = () = ($header // '') =~ /^[^\s:]+:/mg;
my $body = $got =~ s/^.*?\r\n\r\n//sr;
holds($kept, "below it, $fields fields and " . length($body)
        . ' octets of body are as they came, octet for octet');
holds($return =~ /^SRS0=[^=]+=..=sender\.example=alice\@srs\.public\.example$/,
    'SPF will be checked against srs.public.example, which is ours',
    $return);

# 2. Signed

heading('2. Signed', 'what the receiver finds');
my $data = $forwarded->{data}->();
my @verdicts = verdicts($data, \%dns);
for my $domain ('srs.public.example', 'sender.example') {
    my $whose = $domain eq 'sender.example' ? "Alice's own" : 'ours';
    my @of = grep { $_->{domain} eq $domain } @verdicts;
    my $all = join ', ', map {"$_->{verifier}: $_->{result}"} @of;
    holds(@of == 2 && !grep({ $_->{result} ne 'pass' } @of),
        sprintf('%-24s %-12s %s', "d=$domain", $whose, $all || 'none'));
}
my $touched = $data =~ s/a dot\r\n/a bot\r\n/r;
holds(!grep({ $_->{result} eq 'pass' } verdicts($touched, \%dns)),
    'and with one letter changed, neither of them passes');

# Not part of the story: what the front takes up to its limit must find room
# behind with our fields on top.
my $limit = 10_240_000; # Postfix' default
my $long  = $message =~ s/^(DKIM-Signature:.*?\r\n)(?=\S)//msr;
my $line  = 'x' x 78 . "\r\n";
$long .= $line x (($limit - 400 - length $long) / 80);
my $said = front()->transaction($alice, 'fwd.long@public.example', $long);
expect(scalar($said =~ /^250 /), "a message just below the limit of size: $said");
$sink->wait_to($me, 20);
$sink->clear;

# 3. Bounced

heading('3. Bounced', "$me does not exist any more; the bounce comes back");
my $bounce = join "\r\n", 'From: MAILER-DAEMON@private.example',
    "To: <$return>", 'Subject: Undelivered Mail Returned to Sender', '',
    "<$me>: no such user", '';
$reply = front()->transaction('', $return, $bounce);
holds($reply =~ /^250 .*queued as/, "accepted: $reply");
my ($bounced) = $reply =~ /queued as (\w+)/;
my $home = $sink->wait_to($alice, 10);
expect($home, 'it reaches Alice');
from_to('MAIL FROM', '<>', "<$home->{from}>");
from_to('RCPT TO', "<$return>", join ', ', map {"<$_>"} @{ $home->{to} });
holds($home->{from} eq '' && "@{ $home->{to} }" eq $alice,
    'Alice learns of it, and nobody else does');

# 4. Refused

heading('4. Refused', 'a spammer makes up a bounce: one letter is another');
my $forged = $return;
substr $forged, 5, 1, substr($forged, 5, 1) =~ /x/i ? 'y' : 'x';
row('RCPT TO', "<$forged>");
my $refusal = '';
# Port 25 asks Onward, and refuses it; so does Onward itself, with its reason.
for ([$port{front}, qr/^550 5\.1\.1/], [$port{mx}, qr/^550 5\.7\.1/]) {
    my ($port, $wanted) = @$_;
    my $client = Onward::Test::Client->hello($port);
    $client->cmd('MAIL FROM:<>');
    $refusal = $client->cmd("RCPT TO:<$forged>");
    holds($refusal =~ $wanted, $refusal =~ s/<\S+>: //r);
    $client->quit;
}

# 5. Logged

heading('5. Logged', 'one queue id joins the lines of all three');
for my $id (grep {defined} $queued, $bounced) {
    my $ours = $onward->logged(qr/queued as $id/);
    $postfix->logged(qr/ $id: to=.*status=sent/);
    my @theirs = grep {/\b$id\b/} $postfix->lines;
    my ($front)  = grep {m{/front/smtpd.*proxy-accept}} @theirs;
    my ($behind) = grep {m{/reinject/smtpd.* $id: client=}} @theirs;
    my ($out)    = grep {/ $id: to=/} @theirs;
    for my $line ($front, $ours, $behind, $out) {
        next unless defined $line;
        # Date, host and the sandbox's paths tell nobody anything.
        my $text = $line =~ s/^\w+ +\d+ [\d:]+ \S+ //r;
        $text =~ s/\Q$dir\E\S*/.../g;
        $text =~ s/\b($id)\b/bold($1)/ge;
        print "    $text\n";
    }
    holds($front && $ours && $behind && $out,
        'front, Onward, re-injection and delivery can be joined');
}
my $no = $onward->logged(qr/status=rejected/);
print "    $no\n" if $no;
holds($no && $no =~ /reason=srs-hash/, 'and the refusal says why');

ending();

sub ending () {
    if ($failures) {
        print "\n", red('what Onward said'), "\n",
            map({"    $_\n"} $onward ? $onward->lines : ());
    }
    print "\n";
    if ($keep) {
        print "It goes on running:\n",
            "    Postfix  127.0.0.1:$port{front}   ",
            "postfix -c ${\$postfix->config} ...\n",
            "    log      ${\$postfix->dir}/mail.log, ${\$onward->dir}/log\n",
            "    mail     ${\$sink->dir}\n",
            "    to end it and remove all of it: kill $$\n\n";
    }
    my $status = $failures ? 1 : 0;
    print $failures
        ? red("FAIL: $failures of what was promised did not hold") . "\n"
        : green('PASS: forwarded, signed, bounced, refused forgery') . "\n";
    exit $status unless $keep;
    print $told "$status\n";
    close $told;
    open $_, '+<', '/dev/null' for *STDIN, *STDOUT;
    sleep while 1;
}
