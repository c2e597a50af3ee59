/*
 * Every setting, once. The parser, `check`, `config show`, `config defaults`
 * and the settings part of onward.conf(5) come from this table.
 *
 * least and most: of counts; of durations in ms; of sizes in octets; of
 * strings and addresses the length (least 0: may be empty).
 */
#include "schema.h"

#define MS UINT64_C(1)
#define SECOND (1000 * MS)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define KIB UINT64_C(1024)
#define GIB (KIB * KIB * KIB)
#define ANY UINT64_C(4096)

const struct conf_setting conf_settings[] = {
    { "hostname", CONF_STRING, NULL, NULL, 1, 255,
      "Name in greetings and EHLO. Default: Postfix' myhostname, else the "
      "name of this host." },

    { "listeners", CONF_LIST, NULL, NULL, 0, 0,
      "Where Postfix connects to; at least one group." },
    { "listeners[].name", CONF_STRING, NULL, NULL, 1, 64,
      "Name of the listener in logs and metrics: letters, digits, dots, "
      "underscores and hyphens." },
    { "listeners[].address", CONF_ADDRESS, NULL, NULL, 1, ANY,
      "\"host:port\", \"[::1]:port\" or \"unix:/path\"." },
    { "listeners[].role", CONF_CHOICE, NULL, "inbound|outbound", 0, 0,
      "inbound: mail from strangers, never signed as its author. outbound: "
      "mail of our own users, signed with the key of its author's domain." },
    { "listeners[].allow_from", CONF_STRINGS, "( )", NULL, 0, 0,
      "Networks that may connect. Required where the address is not "
      "loopback." },
    { "listeners[].reuse_port", CONF_BOOL, "false", NULL, 0, 0,
      "Share the port with other instances (SO_REUSEPORT)." },
    { "listeners[].group", CONF_STRING, "", NULL, 0, 64,
      "Group of a unix socket." },
    { "listeners[].mode", CONF_STRING, "0660", NULL, 1, 5,
      "Mode of a unix socket, octal." },

    { "upstream", CONF_GROUP, NULL, NULL, 0, 0,
      "The Postfix service that takes the mail back." },
    { "upstream.address", CONF_ADDRESS, "127.0.0.1:10026", NULL, 1, ANY,
      "Its address, as of a listener." },
    { "upstream.connect_timeout", CONF_DURATION, "5s", NULL, MS, HOUR,
      "Longest wait for a connection." },
    { "upstream.reply_timeout", CONF_DURATION, "90s", NULL, MS, HOUR,
      "Bounds everything that is done before any one reply; below Postfix' "
      "smtpd_proxy_timeout (100s)." },
    { "upstream.idle_timeout", CONF_DURATION, "2s", NULL, 0, HOUR,
      "How long an idle connection is kept for the next session; \"0s\": "
      "not at all." },

    { "forward", CONF_GROUP, NULL, NULL, 0, 0,
      "Which recipients become which." },
    { "forward.local_domains", CONF_STRINGS, "( )", NULL, 0, 0,
      "Domains whose mail stays: names and tables. Default: the literal "
      "names in Postfix' mydestination and virtual_mailbox_domains." },
    { "forward.alias_domains", CONF_STRINGS, "( )", NULL, 0, 0,
      "Domains with aliases that cannot be listed, those of socketmap tables "
      "among them: names and tables, for the socketmap map `domain`." },
    { "forward.aliases", CONF_LIST, "( )", NULL, 0, 0,
      "Rules and tables, asked in this order; the first answer wins." },
    { "forward.aliases[].match", CONF_STRING, NULL, NULL, 1, 1024,
      "Address to match; * stands for any run of characters of the local "
      "part." },
    { "forward.aliases[].regex", CONF_STRING, NULL, NULL, 1, ANY,
      "Regular expression (PCRE2) for the lower-cased address." },
    { "forward.aliases[].to", CONF_STRINGS, NULL, NULL, 0, 0,
      "Targets; $1 in the local part is what the first * or group matched." },
    { "forward.aliases[].action", CONF_CHOICE, "forward",
      "forward|reject|defer|discard", 0, 0, "What becomes of the mail." },
    { "forward.aliases[].reply", CONF_STRING, "", NULL, 0, 500,
      "Reply of reject (5xx) and defer (4xx): \"550 5.1.6 text\"." },
    { "forward.recipient_delimiter", CONF_STRING, "+", NULL, 0, 16,
      "Characters that separate the address extension, for tables. Default: "
      "Postfix' recipient_delimiter." },
    { "forward.max_targets", CONF_COUNT, "50", NULL, 1, 10000,
      "Most addresses that one recipient may become." },
    { "forward.original_to", CONF_BOOL, "true", NULL, 0, 0,
      "Whether what an alias forwards gets a field X-Original-To with the "
      "alias, as the client named it; never where a message goes to several "
      "at once, since a blind copy must stay blind." },

    { "srs", CONF_GROUP, NULL, NULL, 0, 0,
      "Rewriting of the reverse-path of what leaves; off without this "
      "group." },
    { "srs.domain", CONF_STRING, NULL, NULL, 1, 255,
      "Domain of rewritten reverse-paths." },
    { "srs.secret_file", CONF_STRING, NULL, NULL, 1, ANY,
      "One secret a line, of 16 octets or more; the first signs, all "
      "verify. Not readable for others." },
    { "srs.max_age", CONF_DURATION, "21d", NULL, DAY, 1000 * DAY,
      "How long bounces find their way back; whole days." },
    { "srs.mac", CONF_CHOICE, "sha256", "sha256|classic", 0, 0,
      "classic: the addresses of Mail::SRS and of PostSRSd before 2.2.6." },
    { "srs.accept_classic", CONF_BOOL, "false", NULL, 0, 0,
      "Verify classic addresses too, while migrating." },
    { "srs.hash_length", CONF_COUNT, "8", NULL, 4, 27,
      "Characters of the hash in new addresses." },
    { "srs.hash_minimum", CONF_COUNT, "6", NULL, 4, 27,
      "Least characters of a hash that is accepted." },
    { "srs.accept_from", CONF_CHOICE, "null", "null|any", 0, 0,
      "Who may use an SRS address: bounces only, or any sender." },
    { "srs.submitted", CONF_CHOICE, "foreign", "foreign|no", 0, 0,
      "Outbound listeners: whether mail for elsewhere gets an SRS address as "
      "its sender where that is a stranger's (Sieve redirect, .forward, "
      "lists)." },
    { "srs.long_sender", CONF_CHOICE, "send", "send|store|reject", 0, 0,
      "Reverse-paths whose local part becomes longer than 64 octets: sent "
      "all the same, replaced by a token under which the sender is stored "
      "when the message is complete (while there is room for one), or "
      "refused." },
    { "srs.max_failures", CONF_COUNT, "1000", NULL, 1, 1000000000,
      "Bad SRS addresses a minute; past it those with less than 8 characters "
      "of hash get 451 until it is over." },
    { "srs.domain_map", CONF_LIST, "( )", NULL, 0, 0,
      "SRS domains of single alias domains: entries and tables. Bounces to a "
      "domain that only a socketmap names are not known as ours." },
    { "srs.domain_map[].from", CONF_STRING, NULL, NULL, 1, 255,
      "An alias domain." },
    { "srs.domain_map[].to", CONF_STRING, NULL, NULL, 1, 255,
      "Its SRS domain." },

    { "dkim", CONF_GROUP, NULL, NULL, 0, 0, "Signing." },
    { "dkim.key_directory", CONF_STRING, "", NULL, 0, ANY,
      "DOMAIN/SELECTOR.pem in it signs; SELECTOR.next.pem and "
      "SELECTOR.old.pem do not. \"\": nothing is signed." },
    { "dkim.sign_forwarded", CONF_BOOL, "true", NULL, 0, 0,
      "Sign what leaves with the key of the SRS domain." },
    { "dkim.subdomains", CONF_BOOL, "true", NULL, 0, 0,
      "Sign for sub-domains with the key of the nearest parent." },
    { "dkim.from_mismatch", CONF_CHOICE, "skip", "skip|sign", 0, 0,
      "Outbound mail whose From is neither of its reverse-path's domain nor "
      "below it. A reverse-path below From's domain is accepted where no "
      "other key and no local domain lies below that." },
    { "dkim.null_sender", CONF_CHOICE, "sign", "sign|skip", 0, 0,
      "Outbound mail with the null reverse-path, which names nobody." },
    { "dkim.headers", CONF_STRINGS, NULL, NULL, 0, 0,
      "Fields that are signed, in every instance." },
    { "dkim.oversign", CONF_STRINGS, NULL, NULL, 0, 0,
      "Fields named once more than they occur, so that none can be added." },
    { "dkim.expire", CONF_DURATION, "0s", NULL, 0, 1000 * DAY,
      "Validity of signatures (x=): \"7d\" or more, as mail waits in queues "
      "for days; \"0s\": no limit." },
    { "dkim.on_error", CONF_CHOICE, "defer", "defer|send", 0, 0,
      "When a key cannot sign." },

    { "limits", CONF_GROUP, NULL, NULL, 0, 0, "Bounds." },
    { "limits.sessions", CONF_COUNT, "1000", NULL, 1, 1000000,
      "Sessions at once; more are greeted and get 451." },
    { "limits.recipients", CONF_COUNT, "1000", NULL, 1, 1000000,
      "Recipients of one message. Default: Postfix' "
      "smtpd_recipient_limit." },
    { "limits.hops", CONF_COUNT, "50", NULL, 1, 10000,
      "Received fields of a message." },
    { "limits.errors", CONF_COUNT, "20", NULL, 1, 1000000,
      "Commands refused by us before a session is closed." },
    { "limits.message_size", CONF_SIZE, "0", NULL, 0, 1024 * 1024 * GIB,
      "Octets of a message; \"0\": what upstream says. Default: Postfix' "
      "message_size_limit." },
    { "limits.header_size", CONF_SIZE, "1M", NULL, 1, GIB,
      "Octets of the header section of a message." },
    { "limits.message_memory", CONF_SIZE, "256K", NULL, 1, GIB,
      "Octets of a message that are kept in memory; a larger one goes to an "
      "unlinked file." },
    { "limits.spool_total", CONF_SIZE, "1G", NULL, 1, 1024 * 1024 * GIB,
      "Octets of all such files. Up to an eighth of it more, at most 32M, is "
      "kept for the next messages and given back when none come." },

    { "state_directory", CONF_STRING, "/var/lib/onward", NULL, 1, ANY,
      "Spool files, the store of long senders, and host.secret, which keys "
      "loop marks and hashed addresses where there is no srs." },

    { "timeouts", CONF_GROUP, NULL, NULL, 0, 0, "Deadlines of clients." },
    { "timeouts.command", CONF_DURATION, "300s", NULL, MS, DAY,
      "Longest wait for a command." },
    { "timeouts.content", CONF_DURATION, "180s", NULL, MS, DAY,
      "Longest pause between two pieces of content." },
    { "timeouts.drain", CONF_DURATION, "110s", NULL, MS, DAY,
      "How long transactions may go on after SIGTERM." },

    { "log", CONF_GROUP, NULL, NULL, 0, 0, "Logging." },
    { "log.target", CONF_STRING, "auto", NULL, 1, ANY,
      "\"auto\" (journal, syslog or standard error), \"syslog\", "
      "\"journal\", \"stderr\" or \"file:/path\"." },
    { "log.level", CONF_CHOICE, "info", "error|warning|info|debug", 0, 0,
      "The least important lines that are written." },
    { "log.format", CONF_CHOICE, "text", "text|json", 0, 0,
      "Postfix' grammar, or one JSON object a line." },
    { "log.addresses", CONF_CHOICE, "full", "full|domain|hash", 0, 0,
      "How much of mail addresses is written." },

    { "http", CONF_GROUP, NULL, NULL, 0, 0, "Metrics and health." },
    { "http.listen", CONF_ADDRESS, "unix:/run/onward/http.sock", NULL, 0, ANY,
      "Address for /metrics, /healthz, /readyz and the status page, on "
      "loopback; \"\": off." },

    { "socketmap", CONF_GROUP, NULL, NULL, 0, 0,
      "Tables for Postfix: recipient, forward, reverse." },
    { "socketmap.listen", CONF_ADDRESS, "", NULL, 0, ANY,
      "Address of the socketmap server; \"\": off." },

    { "dns", CONF_GROUP, NULL, NULL, 0, 0, "DNS, for commands only." },
    { "dns.servers", CONF_STRINGS, "( )", NULL, 0, 0,
      "Servers to ask, \"host:port\" or \"host\"; empty: the system's." },
    { "dns.timeout", CONF_DURATION, "3s", NULL, MS, HOUR,
      "Longest wait for one answer." },

    { "postfix", CONF_GROUP, NULL, NULL, 0, 0, "The Postfix we belong to." },
    { "postfix.config_directory", CONF_STRING, "/etc/postfix", NULL, 0, ANY,
      "Where its main.cf is; \"\": it is asked for nothing." },
};
const size_t conf_setting_count =
    sizeof(conf_settings) / sizeof(conf_settings[0]);

