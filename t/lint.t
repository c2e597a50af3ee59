# What a reader would remark twice is a check here: the layout of the tree,
# layers, sizes, calls that are not used (STYLE: where things are, style).

use v5.36;
use Cwd            qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

chdir abs_path(dirname(__FILE__) . '/..') or die "chdir: $!\n";

# Of a checkout, what git knows or will know; without git (a tarball, somebody
# else's checkout) what is there.
my @files = -e '.git'
    ? split(/\0/, `git ls-files -z --cached --others --exclude-standard`) : ();
@files = grep { !m{^(?:\.git|build[^/]*)/} }
    map {s{^\./}{}r} split /\0/, `find . -type f -print0`
    if !@files;
@files = sort grep {-f} @files;
my @sources = grep {m{^(?:lib|proxy)/.*\.[ch]$}} @files;
my @c_files = (@sources, grep {m{^t/.*\.[ch]$}} @files);

sub lines ($file) {
    open my $fh, '<', $file or die "$file: $!\n";
    return <$fh>;
}

# Source without comments and the text of strings: what a rule about calls
# looks at. Line numbers stay.
sub code ($file) {
    my $text = join '', lines($file);
    $text =~ s{
        (/\*.*?\*/) | (//[^\n]*) | ("(?:[^"\\]|\\.)*") | ('(?:[^'\\]|\\.)+')
    }{
        defined $1 ? $1 =~ s/[^\n]//gr : defined $2 ? ''
        : defined $3 ? '""' : "' '"
    }gexs;
    return split /^/, $text;
}

sub finds ($pattern, $lines) {
    return map { $_ + 1 } grep { $lines->[$_] =~ $pattern } keys @$lines;
}

# A rule: no file of the list has a line that matches.
sub nowhere ($name, $pattern, $files, $reader = \&lines) {
    my @found;
    for my $file (@$files) {
        push @found, map {"$file:$_"} finds($pattern, [$reader->($file)]);
    }
    is_deeply(\@found, [], $name);
}

# The tree

ok(@sources > 50, 'there is something to look at');
my %top = map { m{^([^/]+)} ? ($1 => 1) : () } grep { !/^\./ } @files;
is_deeply(
    [sort keys %top],
    [sort qw(proxy lib postfix-examples t CMakeLists.txt README COPYING)],
    'the top level holds what the design names'
);

my @long = grep { my @l = lines($_); @l > 600 }
    grep { !m{^t/(?:data|fuzz/corpus)/|^COPYING$} && -T } @files;
is_deeply(\@long, [], 'no file has more than 600 lines');

for my $dir (grep {-d} glob 'lib/*') {
    next unless grep {m{^\Q$dir\E/.*\.c$}} @files;
    my ($name) = $dir =~ m{([^/]+)$};
    ok(-f "$dir/$name.h", "$dir has one public header of its name");
}

# Layers

nowhere('lib/ knows no event loop', qr/^\s*#\s*include\s*<uv/,
    [grep {m{^lib/}} @sources]);
nowhere(
    'lib/ does not include from proxy/',
    qr/^\s*#\s*include\s*"(?:\.\.|.*proxy)/,
    [grep {m{^lib/}} @sources]
);

my %home = (
    'openssl/'    => qr{^(?:lib/(?:srs/mac|mail/loop|dkim/[^/]+)
            |proxy/digest)\.[ch]$}x,
    'uv.h'        => qr{^proxy/},
    'libconfig.h' => qr{^lib/conf/load\.c$},
    'pcre2.h'     => qr{^lib/table/rules\.c$},
    'lmdb.h'      => qr{^(?:lib/table/lmdb_write|proxy/daemon/senderstore)\.c$},
    'ares.h'      => qr{^proxy/dnsask\.c$},
    'jansson.h'   => qr{^lib/import/jsontree\.c$},
    'libpsl.h'    => qr{^lib/smtp/suffixes\.c$},
    'idn2.h'      => qr{^lib/(?:mail/domain|smtp/path)\.c$},
);
for my $header (sort keys %home) {
    nowhere(
        "<$header> is included only where it lives",
        qr/^\s*#\s*include\s*<\Q$header\E/,
        [grep { !/$home{$header}/ } @sources]
    );
}

# lib/ is pure: time and randomness are arguments, nothing is a socket.
nowhere(
    'lib/ asks no clock, no environment, no network',
    qr/\b(?:time|clock_gettime|gettimeofday|getenv|socket|connect|getaddrinfo
        |sleep|nanosleep|fork|system|popen|rand|random|getrandom)\s*\(/x,
    [grep {m{^lib/.*\.c$}} @sources],
    \&code
);
nowhere(
    'files are opened only in conf, table, dkim/key.c and mail/spoolfile.c',
    qr/\b(?:open|openat|fopen|mkstemp|opendir|mkdir|unlink|rename)\s*\(/,
    [   grep {
            m{^lib/.*\.c$}
                && !m{^lib/(?:conf|table)/|^lib/(?:dkim/key|mail/spoolfile)\.c$}
        } @sources
    ],
    \&code
);

# Code

nowhere(
    'no banned call',
    qr/\b(?:strcpy|strcat|sprintf|strncpy|strncat|strtok|atoi|atol|alloca
        |gmtime|localtime|gets)\s*\(/x,
    \@c_files, \&code
);
nowhere('no struct is hidden in a typedef', qr/^\s*typedef\s+(?:struct|union)/,
    \@c_files, \&code);
nowhere('nothing is left over', qr/\b(?:TODO|FIXME|XXX)\b/,
    [grep { !m{^t/(?:lint\.t$|data/|fuzz/corpus/)} && -T } @files]);
nowhere('no date or time is compiled in', qr/\b__(?:DATE|TIME)__\b/,
    \@sources);
nowhere('no white space at the end of a line, no tab in C', qr/[ \t]$|\t/,
    \@c_files);

# A path of the machine it was written on: the directory above the checkout,
# unless that says nothing.
my ($machine) = abs_path('.') =~ m{^(/[^/]+)/};
my $elsewhere = qr{^/(?:usr|etc|var|tmp|home|root|srv|opt|run|dev|proc)$};
nowhere(
    'no path of the machine it was written on',
    defined $machine && $machine !~ $elsewhere ? qr{\Q$machine\E/} : qr{(?!)},
    [grep {-T} @files]
);

# Tests

nowhere('no single test ends the whole run',
    qr/\bBAIL_OUT\b/, [grep {m{^(?:t|postfix-examples)/.*\.(?:t|pm|pl)$}
        && $_ ne 't/lint.t'} @files]);
for my $file (grep {m{^t/dialogue/.*\.txt$}} @files) {
    like((lines($file))[0] // '', qr/^# \S/,
        "$file begins with what it shows");
}

{
    my @missing;
    for my $row (grep {/^ ?\d+  /} lines('t/e2e/FAULTS')) {
        my ($tests) = $row =~ /.*\S {2,}(\S.*)/;
        for my $test (split /[,;] (?![^(]*\))/, $tests =~ s/\([^)]*\)//gr) {
            my ($name) = $test =~ /^\s*([\w\/-]+)\s*$/ or next;
            push @missing, $name
                unless -e "t/e2e/$name.t" || -e "t/$name.txt"
                || -e "t/$name.c";
        }
    }
    is_deeply(\@missing, [], 'the tests that t/e2e/FAULTS names are there');
}

# Soft: versions of clang-format differ.
if (`clang-format --version 2>/dev/null` =~ /version (\d+)/) {
    my @crooked = grep {
        system("clang-format --dry-run --Werror '$_' >/dev/null 2>&1") != 0
    } @c_files;
    diag("clang-format $1 would change: @crooked") if @crooked;
}

done_testing;
