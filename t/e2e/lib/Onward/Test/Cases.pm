package Onward::Test::Cases;

# The cases of t/data/forwarding/ through the program: README there says how to
# read them, t/unit/test_relay_forwarding.c runs the same ones in memory. What
# stands in braces is worked out here with nobody's help.

use v5.36;
use Digest::SHA qw(hmac_sha256_hex);
use Exporter    qw(import);
use Test::More ();
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::SRS;
use Onward::Test::Upstream;

our @EXPORT = qw(read_cases run_case stop_daemons);

my $secret = '0123456789abcdef';

# RFC 8032, 7.1: known to everybody, made for tests.
my $pem = <<~'END';
    -----BEGIN PRIVATE KEY-----
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
    -----END PRIVATE KEY-----
    END

# ---- reading ----

# All cases of a file, each a name and its lines.
sub read_cases ($path) {
    my ($head, @cases) = split /^== /m, slurp($path);
    my ($file) = $path =~ m{([^/]+)$};
    return map {
        my ($name, $lines) = /\A([^\n]*)\n(.*)\z/s;
        { file => $file, name => $name, lines => $lines, head => $head };
    } @cases;
}

sub values_of ($lines, $key) {
    return $lines =~ /^\Q$key\E:[ ]*(.*)$/mg;
}

# From the case or, if it has none, the head of its file.
sub setting ($case, $key) {
    my @own = values_of($case->{lines}, $key);
    return @own ? @own : values_of($case->{head}, $key);
}

# ---- what stands in braces ----

sub expand ($text, $sender) {
    1 while $text =~ s/\{([^{}]*)\}/value_of($1, $sender)/e;
    return $text;
}

sub value_of ($inside, $sender) {
    return $sender                 if $inside eq 'sender';
    return $2 x $1                 if $inside =~ /^(\d+)\*(.+)$/s;
    return make_srs($1)            if $inside =~ /^srs (.*)$/s;
    return loop_mark($1)           if $inside =~ /^loop (.*)$/s;
    die "what is {$inside}?\n";
}

sub loop_mark ($alias) {
    my $key  = hmac_sha256_hex("onward-loop-mark\0" . lc $alias, $secret);
    my $salt = '5a170000';
    my $file = scratch('mark') . '/block';
    spew($file, pack 'H*', $salt . '0' x 24);
    my $mac = unpack 'H*', `openssl enc -aes-128-ecb -nopad -K @{[
        substr $key, 0, 32 ]} -in $file`;
    return "$salt-" . substr $mac, 0, 16;
}

