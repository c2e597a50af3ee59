/* Values at the edges of what a setting takes, and files that cannot be read:
 * what is said of them. */
#include "conf_rows.h"

static const struct row rows[] = {
    { "a number of millions where a size is wanted",
      LISTENER "limits = { message_size = 1400000; };\n",
      { "2: limits.message_size: 1400000 is not a string; write \"1M\"" } },
    { "a small number where a size is wanted",
      LISTENER "limits = { message_memory = 5000; };\n",
      { "2: limits.message_memory: 5000 is not a string; write \"5000\"" } },
    { "a bool where a size is wanted",
      LISTENER "limits = { spool_total = true; };\n",
      { "2: limits.spool_total: true is a bool, a size in quotes is wanted, "
        "such as \"50M\"" } },
    { "a very long string, in the error",
      LISTENER "log = { level = "
               "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaa\"; };\n",
      { "2: log.level: " } },
    { "a domain map without from",
      LISTENER SRS "domain_map = ( { to = \"srs.b.example\"; } ); };\n",
      { "3: srs.domain_map[0].from: is missing" } },
    { "a domain map from something else",
      LISTENER SRS "domain_map = ( { from = \"a b\"; to = \"s.b.example\"; } );"
                   " };\n",
      { "3: srs.domain_map[0].from: \"a b\" " } },
    { "a domain map to something else",
      LISTENER SRS "domain_map = ( { from = \"a.example\"; to = \"a b\"; } );"
                   " };\n",
      { "3: srs.domain_map[0].to: \"a b\" " } },
    { "a domain map to a name without a dot",
      LISTENER SRS "domain_map = ( { from = \"a.example\"; to = \"srs\"; } );"
                   " };\n",
      { "3: srs.domain_map[0].to: \"srs\" has no dot" } },
    { "an included directory", LISTENER "@include \"@DIR@\"\n", { "2: " } },
    { "an included file that is not there",
      LISTENER "@include \"absent.conf\"\n",
      { "2: " } },
};

int
main(void)
{
    return check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}