const char *const conf_postfix_names[] = {
    "myhostname",         "recipient_delimiter",
    "message_size_limit", "smtpd_recipient_limit",
    "mydestination",      "virtual_mailbox_domains",
};
_Static_assert(sizeof(conf_postfix_names) / sizeof(conf_postfix_names[0]) ==
                   CONF_POSTFIX_NAMES,
               "as many as conf.h says");

const struct conf_setting *
conf_setting_find(struct slice name)
{
    for (size_t i = 0; i < conf_setting_count; i++)
        if (slice_equal(slice_from(conf_settings[i].name), name))
            return &conf_settings[i];
    return NULL;
}

struct slice
conf_setting_leaf(const struct conf_setting *setting)
{
    struct slice name = slice_from(setting->name);
    size_t dot = slice_find_last(name, '.');

    return dot == name.len ? name : slice_tail(name, dot + 1);
}

struct slice
conf_setting_group(const struct conf_setting *setting)
{
    struct slice name = slice_from(setting->name);
    size_t dot = slice_find_last(name, '.');

    return slice_head(name, dot == name.len ? 0 : dot);
}

const struct conf_setting *
conf_setting_nearest(struct slice group, struct slice name)
{
    const struct conf_setting *best = NULL;
    unsigned least = (unsigned)name.len / 3 + 2;

    for (size_t i = 0; i < conf_setting_count; i++) {
        const struct conf_setting *s = &conf_settings[i];
        struct slice leaf = conf_setting_leaf(s);
        unsigned d = slice_distance(name, leaf);
        if (!slice_equal(conf_setting_group(s), group)) {
            /* In the wrong group it has to be the very name. */
            if (d != 0)
                continue;
            d = 1;
        } else if (name.len > 2 && (slice_starts_nocase(leaf, name) ||
                                    slice_starts_nocase(name, leaf))) {
            d = 1; /* "secret" for "secret_file" */
        }
        if (d < least) {
            least = d;
            best = s;
        }
    }
    return best;
}

bool
conf_choice_parse(const struct conf_setting *setting, struct slice text,
                  unsigned *index)
{
    struct slice rest = slice_from(setting->choices);

    for (*index = 0; rest.len != 0; ++*index)
        if (slice_equal(slice_cut(&rest, '|'), text))
            return true;
    return false;
}
