# Debian's Postfix as it is installed: one command in, one command out.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;
use Onward::Test::Debian;
use Onward::Test::Setup;
use Onward::Test::Sink;

need(qw(root binary postfix Mail::DKIM));
Onward::Test::Debian->own_network;

my $sink = Onward::Test::Sink->new;
my $postfix = Onward::Test::Debian->new(
    sink => $sink->port,
    main => 'message_size_limit = 200000',
)->start;
Onward::Test::Setup->new(
    postfix => $postfix, sink => $sink, size => 200_000,
)->life;

done_testing;
