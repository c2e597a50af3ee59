# One file, two readers: what a real Postfix makes of a virtual(5) table is
# what we make of it. Order of keys, extensions, "@other", recursion, local
# copies, quoted local parts, case. (Not here: "@other, a@b". The manual has the
# first of several targets work so, and with us it does; Postfix 3.7 makes one
# address of the whole value.)

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Postfix;
use Onward::Test::Sink;

need qw(binary root postfix);

my $dir     = scratch('map-virtual');
my $aliases = spew("$dir/aliases", <<'END');
# comment
exact@one.example       a@target.example
Upper@One.Example       Upper@Target.example
list@one.example        a@target.example, b@target.example
                        c@target.example
copy@one.example        a@target.example, copy@one.example
ext+known@one.example   known@target.example
ext@one.example         ext@target.example
@catch.example          box@target.example
keep@catch.example      keep@catch.example
@moved.example          @target.example
fixed@moved.example     @other.example
chain@one.example       step@one.example
step@one.example        @moved.example
"odd one"@one.example   "odd two"@target.example
owner@one.example       wrong@target.example
news@one.example        wrong@target.example
news-request@one.example request@target.example
mailer@one.example      wrong@target.example
+plus@one.example       plus@target.example
deep@one.example        deep@two.example
@two.example            @catch.example
unused.example          anything
END

my @addresses = (<<'END' =~ /(\S+)/g);
    exact@one.example EXACT@One.Example upper@one.example
    list@one.example list+x@one.example list-x@one.example
    copy@one.example copy+shop@one.example
    ext@one.example ext+known@one.example ext+other@one.example
    ext-known@one.example ext+a+b@one.example ext+a-b@one.example
    ext+@one.example ext+Case@one.example
    any@catch.example any+x@catch.example keep@catch.example
    keep+x@catch.example
    any@moved.example any+x@moved.example fixed@moved.example
    fixed+x@moved.example
    chain@one.example chain+x@one.example
    owner-list@one.example news-request@one.example
    news-letter@one.example mailer-daemon@one.example
    +plus@one.example +plus+x@one.example
    deep@one.example deep+x@one.example
    nobody@one.example nobody@elsewhere.example
END
push @addresses, '"odd one"@one.example', '"odd one+x"@one.example',
    '"exact"@one.example';

# ---- Postfix ----

my $sink    = Onward::Test::Sink->new;
my $port    = free_port();
my $postfix = Onward::Test::Postfix->new(
    sink  => $sink->port,
    backs => {},
    main  => "virtual_alias_maps = texthash:$aliases\n"
        . "recipient_delimiter = +-\n",
    services => join "\n  -o ",
    "127.0.0.1:$port inet n - n - - smtpd",
    'mynetworks=127.0.0.0/8',
    'smtpd_relay_restrictions=',
    'smtpd_recipient_restrictions=permit_mynetworks,reject',
    'smtpd_reject_unlisted_recipient=no',
    'smtpd_error_sleep_time=0',
    "syslog_name=postfix/expand\n",
)->start;
my $client;
wait_until(seconds(20),
    sub { $client = eval { Onward::Test::Client->hello($port) } })
    or die 'Postfix does not answer: ', $postfix->log;
for my $n (keys @addresses) {
    like $client->transaction("n$n\@sender.example", $addresses[$n],
        "Subject: $n\r\n\r\ntext\r\n"),
        qr/^250 /, "Postfix takes $addresses[$n]";
}
$client->quit;
ok $postfix->drained(seconds(30)), 'all went out';

my %theirs;
for my $message ($sink->messages) {
    push @{ $theirs{ $message->{from} } }, @{ $message->{to} };
}

# ---- Onward ----

my $conf = spew("$dir/onward.conf", <<END);
hostname  = "mx.example.org";
listeners = (
  { name = "mx"; address = "127.0.0.1:10025"; role = "inbound"; }
);
upstream  = { address = "127.0.0.1:10026"; };
forward   = {
  local_domains = ( "local.example" );
  aliases = ( "texthash:$aliases" );
  recipient_delimiter = "+-";
};
postfix   = { config_directory = ""; };
END
my $explained = decode_json(
    run_out(binary(), '-c', $conf, 'explain', '--json', @addresses));
my @recipients = @{ $explained->{recipients} };

for my $n (keys @addresses) {
    my @ours   = map { $_->{to} } @{ $recipients[$n]{targets} };
    my @theirs = @{ $theirs{"n$n\@sender.example"} // [] };
    is_deeply [sort @ours], [sort @theirs],
        "the same targets for $addresses[$n]: @ours";
}

done_testing;
