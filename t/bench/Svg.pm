package Svg;

# Pieces of a drawing. Colours are classes, so that one style sheet serves
# light and dark surroundings; the card behind it makes it readable in any.
use v5.36;
use Exporter qw(import);
use Onward::Test;

our @EXPORT = qw(svg_text svg_rect svg_line svg_path svg_dot svg_write);

my $style = <<'END';
svg{font-family:system-ui,"Segoe UI",Helvetica,Arial,sans-serif;font-size:12px}
.card{fill:#ffffff;stroke:#d8dee4} text{fill:#1f2933}
.title{font-size:17px;font-weight:600} .head{font-weight:600}
.dim{fill:#5b6774} .plain{font-weight:400} .ours{font-weight:600}
.grid{stroke:#e4e8ec;fill:none} .axis{stroke:#9aa5b1;fill:none}
.guide{stroke:#b4bdc7;fill:none;stroke-dasharray:2 4}
.floor{fill:#8d99a6} .unsigned{fill:#8fd0b4} .ed25519{fill:#4fb58c}
.onward{fill:#1f8f62} .opendkim{fill:#d9822b} .rspamd{fill:#8a63c9}
.haraka{fill:#cf4a6b} .postfix{fill:#a9b4bf} .client{fill:#d3dae0}
.curve{stroke:#1f8f62;stroke-width:2;fill:none}
.other{stroke:#d9822b;stroke-width:2;fill:none}
@media (prefers-color-scheme:dark){
.card{fill:#11171d;stroke:#2c3640} text{fill:#e6ebf0} .dim{fill:#9aa7b4}
.grid{stroke:#26303a} .axis{stroke:#5b6774} .guide{stroke:#4a5663}
.floor{fill:#76838f} .postfix{fill:#55616d} .client{fill:#3a4550}
.onward{fill:#2fae7c} .curve{stroke:#2fae7c}}
END

sub escape ($text) {
    return $text =~ s/&/&amp;/gr =~ s/</&lt;/gr =~ s/>/&gt;/gr;
}

# anchor: start, middle, end; class: of the style above; dim: more text behind
# it.
sub svg_text ($x, $y, $text, %o) {
    my $more = length($o{dim} // '')
        ? qq(<tspan dx="8" class="dim plain">) . escape($o{dim}) . '</tspan>'
        : '';
    return sprintf qq(<text x="%.1f" y="%.1f"%s%s>%s%s</text>\n), $x, $y,
        ($o{anchor} ? qq( text-anchor="$o{anchor}") : ''),
        ($o{class} ? qq( class="$o{class}") : ''), escape($text), $more;
}

sub svg_rect ($x, $y, $width, $height, $class) {
    return sprintf qq(<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f")
        . qq( class="%s"/>\n), $x, $y, $width, $height, $class;
}

sub svg_line ($x1, $y1, $x2, $y2, $class) {
    return sprintf qq(<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f")
        . qq( class="%s"/>\n), $x1, $y1, $x2, $y2, $class;
}

# Points: [x, y]...
sub svg_path ($class, @points) {
    return sprintf qq(<polyline points="%s" class="%s"/>\n),
        join(' ', map { sprintf '%.1f,%.1f', @$_ } @points), $class;
}

sub svg_dot ($x, $y, $class) {
    return sprintf qq(<circle cx="%.1f" cy="%.1f" r="3.5" class="%s"/>\n), $x,
        $y, $class;
}

sub svg_write ($path, $width, $height, $title, $subtitle, $body) {
    spew($path, qq(<svg xmlns="http://www.w3.org/2000/svg" width="$width" )
            . qq(height="$height" viewBox="0 0 $width $height" role="img">\n)
            . '<title>' . escape($title) . "</title>\n<style>$style</style>\n"
            . qq(<rect x=".5" y=".5" width="@{[ $width - 1 ]}" )
            . qq(height="@{[ $height - 1 ]}" rx="8" class="card"/>\n)
            . svg_text(24, 34, $title, class => 'title')
            . svg_text(24, 54, $subtitle, class => 'dim')
            . "$body</svg>\n");
    return;
}

1;
