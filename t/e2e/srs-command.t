# `onward srs`: what scripts rely on. Results are lines on standard output,
# "! reason" where there is none, and the exit code says whether any is.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IPC::Open3;
use JSON::PP;
use POSIX qw(strftime);
use Test::More;
use Onward::Test;
use Onward::Test::SRS;

need qw(binary);

my $day     = 86400;
my $secret  = '0123456789abcdef';
my $old     = 'fedcba9876543210';
my $dir     = scratch('srs-command');
my $secrets = spew("$dir/secret", "$secret\n$old\n", 0600);
my @alone   = ('--domain', 'fwd.example', '--secret-file', $secrets);

# Standard output as lines, standard error, exit code.
sub onward ($input, @arguments) {
    spew("$dir/in", $input);
    my $out = run_out(
        'sh', '-c', 'exec "$@" <"$0" 2>"$0.err"', "$dir/in",
        binary(), @arguments
    );
    return ([ split /\n/, $out ], slurp("$dir/in.err"), $? >> 8);
}

sub srs ($verb, @arguments) {
    return onward('', 'srs', $verb, @alone, @arguments);
}

sub genuine ($days, %opt) {
    return srs0($opt{sender} // 'alice@sender.test', 'fwd.example',
        $opt{secret} // $secret, time => time - $days * $day);
}

subtest forward => sub {
    my ($lines, $err, $exit) = srs(forward => 'alice@sender.test');
    is_deeply $lines, [ genuine(0) ], 'SRS0, as described';
    is $exit, 0, 'exit code';
    is $err, '', 'nothing on standard error';

    ($lines, $err, $exit) = srs(forward => '<>', '<alice@sender.test>',
        'me@fwd.example', 'me@FWD.example');
    is_deeply $lines,
        [ '<>', genuine(0), 'me@fwd.example', 'me@FWD.example' ],
        'null sender, brackets, our own domain';
    is $exit, 0, 'none of them is an error';

    ($lines, $err, $exit) = srs(forward => 'a b@sender.test', 'alice',
        'alice@sender.test');
    is_deeply $lines, [ '! malformed', '! malformed', genuine(0) ],
        'what is no address, and on it goes';
    is $exit, 1, 'exit code says so';

    ($lines) = srs(forward => '"a b"@sender.test');
    like $lines->[0], qr/^"SRS0=[\w-]{8}=..=sender\.test=a b"\@fwd\.example$/,
        'quoted as a whole';
    ($lines) = srs(forward => 'SRS0+x=y@first.test');
    like $lines->[0], qr/^SRS1=[\w-]{8}=first\.test=\+x=y\@fwd\.example$/,
        'SRS1';
    ($lines) = onward('', 'srs', 'forward', @alone, '--', '-x@sender.test');
    like $lines->[0], qr/=-x\@fwd\.example$/, 'an address like an option';
};

subtest reverse => sub {
    my ($lines, $err, $exit) = srs(reverse => genuine(3), genuine(21),
        genuine(-1), genuine(0, secret => $old), lc genuine(0));
    is_deeply $lines, [ ('alice@sender.test') x 5 ],
        'today, the last day, a day ahead, the old secret, lower case';
    is $exit, 0, 'exit code';

    ($lines, $err, $exit) = srs(reverse => genuine(22), genuine(-2));
    is_deeply $lines, [ '! expired', '! expired' ], 'too old, too far ahead';
    is $exit, 1, 'exit code';

    my $forged = genuine(0) =~ s/alice/bob/r;
    ($lines, $err, $exit) = srs(reverse => $forged, 'me@fwd.example',
        'SRS0=abcdef=AA=x@fwd.example', 'SRS0=abc=AA=x.test=y@fwd.example');
    is_deeply $lines, [ '! hash does not match', '! not an SRS address',
        '! malformed', '! hash too short' ], 'reasons';
    is $exit, 1, 'exit code';
    is $err, '', 'nothing on standard error';

    my $elsewhere = genuine(0) =~ s/fwd\.example/other.example/r;
    ($lines, $err, $exit) = srs(reverse => $elsewhere, 'bob@other.example',
        'nothing');
    is_deeply $lines, [ ('! not ours') x 3 ], 'other domains';
    is $exit, 1, 'exit code';

    my ($srs1) = srs(forward => 'SRS0=x=y@first.test');
    ($lines) = srs(reverse => @$srs1);
    is_deeply $lines, ['SRS0=x=y@first.test'], 'SRS1 leads to its SRS0';

    # Forwarded by us, by somebody else, and by us again.
    my $chain = genuine(0) =~ s/^SRS0(.*)@.*/SRS1=hash=fwd.example=$1\@b.test/r;
    ($srs1) = srs(forward => $chain);
    ($lines) = srs(reverse => @$srs1);
    is_deeply $lines, ['alice@sender.test'], 'SRS1 of our own SRS0';
};

subtest decode => sub {
    my $date = strftime '%Y-%m-%d', gmtime(time - 2 * $day);
    my ($lines, $err, $exit) = srs(decode => genuine(2));
    like $lines->[0],
        qr/^original alice\@sender\.test\s+made $date \(2 days ago, valid 19 more\)\s+sha256, secret 1 of 2$/,
        'a line';
    is $exit, 0, 'exit code';

    ($lines, $err, $exit) = srs(decode => '--json', genuine(2));
    is_deeply decode_json(join '', @$lines), {
        address    => genuine(2),
        valid      => JSON::PP::true,
        kind       => 'SRS0',
        original   => 'alice@sender.test',
        made       => $date,
        age_days   => 2,
        valid_days => 19,
        mac        => 'sha256',
        secret     => 1,
        secrets    => 2,
    }, 'JSON';
    is $exit, 0, 'exit code';

    ($lines, $err, $exit) = srs(decode => genuine(22));
    like $lines->[0], qr/^! expired\s+original alice\@sender\.test\s+made /,
        'an expired one still says whose it was';
    is $exit, 1, 'exit code';

    ($lines, $err, $exit) = srs(
        decode => '--json', genuine(22), genuine(0, secret => $old),
        genuine(0, secret => 'x' x 16), "x\"\x07\@other.test"
    );
    my $json = decode_json(join '', @$lines);
    is scalar @$json, 4, 'several: a list';
    is_deeply [ map { $_->{valid} ? 1 : 0 } @$json ], [ 0, 1, 0, 0 ],
        'which are valid';
    is_deeply [ map { $_->{reason} // '' } @$json ],
        [ 'expired', '', 'hash does not match', 'not ours' ], 'and why not';
    is $json->[0]{original}, 'alice@sender.test', 'the expired original';
    is $json->[1]{secret}, 2, 'the second secret';
    ok !exists $json->[2]{original}, 'nothing is said of a forged one';
    is $json->[3]{address}, "x\"\x07\@other.test", 'strings are escaped';
    is $exit, 1, 'exit code';

    ($lines, $err, $exit) = onward('', qw(srs decode --json), @alone, '-');
    is_deeply decode_json(join '', @$lines), [], 'nothing in, an empty list';
};

subtest 'standard input' => sub {
    my ($lines, $err, $exit)
        = onward("alice\@sender.test\r\n<>\n\nbob\nalice\@sender.test",
        qw(srs forward), @alone, '-');
    is_deeply $lines,
        [ genuine(0), '<>', '<>', '! malformed', genuine(0) ],
        'one result a line; CRLF, empty lines, no final LF';
    is $exit, 1, 'exit code';

    # A line is answered before the next one comes.
    my $pid = open3(my $in, my $out, undef, binary(), 'srs', 'forward',
        @alone, '-');
    $in->autoflush(1);
    for my $user (qw(a b c)) {
        print $in "$user\@sender.test\n";
        like scalar <$out>, qr/=$user\@fwd\.example$/, "$user, in a dialogue";
    }
    close $in;
    waitpid $pid, 0;
    is $? >> 8, 0, 'ends with its input';

    # Lines across the bounds of what is read at once.
    my @many = map { "user$_\@" . 'x' x ($_ % 60 + 1) . '.test' } 1 .. 20000;
    ($lines) = onward(join('', map { "$_\n" } @many), qw(srs forward),
        @alone, '-');
    ($lines) = onward(join('', map { "$_\n" } @$lines), qw(srs reverse),
        @alone, '-');
    is_deeply $lines, \@many, '20,000 there and back';
};

subtest options => sub {
    my @wrong = (
        [ 'no subcommand',     'srs' ],
        [ 'another one',       qw(srs sideways a@b.test) ],
        [ 'no address',        qw(srs forward), @alone ],
        [ 'unknown option',    qw(srs forward --foo), @alone, 'a@b.test' ],
        [ 'no domain', qw(srs forward --secret-file), $secrets, 'a@b.test' ],
        [ 'no secrets',        qw(srs forward --domain fwd.example a@b.test) ],
        [ 'a bad domain',      qw(srs forward --domain a..b --secret-file),
            $secrets, 'a@b.test' ],
        [ 'a bad MAC',         qw(srs forward --mac md5), @alone, 'a@b.test' ],
        [ 'a short hash',      qw(srs forward --hash-length 3), @alone, 'a@b' ],
        [ 'a long hash',       qw(srs forward --hash-length 28), @alone,
            'a@b' ],
        [ 'minimum above length', qw(srs forward --hash-minimum 9), @alone,
            'a@b' ],
        [ 'hours',             qw(srs forward --max-age 36h), @alone, 'a@b' ],
        [ 'no unit',           qw(srs forward --max-age 21), @alone, 'a@b' ],
        [ 'too many days',     qw(srs forward --max-age 1001d), @alone, 'a@b' ],
        [ 'JSON of forward',   qw(srs forward --json), @alone, 'a@b' ],
    );
    for my $wrong (@wrong) {
        my ($name, @arguments) = @$wrong;
        my ($lines, $err, $exit) = onward('', @arguments);
        is $exit, 64, $name;
        is_deeply $lines, [], "$name: no result";
        isnt $err, '', "$name: says why";
    }

    my $open = spew("$dir/open", "$secret\n", 0644);
    my $short = spew("$dir/short", "# comment\n", 0600);
    for my $bad ([ 'readable by all', $open, qr/0644/ ],
        [ 'too short', $short, qr/:1: .*16 octets/ ],
        [ 'absent', "$dir/absent", qr/No such file/ ])
    {
        my ($name, $file, $text) = @$bad;
        my ($lines, $err, $exit) = onward('', qw(srs forward --domain
                fwd.example --secret-file), $file, 'a@b.test');
        is $exit, 78, "secrets $name";
        like $err, $text, "secrets $name: says why";
        unlike $err, qr/\Q$secret/, "secrets $name: keeps it to itself";
    }

    my ($lines) = srs(forward => '--hash-length', 27, 'alice@sender.test');
    like $lines->[0], qr/^SRS0=[\w-]{27}=/, '--hash-length';
    my ($short_one) = srs(forward => '--hash-length', 4, 'alice@sender.test');
    ($lines) = srs(reverse => @$short_one);
    is_deeply $lines, ['! hash too short'], 'six characters are wanted';
    ($lines) = srs(reverse => '--hash-minimum', 4, @$short_one);
    is_deeply $lines, ['alice@sender.test'], '--hash-minimum';
    ($lines) = srs(reverse => '--max-age', '60d', genuine(60), genuine(61));
    is_deeply $lines, [ 'alice@sender.test', '! expired' ], '--max-age';
    my ($classic) = srs(forward => '--mac', 'classic', 'alice@sender.test');
    ($lines) = srs(reverse => @$classic);
    is_deeply $lines, ['! hash does not match'], 'classic is not sha256';
    ($lines) = srs(reverse => '--accept-classic', @$classic, genuine(0));
    is_deeply $lines, [ ('alice@sender.test') x 2 ], '--accept-classic';
};

subtest 'with a configuration' => sub {
    my $conf = spew("$dir/onward.conf", <<"END");
hostname = "mx.example.org";
listeners = ( { name = "mx"; address = "127.0.0.1:10025"; role = "inbound"; } );
upstream = { address = "127.0.0.1:10026"; };
forward = { local_domains = ( "example.org" ); };
srs = {
  domain = "fwd.example";
  secret_file = "$secrets";
  max_age = "5d";
  long_sender = "reject";
  domain_map = ( { from = "alias.example"; to = "srs.alias.example"; } );
};
postfix = { config_directory = ""; };
END
    my ($lines, $err, $exit) = onward('', '-c', $conf, qw(srs forward),
        'alice@sender.test', 'bob@example.org', 'x@srs.alias.example', '<>',
        ('x' x 40) . '@sender.test');
    is_deeply $lines, [
        genuine(0), 'bob@example.org', 'x@srs.alias.example', '<>',
        '! too long: the local part would be over 64 octets'
    ], 'forward: local domains and all SRS domains are ours';
    is $err, '', 'nothing on standard error';

    my $other = srs0('alice@sender.test', 'srs.alias.example', $secret);
    ($lines, $err, $exit) = onward('', '-c', $conf, qw(srs reverse),
        genuine(5), genuine(6), $other, 'SRS0=a=AA=b=c@example.org');
    is_deeply $lines,
        [ 'alice@sender.test', '! expired', 'alice@sender.test', '! not ours' ],
        'reverse: max_age and the domains of domain_map';
    ($lines) = onward('', '-c', $conf, qw(srs decode), genuine(1));
    like $lines->[0], qr/\(1 day ago, valid 4 more\)/, 'decode: max_age';

    ($lines, $err, $exit)
        = onward('', '-c', "$dir/absent.conf", qw(srs forward a@b.test));
    is $exit, 78, 'no configuration';
    spew($conf, slurp($conf) =~ s/srs = \{.*?\n\};\n//sr);
    ($lines, $err, $exit) = onward('', '-c', $conf, qw(srs forward a@b.test));
    is $exit, 78, 'a configuration without SRS';
    like $err, qr/no group srs/, 'says why';
};

done_testing;
