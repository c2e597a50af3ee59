# What others wrote reaches no terminal as a command: control characters (ESC,
# C1) and direction overrides are shown escaped there. Into a pipe tables are
# printed as they are.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Socket::INET;
use Test::More;
use Onward::Test;

need qw(binary script);

my $dir = scratch('terminal');
my $evil = "\e]0;owned\a\e[31m\xc2\x9b31m\xe2\x80\xaegro";
my $hostile = qr/[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]/;

# Both outputs on a terminal. CRs are its own.
sub on_terminal (@arguments) {
    my $command = join ' ', map { "'" . s/'/'\\''/gr . "'" } binary(), @arguments;
    my $out = run_out('script', '-qec', $command, '/dev/null');
    return $out =~ s/\r\n/\n/gr;
}

sub is_harmless ($name, $shows, @arguments) {
    my $out = on_terminal(@arguments);
    unlike $out, $hostile, "$name: nothing that a terminal obeys";
    like $out, $shows, '... but what was there, escaped';
    return;
}

sub in_pipe (@arguments) { return run_out(binary(), @arguments) }

# A cdb of anything.
sub hash_of ($key) {
    my $hash = 5381;
    $hash = (($hash << 5) + $hash ^ $_) & 0xFFFFFFFF for unpack 'C*', $key;
    return $hash;
}

sub write_cdb ($path, %entries) {
    my ($records, @slots) = ('');
    for my $key (sort keys %entries) {
        my $hash = hash_of($key);
        push @{ $slots[ $hash & 255 ] }, [ $hash, 2048 + length $records ];
        $records .= pack('VV', length $key, length $entries{$key}) . $key . $entries{$key};
    }
    my ($head, $index, $at) = ('', '', 2048 + length $records);
    for my $table (0 .. 255) {
        my @found = @{ $slots[$table] // [] };
        my @places = (pack 'VV', 0, 0) x (2 * @found);
        for my $found (@found) {
            my $place = ($found->[0] >> 8) % @places;
            $place = ($place + 1) % @places while $places[$place] ne pack 'VV', 0, 0;
            $places[$place] = pack 'VV', @$found;
        }
        $head .= pack 'VV', $at, scalar @places;
        $index .= join '', @places;
        $at += 8 * @places;
    }
    spew($path, $head . $records . $index);
    return;
}

write_cdb("$dir/a.cdb", 'a@b.example' => "$evil\nsecond", "k$evil" => 'v');
write_cdb("$dir/b.cdb", 'a@b.example' => 'c@d.example');
my $shown = qr/\\033\]0;owned\\007\\033\[31m\\302\\23331m\\x\{202e\}gro/;
is_harmless('map query', qr/^$shown\\012second$/m, 'map', 'query', "cdb:$dir/a", 'a@b.example');
is_harmless('map dump', qr/^k$shown\tv$/m, 'map', 'dump', "cdb:$dir/a");
is_harmless('map diff', qr/^-k$shown\tv$/m, 'map', 'diff', "cdb:$dir/a", "cdb:$dir/b");
is_harmless('an argument', $shown, 'map', 'dump', "cdb:$dir/x$evil");
is in_pipe('map', 'query', "cdb:$dir/a", 'a@b.example'), "$evil\nsecond\n",
    'a pipe gets the value as it is';

# What is imported

spew("$dir/postsrsd.conf", qq(srs-domain = "$evil"\nunknown-$evil = x\n));
is_harmless('import postsrsd', qr/\?|x1b/, 'import', 'postsrsd', "$dir/postsrsd.conf");
mkdir "$dir/opendkim";
spew("$dir/opendkim/opendkim.conf", "Domain $evil\nSelector $evil\nKeyFile /x$evil\nFoo$evil bar\n");
is_harmless('import opendkim', qr/\?\]0;owned/, 'import', 'opendkim', "$dir/opendkim");
mkdir "$dir/haraka";
spew("$dir/haraka/srs.ini", "sender_domain=$evil\nsecret=x\n");
is_harmless('import haraka', qr/secret/, 'import', 'haraka', "$dir/haraka");
unlike in_pipe('import', 'postsrsd', "$dir/postsrsd.conf"), $hostile,
    'nor is it in the configuration';

# A program of a stranger that holds the port of http.listen

my $port = free_port();
my $conf = spew("$dir/onward.conf", <<"END");
listeners = ( { name = "mx"; address = "127.0.0.1:10025"; role = "inbound"; } );
upstream = { address = "127.0.0.1:10026"; };
http = { listen = "127.0.0.1:$port"; };
state_directory = "$dir";
postfix = { config_directory = ""; };
hostname = "mx.example.org";
END
my $stranger = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port,
    Listen => 5, ReuseAddr => 1) or die $@;
my $pid = fork // die "fork: $!\n";
if ($pid == 0) {
    while (my $client = $stranger->accept) {
        my $body = qq({"ready": true, "version": "$evil"}\n);
        sysread $client, my $request, 4096;
        print $client "HTTP/1.1 200 OK\r\n\r\n$body";
        close $client;
    }
}
on_exit(sub { kill TERM => $pid; waitpid $pid, 0 });
is_harmless('status', $shown, '-c', $conf, 'status');
my $json = qr/\\u001b\]0;owned\\u0007\\u001b\[31m\\u009b31m\\u202egro/;
is_harmless('status --json', $json, '-c', $conf, 'status', '--json');
like in_pipe('-c', $conf, 'status'), $shown, 'status: in a pipe too';
like in_pipe('-c', $conf, 'status', '--json'), $json, '--json: in a pipe too';

# Addresses and logs

is_harmless('explain', qr/a\\x\{202e\}x\@b\.example/, '-c', $conf, 'explain',
    "a\xe2\x80\xaex\@b.example");
spew("$dir/log", "Nov 30 20:00:01 h onward[1]: 4kT9zP: from=<a$evil\@b.example>, status=sent, reply=\"250 Ok: queued as ABCDE12345\"\n");
is_harmless('trace', $shown, 'trace', '--file', "$dir/log", 'ABCDE12345');

done_testing;
