package Memory;

# Memory: idle, with thousands of idle sessions (and how soon another one is
# greeted meanwhile), and with many large messages in flight.
use v5.36;
use Time::HiRes qw(sleep);
use Onward::Test;
use Onward::Test::Robust;
use Measure;
use Rivals;
use Table;

sub part () {
    heading('memory');
    idle_sessions(quick() ? 1000 : 10000);
    in_flight(quick() ? (20, 10) : (100, 50));
    return;
}

# Greetings are timed with a message behind each, as clients do it.
sub greeted ($daemon, $name) {
    return load(name => $name, port => $daemon->port, rate => 100,
        sessions => 50, size => 1024, rcpt => $forwarded);
}

sub idle_sessions ($count) {
    my $sink   = start_sink();
    my $daemon = onward($sink->{port});
    sleep 0.5;
    my $empty = rss($daemon->pid);
    my $alone = greeted($daemon, 'greetings');
    sleep 0.5;
    # What a little mail leaves behind is not the price of idle sessions.
    my $warm = rss($daemon->pid);
    my @held;
    for (1 .. $count) {
        my $s = IO::Socket::INET->new(
            PeerAddr  => '127.0.0.1',
            PeerPort  => $daemon->port,
            LocalAddr => '127.0.0.' . (1 + $_ % 200)
        ) or last;
        push @held, $s;
    }
    for my $s (@held) { sysread $s, my $greeting, 1000 }
    my $full = rss($daemon->pid);
    my $busy = greeted($daemon, 'greetings beside idle sessions');
    my %row  = (
        part      => 'idle',
        what      => 'idle sessions',
        name      => 'Onward',
        sessions  => scalar @held,
        rss_empty => $empty,
        rss_warm  => $warm,
        rss_full  => $full,
        each_kib  => ($full - $warm) / @held,
        hello50_alone => $alone->{hello50},
        hello99_alone => $alone->{hello99},
        hello50       => $busy->{hello50},
        hello99       => $busy->{hello99},
    );
    record(\%row);
    printf "  idle %.1f MiB, after some mail %.1f MiB\n", $empty / 1024,
        $warm / 1024;
    printf "  with %s idle sessions %.1f MiB: %.2f KiB each\n",
        count_text(scalar @held), $full / 1024, $row{each_kib};
    printf "  a new session is greeted after %.2f ms (p50), %.2f ms (p99); "
        . "with nobody idle %.2f, %.2f\n",
        @row{qw(hello50 hello99 hello50_alone hello99_alone)};
    @held = ();
    $daemon->stop;
    end_process($sink->{pid});
    return;
}

sub in_flight ($count, $mib) {
    my $back   = free_port();
    my $daemon = onward($back,
        upstream_settings => 'reply_timeout = "300s";',
        settings => 'limits = { spool_total = "8G"; };');
    my $driver = Onward::Test::Robust->new(
        upstream => $back, onward => $daemon->port,
        s => $count, n => $count, l => -int($mib * 1048576 / 72));
    my $book = $driver->go->book;
    my $peak = $daemon->memory('VmHWM');
    for my $never (qw(missing broken false early twice errors)) {
        die "in flight: $never is $book->{$never}\n" if $book->{$never};
    }
    record({ part => 'idle', what => 'in flight', name => 'Onward',
        messages => $count, mib => $mib, rss_peak => $peak,
        seconds => $book->{seconds} });
    printf "  with %d messages of %d MiB at once: %.1f MiB at the peak "
        . "(%.0f MiB/s)\n", $count, $mib, $peak / 1024,
        $count * $mib / $book->{seconds};
    $daemon->stop;
    return;
}

1;
