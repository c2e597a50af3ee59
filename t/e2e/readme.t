# README: not too long, its configuration is one that works, and the commands
# and files that it names exist.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;

need qw(binary);

my $readme = slurp(top() . '/README');
my $dir    = scratch('readme');

cmp_ok scalar(() = $readme =~ /\n/g), '<=', 250, 'at most 250 lines';

# ---- the configuration of section 5 ----

my ($conf) = $readme =~ /^(    listeners = \(\n.*?^    dkim = .*?\n)/ms;
ok defined $conf, 'there is a configuration';
spew("$dir/srs.secret", "0123456789abcdef\n", 0640);
spew("$dir/aliases", "info\@example.org  me\@private.example\n");
mkdir "$dir/$_" for qw(dkim state);
spew("$dir/onward.conf", $conf =~ s{/etc/onward/}{$dir/}gr
        . qq{state_directory = "$dir/state";\npostfix = { config_directory = ""; };\n});
my $out = run_out('sh', '-c', "'${\ binary()}' -c '$dir/onward.conf' check 2>&1");
is $?, 0, 'which the program accepts' or diag($out);
like run_out(binary(), '-c', "$dir/onward.conf",
    qw(explain fwd.shop@example.org --from alice@sender.example)),
    qr/me\@private\.example .*SRS0=/, 'and which forwards as it says';

# ---- what a build needs ----

my ($list) = $readme =~ /apt-get install (build-essential(?:[^\n]*\\\n)*[^\n]*)/;
my $needs = run_out('sh', '-c', '. "$1/t/packages.sh" && echo $build_packages',
    'sh', top());
is_deeply [ sort split ' ', ($list // '') =~ s/\\//gr ],
    [ sort split ' ', $needs ], 'the packages of a build are those of t/packages.sh';

# ---- commands ----

# In the table, or at least announced in the program.
my %known = map { $_ => 1 } run_out(binary(), '--help') =~ /^  ([a-z]+(?: [a-z]+)?)  +\S/mg,
    slurp(top() . '/proxy/commands/commands.h') =~ /\bcommand_([a-z]+)\(/g;
my %named = map { $_ => 1 }
    map { /^((?:config|srs|dkim|map) [a-z]+)/ ? $1 : s/ .*//r }
    $readme =~ /(?:^ *|[`;(:] ?)onward ([a-z]+(?: [a-z]+)?)/mg,
    $readme =~ /^  \w.*  onward ([a-z]+)/mg;
ok keys %named > 10, 'it names commands' or diag(join ', ', sort keys %named);
is_deeply [ grep { !$known{$_} } sort keys %named ], [], 'which exist';

my %options;
for ($readme =~ /\bonward ((?:dkim|check|setup|explain|map)\b[^`\n#;]*)/g) {
    my ($name) = /^((?:dkim|map) [a-z]+|[a-z]+)/;
    $options{$name}{$_} = 1 for /(--[a-z-]+)/g;
}
for my $name (sort keys %options) {
    my $help = run_out(binary(), split(/ /, $name), '--help');
    is_deeply [ grep { index($help, $_) < 0 } sort keys %{ $options{$name} } ], [],
        "$name has the options it names";
}

# ---- files, settings, units ----

my @missing = grep { !-e top() . "/$_" }
    $readme =~ m{(?<![\w/])((?:postfix-examples|proxy|lib|t)/[a-z/._-]*[a-z])}g;
is_deeply \@missing, [], 'files that it names exist';

my $units = join ' ', glob top() . '/proxy/dist/systemd/onward*';
@missing = grep { index($units, $_) < 0 } $readme =~ /\b(onward[a-z@-]*\.(?:service|timer|socket))/g;
is_deeply \@missing, [], 'units that it names exist';

my $settings = run_out(binary(), qw(config defaults));
@missing = grep { $settings !~ /^\Q$_\E =/m }
    $readme =~ /\b((?:srs|socketmap|http|upstream|limits|dkim|forward|timeouts|log)\.[a-z_]+)\b(?![.\/])/g;
is_deeply [ grep { !/^(?:srs\.(?:public|example|secret)|http\.sock)$/ } @missing ], [],
    'settings that it names exist';

# ---- numbers of sections ----

my %section = map { $_ => 1 } $readme =~ /^(\d+)\. [A-Z]/mg;
is_deeply [ grep { !$section{$_} } $readme =~ /\bsection (\d+)/g ], [],
    'sections that it refers to exist';

done_testing;
