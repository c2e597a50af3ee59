/* Settings that are unknown, of the wrong type, out of range, or wrong
 * together. */
#include "conf_rows.h"

#define FOUR(text) text text text text
#define TEN(text) FOUR(text) FOUR(text) text text

static const struct row rows[] = {
    /* ---- names and types ----------------------------------------------- */
    { "an unknown setting",
      LISTENER "limits = { hopps = 3; };\n",
      { "2: limits.hopps: unknown setting; did you mean \"hops\"?" } },
    { "an unknown group",
      LISTENER "limit = { hops = 3; };\n",
      { "2: limit: unknown setting; did you mean \"limits\"?" } },
    { "nothing is near",
      LISTENER "quux_frobnicate = 3;\n",
      { "2: quux_frobnicate: unknown setting" } },
    { "a setting in the wrong group",
      LISTENER "hops = 3;\n",
      { "2: hops: unknown setting; did you mean \"limits.hops\"?" } },
    { "a misspelt setting is not missing too",
      LISTENER "srs = { domian = \"srs.example.org\"; secret_file = "
               "\"@DIR@/secret\"; };\n",
      { "2: srs.domian: unknown setting; did you mean \"domain\"?" } },
    { "a number where a string is wanted",
      LISTENER "hostname = 5;\n",
      { "2: hostname: 5 is a number, a string is wanted: write \"5\"" } },
    { "a number of very many digits, where a string is wanted",
      LISTENER "hostname = " TEN(TEN("12345")) "12345;\n",
      { "2: hostname: " FOUR(TEN("12345")) "... is a number, a string is "
                                           "wanted: write \"" FOUR(
                                               TEN("12345")) "...\"" } },
    { "a number too large for 64 bits, in hexadecimal",
      LISTENER "limits = { sessions = 0x1ffffffffffffffffff; };\n",
      { "2: limits.sessions: 0x1ffffffffffffffffff is out of range; it goes "
        "from 1 to 1000000" } },
    { "a string longer than any host name",
      LISTENER "hostname = \"" TEN(TEN("abcde")) "\";\n",
      { "2: hostname: is longer than 255 octets" } },
    { "a string where a number is wanted",
      LISTENER "limits = { hops = \"50\"; };\n",
      { "2: limits.hops: \"50\" is a string, a whole number is wanted: write "
        "50 without quotes" } },
    { "a string where a bool is wanted",
      LISTENER "dkim = { subdomains = \"yes\"; };\n",
      { "2: dkim.subdomains: \"yes\" is a string, true or false is wanted" } },
    { "a number where a size is wanted",
      LISTENER "limits = { message_size = 3000000000; };\n",
      { "2: limits.message_size: 3000000000 is not a string; write \"3G\"" } },
    { "a number where a duration is wanted",
      LISTENER "timeouts = { drain = 30; };\n",
      { "2: timeouts.drain: 30 is not a string; write \"30s\"" } },
    { "a float where a number is wanted",
      LISTENER "limits = { hops = 1.5; };\n",
      { "2: limits.hops: 1.5 is a number with a decimal point, a whole number "
        "is wanted" } },
    { "a string where a list is wanted",
      LISTENER "forward = { local_domains = \"example.org\"; };\n",
      { "2: forward.local_domains: \"example.org\" is a string, a list ( ) is "
        "wanted: write ( \"example.org\" )" } },
    { "a group where a list is wanted",
      "listeners = { name = \"mx\"; };\n",
      { "1: listeners: is a group { }, a list ( ) is wanted: write ( { ... } "
        ")" } },
    { "a value where a group is wanted",
      LISTENER "limits = 5;\n",
      { "2: limits: 5 is a number, a group { } is wanted" } },
    { "a port where an address is wanted",
      LISTENER "http = { listen = 9825; };\n",
      { "2: http.listen: 9825 is a number, a string is wanted: write "
        "\"127.0.0.1:9825\"" } },
    { "an address as Postfix writes it",
      LISTENER "upstream = { address = \"inet:127.0.0.1:10026\"; };\n",
      { "2: upstream.address: \"inet:127.0.0.1:10026\": write it without "
        "\"inet:\"" } },
    { "days without their unit",
      LISTENER "srs = { domain = \"srs.example.org\"; secret_file = "
               "\"@DIR@/secret\"; max_age = 21; };\n",
      { "2: srs.max_age: 21 is not a string; write \"21d\"" } },
    { "two targets in one string",
      LISTENER "forward = { aliases = ( { match = \"a@b.example\"; to = ( "
               "\"c@d.example, e@f.example\" ); } ); };\n",
      { "2: forward.aliases[0].to: \"c@d.example, e@f.example\" is not an "
        "address; write each one in quotes of its own: ( \"a@b.example\", "
        "\"c@d.example\" )" } },
    { "a database by the name of its file",
      LISTENER "forward = { aliases = ( \"cdb:/nonexistent/x.cdb\" ); };\n",
      { "2: forward.aliases[0]: /nonexistent/x.cdb.cdb: No such file or "
        "directory; leave off the .cdb of cdb:/nonexistent/x.cdb" } },
    { "a string among listeners",
      "listeners = ( \"127.0.0.1:10025\" );\n",
      { "1: listeners[0]: \"127.0.0.1:10025\" is a string, a group { } is "
        "wanted" } },
    { "a number in a list of strings",
      LISTENER "forward = { local_domains = ( \"a.example\", 5 ); };\n",
      { "2: forward.local_domains[1]: 5 is a number, a string is wanted in "
        "quotes" } },
    { "a control character",
      LISTENER "hostname = \"a\tb\";\n",
      { "2: hostname: holds a control character" } },
    { "not UTF-8",
      LISTENER "hostname = \"a\xFF\";\n",
      { "2: hostname: is not UTF-8 text" } },

    /* ---- values --------------------------------------------------------- */
    { "no duration",
      LISTENER "timeouts = { drain = \"soon\"; };\n",
      { "2: timeouts.drain: \"soon\" is not a duration; write a whole number "
        "and ms, s, m, h or d" } },
    { "a duration without unit",
      LISTENER "timeouts = { drain = \"30\"; };\n",
      { "2: timeouts.drain: \"30\" is not a duration" } },
    { "a deadline of zero",
      LISTENER "timeouts = { command = \"0s\"; };\n",
      { "2: timeouts.command: \"0s\" is out of range; it goes from \"1ms\" to "
        "\"1d\"" } },
    { "reply_timeout of zero",
      LISTENER "upstream = { reply_timeout = \"0s\"; };\n",
      { "2: upstream.reply_timeout: \"0s\" is out of range" } },
    { "no size",
      LISTENER "limits = { spool_total = \"1GB\"; };\n",
      { "2: limits.spool_total: \"1GB\" is not a size; write a whole number "
        "and K, M or G" } },
    { "an unknown choice",
      LISTENER "log = { level = \"verbose\"; };\n",
      { "2: log.level: \"verbose\" is not known here; choose \"error\", "
        "\"warning\", \"info\" or \"debug\"" } },
    { "an unknown log target",
      LISTENER "log = { target = \"file\"; };\n",
      { "2: log.target: \"file\" is not known here" } },
    { "a count of zero",
      LISTENER "forward = { max_targets = 0; };\n",
      { "2: forward.max_targets: 0 is out of range; it goes from 1" } },
    { "hostname is no name",
      LISTENER "hostname = \"a_b c\";\n",
      { "2: hostname: \"a_b c\" is not a domain name" } },

    /* ---- listeners ------------------------------------------------------ */
    { "no listener",
      "hostname = \"a.example\";\n",
      { "1: listeners: there is none" } },
    { "an empty list of listeners",
      "listeners = ( );\n",
      { "1: listeners: there is none" } },
    { "a listener without name, address, role",
      "listeners = ( { } );\n",
      { "1: listeners[0].name: is missing",
        "1: listeners[0].address: is missing",
        "1: listeners[0].role: is missing" } },
    { "two listeners of one name and address",
      "listeners = ( { name = \"mx\"; address = \"127.0.0.1:10025\"; role = "
      "\"inbound\"; },\n{ name = \"mx\"; address = \"localhost:10025\"; role = "
      "\"inbound\"; } );\n",
      { "2: listeners[1].name: \"mx\" is the name of another listener too "
        "(line 1)",
        "2: listeners[1].address: \"127.0.0.1:10025\" is the address of "
        "listener \"mx\" too" } },
    { "port 0",
      "listeners = ( { name = \"mx\"; address = \"127.0.0.1:0\"; role = "
      "\"inbound\"; } );\n",
      { "1: listeners[0].address: \"127.0.0.1:0\": port 0" } },
    { "port 65536",
      "listeners = ( { name = \"mx\"; address = \"127.0.0.1:65536\"; role = "
      "\"inbound\"; } );\n",
      { "1: listeners[0].address: \"127.0.0.1:65536\": the port is a number "
        "from 1 to 65535" } },
    { "no port",
      "listeners = ( { name = \"mx\"; address = \"127.0.0.1\"; role = "
      "\"inbound\"; } );\n",
      { "1: listeners[0].address: \"127.0.0.1\": write \"host:port\"" } },
    { "a host name",
      LISTENER "upstream = { address = \"mail.example.org:10026\"; };\n",
      { "2: upstream.address: \"mail.example.org:10026\": write the IP address "
        "instead of a host name" } },
    { "IPv6 without brackets",
      LISTENER "upstream = { address = \"::1:26\"; "
               "};\n",
      { "2: upstream.address: \"::1:26\": an IPv6 address stands in "
        "brackets" } },
    { "a relative unix socket",
      LISTENER "http = { listen = \"unix:run/http\"; };\n",
      { "2: http.listen: \"unix:run/http\": a unix socket has an absolute "
        "path" } },
    { "an unknown role",
      "listeners = ( { name = \"mx\"; address = \"127.0.0.1:10025\"; role = "
      "\"in\"; } );\n",
      { "1: listeners[0].role: \"in\" is not known here; choose \"inbound\" or "
        "\"outbound\"" } },
    { "not loopback without allow_from",
      "listeners = ( { name = \"mx\"; address = \"192.0.2.1:10025\"; role = "
      "\"inbound\"; } );\n",
      { "1: listeners[0].allow_from: is missing: \"192.0.2.1:10025\" is not "
        "loopback" } },
    { "a network with bits behind the prefix",
      "listeners = ( { name = \"mx\"; address = \"192.0.2.1:10025\"; role = "
      "\"inbound\"; allow_from = ( \"192.0.2.1/24\", \"10.0.0.0/33\" ); } "
      ");\n",
      { "1: listeners[0].allow_from[0]: \"192.0.2.1/24\": has bits behind the "
        "prefix; did you mean \"192.0.2.0/24\"?",
        "1: listeners[0].allow_from[1]: \"10.0.0.0/33\": the number behind / "
        "is 0 to 32" } },
    { "mode on a TCP listener",
      "listeners = ( { name = \"mx\"; address = \"127.0.0.1:10025\"; role = "
      "\"inbound\"; mode = \"0660\"; } );\n",
      { "1: listeners[0].mode: is for unix sockets only" } },
    { "a mode that is none",
      "listeners = ( { name = \"mx\"; address = \"unix:/tmp/x\"; role = "
      "\"inbound\"; mode = \"rw\"; } );\n",
      { "1: listeners[0].mode: \"rw\" is not a mode" } },
    { "a mode as a number",
      "listeners = ( { name = \"mx\"; address = \"unix:/tmp/x\"; role = "
      "\"inbound\"; mode = 0660; } );\n",
      { "1: listeners[0].mode: 0660 is a number, a string is wanted: write "
        "\"0660\"" } },
    { "a group that does not exist",
      "listeners = ( { name = \"mx\"; address = \"unix:/tmp/x\"; role = "
      "\"inbound\"; group = \"no-such-group\"; } );\n",
      { "1: listeners[0].group: there is no group \"no-such-group\"" } },
    { "a name with blanks",
      "listeners = ( { name = \"m x\"; address = \"127.0.0.1:10025\"; role = "
      "\"inbound\"; } );\n",
      { "1: listeners[0].name: \"m x\": only letters" } },
    { "upstream is a listener",
      LISTENER "upstream = { address = \"localhost:10025\"; };\n",
      { "2: upstream.address: \"127.0.0.1:10025\" is the address of listener "
        "\"mx\": mail would go round in a loop" } },
    { "the default of upstream is a listener",
      "listeners = ( { name = \"mx\"; address = \"127.0.0.1:10026\"; role = "
      "\"inbound\"; } );\n",
      { "1: upstream.address: \"127.0.0.1:10026\" is the address of listener "
        "\"mx\"" } },
    { "upstream at a wildcard listener's port",
      "listeners = ( { name = \"mx\"; address = \"0.0.0.0:10026\"; role = "
      "\"inbound\"; allow_from = ( \"192.0.2.0/24\" ); } );\n",
      { "1: upstream.address: \"127.0.0.1:10026\" is the address of listener "
        "\"mx\"" } },
    { "http not on loopback",
      LISTENER "http = { listen = \"0.0.0.0:9825\"; "
               "};\n",
      { "2: http.listen: \"0.0.0.0:9825\" is not loopback" } },
    { "http and socketmap at one address",
      LISTENER "http = { listen = \"127.0.0.1:9825\"; };\n"
               "socketmap = { listen = \"127.0.0.1:9825\"; };\n",
      { "3: socketmap.listen: is http.listen too" } },
    { "a DNS server by name",
      LISTENER "dns = { servers = ( \"dns.example\" "
               "); };\n",
      { "2: dns.servers[0]: \"dns.example\": write \"host:port\"" } },

    /* ---- forward -------------------------------------------------------- */
    { "a domain that is an address",
      LISTENER "forward = { local_domains = ( \"a@b.example\" ); };\n",
      { "2: forward.local_domains[0]: \"a@b.example\" is an address; write "
        "the domain only" } },
    { "a domain that is a pattern",
      LISTENER "forward = { local_domains = ( \".b.example\" ); };\n",
      { "2: forward.local_domains[0]: \".b.example\" is a pattern" } },
    { "a domain that is a file",
      LISTENER "forward = { local_domains = ( \"/etc/domains\" ); };\n",
      { "2: forward.local_domains[0]: \"/etc/domains\" is a file; write "
        "\"texthash:/path\"" } },
    { "a table that is not there",
      LISTENER "forward = { aliases = (\n \"texthash:@DIR@/absent\" ); };\n",
      { "3: forward.aliases[0]: @DIR@/absent: No such file or directory" } },
    { "a table of another type",
      LISTENER "forward = { aliases = ( \"hash:@DIR@/aliases\" ); };\n",
      { "2: forward.aliases[0]: hash:@DIR@/aliases: tables are texthash:" } },
    { "a table with a bad line",
      LISTENER "forward = { aliases = ( \"texthash:@DIR@/aliases.bad\" ); "
               "};\n",
      { "@DIR@/aliases.bad:2: " } },
    { "an alias that is neither",
      LISTENER "forward = { aliases = ( \"a@b.example\" ); };\n",
      { "2: forward.aliases[0]: \"a@b.example\" is neither a rule" } },
    { "a rule without match",
      LISTENER "forward = { aliases = ( { to = ( \"c@d.example\" ); } ); };\n",
      { "2: forward.aliases[0].match: an entry wants either match or "
        "regex" } },
    { "a rule without target",
      LISTENER "forward = { aliases = ( { match = \"a@b.example\"; } ); };\n",
      { "2: forward.aliases[0].to: is missing" } },
    { "a target that is no address",
      LISTENER "forward = { aliases = (\n { match = \"a@b.example\";\n  to = ( "
               "\"bob@@gmail.test\" ); } ); };\n",
      { "4: forward.aliases[0].to: \"bob@@gmail.test\" " } },
    { "an unknown $n",
      LISTENER "forward = { aliases = ( { match = \"a*@b.example\"; to = ( "
               "\"c$2@d.example\" ); } ); };\n",
      { "2: forward.aliases[0].to: $2: " } },
    { "$n in a target's domain",
      LISTENER "forward = { aliases = ( { match = \"a*@b.example\"; to = ( "
               "\"c@$1.example\" ); } ); };\n",
      { "2: forward.aliases[0].to: \"c@$1.example\": the domain of a target "
        "must be literal" } },
    { "* in the domain of match",
      LISTENER "forward = { aliases = ( { match = \"a@*.example\"; to = ( "
               "\"c@d.example\" ); } ); };\n",
      { "2: forward.aliases[0].match: \"a@*.example\" has a \"*\" in the "
        "domain" } },
    { "a regex that does not compile",
      LISTENER "forward = { aliases = ( { regex = \"^(a\"; to = ( "
               "\"c@d.example\" ); } ); };\n",
      { "2: forward.aliases[0].regex: " } },
    { "a reply of 2xx",
      LISTENER "forward = { aliases = ( { match = \"a@b.example\"; action = "
               "\"reject\"; reply = \"250 ok\"; } ); };\n",
      { "2: forward.aliases[0].reply: \"250 ok\" " } },
    { "a cycle of rules",
      LISTENER "forward = { aliases = (\n"
               " { match = \"a@b.example\"; to = ( \"c@b.example\" ); },\n"
               " { match = \"c@b.example\"; to = ( \"a@b.example\" ); } ); "
               "};\n",
      { "3: " } },

    /* ---- srs ------------------------------------------------------------- */
    { "srs without domain and secret_file",
      LISTENER "srs = { };\n",
      { "2: srs.domain: is missing", "2: srs.secret_file: is missing" } },
    { "srs.domain without a dot",
      LISTENER "srs = { domain = \"srs\"; secret_file = \"@DIR@/secret\"; "
               "};\n",
      { "2: srs.domain: \"srs\" has no dot" } },
    { "srs.domain with a $",
      LISTENER "srs = { domain = \"$myhostname\"; secret_file = "
               "\"@DIR@/secret\"; };\n",
      { "2: srs.domain: \"$myhostname\" holds a $" } },
    { "a secret file that is not there",
      LISTENER "srs = { domain = \"srs.a.example\";\n secret_file = "
               "\"@DIR@/absent\"; };\n",
      { "3: srs.secret_file: \"@DIR@/absent\" cannot be opened: No such file "
        "or directory; make it with: (umask 027; openssl rand -base64 24 > "
        "@DIR@/absent)" } },
    { "a secret file for everybody",
      LISTENER "srs = { domain = \"srs.a.example\"; secret_file = "
               "\"@DIR@/secret.open\"; };\n",
      { "@DIR@/secret.open: mode 0644: readable by everybody; run: chmod 0640 "
        "@DIR@/secret.open" } },
    { "a short secret",
      LISTENER "srs = { domain = \"srs.a.example\"; secret_file = "
               "\"@DIR@/secret.short\"; };\n",
      { "@DIR@/secret.short:3: the secret is shorter than 16 octets; make one "
        "with: openssl rand -base64 24" } },
    { "the secret that everybody knows",
      LISTENER "srs = { domain = \"srs.a.example\"; secret_file = "
               "\"@DIR@/secret.haraka\"; };\n",
      { "@DIR@/secret.haraka:1: is the secret that haraka-alias-forward "
        "ships" } },
    { "no secret",
      LISTENER "srs = { domain = \"srs.a.example\"; secret_file = "
               "\"@DIR@/secret.empty\"; };\n",
      { "@DIR@/secret.empty:2: there is no secret" } },
    { "a secret file that is a directory",
      LISTENER "srs = { domain = \"srs.a.example\"; secret_file = "
               "\"@DIR@/keys\"; };\n",
      { "@DIR@/keys: is not a regular file; srs.secret_file names a file of "
        "secrets, one a line" } },
    { "hash_minimum above hash_length",
      LISTENER SRS " hash_minimum = 9; };\n",
      { "3: srs.hash_minimum: hash_minimum (9) is above hash_length (8, the "
        "default)" } },
    { "hash_length below 4",
      LISTENER SRS " hash_length = 3; };\n",
      { "3: srs.hash_length: 3 is out of range; it goes from 4 to 27" } },
    { "hash_length above 27",
      LISTENER SRS " hash_length = 28; };\n",
      { "3: srs.hash_length: 28 is out of range; it goes from 4 to 27" } },
    { "max_age over 1000 days",
      LISTENER SRS " max_age = \"1001d\"; };\n",
      { "3: srs.max_age: \"1001d\" is out of range; it goes from \"1d\" to "
        "\"1000d\"" } },
    { "max_age of half days",
      LISTENER SRS " max_age = \"36h\"; };\n",
      { "3: srs.max_age: \"36h\": whole days are wanted" } },
    { "domain_map without to",
      LISTENER SRS " domain_map = ( { from = \"a.example\"; } ); };\n",
      { "3: srs.domain_map[0].to: is missing" } },
    { "domain_map with a name",
      LISTENER SRS " domain_map = ( \"a.example\" ); };\n",
      { "3: srs.domain_map[0]: \"a.example\" is not a table; write { from" } },

    /* ---- dkim, directories ----------------------------------------------- */
    { "dkim.headers without From",
      LISTENER "dkim = { headers = ( \"To\" ); };\n",
      { "2: dkim.headers: From is missing" } },
    { "a field that cannot be signed",
      LISTENER "dkim = { headers = ( \"From\", \"Received\" ); };\n",
      { "2: dkim.headers[1]: \"Received\" cannot be signed" } },
    { "a field twice",
      LISTENER "dkim = { oversign = ( \"From\", \"from\" ); };\n",
      { "2: dkim.oversign[1]: \"from\" stands in the list twice" } },
    { "signatures that expire in a queue",
      LISTENER "dkim = { expire = \"167h\"; };\n",
      { "2: dkim.expire: \"167h\" is less than 7d: signatures would expire "
        "while mail waits in queues; write \"7d\" or more, or \"0s\"" } },
    { "signatures that expire between two seconds",
      LISTENER "dkim = { expire = \"604800500ms\"; };\n",
      { "2: dkim.expire: \"604800500ms\": whole seconds are wanted" } },
    { "a key directory that is not there",
      LISTENER "dkim = { key_directory = \"@DIR@/absent\"; };\n",
      { "2: dkim.key_directory: \"@DIR@/absent\" does not exist; make it "
        "with: mkdir -p @DIR@/absent" } },
    { "a key directory that is a file",
      LISTENER "dkim = { key_directory = \"@DIR@/secret\"; };\n",
      { "2: dkim.key_directory: \"@DIR@/secret\" is not a directory" } },
    { "a state directory that is not there",
      LISTENER "state_directory = \"@DIR@/absent\";\n",
      { "2: state_directory: \"@DIR@/absent\" does not exist" } },
    { "a relative directory",
      LISTENER "state_directory = \"state\";\n",
      { "2: state_directory: \"state\" is a relative path" } },
    { "Postfix' directory is not there",
      LISTENER "postfix = { config_directory = \"@DIR@/absent\"; };\n",
      { "2: postfix.config_directory: \"@DIR@/absent\" does not exist" } },

    /* ---- several -----------------------------------------------------------
     */
    { "five errors are five lines",
      LISTENER "hostname = 5;\n"
               "limits = { hops = 0; sesions = 3; };\n"
               "timeouts = { drain = 10m; };\n"
               "srs = { domain = \"srs\"; secret_file = \"@DIR@/secret\"; };\n",
      { "2: hostname: ", "3: limits.hops: ", "3: limits.sesions: ",
        "4: timeouts.drain: ", "5: srs.domain: " } },
};

int
main(void)
{
    return check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}
