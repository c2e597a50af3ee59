# The first command of the README does what it says, twice, and leaves nothing.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Time::HiRes qw(time);
use Onward::Test;

need qw(binary root postfix Mail::DKIM::Verifier python3-dkim);

# Command lines that name this directory: nothing else of a run would.
sub processes ($dir) {
    return join '', grep {/\Q$dir\E/} map { slurp_or_empty("$_/cmdline") }
        glob '/proc/[0-9]*';
}

sub slurp_or_empty ($path) {
    return (eval { slurp($path) } // '') =~ tr/\0/ /r . "\n";
}

my $dir = scratch('tmp');
for my $run (1, 2) {
    my $start = time;
    my $out = do {
        local $ENV{TMPDIR} = $dir;
        local $ENV{ONWARD} = binary();
        run_out('sh', top() . '/postfix-examples/try');
    };
    is $?, 0, "run $run: exit 0" or diag $out;
    like $out,
        qr/\nPASS: forwarded, signed, bounced, refused forgery\n\z/,
        "run $run: the last line says so";
    unlike $out, qr/\e/, "run $run: no colours into a pipe";
    unlike $out, qr/[ \t]$/m, "run $run: no blank at the end of a line";
    cmp_ok time - $start, '<', seconds(60), "run $run: under a minute";
    is_deeply [glob "$dir/*"], [], "run $run: no file is left";
    is processes($dir), '', "run $run: no process is left";
}

# It can fail: with an Onward that passes everything on unchanged.
my $out = do {
    local $ENV{TMPDIR} = $dir;
    local $ENV{ONWARD} = top() . '/t/e2e/lib/not-onward';
    run_out('sh', '-c', 'exec sh "$0" 2>&1', top() . '/postfix-examples/try');
};
isnt $?, 0, 'a program that only passes octets on does not pass';
unlike $out, qr/^PASS/m, '... and is not said to';

done_testing;
