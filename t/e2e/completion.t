# Completion in bash and zsh offers what the program's table of commands has.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;

need qw(binary bash);

my $dir  = scratch('completion');
my $dist = top() . '/proxy/dist/completions';
mkdir "$dir/$_" for qw(bin keys state);
symlink binary(), "$dir/bin/onward" or die "symlink: $!\n";
$ENV{PATH} = "$dir/bin:$ENV{PATH}";
spew("$dir/onward.conf", <<"END");
hostname = "mx.example.org";
listeners = ( { name = "mx"; address = "127.0.0.1:10025"; role = "inbound"; },
              { name = "out"; address = "127.0.0.1:10027"; role = "outbound"; } );
dkim = { key_directory = "$dir/keys"; };
state_directory = "$dir/state";
postfix = { config_directory = ""; };
END
run_out('onward', '-c', "$dir/onward.conf", qw(dkim keygen example.org --type ed25519));

my @table = run_out('onward', '--help') =~ /^  ([a-z]+(?: [a-z]+)?)  +\S/mg;
my (%first, %second);
for (@table) {
    my ($group, $sub) = split / /;
    $first{$group} = 1;
    $second{$group}{$sub} = 1 if defined $sub;
}

sub options (@command) {
    my %seen = ('--help' => 1);
    $seen{$_} = 1 for run_out('onward', @command, '--help') =~ /(--[a-z][a-z-]*)/g;
    return [ sort keys %seen ];
}

# What bash would offer for the last word.
sub bash (@words) {
    my $out = run_out('bash', '--norc', '-c', <<'END', 'bash', "$dist/onward.bash", @words);
compopt() { :; }
. "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_onward
printf '%s\n' "${COMPREPLY[@]}"
END
    return [ sort grep {length} split /\n/, $out ];
}

# Likewise zsh, with the completion system's own words put in place of it.
sub zsh (@words) {
    my $out = run_out('zsh', '-f', '-c', <<'END', 'zsh', "$dist/_onward", @words);
file=$1; shift
words=("$@"); CURRENT=$#
compadd() { while [[ $1 == -* && $1 != -- ]]; do
                [[ $1 == -S ]] && shift; shift; done
            [[ $1 == -- ]] && shift; print -l -- "$@"; }
_describe() { print -l -- "${(@)${(@P)@[-1]}%%:*}"; }
_files() { print FILES; }
source $file
END
    # It offers all; zsh itself compares with what is typed.
    return [ sort grep { length && /^\Q$words[-1]\E/ } split /\n/, $out ];
}

my @shells = ([ bash => \&bash ]);
if (system('command -v zsh >/dev/null') == 0) {
    push @shells, [ zsh => \&zsh ];
} else {
    diag('zsh is not installed, its completion is not tested');
}
for (@shells) {
    my ($shell, $complete) = @$_;
    subtest $shell => sub {
        is_deeply $complete->('onward', ''), [ sort keys %first ],
            'all commands';
        is_deeply $complete->('onward', 'se'), [qw(serve setup)],
            'those that begin like this';
        is_deeply $complete->('onward', '-c', 'x', 'expl'), ['explain'],
            'behind -c FILE';
        for my $group (sort keys %second) {
            is_deeply $complete->('onward', $group, ''),
                [ sort keys %{ $second{$group} } ], "subcommands of $group";
        }
        for my $command (@table) {
            my @command = split / /, $command;
            is_deeply $complete->('onward', @command, '--'),
                options(@command), "options of $command";
        }
        is_deeply $complete->(qw(onward dkim dns --format), ''),
            [qw(bind json nsupdate plain)], 'formats';
        is_deeply $complete->(qw(onward dkim keygen --type), ''),
            [qw(ed25519 rsa)], 'types of keys';
        is_deeply $complete->(qw(onward map build --type), ''),
            [qw(aliases domains pairs)], 'types of tables';
        is_deeply $complete->('onward', '-c', "$dir/onward.conf", qw(dkim activate), ''),
            ['example.org'], 'domains that have keys';
        is_deeply $complete->('onward', '-c', "$dir/onward.conf", qw(explain --listener), ''),
            [qw(mx out)], 'listeners';
        is_deeply $complete->(qw(onward import), ''),
            [qw(haraka opendkim postsrsd)], 'what can be imported'
            if $shell eq 'bash';
    };
}

is_deeply bash('onward', '-c', "$dir/onw"), ["$dir/onward.conf"],
    'bash: a file behind -c';

done_testing;
