package Onward::Test::Setup;

# `onward setup` on a Postfix, and the mail that must flow afterwards: the
# story is the same for every kind of Postfix.

use v5.36;
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Verify;

# postfix: an Onward::Test::Debian; sink. front: the port that strangers use,
# 25; submission: that of users, or none. directory: main.cf's, if not that
# of the configuration.
sub new ($class, %self) {
    my $self = bless { front => 25, %self }, $class;
    my %listeners = (mx => 'inbound', submission => 'outbound');
    $self->{map} = $self->{map} // free_port();
    $self->{upstream} = free_port();
    my $onward = $self->{onward} = Onward::Test::Daemon->new(
        upstream  => $self->{upstream},
        listeners => \%listeners,
        keys      => { 'public.example' => 'users' },
        settings  => qq(socketmap = { listen = "127.0.0.1:$self->{map}"; };\n),
        %{ $self->{daemon} // {} },
    );
    my $config = $self->{postfix}->config;
    spew($onward->conf, slurp($onward->conf)
        =~ s/(config_directory = )""/$1"$config"/r);
    return $self;
}

sub onward ($self) { return $self->{onward} }

# The command's output (both kinds); its exit status is in $?.
sub run ($self, @arguments) {
    my $pid = open my $out, '-|';
    defined $pid or die "fork: $!\n";
    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec binary(), '-c', $self->{onward}->conf, @arguments;
        die;
    }
    local $/;
    my $text = <$out> // '';
    close $out;
    return $text;
}

sub client ($self, $port = $self->{front}, %opt) {
    return Onward::Test::Client->hello($port, %opt);
}

my $message = join "\r\n", 'From: Alice <alice@sender.example>',
    'Subject: x', 'Date: Tue, 24 Nov 2026 10:00:00 +0000',
    'Message-ID: <1@sender.example>', '', 'hello', '';

# Everything that must hold with Onward in front.
sub mail_flows ($self) {
    my $sink = $self->{sink};
    $sink->clear;
    my $reply = $self->client->transaction('alice@sender.example',
        'fwd.shop@public.example', $message);
    like($reply, qr/^250 .*queued as/, 'mail to an alias is accepted');
    my $there = $sink->wait_to('me@private.example')
        or return fail('and forwarded');
    my $return = $there->{from};
    like($return, qr/^SRS0=.*\@srs\.public\.example$/, 'with an SRS sender');
    is_deeply(
        [map {"$_->{domain} $_->{result}"}
                mail_dkim($there->{data}->(), $self->{onward}->dns)],
        ['srs.public.example pass'], 'signed by the SRS domain'
    );

    $reply = $self->client->transaction('', $return, $message);
    like($reply, qr/^250 .*queued as/, 'a bounce is accepted');
    my $home = $sink->wait_to('alice@sender.example');
    is($home && $home->{from}, '', 'and reaches the sender');
    # As Postfix asks maps, in lower case.
    like($self->client->transaction('', lc $return, $message), qr/^250 /,
        'an SRS address in lower case');

    $reply = $self->client->transaction('alice@sender.example',
        'bob@public.example', $message);
    like($reply, qr/^250 /, 'mail to a mailbox is accepted');
    my $bob = $sink->wait_to('bob@public.example');
    is($bob && $bob->{from}, 'alice@sender.example', 'and stays as it is');

    my $was = grep {/ client=/} $self->{onward}->lines;
    for (
        ['an unknown address', 'nobody.here@public.example'],
        ['a forged SRS address', $return =~ s/^SRS0=.../SRS0=xyz/r],
    ) {
        my $client = $self->client;
        $client->cmd('MAIL FROM:<>');
        like($client->cmd("RCPT TO:<$_->[1]>"), qr/^550 5\.1\.1/,
            "$_->[0]: 550 5.1.1");
        $client->quit;
    }
    is(scalar(grep {/ client=/} $self->{onward}->lines), $was,
        'by the front alone: Onward was not called');
    my $relay = $self->client;
    $relay->cmd('MAIL FROM:<a@sender.example>');
    like($relay->cmd('RCPT TO:<x@elsewhere.example>'), qr/^[45]5\d/,
        'nobody relays');
    $relay->quit;
    return $return;
}

# A bounce that this Postfix makes itself, for what the sink refuses.
sub own_bounce ($self) {
    my $sink = $self->{sink};
    $sink->clear;
    $sink->rules({ 'TO:<me@private' => '550 5.1.1 no such user' });
    my $reply = $self->client->transaction('carol@sender.example',
        'fwd.gone@public.example', $message);
    like($reply, qr/^250 /, 'mail that will bounce is accepted');
    my $home = $sink->wait_to('carol@sender.example', 30);
    ok($home, 'the bounce that this Postfix makes reaches the sender')
        or diag($self->{postfix}->log);
    $sink->rules({});
}

