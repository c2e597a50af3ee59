# onward-rotate: the life of a key without hands, day by day.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP qw(decode_json);
use Test::More;
use Onward::Test;
use Onward::Test::DNS;

need qw(binary Net::DNS);

my $dir = scratch('rotate');
my $dns = Onward::Test::DNS->new;
mkdir "$dir/keys";
spew("$dir/onward.conf", <<"END");
hostname = "mx.example.org";
listeners = ( { name = "out"; address = "127.0.0.1:10027"; role = "outbound"; } );
dkim = { key_directory = "$dir/keys"; };
state_directory = "$dir";
dns = { servers = ( "${\ $dns->address}" ); timeout = "${\ in_ms(0.5) }"; };
postfix = { config_directory = ""; };
END
my @onward = (binary(), '-c', "$dir/onward.conf");

$ENV{ROTATE_RELOAD}  = "touch $dir/reloaded";
$ENV{ROTATE_PUBLISH} = "$dir/publish";
$ENV{ONWARD}         = binary();

# One day: exit status and what was said.
sub day () {
    unlink "$dir/reloaded";
    my $out = run_out('sh', '-c', 'exec 2>&1; "$@"', 'sh',
        top() . '/proxy/dist/onward-rotate', "$dir/onward.conf");
    return ($? >> 8, $out);
}

sub list () {
    return { map { my @w = split; ("$w[0] $w[1]" => $w[2]) }
            split /\n/, run_out(@onward, qw(dkim list)) };
}

sub publish () {
    $dns->set(map { ($_->{name} =~ s/\.$//r => [ $_->{value} ]) }
        @{ decode_json(run_out(@onward, qw(dkim dns --all --format json))) });
    return;
}

sub age ($file, $days) {
    my $then = time - $days * 86400;
    utime $then, $then, "$dir/keys/$file" or die "$file: $!\n";
    return;
}

is_deeply [day()], [ 0, '' ], 'without keys there is nothing to do';

run_out(@onward, qw(dkim keygen example.org --selector a1));
run_out(@onward, qw(dkim keygen example.org --selector e1 --type ed25519));
my ($code, $out) = day();
is $code, 0, 'a record that is not published is no trouble';
like $out, qr/example\.org a1 is not activated: is not published/, 'but is told';
ok !-e "$dir/reloaded", 'no reload';

publish();
($code, $out) = day();
is_deeply list(), { 'example.org a1' => 'active', 'example.org e1' => 'active' },
    'what is published signs';
ok -e "$dir/reloaded", 'and the daemon is told';
is_deeply [day()], [ 0, '' ], 'the next day there is nothing to do';
ok !-e "$dir/reloaded", 'no reload';

# Half a year later.
age('example.org/a1.pem', 181);
($code, $out) = day();
is $code, 0, 'a key that is old: exit 0';
like $out, qr/^example\.org: a1 signs for 181 days\nwrote .*\(rsa 2048\)/m, 'gets a successor';
my %next = %{ list() };
delete @next{ 'example.org a1', 'example.org e1' };
is_deeply [ values %next ], ['next'], 'of its algorithm, one';
my ($successor) = map {s/.* //r} keys %next;
($code, $out) = day();
is_deeply list(), { %next, 'example.org a1' => 'active', 'example.org e1' => 'active' },
    'not another one the next day';

# Published by the program of the site.
spew("$dir/publish", "#!/bin/sh\ncat >'$dir/published'; echo \$1 >>'$dir/published'\n", 0755);
($code, $out) = day();
is $code, 0, 'a program publishes';
like slurp("$dir/published"),
    qr/update add \Q$successor\E\._domainkey\.example\.org\. .*\nsend\nexample\.org\n\z/s,
    'it gets the commands for nsupdate, and the domain';
publish();
day();
is_deeply list(), {
    'example.org a1'         => 'old',
    'example.org e1'         => 'active',
    "example.org $successor" => 'active',
}, 'the successor signs, the old key does not';

age('example.org/a1.old.pem', 8);
($code, $out) = day();
like $out, qr/^deleted example\.org a1/m, 'a week later the old key is deleted';
is_deeply list(), { 'example.org e1' => 'active', "example.org $successor" => 'active' },
    'and gone';

spew("$dir/publish", "#!/bin/sh\nexit 1\n", 0755);
run_out(@onward, qw(dkim keygen example.org --selector z1));
($code, $out) = day();
is $code, 1, 'a program that fails: exit 1';
like $out, qr/publish example\.org failed/, 'is told';
$dns->set("z1._domainkey.example.org" => 'SERVFAIL');
($code, $out) = day();
is $code, 1, 'trouble with DNS: exit 1';

spew("$dir/onward.conf", "nonsense = ;\n");
is +(day())[0], 78, 'a bad configuration: exit 78, nothing is touched';

done_testing;
