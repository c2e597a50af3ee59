# The manual pages: well formed, and true to the program. A command or an
# option that is in the program's table is in onward(1), and the other way
# round; onward.conf(5) is what the program says of its settings.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;

need qw(binary);

my $man   = top() . '/proxy/man';
my @pages = map {s{.*/}{}r} glob "$man/*.[158]";
is_deeply [ sort @pages ],
    [qw(onward-tables.5 onward.1 onward.8 onward.conf.5)], 'the pages';

SKIP: {
    skip 'mandoc is not installed', scalar @pages
        if system('command -v mandoc >/dev/null') != 0;
    for my $page (@pages) {
        is run_out('sh', '-c', "mandoc -Tlint -W warning '$man/$page' 2>&1"),
            '', "$page is well formed";
    }
}

# ---- onward(1) and the table of commands ----

my @table = run_out(binary(), '--help')
    =~ /^  ([a-z]+(?: [a-z]+)?)  +\S/mg;
ok @table > 20, 'the table of commands is read';

# ".It Cm dkim dns Oo Fl -format ..." of the lists of commands, with the text
# up to the next one, and what its section says for all of them.
my (%text, $section, $name, $shared);
for (split /^/, slurp("$man/onward.1")) {
    if (/^\.S[sh] (.*)/) {
        ($section, $name, $shared) = ($1, undef, '');
    } elsif (/^\.It Cm ([a-z]+)((?: [a-z]+)?)/) {
        my ($first, $second) = ($1, $2);
        $second = '' if $first =~ /^(?:import|serve|check|explain|setup)$/;
        $name = $first . $second;
        $text{$name} = $shared . $_;
    } elsif (/^\.El/ && $section =~ /STATUS|EXAMPLES/) {
        undef $name;
    } elsif (defined $name) {
        $text{$name} .= $_;
    } else {
        $shared .= $_;
    }
}
my %announced = map { $_ => 1 } @table,
    slurp(top() . '/proxy/commands/commands.h') =~ /\bcommand_([a-z]+)\(/g;
is_deeply [ grep { !$text{$_} } @table ], [], 'onward(1) has the commands of the table';
is_deeply [ grep { !$announced{$_} } sort keys %text ], [], 'and no others';

for my $command (@table) {
    my $help = run_out(binary(), split(/ /, $command), '--help');
    my %in_help = map { $_ => 1 } $help =~ /(--[a-z][a-z-]*)/g;
    my %in_page = map { ("-$_" => 1) } ($text{$command} // '') =~ /Fl (-[a-z][a-z-]*)/g;
    is_deeply [ grep { !$in_page{$_} } sort keys %in_help ], [],
        "onward(1) has the options of $command";
    is_deeply [ grep { !$in_help{$_} } sort keys %in_page ], [],
        "$command has the options of onward(1)";
}

# ---- the parsers themselves ----

# What a command takes is what its help, and so the page, says. Each option of
# any command is offered to each, with one behind it that none has: so nothing
# is ever done.
my %options = map { $_ => 1 } map {
    slurp($_) =~ /\{ "([a-z][a-z-]*)", (?:no|required|optional)_argument/g
} glob top() . '/proxy/commands/*.c';
cmp_ok scalar keys %options, '>', 20, 'the options of all parsers are read';
# Two that a parser shares with its neighbour, and refuses.
my %refused = (
    'config show' => 'man',
    'srs forward' => 'json',
    'srs reverse' => 'json',
);
for my $command (@table) {
    my $help    = run_out(binary(), split(/ /, $command), '--help');
    my %in_help = map { $_ => 1 } $help =~ /--([a-z][a-z-]*)/g;
    my %taken;
    for my $option (sort keys %options) {
        my $said = run_out('sh', '-c', 'exec 2>&1; "$@"', 'sh', binary(), '-c',
            '/nonexistent/onward.conf', split(/ /, $command), "--$option=x",
            '--no-such-option');
        is $? >> 8, 64, "$command --no-such-option: exit 64"
            if $? >> 8 != 64;
        # A parser that knows it complains of the x, or of the next one; a
        # command without one only says how it is used. An abbreviation
        # ("postfix") is not a name of its own.
        $taken{$option} = 1
            if $said !~ /(?:unrecognized|ambiguous)[^\n]*--\Q$option\E=x|\Ausage:/
            && !grep {/^\Q$option\E./ && $in_help{$_}} keys %in_help;
    }
    if (my $option = $refused{$command}) {
        run_out('sh', '-c', '"$@" 2>/dev/null', 'sh', binary(),
            split(/ /, $command), "--$option", 'a@b.example');
        is $? >> 8, 64, "$command --$option: exit 64";
        delete $taken{$option};
    }
    is_deeply [ sort keys %taken ], [ grep { $_ ne 'help' } sort keys %in_help ],
        "$command takes what its help names";
}

# "--" ends the options, where there are none as well.
my $table = scratch('table') . '/t';
spew($table, "--dashes x\n");
is run_out(binary(), qw(map query --), "texthash:$table", '--dashes'), "x\n",
    'map query -- TABLE KEY: a key with dashes';

# ---- onward.conf(5), and all settings that other pages name ----

my $dir = scratch('man');
run_out('sh', "$man/generate", binary(), "$dir/onward.conf.5");
ok slurp("$dir/onward.conf.5") eq slurp("$man/onward.conf.5"),
    'onward.conf(5) is what the program says (sh proxy/man/generate)';

my %setting = map { (/^([a-z_.\[\]]+) =/ ? ($1 => 1) : ()) }
    split /\n/, run_out(binary(), 'config', 'defaults');
for my $page (qw(onward.8 onward.1 onward-tables.5)) {
    my @unknown = grep { !$setting{$_} }
        slurp("$man/$page") =~ /\.Ic ([a-z]+\.[a-z_]+)\b/g;
    is_deeply \@unknown, [], "the settings in $page exist";
}

# ---- every page that is referred to ----

my %ours = map { $_ => 1 } @pages;
for my $page (@pages) {
    my @missing = grep { !$ours{$_} }
        map {"$_->[0].$_->[1]"}
        map { [/Xr (onward[a-z.-]*) ([158])/] }
        grep {/Xr onward/} split /\n/, slurp("$man/$page");
    is_deeply \@missing, [], "pages of ours that $page refers to exist";
}

done_testing;
