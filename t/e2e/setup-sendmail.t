# Mail that passes no smtpd: sendmail(1) and cron. The command that setup and
# check name has it signed, and forwarded.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Debian;
use Onward::Test::Example;
use Onward::Test::Setup;
use Onward::Test::Sink;

need(qw(root binary postfix sendmail Mail::DKIM));
Onward::Test::Example->enter;

my $sink = Onward::Test::Sink->new;
my $postfix = Onward::Test::Example::Postfix->new(sink => $sink->port)->start;
my $setup = Onward::Test::Setup->new(postfix => $postfix, sink => $sink);
my $said = $setup->run('setup', '--apply', '--force');
is($? >> 8, 0, 'setup --apply --force, though Onward does not run yet');
$setup->onward->start;
$postfix->greets;

sub by_sendmail ($to) {
    $sink->clear;
    open my $in, '|-', 'sendmail', '-f', 'bob@public.example', $to or die $!;
    print $in "From: bob\@public.example\nSubject: cron\n\nhello\n";
    close $in;
    is($?, 0, "sendmail $to");
    return $sink->wait_to($to) // { data => sub {""} };
}
my $signed = sub ($message) {
    return [map {"$_->{domain} $_->{result}"} Onward::Test::Verify::mail_dkim(
        $message->{data}->(), $setup->onward->dns)];
};

is_deeply($signed->(by_sendmail('dave@elsewhere.example')), [],
    'mail by sendmail(1) is not signed');
my ($command) = $said =~ /^\s+(postconf -P pickup\/unix\/content_filter=\S+)/m;
ok($command, 'setup says how it would be') or diag($said);
like($setup->run('check', '--postfix'), qr/content_filter=smtp:/,
    'and check --postfix does');
is(system("$command && postfix reload >/dev/null 2>&1"), 0, $command);
sleep 1;

my $message = by_sendmail('dave@elsewhere.example');
is_deeply($signed->($message), ['public.example pass'], 'now it is signed');
my $text = $message->{data}->();
is(scalar(() = $text =~ /^$_:/mgi), 1, "with one $_") for qw(Date Message-ID);
unlike($setup->run('check', '--postfix'), qr/mail by sendmail/,
    'check --postfix is content');

open my $in, '|-', 'sendmail', '-f', 'bob@public.example',
    'fwd.x@public.example' or die $!;
print $in "From: bob\@public.example\nSubject: cron\n\nhello\n";
close $in;
my $there = $sink->wait_to('me@private.example');
ok($there, 'and to an alias it is forwarded');
is($there && $there->{from}, 'bob@public.example',
    'with its own sender, as that is ours');
ok($postfix->drained, 'and nothing goes round');

$setup->onward->ends_well;
done_testing;
