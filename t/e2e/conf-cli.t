# The command line: help at every level, usage errors, versions.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;

need qw(binary);

my $dir = scratch('cli');

sub onward (@arguments) {
    my $command = join ' ', map { "'$_'" } binary(), @arguments;
    my $out     = run_out('sh', '-c', "$command 2>'$dir/stderr' </dev/null");
    my $code    = $? >> 8;
    return ($code, $out, slurp("$dir/stderr"));
}

my ($code, $out, $err) = onward('--help');
is $code, 0,  '--help: exit 0';
is $err,  '', 'nothing on standard error';
my ($list) = $out =~ /^commands:\n(.*?)\n\n/ms;
my @commands = map {/^  (\S+(?: [a-z]+)?)  /} split /\n/, $list;
cmp_ok scalar(@commands), '>', 3, 'it lists the commands';

for my $command (@commands) {
    subtest $command => sub {
        my @words = split / /, $command;
        my ($code, $out, $err) = onward(@words, '--help');
        is $code, 0,  '--help: exit 0';
        is $err,  '', 'nothing on standard error';
        like $out, qr/\Ausage: onward \[-c FILE\] \Q$command\E/, 'usage';

        ($code, $out, $err) = onward(@words, '--no-such-option');
        is $code, 64, 'an unknown option: exit 64';
        is $out,  '', 'nothing on standard output';
        isnt $err, '', 'said on standard error';
    };
    next if $command !~ / /;
    my ($group) = $command =~ /^(\S+)/;
    my ($code, $out) = onward($group, '--help');
    is $code, 0, "$group --help: exit 0";
    like $out, qr/^  \Q$command\E /m, "$group --help lists $command";
}

($code, $out, $err) = onward('--version');
is $code, 0, '--version: exit 0';
like $out, qr/\Aonward \d+\.\d+\.\d+\n.*OpenSSL \d.*libuv \d.*libconfig \d/,
    'with the libraries';

for my $row (
    ['no command'],
    ['an unknown command',    'chekc'],
    ['an unknown option',     '--chekc'],
    ['-c without FILE',       '-c'],
    ['an unknown subcommand', 'config', 'shwo'],
    ['no subcommand',         'config'],
    ['an argument too many',  'check', 'x'],
    ['an argument too many',  'config', 'show', 'x'],
    ['--man of config show',  'config', 'show', '--man'],
) {
    my ($name, @arguments) = @$row;
    my ($code, $out, $err) = onward(@arguments);
    is $code, 64, "$name: exit 64";
    is $out,  '', "$name: nothing on standard output";
    isnt $err, '', "$name: said on standard error";
}

for my $row (
    ['-h', '-h'], ['help', 'help'], ['-V', '--version'], ['version', '--version'],
    ['help check', 'check', '--help'], ['check -h', 'check', '--help'],
    ['help dkim keygen', 'dkim', 'keygen', '--help'],
    ['help dkim', 'dkim', '--help'],
) {
    my ($words, @same) = @$row;
    @same = ('--help') if $words =~ /^(?:-h|help)$/;
    my ($code, $out, $err) = onward(split / /, $words);
    is $code, 0, "$words: exit 0";
    is $out, (onward(@same))[1], "$words: as @same";
}

for my $row (
    ['chekc',       qr/did you mean "check"\?/],
    ['chek',        qr/did you mean "check"\?/],
    ['statsu',      qr/did you mean "status"\?/],
    ['Explain x',   qr/did you mean "explain"\?/],
    ['dkim keygne', qr/did you mean "dkim keygen"\?/],
    ['config shwo', qr/did you mean "config show"\?/],
    ['help tracee', qr/did you mean "trace"\?/],
    ['frobnicate',  qr/unknown command; see onward help$/m],
    ['map xyzzy',   qr/unknown subcommand "xyzzy"$/m],
) {
    my ($words, $says) = @$row;
    my ($code, $out, $err) = onward(split / /, $words);
    is $code, 64, "$words: exit 64";
    like $err, qr/\Aonward: [^\n]*$says/m, "$words: what may be meant";
}

($code, $out) = onward('--', 'config', 'defaults');
is $code, 0, '-- ends the options';
($code, $out) = onward('config', 'defaults', '--');
is $code, 0, 'behind the command too';

SKIP: {
    skip 'no /dev/full', 1 if !-w '/dev/full';
    system(sprintf "'%s' config defaults >/dev/full 2>/dev/null", binary());
    isnt $? >> 8, 0, 'a result that cannot be written is no success';
}

done_testing;
