# `onward trace`: which lines of a real log are one message.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;

need qw(binary);

my $log = "$Bin/../data/trace/mail.log";

sub trace ($what) {
    return run_out(binary(), 'trace', '--file', $log, $what);
}

my $whole = trace('D25FAACDBA2');
is($? >> 8, 0, 'a queue id: found');
is(() = $whole =~ /^message /mg, 1, 'one message');
is(() = $whole =~ /^      \S/mg, 7, 'all of its lines');
like($whole, qr/$_/, $_)
    for 'proxy-accept', '45DRlj: client', 'reinject/smtpd', 'status=sent',
    'removed';
unlike($whole, qr/D2FE9ACC1C3|sshd/, 'and nobody else\'s');

is(trace('45DRlj'), $whole, 'the id of the session: the same story');
is(trace('fwd.shop@public.example'), $whole, 'a recipient');
is(trace('<ME@private.example>'),    $whole, 'in any case, in brackets');

my $both = trace('alice@sender.example');
is(() = $both =~ /^message /mg, 2, 'an address of two messages: two stories');

my $refused = trace('45DRll');
like($refused, qr/reason=srs-hash/, 'what was refused has its line');
is(() = $refused =~ /^      \S/mg, 1, 'alone');

is(trace('nobody@nowhere.example'), '', 'nothing there');
is($? >> 8, 1, 'exit 1');

done_testing;
