# What the examples set in Postfix is what `onward setup` prints: each of their
# scripts has the site's own part, and below a mark setup's commands, comment
# by comment. ONWARD_EXAMPLES_WRITE=1 writes those parts anew.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Debian;
use Onward::Test::Example;

need(qw(root binary postfix));
plan(skip_all => 'examples-setup.t needs postfix-cdb')
    unless { postfix_tables() }->{cdb};
Onward::Test::Example->enter;
my $version = `postconf -dh mail_version`;
plan(skip_all => "examples are those of Postfix 3.7, this is $version")
    unless $version =~ /^3\.7\./;

my $mark = qr/^# ---- From here on: what `onward setup` prints.*\n/m;

# The site's own part of a script, and setup's.
sub parts ($name, $file) {
    my $text = slurp(top() . "/postfix-examples/$name/$file");
    my ($own, $rest) = $text =~ /\A(.*?$mark)(.*)\z/s
        or die "$name/$file: no mark\n";
    return ($own, $rest);
}

# The commands of setup with their comments, as paragraphs.
sub commands ($out) {
    return grep {/^postconf /m} split /\n\n/, $out;
}

# keep: which of them belong into the example; change: what is not the same.
my %examples = (
    'self-hosted'   => {},
    'edge-relay'    => { change => sub {s/127\.0\.0\.11/127.0.0.1/g} },
    'multi-instance' => {
        keep   => qr/^postconf (?:-M|.*(?:transport_maps|disable_mime|line_len))/m,
        change => sub {
            s/^postconf /postconf -c \/etc\/postfix-out /m;
            s/syslog_name=postfix\//syslog_name=postfix-out\//;
        },
    },
    'transport-map' => {
        keep => qr/^postconf (?:-M|.*(?:bare_newline|disable_mime|line_len))/m,
    },
);

for my $name (sort keys %examples) {
    my %how = (keep => qr/./, change => sub { }, %{ $examples{$name} });
    my $conf = slurp(top() . "/postfix-examples/$name/onward.conf");
    my ($domain) = $conf =~ /^\s+domain\s*=\s*"(.*)"/m;
    my $example = Onward::Test::Example->new(name => $name, domain => $domain);
    for ('--type domains cdb:/var/lib/onward/domains domains',
        '--type pairs cdb:/var/lib/onward/mailboxes mailboxes',
        'cdb:/var/lib/onward/aliases aliases') {
        last if $name ne 'edge-relay';
        system('cd /etc/onward && ' . binary() . " map build $_ >/dev/null") == 0
            or die;
    }
    my $postfix = Onward::Test::Example::Postfix->new(sink => 1)->prepare;
    if (!$examples{$name}{keep}) {
        for my $file (qw(main.cf.sh master.cf.sh)) {
            spew("/etc/onward/$file", (parts($name, $file))[0]);
            $example->script($file);
        }
    }
    my $edited = $example->conf('onward.conf', sub ($text) {
        $text =~ s{/etc/postfix-in}{/etc/postfix}r });
    my $out = run_out(binary(), '-c', $edited, 'setup');
    is($? >> 8, 0, "$name: setup") or diag($out);
    my @commands = grep {$_ =~ $how{keep}} commands($out);
    $how{change}->() for @commands;
    ok(@commands >= 4, '... prints commands');
    for my $file (qw(main.cf.sh master.cf.sh)) {
        my ($own, $rest) = parts($name, $file);
        my $wanted = join '', map {"\n$_\n"} grep {
            (/^postconf (?:-c \S+ )?-e/m xor $file eq 'master.cf.sh')
        } @commands;
        spew(top() . "/postfix-examples/$name/$file", $own . $wanted)
            if $ENV{ONWARD_EXAMPLES_WRITE};
        is($rest, $wanted, "... which are those of $file");
    }
}

done_testing;
