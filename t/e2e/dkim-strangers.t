# The dkim commands, run as root, where others own a domain's directory or its
# DNS: keygen gives away only what it made, and an answer of thousands of
# records costs no memory.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use Onward::Test;

need qw(binary);

my $dir = scratch('dkim-strangers');
my $port = free_port();
mkdir "$dir/keys";
spew("$dir/onward.conf", <<"END");
hostname = "mx.example.org";
listeners = (
    { name = "mx"; address = "127.0.0.1:10025"; role = "inbound"; }
);
upstream = { address = "127.0.0.1:10026"; };
dkim = { key_directory = "$dir/keys"; };
state_directory = "$dir";
dns = { servers = ( "127.0.0.1:$port" ); timeout = "9s"; };
postfix = { config_directory = ""; };
END

# In a mount name space of its own /etc/group has a group onward.
my $group = "$dir/group";
spew($group, join '', grep({ !/^onward:/ } split /^/m, slurp('/etc/group')),
    "onward:x:64999:\n");
my @with_group = $> == 0 && Onward::Test::find_program('unshare')
    && system("unshare -m mount --bind $group /etc/group 2>/dev/null") == 0
    ? ('unshare', '-m', 'sh', '-c',
    "mount --bind $group /etc/group && exec \"\$@\"", 'sh')
    : ();

subtest 'keygen: the name of the new file becomes a link' => sub {
    my $strace = Onward::Test::find_program('strace');
    plan skip_all => 'needs strace, without AddressSanitizer'
        if !$strace || sanitized()
        || system("$strace -o /dev/null true 2>/dev/null") != 0;
    for my $calls ('chown,fchown', 'link,linkat') {
        my $domain = $calls =~ s/,.*//r . '.example';
        my $victim = spew("$dir/victim", "secret\n", 0640);
        mkdir "$dir/keys/$domain";
        my $before = join ' ', (stat $victim)[ 2 .. 5 ];
        my $pid = fork // die "fork: $!\n";
        if ($pid == 0) { # the stranger
            for (1 .. 3000) {
                for my $new (glob "$dir/keys/$domain/.new-*") {
                    unlink $new;
                    symlink $victim, $new;
                    POSIX::_exit(0);
                }
                sleep 0.01;
            }
            POSIX::_exit(1);
        }
        my $out = run_out(@with_group, 'sh', '-c', 'exec "$@" 2>&1', 'sh', $strace,
            qw(-f -qq -o /dev/null -e), "trace=$calls", '-e',
            "inject=$calls:delay_enter=1500000", binary(), '-c',
            "$dir/onward.conf", qw(dkim keygen), $domain, qw(--type ed25519));
        my $exit = $? >> 8;
        waitpid $pid, 0;
        is $?, 0, "before $calls: the file was replaced";
        is $exit, 75, 'keygen fails';
        like $out, qr/another file in its place/, '... and says why';
        is join(' ', (stat $victim)[ 2 .. 5 ]), $before, 'the victim is as it was';
        is_deeply [ glob "$dir/keys/$domain/*.pem" ], [], 'no key was made';
    }
};

subtest 'keygen: without strangers' => sub {
    my $out = run_out(@with_group, binary(), '-c', "$dir/onward.conf",
        qw(dkim keygen own.example --type ed25519 --selector s));
    like $out, qr/^wrote /, 'a key';
    my @stat = stat "$dir/keys/own.example/s.next.pem";
    is sprintf('%04o', $stat[2] & 07777), '0640', 'its mode';
    SKIP: {
        skip 'needs root and a mount name space', 2 if !@with_group;
        is $stat[5], 64999, 'its group';
        is((stat "$dir/keys/own.example")[5], 64999, 'that of the directory');
    }
};

# A name server that has some 4,600 TXT records of each name, over TCP.
sub answer ($query, $tcp) {
    my $end = 12;
    $end += 1 + ord substr $query, $end, 1 while substr($query, $end, 1) ne "\0";
    my $question = substr $query, 12, $end - 12 + 5;
    my $record = pack 'n3 N n a2', 0xC00C, 16, 1, 0, 2, "\1x";
    my $count = $tcp ? int((65535 - 12 - length $question) / length $record) : 0;
    return pack('a2 n n4', $query, $tcp ? 0x8580 : 0x8780, 1, $count, 0, 0)
        . $question . $record x $count;
}

sub serve_dns () {
    my %at  = (LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1);
    my $udp = IO::Socket::INET->new(Proto => 'udp', %at) or die $@;
    my $tcp = IO::Socket::INET->new(Proto => 'tcp', Listen => 50, %at) or die $@;
    my $pid = fork // die "fork: $!\n";
    on_exit(sub { kill TERM => $pid; waitpid $pid, 0 });
    return if $pid != 0;
    my $select = IO::Select->new($udp, $tcp);
    for (;;) {
        for my $ready ($select->can_read) {
            my ($length, $query);
            if ($ready == $udp) {
                my $peer = recv($udp, $query, 4096, 0) // next;
                send $udp, answer($query, 0), 0, $peer;
            } elsif ($ready == $tcp) {
                $select->add(scalar $tcp->accept);
            } elsif ((sysread($ready, $length, 2) // 0) == 2
                && sysread $ready, $query, unpack 'n', $length) {
                my $answer = answer($query, 1);
                print $ready pack('n', length $answer) . $answer;
                $ready->flush;
            } else {
                $select->remove($ready);
                close $ready;
            }
        }
    }
}

subtest 'an answer of thousands of records' => sub {
    plan skip_all => 'address space of a sanitizer build' if sanitized();
    serve_dns();
    for my $n (1 .. 6) {
        run_out(binary(), '-c', "$dir/onward.conf", qw(dkim keygen),
            "tenant$n.example", qw(--type ed25519 --selector s));
    }
    my $out = run_out('sh', '-c', 'ulimit -v 250000; exec "$@" 2>&1', 'sh', binary(),
        '-c', "$dir/onward.conf", qw(dkim activate --all --when-published));
    is $? >> 8, 1, 'nothing is activated';
    like $out, qr/tenant$_\.example s is not activated: at least 100 TXT records/,
        "tenant$_: said" for 1 .. 6;
};

done_testing;
