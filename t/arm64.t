# The sources compile for a processor that is not x86: each file, with the
# flags that the build chooses for arm64, by a cross compiler. Nothing is
# linked, so no library of that architecture is needed.

use v5.36;
use Cwd            qw(abs_path);
use File::Basename qw(dirname);
use File::Temp     ();
use JSON::PP       qw(decode_json);
use Test::More;

chdir abs_path(dirname(__FILE__) . '/..') or die "chdir: $!\n";

my $compiler = 'aarch64-linux-gnu-gcc';
plan skip_all => "$compiler is not installed"
    if system("command -v $compiler >/dev/null") != 0;

# Headers of libraries for the host's architecture differ in nothing that is
# used here; those of libc are the cross compiler's own and come first.
my $dir = File::Temp::tempdir('onward-arm64-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chomp(my $host = `cc -print-multiarch 2>/dev/null`);
my $out = `cmake -S . -B '$dir' -DCMAKE_SYSTEM_NAME=Linux \\
    -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_C_COMPILER=$compiler \\
    -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY \\
    -DCMAKE_C_FLAGS='-idirafter /usr/include/$host' \\
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DONWARD_WERROR=ON \\
    -DONWARD_TESTS=OFF 2>&1`;
is $?, 0, 'cmake configures for arm64' or diag($out);

open my $fh, '<', "$dir/compile_commands.json" or die "no commands: $!\n";
my $commands = decode_json(join '', <$fh>);
cmp_ok scalar(@$commands), '>', 50, 'there is something to compile';

like $commands->[0]{command}, qr/ -mbranch-protection=standard /,
    'returns and jumps are protected as arm64 does it';
unlike $commands->[0]{command}, qr/ -fcf-protection/, 'and not as x86 does';

my @broken;
for my $row (@$commands) {
    my $command = $row->{command} =~ s/ -o \S+//r;
    my $said = `cd '$row->{directory}' && $command -fsyntax-only 2>&1`;
    push @broken, "$row->{file}\n$said" if $? != 0;
}
is scalar(@broken), 0, 'all of lib/ and proxy/ compiles'
    or diag(@broken > 3 ? @broken[ 0 .. 2 ] : @broken);

done_testing;
