package Rivals;

# Who is compared: nothing, a byte relay in our place, Onward, and what a user
# would run instead. Each new thing is { port or milter..., pid, dns }, dns
# being the records of its keys.
use v5.36;
use Cwd      qw(abs_path);
use Exporter qw(import);
use Onward::Test;
use Onward::Test::Daemon;
use Onward::Test::Sink;
use Onward::Test::Verify;
use Measure;

our @EXPORT = qw(start_sink relay onward opendkim postsrsd rspamd proven
    proven_through $forwarded);

# The load's recipient that all of them forward.
our $forwarded = 'fwd.x@public.example';

# smtp-sink: { port, pid }
sub start_sink ($port = free_port()) {
    my $pid = start(program('smtp-sink'), ($> == 0 ? qw(-u nobody) : ()),
        qw(-m 5000), "127.0.0.1:$port", 4000);
    return { port => listening($port), pid => $pid };
}

sub relay ($to) {
    my $port = free_port();
    my $pid  = start(program('relay'), $port, $to);
    return { port => listening($port), pid => $pid };
}

sub onward ($upstream, %o) {
    return Onward::Test::Daemon->new(
        upstream => $upstream,
        settings => 'limits = { sessions = 20000; };',
        %o
    )->start;
}

# A key of the author's domain, as a milter signs: (path, records).
sub author_key ($dir) {
    make_key("$dir/key.pem");
    return ("$dir/key.pem",
        { 's._domainkey.sender.example' => dns_record("$dir/key.pem") });
}

sub milter ($socket, $pid, $dns) {
    wait_until(180, sub { -S $socket })
        or die "no milter listens at $socket\n";
    chmod 0777, $socket;
    return { milter => "unix:$socket", pid => $pid, dns => $dns };
}

sub opendkim () {
    my $program = program('opendkim')
        // return left_out('OpenDKIM', 'not installed');
    my $dir = scratch('opendkim');
    my ($key, $dns) = author_key($dir);
    chmod 0600, $key;
    spew("$dir/KeyTable",     "k sender.example:s:$key\n");
    spew("$dir/SigningTable", "*\@sender.example k\n");
    spew("$dir/conf", <<~END);
        Mode s
        Canonicalization relaxed/relaxed
        KeyTable file:$dir/KeyTable
        SigningTable refile:$dir/SigningTable
        InternalHosts 0.0.0.0/0
        ExternalIgnoreList 0.0.0.0/0
        Syslog no
        RequireSafeKeys no
        END
    # A unix socket: over TCP its milter library stalls for 40 ms.
    my $pid = start($program, '-f', '-x', "$dir/conf", '-p', "local:$dir/sock");
    return milter("$dir/sock", $pid, $dns);
}

# rspamd that signs and does nothing else.
sub rspamd () {
    my $program = program('rspamd')
        // return left_out('rspamd', 'not installed');
    my $dir = scratch('rspamd');
    my ($key, $dns) = author_key($dir);
    chmod 0644, $key;
    my @user = getpwnam '_rspamd';
    mkdir "$dir/$_" for qw(db log);
    # What it compiles at its first start takes a minute: kept.
    my $compiled = abs_path($ENV{BENCH}) . '/rspamd-compiled';
    mkdir $compiled;
    chown @user[ 2, 3 ], $compiled;
    chown @user[ 2, 3 ], $dir, "$dir/db", "$dir/log";
    spew("$dir/rspamd.conf", <<~END);
        options {
            pidfile = "$dir/db/pid";
            control_socket = "$dir/db/control mode=0600";
            cache_file = "$dir/db/symbols.cache";
            history_file = "$dir/db/history";
            tempdir = "$dir/db";
            url_tld = "/usr/share/rspamd/effective_tld_names.dat";
            filters = "dkim";
            explicit_modules = [];
            allow_raw_input = true;
            hs_cache_dir = "$compiled";
            dns { nameserver = ["127.0.0.1"]; }
        }
        logging { type = "file"; filename = "$dir/log/log"; level = "error"; }
        worker "rspamd_proxy" {
            bind_socket = "$dir/sock mode=0777";
            milter = yes;
            timeout = 120s;
            count = 2;
            upstream "local" { default = yes; self_scan = yes; }
        }
        metric "default" { actions { reject = 10000; } }
        modules { path = "/usr/share/rspamd/plugins/dkim_signing.lua"; }
        dkim_signing {
            enabled = true;
            sign_networks = ["0.0.0.0/0"];
            sign_local = true;
            allow_username_mismatch = true;
            use_esld = false;
            check_pubkey = false;
            domain { sender.example { path = "$key"; selector = "s"; } }
        }
        END
    my $pid = start($program, '-f', '-u', '_rspamd', '-g', '_rspamd', '-c',
        "$dir/rspamd.conf", "--var=DBDIR=$dir/db", "--var=RUNDIR=$dir/db",
        "--var=LOGDIR=$dir/log", "--var=CONFDIR=$dir",
        "--var=LOCAL_CONFDIR=$dir");
    return milter("$dir/sock", $pid, $dns);
}

# { forward, reverse (ports), pid }
sub postsrsd () {
    my $program = program('postsrsd')
        // return left_out('PostSRSd', 'not installed');
    my $dir = scratch('postsrsd');
    my ($forward, $reverse) = (free_port(), free_port());
    spew("$dir/secret", "a secret for tests only\n", 0600);
    my $pid = start($program, "-s$dir/secret", '-dsrs.public.example',
        "-f$forward", "-r$reverse", '-l127.0.0.1');
    listening($forward);
    return { forward => $forward, reverse => $reverse, pid => $pid };
}

# Who does not do the work is not measured. The message, as the next server
# got it, has a signature that others find good, an SRS reverse-path, and the
# alias' target as its recipient.
sub proven ($name, $message, $dns) {
    die "$name: nothing came out\n" if !$message;
    # One of the verifiers does not know Ed25519.
    my @verdicts = grep { $_->{result} !~ /unsupported algorithm/ }
        verdicts($message->{data}->(), $dns);
    my @bad = grep { $_->{result} ne 'pass' } @verdicts;
    die "$name: signature: $_->{verifier} says $_->{result}\n" for @bad;
    die "$name: no signature\n" if !@verdicts;
    die "$name: no SRS: $message->{from}\n"
        if $message->{from}
        !~ /^SRS0[=+-].*=sender\.example=bench\@srs\.public\.example$/i;
    die "$name: the alias is not expanded: @{ $message->{to} }\n"
        if "@{ $message->{to} }" ne 'me@private.example';
    return;
}

# One message of the load at this port, as $sink gets it.
sub proven_through ($name, $port, $sink, $dns) {
    $sink->clear;
    load(name => $name, port => $port, sessions => 1, seconds => 0.01,
        size => 10240, rcpt => $forwarded);
    proven($name, ($sink->wait_for(1))[0], $dns);
    return;
}

1;
