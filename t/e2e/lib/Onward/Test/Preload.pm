package Onward::Test::Preload;

# t/e2e/lib/preload.c under the program: functions of OpenSSL fail and the wall
# clock jumps when told so, while it runs.

use v5.36;
use Onward::Test;

# Compiled; undef where there is no compiler.
sub new ($class) {
    my $self   = bless { dir => scratch('preload') }, $class;
    my $source = top() . '/t/e2e/lib/preload.c';
    my $library = "$self->{dir}/preload.so";
    return if system('cc', '-w', '-shared', '-fPIC', '-o', $library, $source,
        '-ldl') != 0;
    $self->{library} = $library;
    return $self;
}

# For Daemon->new(under => ...).
sub under ($self) {
    # AddressSanitizer wants to be first, and need not be.
    my $options = join ':', $ENV{ASAN_OPTIONS} // (), 'verify_asan_link_order=0';
    return ['env', "PRELOAD_DIRECTORY=$self->{dir}",
        "LD_PRELOAD=$self->{library}", "ASAN_OPTIONS=$options"];
}

# Until it is mended.
sub break ($self, $function) { spew("$self->{dir}/$function", '') }

# True if it was called meanwhile.
sub mend ($self, $function) {
    unlink "$self->{dir}/$function";
    return unlink "$self->{dir}/$function.called";
}

# The time of day is so many seconds off.
sub clock ($self, $seconds) {
    my $file = "$self->{dir}/clock";
    spew("$file.new", $seconds);
    rename "$file.new", $file or die "$file: $!\n";
}

1;
