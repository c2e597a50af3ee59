# The cases of t/data/forwarding/ through the program: what becomes of an
# envelope, reply by reply and transaction by transaction.
#
#   perl t/e2e/forwarding.t [WORD]    only cases whose name holds the word

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use Onward::Test;

need qw(binary);
require Onward::Test::Cases;
Onward::Test::Cases->import;

for my $path (sort glob "$Bin/../data/forwarding/*.txt") {
    for my $case (read_cases($path)) {
        next if @ARGV && index($case->{name}, $ARGV[0]) < 0;
        run_case($case);
    }
    # Nobody waits for what another file started.
    stop_daemons();
}
done_testing;
