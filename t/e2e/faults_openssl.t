# OpenSSL fails while mail is under way: what cannot be signed waits
# (dkim.on_error = "defer") or goes without (send); what cannot be rewritten or
# verified is 451, never 5xx and never a wrong address; and all is well again
# when OpenSSL is.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Client;
use Onward::Test::Daemon;
use Onward::Test::Preload;
use Onward::Test::Upstream;

need qw(binary cc);

my $message = "From: alice\@sender.example\r\nSubject: x\r\n\r\nx\r\n";
# Too long for the loop: threads sign it, where digests fail (preload.c).
my $long = $message . ('x' x 70 . "\r\n") x 1000;
my $preload = Onward::Test::Preload->new or die "no preload library\n";

sub commits ($upstream) {
    my @paths = glob $upstream->dir . '/*.commit';
    my @all   = map { slurp($_) } @paths;
    unlink @paths;
    return @all;
}

sub talk ($onward, $from, $to, $content = $message) {
    my $client = Onward::Test::Client->hello($onward->port);
    my $reply  = $client->transaction($from, $to, $content);
    my $step   = $client->cmd('NOOP');
    $client->quit;
    return ($reply, $step);
}

# The functions of each way to sign.
my @hash = qw(EVP_MD_CTX_new EVP_DigestInit_ex EVP_DigestUpdate
    EVP_DigestFinal_ex EVP_MD_CTX_copy_ex);
my %signing = (
    rsa     => [@hash, qw(EVP_PKEY_CTX_new EVP_PKEY_sign_init EVP_PKEY_sign)],
    ed25519 => [@hash, qw(EVP_DigestSignInit EVP_DigestSign)],
);

for my $key (sort keys %signing) {
    for my $on_error (qw(defer send)) {
        subtest "$key, on_error = $on_error" => sub {
            my $upstream = Onward::Test::Upstream->new;
            my $onward = Onward::Test::Daemon->new(
                upstream => $upstream->port,
                key      => $key,
                under    => $preload->under,
                # The group is there already; libconfig takes it once.
            );
            spew($onward->conf, slurp($onward->conf)
                    =~ s/dkim = \{/dkim = { on_error = "$on_error";/r);
            $onward->start;
            for my $function (@{ $signing{$key} }) {
                $preload->break($function);
                my ($reply, $step)
                    = talk($onward, 'alice@sender.example', 'fwd.x@public.example',
                    $function =~ /^EVP_Digest/ ? $long : $message);
                ok $preload->mend($function), "$function fails";
                my @commits = commits($upstream);
                if ($on_error eq 'defer') {
                    is $reply, '451 4.7.5 Signing key unavailable', '... 451';
                    is scalar @commits, 0, '... nothing goes upstream';
                } else {
                    like $reply, qr/^250 .*queued as UP/, '... accepted';
                    is scalar @commits, 1, '... one message';
                    unlike $commits[0] // '', qr/^DKIM-Signature:/m,
                        '... without a signature, whole or half';
                }
                like $step, qr/^250 /, '... in step';
            }
            my ($reply)
                = talk($onward, 'alice@sender.example', 'fwd.x@public.example');
            like $reply, qr/^250 /, 'afterwards all is well';
            my @commits = commits($upstream);
            is scalar(() = $commits[0] =~ /^DKIM-Signature:/mg), 1,
                '... and signed';
            like $commits[0], qr/^X-Onward-Loop:/m, '... and marked';
            $onward->ends_well;
        };
    }
}

subtest 'addresses' => sub {
    my $upstream = Onward::Test::Upstream->new;
    my $onward = Onward::Test::Daemon->new(
        upstream => $upstream->port,
        under    => $preload->under,
    )->start;
    is((talk($onward, 'alice@sender.example', 'fwd.x@public.example'))[0]
            =~ s/ .*//sr, 250, 'first without a fault');
    my ($srs) = join('', commits($upstream)) =~ /^MAIL FROM:<(SRS0=[^>]+)>/m;
    ok $srs, 'there is an SRS address' or return;
    for my $function (qw(EVP_MAC_CTX_dup EVP_MAC_update EVP_MAC_final)) {
        $preload->break($function);
        my ($forward) = talk($onward, 'alice@sender.example',
            'fwd.x@public.example');
        my ($back)  = talk($onward, '', $srs);
        my ($forged) = talk($onward, '', $srs =~ s/=....../=abcdef/r);
        my ($stays) = talk($onward, 'alice@sender.example',
            'bob@public.example');
        ok $preload->mend($function), "$function fails";
        like $forward, qr/^451 4\.3\.0 /, '... forward: 451';
        like $back,    qr/^451 4\.3\.0 /, '... a genuine bounce: 451';
        like $forged,  qr/^451 4\.3\.0 /,
            '... a forged one cannot be told from it: 451';
        like $stays, qr/^250 /, '... what stays is not concerned';
        my @commits = commits($upstream);
        is scalar @commits, 1, '... and alone is delivered';
    }
    $preload->break('EVP_Q_mac');
    my ($marked) = talk($onward, 'alice@sender.example', 'fwd.x@public.example');
    ok $preload->mend('EVP_Q_mac'), 'EVP_Q_mac fails';
    like $marked, qr/^451 4\.3\.0 /,
        '... no loop mark, so no forwarding: 451';
    is scalar(commits($upstream)), 0, '... nothing goes upstream';
    my ($home) = talk($onward, '', $srs);
    like $home, qr/^250 /, 'afterwards the bounce comes home';
    like join('', commits($upstream)), qr/^RCPT TO:<alice\@sender\.example>/m,
        '... to whom it should';
    $onward->ends_well;
};

done_testing;
