package Onward::Test::Example;

# One of postfix-examples/, set up as its README says, with its own files and
# commands: in a network namespace with the real ports, where /etc, /run and
# /var/lib are copies that only this test sees. What differs from a real host
# is where mail goes out to, and where the log is.

use v5.36;
use Onward::Test;
use Onward::Test::Debian;
use Onward::Test::Verify;
use Test::More ();

# Call it first.
sub enter ($class) {
    Onward::Test::Debian->own_network('--mount');
    my $dir = scratch('example');
    mkdir "$dir/$_", 0755 for qw(run varlib);
    my $ok = system("cp -a /etc '$dir/etc' && mount --bind '$dir/etc' /etc"
        . " && mount --bind '$dir/run' /run"
        . " && mount --bind '$dir/varlib' /var/lib") == 0;
    my ($name) = $0 =~ m{([^/]+)$};
    Test::More::plan(skip_all => "$name needs mount --bind") unless $ok;
    mkdir $_, 0755 for qw(/etc/onward /run/onward /var/lib/onward);
    # /etc/postfix is this test's own.
    delete $ENV{MAIL_CONFIG};
}

# name: of the example; sink; domain: whose key signs what is forwarded.
sub new ($class, %self) {
    my $self = bless {%self}, $class;
    my $from = $self->{from} = top() . "/postfix-examples/$self->{name}";
    for my $file (glob "$from/*") {
        my ($name) = $file =~ m{([^/]+)$};
        spew("/etc/onward/$name", slurp($file));
    }
    spew('/etc/onward/srs.secret', unpack('H*', random(24)) . "\n", 0640);
    mkdir $_, 0750 for '/etc/onward/dkim', "/etc/onward/dkim/$self->{domain}";
    my $key = make_key("/etc/onward/dkim/$self->{domain}/s2026.pem");
    $self->{dns} = { "s2026._domainkey.$self->{domain}" => dns_record($key) };
    return $self;
}

sub random ($n) {
    open my $fh, '<:raw', '/dev/urandom' or die "/dev/urandom: $!\n";
    my $octets;
    read $fh, $octets, $n;
    return $octets;
}

# onward.conf as it stands, but for the log. The path of the file.
sub conf ($self, $name = 'onward.conf', $edit = sub ($text) { $text }) {
    my $text = $edit->(slurp("$self->{from}/onward.conf"));
    $text .= "log = { };\n" unless $text =~ /^log\s*=/m;
    $text =~ s/^(log\s*=\s*\{)/$1 target = "stderr";/m;
    return spew("/etc/onward/$name", $text);
}

# Runs one of its scripts.
sub script ($self, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $out = `cd /etc/onward && sh -e '$name' 2>&1`;
    Test::More::is($?, 0, "sh $name") or Test::More::diag($out);
    return $out;
}

sub signatures ($self, $message) {
    return [map {"$_->{domain} $_->{result}"}
            mail_dkim($message->{data}->(), $self->{dns})];
}

# Debian's Postfix in /etc/postfix.
package Onward::Test::Example::Postfix;

use v5.36;
use parent -norequire, 'Onward::Test::Debian';
use Onward::Test;

sub config ($self) { return '/etc/postfix' }

sub prepare ($self) {
    $self->SUPER::prepare;
    spew("/etc/postfix/$_", slurp("$self->{dir}/etc/$_"))
        for qw(main.cf master.cf mailboxes);
    return $self;
}

1;
