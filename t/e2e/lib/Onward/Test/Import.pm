package Onward::Test::Import;

# `onward import` and what its output is good for: a configuration that passes
# `onward check` once its paths lead somewhere, and what it does to addresses.

use v5.36;
use Exporter qw(import);
use JSON::PP;
use Onward::Test;

our @EXPORT = qw(import_from usable check_of explained);

# Standard output, standard error, exit code.
sub import_from (@arguments) {
    my $err = scratch('import') . '/err';
    my $out = run_out('sh', '-c', 'exec "$@" 2>"$0"', $err, binary(), 'import',
        @arguments);
    return ($out, slurp($err), $? >> 8);
}

# The printed configuration in a directory of its own, /etc/onward and
# /var/lib/onward put there; the path of the file.
sub usable ($conf, %replace) {
    my $dir = scratch('imported');
    mkdir "$dir/$_", 0750 for qw(state dkim);
    spew("$dir/srs.secret", "0123456789abcdef\n", 0640);
    $conf =~ s{\Q$_\E}{$replace{$_}}g for keys %replace;
    $conf =~ s{/etc/onward}{$dir}g;
    return spew("$dir/onward.conf", <<~END . $conf);
        state_directory = "$dir/state";
        postfix = { config_directory = ""; };
        END
}

# What `onward check` says, and its exit code.
sub check_of ($conf) {
    my $out = run_out('sh', '-c', 'exec "$@" 2>&1', 'sh', binary(), '-c',
        $conf, 'check');
    return ($out, $? >> 8);
}

# What becomes of each address: "reject", "pass", or its targets.
sub explained ($conf, @addresses) {
    my $json = decode_json(
        run_out(binary(), '-c', $conf, 'explain', '--json', '--from', '<>',
            @addresses));
    return map {
        $_->{fate} eq 'refuse' ? 'reject'
            : $_->{fate} eq 'pass' ? 'pass'
            : join ' ', map { $_->{to} } @{ $_->{targets} };
    } @{ $json->{recipients} };
}

1;
