# `check`, `config show` and `config defaults` of the real program: what goes
# where, exit codes, JSON, Postfix' defaults, and five thousand keys.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP qw(decode_json);
use Test::More;
use Onward::Test;

need qw(binary);

my $dir = scratch('conf');
mkdir "$dir/$_" or die "$dir/$_: $!\n" for qw(state keys postfix);
spew("$dir/secret", "0123456789abcdef\n", 0640);

my $listeners = <<'END';
listeners = ( { name = "mx"; address = "127.0.0.1:10025"; role = "inbound"; } );
END
my $good = $listeners . <<"END";
srs = {
  domain = "srs.example.org";
  secret_file = "$dir/secret";
};
limits = { sessions = 2000; };
state_directory = "$dir/state";
postfix = { config_directory = ""; };
END

# Exit code, standard output and standard error of onward.
sub onward (@arguments) {
    my $command = join ' ', map { "'$_'" } binary(), @arguments;
    my $out     = run_out('sh', '-c', "$command 2>'$dir/stderr'");
    my $code    = $? >> 8;
    return ($code, $out, slurp("$dir/stderr"));
}

sub conf ($text) {
    return spew("$dir/onward.conf", $text);
}

subtest 'a good configuration' => sub {
    my ($code, $out, $err) = onward('-c', conf($good), 'check');
    is $code, 0,  'exit 0';
    is $err,  '', 'standard error is empty';
    like $out, qr/\AOK: \S+ \(.*\)\n\z/, 'one line';

    ($code, $out) = onward('-c', "$dir/onward.conf", 'check', '--json');
    is_deeply decode_json($out), { ok => JSON::PP::true, errors => [],
        warnings => [], notes => [] }, 'as JSON';
    is $code, 0, 'exit 0';
};

subtest 'a warning' => sub {
    my $text = $good =~ s/secret_file/accept_classic = true; secret_file/r;
    my ($code, $out, $err) = onward('-c', conf($text), 'check');
    is $code, 0,  'exit 0';
    is $err,  '', 'standard error is empty';
    like $out, qr/^warning: \S+:4: srs\.accept_classic: /m, 'is said';
    like $out, qr/^OK: /m, 'without effect';
};

subtest 'five errors' => sub {
    my $file = conf($listeners . <<"END");
hostname = 5;
limits = { hops = 0; sesions = 3; };
timeouts = { drain = 10m; };
srs = { domain = "srs"; secret_file = "$dir/secret"; };
state_directory = "$dir/state";
END
    my ($code, $out, $err) = onward('-c', $file, 'check');
    is $code, 78, 'exit 78';
    is $out,  '', 'standard output is empty';
    my @lines = grep {/^\S/} split /\n/, $err;
    is pop @lines, '5 errors. A running daemon keeps its configuration.',
        'the number';
    is scalar @lines, 5, 'five lines';
    my @where = ([2, 'hostname'], [3, 'limits.hops'], [3, 'limits.sesions'],
        [4, 'timeouts.drain'], [5, 'srs.domain']);
    like $lines[$_], qr/^\Q$file\E:$where[$_][0]: \Q$where[$_][1]\E: /,
        $where[$_][1]
        for keys @where;

    ($code, $out, $err) = onward('-c', $file, 'check', '--json');
    is $code, 78, 'exit 78 with --json';
    my $json = decode_json($out);
    ok !$json->{ok}, 'not ok';
    is_deeply [map { [$_->{line}, $_->{setting}] } @{ $json->{errors} }],
        \@where, 'the same errors';
    is $json->{errors}[0]{file}, $file, 'with the file';
    like $json->{errors}[3]{text}, qr/write "10m" in quotes/, 'and the cure';

    ($code, $out, $err) = onward('-c', $file, 'config', 'show');
    is $code, 78, 'config show: exit 78';
    is $out,  '', 'and shows nothing';
    like $err, qr/limits\.hops/, 'but the errors';
};

subtest 'no configuration' => sub {
    my ($code, $out, $err) = onward('-c', "$dir/absent", 'check');
    is $code, 78, 'exit 78';
    like $err, qr/^\Q$dir\E\/absent: .*No such file/, 'says why';
    ($code, $out, $err) = onward('-c', $dir, 'check');
    is $code, 78, 'a directory: exit 78';
};

