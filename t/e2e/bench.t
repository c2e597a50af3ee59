# The benchmark still runs, and refuses to measure who does not do the work.
# What it measures is no business of a test.

use v5.36;
use FindBin qw($Bin);
use lib "$Bin/lib", "$Bin/../bench";
use JSON::PP;
use Test::More;
use Onward::Test;
use Onward::Test::Verify;

need qw(binary cc smtp-sink python3-dkim Mail::DKIM);
plan skip_all => 'figures of a sanitized build say nothing' if sanitized();

my $dir = $ENV{BENCH} = scratch('bench');
$ENV{ONWARD} = binary();
for my $program (qw(load relay)) {
    system('cc', '-O2', '-D_GNU_SOURCE', '-o', "$dir/$program",
        glob top() . "/t/bench/$program*.c") == 0
        or die "t/bench/$program.c does not compile\n";
}

my $out = run_out($^X, top() . '/t/bench/measure.pl', qw(--seconds 0.2
    --rounds 1 --sizes 2048 --sessions 2 --out), "$dir/out", 'sink');
is $?, 0, 'the part sink runs' or diag $out;
like $out, qr/^  Haraka is left out/m, 'who is not here is named';
like $out, qr/^  noise, relay against relay/m, 'and so is the noise';
my %row = map { $_->{name} => $_ } map { decode_json($_) }
    split /\n/, slurp("$dir/out/results.jsonl");
for my $name ('direct', 'relay', 'relay again', 'Onward, unsigned',
    'Onward, Ed25519', 'Onward, RSA-2048') {
    cmp_ok $row{$name}{rate} // 0, '>', 0, "a line for $name";
    is $row{$name}{errors}, 0, 'and no message failed';
}
like slurp("$dir/out/sink.svg"), qr{^<svg .*</svg>\n\z}s, 'a drawing';

# One message that is what it should be, and what is wrong with others.
require Rivals;
my $key     = make_key("$dir/key.pem");
my %dns     = ('s._domainkey.srs.public.example' => dns_record($key));
my $content = "From: <bench\@sender.example>\r\nSubject: x\r\n\r\nx\r\n";
my $signed  = sign_as($content, 'srs.public.example', 's', $key);
my %good    = (
    data => sub {$signed},
    from => 'SRS0=abcd=AB=sender.example=bench@srs.public.example',
    to   => ['me@private.example'],
);

sub verdict (%changed) {
    return eval { Rivals::proven('X', { %good, %changed }, \%dns); 1 }
        ? 'proven' : $@;
}
is verdict(), 'proven', 'signed, rewritten and expanded';
like verdict(data => sub {$content}), qr/no signature/, 'not signed';
like verdict(data => sub { $signed =~ s/x\r\n\z/y\r\n/r }), qr/signature: /,
    'a signature that does not verify';
like verdict(from => 'bench@sender.example'), qr/no SRS/, 'not rewritten';
like verdict(to => ['fwd.x@public.example']), qr/not expanded/,
    'not expanded';

done_testing;