sub make_srs ($text) {
    my ($address, $words) = split / *\| */, $text, 2;
    my %opt = (domain => 'srs.example', secret => $secret);
    for (split ' ', $words // '') {
        my ($name, $value) = split /=/, $_, 2;
        $opt{$name} = $value // 1;
    }
    my $made = srs_address(
        $address, %opt,
        time    => time - 86400 * ($opt{days} // 0),
        classic => $opt{mac},
    );
    if (my $at = $opt{forge}) {
        my $c = \substr $made, 4 + $at, 1;
        $$c = lc $$c eq 'a' ? 'b' : 'a';
    }
    $made =~ s/@[^@]*$/\@$opt{claim}/ if $opt{claim};
    $made =~ tr/A-Z/a-z/ if $opt{lower};
    $made =~ tr/a-z/A-Z/ if $opt{upper};
    return $made;
}

# "*" stands for anything; the rest may hold braces.
sub matches ($pattern, $text) {
    my $regex = join '.*', map {quotemeta} split /\*/, $pattern, -1;
    return $text =~ /\A$regex\z/s;
}

# ---- upstream ----

# It does as the file "rules" in its directory says, which changes with each
# case.
my $upstream = Onward::Test::Upstream->new(
    EHLO => sub ($server, $conversation, $line) {
        my %rule = map { $_ => 1 } rules($server);
        return join "\r\n", '250-up', '250-PIPELINING',
            '250-ENHANCEDSTATUSCODES', '250-8BITMIME',
            ($rule{'without SMTPUTF8'} ? () : '250-SMTPUTF8'),
            ($rule{'with DSN'} ? '250-DSN' : ()),
            '250 XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT';
    },
    (map {
        my $verb = $_;
        $verb => sub ($server, $conversation, $line) {
            my ($path) = $line =~ /<(.*)>/;
            return rule_for($server, $verb, $path // '')
                // ($verb eq 'MAIL' ? '250 2.1.0 Ok' : '250 2.1.5 Ok');
        }
    } qw(MAIL RCPT)),
    DATA => sub ($server, $conversation, $line) {
        return rule_for($server, 'DATA', '') // '354 go on';
    },
    DOT => sub ($server, $conversation, $line) {
        open my $count, '>>', "$server->{dir}/dots" or die $!;
        syswrite $count, '.';
        my $reply = rule_for($server, 'DOT', -s $count)
            // '250 2.0.0 Ok: queued as UP';
        $conversation->commit if $reply =~ /^2/;
        return $reply;
    },
);

sub rules ($server) {
    return split /\n/, slurp("$server->{dir}/rules");
}

sub rule_for ($server, $step, $what) {
    for (rules($server)) {
        my ($name, $pattern, $reply) = split / /, $_, 3;
        return $reply if $name eq $step && matches($pattern, $what);
    }
    return;
}

# All the verbs of a connection, content left out.
sub verbs ($n) {
    my $said = $upstream->received($n);
    $said =~ s/^DATA\r\n.*?^\.\r\n/DATA\r\n/msg;
    return join ' ', grep { $_ ne 'QUIT' } $said =~ /^([A-Z]+)/mg;
}

# ---- the program ----

# One for each configuration: cases that want the same one share it.
my %daemon;

sub stop_daemons () {
    $_->ends_well for values %daemon;
    %daemon = ();
}

sub files_of ($case, $kind) {
    my %file;
    for my $lines ($case->{head}, $case->{lines}) {
        my %new;
        push @{ $new{$1} }, $2 while $lines =~ /^$kind (\S+?): ?(.*)$/mg;
        %file = (%file, %new);
    }
    return \%file;
}

sub configuration ($case) {
    my $list = sub ($key) { join "\n", setting($case, $key) };
    my $srs = values_of($case->{lines}, 'srs-group') ? '' : <<~END;
        srs = {
          domain = "srs.example";
          secret_file = "\@DIR\@/secret";
          @{[ $list->('srs') ]}
        };
        END
    my $dkim = values_of($case->{lines}, 'key')
        ? 'dkim = { key_directory = "@DIR@/dkim"; };' : '';
    return <<~END;
        hostname = "proxy.example";
        listeners = (
          { name = "mx"; address = "127.0.0.1:\@MX\@"; role = "inbound"; },
          { name = "submission"; address = "127.0.0.1:\@SUBMISSION\@";
            role = "outbound"; }
        );
        upstream = { address = "@{[ $upstream->address ]}";
          idle_timeout = "0s"; };
        forward = {
          local_domains = ( @{[ $list->('local') ]} );
          aliases = ( @{[ $list->('aliases') ]} );
          @{[ $list->('forward') ]}
        };
        $srs
        $dkim
        state_directory = "\@DIR\@/state";
        log = { target = "stderr"; };
        http = { listen = ""; };
        postfix = { config_directory = ""; };
        @{[ $list->('conf') ]}
        END
}

sub daemon_for ($case) {
    my $conf    = configuration($case);
    my @keys    = values_of($case->{lines}, 'key');
    my $files   = files_of($case, 'file');
    my $cdbs    = files_of($case, 'cdb');
    my @secrets = setting($case, 'secret');
    my @offers  = grep {/^with/} setting($case, 'upstream');
    my $all = join "\0", $conf, @keys, @secrets, @offers,
        map { my $set = $_; map { $_, @{ $set->{$_} } } sort keys %$set }
        $files, $cdbs;
    return $daemon{$all} if $daemon{$all};

    my $dir = scratch('case');
    my %port = (MX => free_port(), SUBMISSION => free_port());
    mkdir "$dir/$_", 0750 for qw(state dkim), map {"dkim/$_"} @keys;
    spew("$dir/dkim/$_/s1.pem", $pem, 0640) for @keys;
    spew("$dir/secret", join('', map {"$_\n"} @secrets ? @secrets : $secret),
        0640);
    spew("$dir/$_", join '', map {"$_\n"} @{ $files->{$_} }) for keys %$files;
    write_cdb("$dir/$_.cdb", map { [split / /, $_, 2] } @{ $cdbs->{$_} })
        for keys %$cdbs;
    $conf =~ s/\@DIR\@/$dir/g;
    $conf =~ s/\@(MX|SUBMISSION)\@/$port{$1}/g;
    spew("$dir/onward.conf", $conf);
    my $daemon = Onward::Test::Daemon->run("$dir/onward.conf", $port{MX});
    $daemon->{port}{submission} = $port{SUBMISSION};
    return $daemon{$all} = $daemon;
}

# http://cr.yp.to/cdb/cdb.txt
sub write_cdb ($path, @pairs) {
    my ($records, @slots) = ('');
    my $hash = sub ($key) {
        my $h = 5381;
        $h = (($h << 5) + $h & 0xffffffff) ^ ord for split //, $key;
        return $h;
    };
    for (@pairs) {
        my ($key, $value) = @$_;
        my $h = $hash->($key);
        push @{ $slots[$h & 255] }, [$h, 2048 + length $records];
        $records .= pack 'VVa*a*', length $key, length $value, $key, $value;
    }
    my ($head, $tables) = ('', '');
    for my $i (0 .. 255) {
        my @entries = @{ $slots[$i] // [] };
        my $room    = 2 * @entries;
        my @table   = ([0, 0]) x $room;
        for (@entries) {
            my $at = ($_->[0] >> 8) % $room;
            $at = ($at + 1) % $room while $table[$at][1];
            $table[$at] = $_;
        }
        $head .= pack 'VV', 2048 + length($records) + length $tables, $room;
        $tables .= join '', map { pack 'VV', @$_ } @table;
    }
    spew($path, $head . $records . $tables);
}

# ---- one case ----

sub message ($case) {
    my @fields = map { expand($_, '') } values_of($case->{lines}, 'field');
    for (values_of($case->{lines}, 'fields')) {
        my ($n, $field) = split / /, $_, 2;
        push @fields, ($field) x $n;
    }
    my @authors = values_of($case->{lines}, 'author');
    push @fields, map {"From: $_"} @authors ? @authors : 'alice@sender.example';
    return join "\r\n", @fields,
        'Subject: a case', '', '.. body', '';
}

# The names of what stands above the message, or undef.
sub prepended ($content, $message) {
    $content =~ s/\.\r\n\z//;
    return if substr($content, -length $message) ne $message;
    my $fields = substr $content, 0, length($content) - length $message;
    my @names;
    while ($fields =~ /^([\w-]+):((?:.*\n)(?:[ \t].*\n)*)/mg) {
        my ($name, $value) = ($1, $2);
        push @names,
            $name eq 'X-Onward-Loop'  ? 'loop'
            : $name eq 'DKIM-Signature'
            ? 'dkim=' . ($value =~ /\bd=([^;]*)/)[0]
            : $name;
    }
    return join ' ', @names;
}

sub last_sender ($first) {
    my ($sender) = ('');
    for my $n ($first .. $upstream->connections) {
        my $said = $upstream->received($n);
        $sender = $1 while $said =~ /^MAIL FROM:<(.*?)>[ \r]/mg;
    }
    return $sender;
}

sub run_case ($case) {
    my $dir = $upstream->dir;
    spew("$dir/rules", join '', map {"$_\n"} setting($case, 'upstream'));
    my $daemon = daemon_for($case);
    unlink "$dir/dots";
    my $first     = $upstream->connections + 1;
    my $committed = () = $upstream->committed;
    my $log       = length $daemon->log;
    my $message   = message($case);
    my $listener = (values_of($case->{lines}, 'listener'))[0] // 'mx';
    my @wrong;

    my $client = Onward::Test::Client->hello($daemon->port($listener));
    my @steps = $case->{lines} =~ /^([CS]: .*)$/mg;
    while (defined(my $step = shift @steps)) {
        my $line = $step =~ s/^C: //r;
        my $wanted = @steps && $steps[0] =~ /^S: (.*)/ ? $1 : '250 *';
        shift @steps if @steps && $steps[0] =~ /^S: /;
        my $reply;
        if ($line eq 'message') {
            $reply = $client->cmd('DATA');
            if ($reply =~ /^3/) {
                $client->send("$message.\r\n");
                $reply = $client->reply;
            }
        } else {
            my $sender = $line =~ /\{sender\}/ ? last_sender($first) : '';
            $reply = $client->cmd(expand($line, $sender));
        }
        push @wrong, "after $line\n  wanted $wanted\n  got    $reply"
            unless matches($wanted, $reply =~ s/.*\n//sr);
    }
    $client->quit;

    my @seen;
    for (($upstream->committed)[$committed .. $upstream->committed - 1]) {
        my ($envelope, $content) = /\A((?:(?:MAIL|RCPT) [^\r\n]*\n)+)(.*)\z/s;
        push @seen, split /\n/, $envelope;
        my $fields = prepended($content, $message);
        push @wrong, "the content is not what was sent:\n$content"
            unless defined $fields;
        push @seen, "+ $fields" if length($fields // '');
    }
    my @expected = map { expand(s/^U\+ /+ /r =~ s/^U: //r, '*') }
        $case->{lines} =~ /^(U[:+] .*)$/mg;
    for my $i (0 .. ($#seen > $#expected ? $#seen : $#expected)) {
        my ($wanted, $got) = ($expected[$i] // '', $seen[$i] // '');
        push @wrong, "upstream\n  wanted $wanted\n  got    $got"
            unless matches($wanted, $got);
    }
    for my $n (1 .. 8) {
        my ($wanted) = values_of($case->{lines}, "V$n") or next;
        my $got = verbs($first + $n - 1);
        push @wrong, "connection $n\n  wanted $wanted\n  got    $got"
            if $got ne $wanted;
    }
    for my $pattern (values_of($case->{lines}, 'L')) {
        $pattern = expand($pattern, '*');
        my $new = sub { split /\n/, substr $daemon->log, $log };
        push @wrong, "no log line $pattern in\n" . join "\n", $new->()
            unless wait_until(seconds(5),
            sub { scalar grep { matches($pattern, $_) } $new->() });
    }
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::ok(!@wrong, "$case->{file}: $case->{name}")
        or Test::More::diag(join "\n", @wrong);
}

1;
