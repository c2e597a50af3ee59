/* What libconfig accepts in silence or refuses without a word, and what we
 * say instead. */
#include "conf_rows.h"

static const struct row rows[] = {
    { "comma before )",
      "listeners = ( { name = \"mx\"; address = \"127.0.0.1:10025\"; role = "
      "\"inbound\"; },\n);\n",
      { "1: listeners: syntax error: libconfig 1.5 allows no comma before ] "
        "or )" } },
    { "comma before ]",
      LISTENER "forward = { local_domains = [ \"a.example\", ]; };\n",
      { "2: forward.local_domains: syntax error: libconfig 1.5 allows no "
        "comma before ] or )" } },
    { "a semicolon behind the last element",
      "listeners = (\n { name = \"mx\"; address = \"127.0.0.1:10025\"; role "
      "= \"inbound\"; };\n);\n",
      { "2: listeners: syntax error: no ; stands in a list; between elements "
        "it is a comma" } },
    { "a blank of a web page",
      LISTENER "hostname\xC2\xA0= \"mx.example.org\";\n",
      { "2: hostname: syntax error: here stands a blank of a web page "
        "(U+00A0)" } },
    { "an integer that wraps",
      LISTENER "limits = { sessions = 4294967297; };\n",
      { "2: limits.sessions: 4294967297 is out of range; it goes from 1 to "
        "1000000" } },
    { "an integer that saturates",
      LISTENER "limits = { sessions = 99999999999999999999L; };\n",
      { "2: limits.sessions: 99999999999999999999L is out of range" } },
    { "a negative count",
      LISTENER "limits = { hops = -5; };\n",
      { "2: limits.hops: -5 is out of range; it goes from 1 to 10000" } },
    { "a hexadecimal that wraps",
      LISTENER "limits = { hops = 0x100000001; };\n",
      { "2: limits.hops: 0x100000001 is out of range" } },
    { "a duration without quotes",
      LISTENER "timeouts = {\n  command = 10m;\n};\n",
      { "3: timeouts.command: syntax error: write \"10m\" in quotes" } },
    { "an address without quotes",
      LISTENER "upstream = { address = 127.0.0.1:10026; };\n",
      { "2: upstream.address: syntax error: write \"127.0.0.1:10026\" in "
        "quotes" } },
    { "yes instead of true",
      LISTENER "dkim = { subdomains = yes; };\n",
      { "2: dkim.subdomains: syntax error: use true or false" } },
    { "off instead of false",
      LISTENER "dkim = { subdomains = off; };\n",
      { "2: dkim.subdomains: syntax error: use true or false" } },
    { "a setting twice",
      LISTENER "hostname = \"a.example\";\n"
               "hostname = \"b.example\";\n",
      { "3: hostname: duplicate setting; the first one is at "
        "@DIR@/test.conf:2" } },
    { "a setting twice in a group",
      LISTENER "limits = { hops = 3;\n errors = 4;\n hops = 5; };\n",
      { "4: limits.hops: duplicate setting; the first one is at "
        "@DIR@/test.conf:2" } },
    { "a closing quote is missing",
      LISTENER "hostname = \"a.example;\nstate_directory = \"@DIR@/state\";\n",
      { "2: hostname: syntax error: the string that begins here has no "
        "closing quote in its line" } },
    { "an opening quote is missing",
      LISTENER "hostname = a.example\";\nlog = { level = \"info\"; };\n",
      { "2: hostname: syntax error: write \"a.example\" in quotes",
        "2: syntax error: the name of a setting is expected here" } },
    { "the last quote of the file is missing",
      LISTENER "hostname = \"a",
      { "2: hostname: syntax error: the string that begins here has no "
        "closing quote" } },
    { "a domain as name",
      LISTENER "srs = {\n example.com = { };\n};\n",
      { "3: srs.example: syntax error: no dots in names: write example = { "
        "... }; with the setting inside; a domain is an element of a list" } },
    { "a dotted setting",
      LISTENER "limits.hops = 3;\n",
      { "2: limits: syntax error: no dots in names: write limits = { ... }; "
        "with the setting inside" } },
    { "byte-order mark",
      "\xEF\xBB\xBF" LISTENER,
      { "1: begins with a byte-order mark; save the file as UTF-8 without "
        "one" } },
    { "a file that is no text",
      "listeners = \x01;\n",
      { "1: listeners: syntax error: a value is expected here" } },
    { "an include that is not there",
      LISTENER "@include \"absent.conf\"\n",
      { "2: @include: \"@DIR@/absent.conf\" cannot be read: No such file or "
        "directory" } },
    { "a file that includes itself",
      LISTENER "@include \"self.conf\"\n",
      { "@DIR@/self.conf:1: @include: more than 10 files deep" } },
    { "@include in a line",
      LISTENER "limits = { @include \"x\" };\n",
      { "2: limits: syntax error: @include \"FILE\" stands at the start of a "
        "line" } },
    { "an error in an included file",
      LISTENER "@include \"included.conf\"\n",
      { "@DIR@/included.conf:2: limits.hops: 0 is out of range" } },
    { "lines behind an include keep their numbers",
      LISTENER "@include \"sub/inner.conf\"\n\nmax_age = 1;\n",
      { "4: max_age: unknown setting; did you mean \"srs.max_age\"?" } },
    { "a comma forgotten between two strings",
      LISTENER "forward = { local_domains = ( \"example.org\" "
               "\"example.net\" ); };\n",
      { "2: forward.local_domains[0]: strings side by side in a list; put a "
        "comma between them" } },
    { "a comma and quotes forgotten",
      LISTENER "forward = { local_domains = ( \"a.example\" b.example ); };\n",
      { "2: forward.local_domains: syntax error: a comma is missing behind",
        "2: forward.local_domains[1]: syntax error: write \"b.example\" in "
        "quotes" } },
    { "; between elements",
      LISTENER "forward = { local_domains = ( \"a.example\"; \"b.example\" "
               "); };\n",
      { "2: forward.local_domains: syntax error: a comma is wanted between" } },
    { "a comma forgotten between two groups",
      LISTENER "forward = { aliases = (\n"
               " { match = \"a@b.example\"; to = ( \"c@d.example\" ); }\n"
               " \"texthash:@DIR@/aliases\" ); };\n",
      { "3: forward.aliases: syntax error: a comma is missing behind this" } },
    { "a single backslash in a regex",
      LISTENER "forward = { aliases = ( { regex = \"^a\\.b$\"; to = ( "
               "\"c@d.example\" ); } ); };\n",
      { "2: forward.aliases[0].regex: a single backslash in \"^a\\.b$\"; a "
        "backslash is written twice: \\\\" } },
    { "a brace is missing",
      LISTENER "limits = { hops = 3;\n",
      { "2: limits: syntax error: the { here is not closed by }" } },
    { "a parenthesis is missing",
      LISTENER "forward = { local_domains = ( \"a.example\"; };\n",
      { "2: forward.local_domains: syntax error: the ( here is not closed by "
        ")" } },
    { "a brace too many",
      LISTENER "limits = { hops = 3; }; };\n",
      { "2: syntax error: nothing was opened that this could close" } },
    { "single quotes",
      LISTENER "hostname = 'a.example';\n",
      { "2: hostname: syntax error: strings stand in \"double quotes\"" } },
    { "typographic quotes",
      LISTENER "hostname = \xE2\x80\x9C"
               "a\";\n",
      { "2: hostname: syntax error: strings stand in \"double quotes\"" } },
    { "= is missing",
      LISTENER "limits { hops = 3; };\n",
      { "2: limits: syntax error: write = behind \"limits\"" } },
    { "a value is missing",
      LISTENER "hostname = ;\n",
      { "2: hostname: syntax error: a value is missing before this" } },
    { "two semicolons",
      LISTENER "hostname = \"a.example\";;\n",
      { "2: syntax error: one ; too many" } },
    { "groups in an array",
      "listeners = [ { name = \"mx\"; } ];\n",
      { "1: listeners: syntax error: an array [ ] holds simple values; use "
        "a list ( )" } },
    { "an array of two types",
      LISTENER "forward = { local_domains = [ \"a.example\", 1 ]; };\n",
      { "2: forward.local_domains: syntax error: all values of an array [ "
        "] are of one type" } },
};

int
main(void)
{
    return check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}
