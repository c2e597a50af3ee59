package Sinked;

# client -> X -> smtp-sink: what is in the middle, and nothing else.
use v5.36;
use Onward::Test;
use Onward::Test::Sink;
use Haraka;
use Measure;
use Rivals;
use Table;

my $what = 'client -> X -> smtp-sink';

sub part () {
    heading("$what: does everybody do the work?");
    my $proof   = Onward::Test::Sink->new;
    my $rsa     = onward($proof->port);
    my $ed25519 = onward($proof->port, key => 'ed25519');
    my $haraka  = Haraka->new($proof->port);
    proven_through('Onward, RSA-2048', $rsa->port,     $proof, $rsa->dns);
    proven_through('Onward, Ed25519',  $ed25519->port, $proof, $ed25519->dns);
    proven_through('Haraka', $haraka->{port}, $proof, $haraka->{dns})
        if $haraka;
    print "  yes: signature verified, SRS and alias seen in the output\n";
    # The same port from here on.
    $proof->stop;
    my $sink   = start_sink($proof->port);
    my @relays = map { relay($sink->{port}) } 1 .. 2;

    my @rivals = (
        { name => 'direct', port => $sink->{port} },
        map({
                {   name => $_ ? 'relay again' : 'relay',
                    port => $relays[$_]{port},
                    cpu  => { proxy => [ $relays[$_]{pid} ] }
                }
        } 0 .. 1),
        {   name => 'Onward, unsigned',
            port => $rsa->port,
            rcpt => 'x@elsewhere.example',
            cpu  => { proxy => [ $rsa->pid ] }
        },
        {   name => 'Onward, Ed25519',
            port => $ed25519->port,
            cpu  => { proxy => [ $ed25519->pid ] }
        },
        {   name => 'Onward, RSA-2048',
            port => $rsa->port,
            cpu  => { proxy => [ $rsa->pid ] }
        },
        $haraka
        ? { name => 'Haraka',
            port => $haraka->{port},
            cpu  => { proxy => [ $haraka->{pid} ] }
            }
        : (),
    );
    for my $size (@{ $option{sizes} }) {
        for my $sessions (@{ $option{sessions} }) {
            my %o = (size => $size, sessions => $sessions);
            my @rows = compare(
                [ map { { rcpt => $forwarded, %$_, %o } } @rivals ],
                %o, part => 'sink', base => 'relay');
            print_rivals(sprintf('%s, %s, %d sessions', $what,
                    size_text($size), $sessions), @rows);
        }
    }
    $_->stop for $rsa, $ed25519;
    end_process($_) for map { $_->{pid} } $sink, @relays, $haraka // ();
    return;
}

1;