subtest 'config show' => sub {
    my ($code, $out, $err) = onward('-c', conf($good), 'config', 'show');
    is $code, 0,  'exit 0';
    is $err,  '', 'standard error is empty';
    like $out, qr{^limits\.sessions = 2000  # \Q$dir\E/onward\.conf:6$}m,
        'what is written, and where';
    like $out, qr/^srs\.max_age = "21d"  # default$/m, 'a default';
    unlike $out, qr/0123456789abcdef/, 'not the secret';
    my @odd = grep { !/^[a-z_.\[\]0-9]+ = .+  # \S+$/ } split /\n/, $out;
    is_deeply \@odd, [], 'one setting a line';

    ($code, my $json) = onward('-c', "$dir/onward.conf", 'config', 'show',
        '--json');
    my $settings = decode_json($json)->{settings};
    is scalar(@$settings), scalar(split /\n/, $out), 'the same as JSON';
};

subtest 'config defaults' => sub {
    my ($code, $out, $err)
        = onward('-c', "$dir/absent", 'config', 'defaults');
    is $code, 0,  'needs no configuration';
    is $err,  '', 'standard error is empty';
    like $out, qr/^limits\.sessions = 1000$/m, 'without source';
    like $out, qr/^dkim\.oversign = \( "From", /m, 'lists too';
    ($code, my $json) = onward('config', 'defaults', '--json');
    is scalar(@{ decode_json($json)->{settings} }),
        scalar(split /\n/, $out), 'as JSON';
};

subtest 'the manual page is that of this program' => sub {
    my $page = "$dir/onward.conf.5";
    is system('sh', top() . '/proxy/man/generate', binary(), $page), 0,
        'generated';
    is slurp($page), slurp(top() . '/proxy/man/onward.conf.5'),
        'sh proxy/man/generate was run';
    my ($code, $out) = onward('config', 'defaults');
    for my $name ($out =~ /^(\S+) = /mg) {
        my ($leaf) = $name =~ /([^.]+)$/;
        fail("$name is in the page")
            if slurp($page) !~ /^\.(?:It Ic|Ss Each group of) \Q$leaf\E$/m;
    }
};

subtest 'defaults from Postfix' => sub {
    plan skip_all => 'no postconf' if !-x '/usr/sbin/postconf';
    spew("$dir/postfix/main.cf", <<'END');
compatibility_level = 3.6
myhostname = mx.postfix.example
recipient_delimiter = -
message_size_limit = 12345
smtpd_recipient_limit = 77
mydestination = $myhostname, localhost, hash:/etc/x
virtual_mailbox_domains = virt.example
END
    spew("$dir/postfix/master.cf", '');
    my $file = conf($good =~ s/config_directory = ""/config_directory = "$dir\/postfix"/r);
    my ($code, $out, $err) = onward('-c', $file, 'config', 'show');
    is $code, 0,  'exit 0';
    is $err,  '', 'standard error is empty';
    my %wanted = (
        'hostname'                    => '"mx.postfix.example"',
        'forward.recipient_delimiter' => '"-"',
        'limits.message_size'         => '"12345"',
        'limits.recipients'           => '77',
        'forward.local_domains' =>
            '( "mx.postfix.example", "localhost", "virt.example" )',
    );
    for my $name (sort keys %wanted) {
        like $out, qr/^\Q$name\E = \Q$wanted{$name}\E  # postconf$/m, $name;
    }

    # postconf, of Postfix 3.8 to 3.12, reads a file that has just been written
    # twice, and the second time for another directory.
    spew("$dir/postfix/main.cf", "compatibility_level = 3.6\n"
            . "recipient_delimiter ="
            . " \${{\$config_directory} == {$dir/postfix} ? {-} : {+}}\n");
    ($code, $out) = onward('-c', $file, 'config', 'show');
    like $out, qr/^forward\.recipient_delimiter = "-"/m,
        'the directory is the one that was named';

    spew("$dir/postfix/main.cf", "nonsense here\n");
    ($code, $out, $err) = onward('-c', $file, 'check');
    is $code, 0,  'a Postfix that does not answer is not asked';
    is $err,  '', 'in silence';
};

subtest '5,000 keys in 5 s' => sub {
    need_openssl() or return;
    my $key = run_out('openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt',
        'rsa_keygen_bits:2048', '-quiet');
    for my $n (1 .. 5000) {
        mkdir "$dir/keys/d$n.example", 0750;
        spew("$dir/keys/d$n.example/s2026.pem", $key, 0640);
    }
    my $file  = conf($good . "dkim = { key_directory = \"$dir/keys\"; };\n");
    # Of two processors, by the time they worked: other tests run beside it.
    my @before = times;
    my ($code, $out, $err) = onward('-c', $file, 'check');
    my @after = times;
    my $took  = ($after[2] + $after[3] - $before[2] - $before[3]) / 2;
    is $code, 0,  'exit 0';
    is $err,  '', 'standard error is empty';
    like $out, qr/\b5000 keys\b/, 'all of them';
    cmp_ok $took, '<', seconds(5), sprintf '%.2f s', $took;
};

sub need_openssl () {
    return 1 if grep { -x "$_/openssl" } split /:/, $ENV{PATH};
    return plan skip_all => 'no openssl';
}

done_testing;