sub submission_signs ($self) {
    $self->{sink}->clear;
    my $reply = $self->client($self->{submission}, from => '127.0.0.2')
        ->transaction('bob@public.example', 'dave@elsewhere.example',
        $message =~ s/alice\@sender\.example/bob\@public.example/r);
    like($reply, qr/^250 /, 'a user sends');
    my $there = $self->{sink}->wait_to('dave@elsewhere.example')
        or return fail('and it arrives');
    is_deeply(
        [map {"$_->{domain} $_->{result}"}
                mail_dkim($there->{data}->(), $self->{onward}->dns)],
        ['public.example pass'], 'signed with the domain\'s own key'
    );
}

# A message just below the limit has room for what we add, and one above it is
# refused as ever.
sub size_fits ($self, $limit) {
    my $line = 'x' x 78 . "\r\n";
    my $of = sub ($size) {
        my $text = $message . $line x (($size - length $message) / 80);
        return $text . 'y' x ($size - 2 - length $text) . "\r\n";
    };
    my $reply = $self->client->transaction('alice@sender.example',
        'fwd.big@public.example', $of->($limit - 400));
    like($reply, qr/^250 /, 'a message just below the limit passes');
    $reply = $self->client->transaction('alice@sender.example',
        'fwd.big@public.example', $of->($limit + 2000));
    like($reply, qr/^552 /, 'and one above it does not');
}

# The map server away: nothing is refused for good.
sub map_down ($self) {
    $self->{onward}->stop;
    my $client = $self->client;
    $client->cmd('MAIL FROM:<a@sender.example>');
    like($client->cmd('RCPT TO:<fwd.x@public.example>'), qr/^451/,
        'with the map server down an alias gets 451');
    like($client->cmd('RCPT TO:<nobody.here@public.example>'), qr/^451/,
        'and so does an unknown address');
    $client->quit;
    $self->{onward}->start;
}

# The whole life: show, apply, mail, apply again, remove.
sub life ($self) {
    my $postfix = $self->{postfix};
    my @before = $postfix->shown;
    my @files  = $postfix->files;
    my @where  = $self->{directory}
        ? ('--postfix-config', $self->{directory}) : ();

    my $shown = $self->run('setup', @where);
    is($? >> 8, 0, 'setup shows what it would do');
    like($shown, qr/^postconf .*smtpd_proxy_filter=/m, 'as commands');
    is_deeply([$postfix->files], \@files, 'and touches nothing');
    $self->run('check', '--postfix');
    is($? >> 8, 78, 'check --postfix finds that something is missing');

    my $early = $self->run('setup', '--apply', @where);
    is($? >> 8, 69, 'setup --apply while Onward does not run is refused');
    like($early, qr/nobody answers at listener mx/, 'and says why');
    is_deeply([$postfix->files], \@files, 'and touches nothing');
    $self->{onward}->start;
    my $applied = $self->run('setup', '--apply', @where);
    is($? >> 8, 0, 'setup --apply') or diag($applied);
    my @after = $postfix->files;
    isnt($after[1], $files[1], 'changes master.cf');
    my ($copies) = $applied =~ /^Copies .*: (.*)$/m;
    is_deeply([map { slurp($_) } split / /, $copies // ''], \@files,
        'having copied both files as they were');
    my $again = $self->run('setup', '--apply', @where);
    is($? >> 8, 0, 'a second --apply');
    like($again, qr/^Nothing to change/m, 'says so');
    is_deeply([$postfix->files], \@after, 'and changes nothing');
    my $check = $self->run('check', '--postfix');
    is($? >> 8, 0, 'check --postfix finds no error now') or diag($check);

    $postfix->greets($self->{front});
    $self->mail_flows;
    $self->own_bounce;
    $self->submission_signs if $self->{submission};
    $self->size_fits($self->{size}) if $self->{size};
    $self->map_down;

    my $dry = $self->run('setup', '--remove', '--dry-run', @where);
    is($? >> 8, 0, '--remove --dry-run');
    is_deeply([$postfix->files], \@after, 'touches nothing');
    my $removed = $self->run('setup', '--remove', @where);
    is($? >> 8, 0, 'setup --remove') or diag($removed);
    is_deeply([$postfix->shown], \@before,
        'postconf -n, -M and -P are as before');
    my $nothing = $self->run('setup', '--remove', @where);
    is($? >> 8, 0, 'a second --remove');
    like($nothing, qr/^Nothing to take out/m, 'says so');
    ok(!-e $postfix->config . '/onward.setup', 'nothing is remembered');

    ok(
        wait_until(
            seconds(20),
            sub {
                my $client = eval { $self->client } or return;
                $client->cmd('MAIL FROM:<a@sender.example>');
                return $client->cmd('RCPT TO:<fwd.x@public.example>') =~ /^550/
                    && $client->cmd('RCPT TO:<bob@public.example>') =~ /^250/;
            }
        ),
        'Postfix is what it was'
    );
    $self->{onward}->ends_well;
}

1;
