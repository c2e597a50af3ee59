# import opendkim: the keys of KeyTable go where its commands say, the printed
# configuration passes `onward check`, and the same messages are signed with
# the same keys. What OpenDKIM could and we do not is said.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Import;
use Onward::Test::Verify;

need qw(binary);

# A directory with keys a, b... and these files.
sub set_up (%files) {
    my $dir = scratch('opendkim');
    make_key("$dir/$_.private") for qw(a b);
    for my $name (keys %files) {
        spew("$dir/$name", $files{$name} =~ s/\@DIR\@/$dir/gr);
    }
    return $dir;
}

# Runs the commands that it names; the path of a configuration that uses them.
sub carry_out ($conf, $notes) {
    my $file = usable($conf);
    my $base = $file =~ s{/[^/]+$}{}r;
    for ($notes =~ /^copy the key: (.*)$/mg) {
        system(s{/etc/onward}{$base}gr =~ s/ -g onward//r) == 0
            or fail("command $_");
    }
    return $file;
}

# "domain/selector" that signs a message of this author.
sub signer ($file, $author) {
    my $message = "$file.eml";
    spew($message, "From: $author\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
            . "Message-ID: <1\@x>\r\nSubject: x\r\n\r\nx\r\n");
    my $out = run_out('sh', '-c', 'exec "$@" 2>/dev/null', 'sh', binary(), '-c',
        $file, 'dkim', 'sign', '--listener', 'submission', $message);
    my ($field) = $out =~ /\A(DKIM-Signature:.*\n(?:[ \t].*\n)*)/i or return 'none';
    return join '/', $field =~ /\bd=([^;]+)/, $field =~ /\bs=([^;]+)/;
}

my @rows = (
    {
        name  => 'KeyTable and SigningTable with refile:',
        files => {
            'opendkim.conf' => "KeyTable /nowhere/KeyTable\nKeyTable \@DIR\@/KeyTable\n"
                . "SigningTable refile:\@DIR\@/SigningTable\n"
                . "Canonicalization relaxed/simple\nSubDomains yes\n",
            KeyTable => "# keys\nkey-a one.example:sel1:\@DIR\@/a.private\n"
                . "key-b\ttwo.example:sel2:\@DIR\@/b.private\n",
            SigningTable => "*\@one.example key-a\n*\@*.one.example key-a\n"
                . "*\@two.example key-b\n",
        },
        signs => {
            'a@one.example'     => 'one.example/sel1',
            'a@sub.one.example' => 'one.example/sel1',
            'a@two.example'     => 'two.example/sel2',
            'a@three.example'   => 'none',
        },
        notes => [qr{Canonicalization relaxed/simple: Onward signs relaxed/relaxed}],
    },
    {
        name  => 'tables of other names, found by their usual ones',
        files => {
            'key.table'     => "k one.example:sel1:\@DIR\@/a.private\r\n",
            'signing.table' => "one.example k\r\n",
        },
        signs => { 'a@one.example' => 'one.example/sel1' },
    },
    {
        name  => 'one key in opendkim.conf',
        files => {
            'opendkim.conf' => "Domain one.example\nSelector mail\n"
                . "KeyFile \@DIR\@/a.private\n",
        },
        signs => { 'a@one.example' => 'one.example/mail' },
    },
    {
        name  => 'one key for several domains',
        files => {
            'opendkim.conf' => "Domain one.example, two.example\nSelector mail\n"
                . "KeyFile \@DIR\@/a.private\n",
        },
        signs => {
            'a@one.example' => 'one.example/mail',
            'a@two.example' => 'two.example/mail',
        },
    },
    {
        name  => 'what does not fit',
        files => {
            KeyTable => "all %:mail:\@DIR\@/a.private\n"
                . "one one.example:sel1:\@DIR\@/a.private\n"
                . "odd not_a_domain..:x:\@DIR\@/a.private\n"
                . "short two.example\n",
            SigningTable => "*\@* one\nsomebody\@one.example one\n"
                . "*\@three.example one\n* one\n",
        },
        signs => { 'a@one.example' => 'one.example/sel1' },
        notes => [
            qr/"all" takes the author's domain \(%\)/,
            qr/"\*\@\*" signs every author with d=one\.example/,
            qr/"\*" signs every author with d=one\.example/,
            qr/"somebody\@one\.example" named one address/,
            qr/authors at three\.example were signed with d=one\.example; make a key of their own: onward dkim keygen three\.example/,
            qr/"not_a_domain\.\." is no domain: left out/,
            qr/not understood: short two\.example/,
        ],
    },
);

for my $row (@rows) {
    subtest $row->{name} => sub {
        my $dir = set_up(%{ $row->{files} });
        my ($conf, $notes, $status) = import_from('opendkim', $dir);
        is $status, 0, 'it is read' or diag $notes;
        my $file = carry_out($conf, $notes);
        my ($said, $checked) = check_of($file);
        is $checked, 0, 'onward check accepts it' or diag $said, $conf;
        is signer($file, $_), $row->{signs}{$_}, "signer of $_"
            for sort keys %{ $row->{signs} };
        like $notes, $_, "noted: $_" for @{ $row->{notes} // [] };
        like $notes, qr/take OpenDKIM out of Postfix/, 'what remains to be done';
    };
}

subtest 'nothing to import' => sub {
    my ($conf, $notes, $status) = import_from('opendkim', set_up());
    is $status, 65, 'exit code 65';
    is $conf, '', 'nothing is printed';
    like $notes, qr/there is nothing to import/, 'and why';
    is((import_from('opendkim', '/nonexistent'))[2], 65,
        'a directory that is absent: 65');
};

done_testing;
