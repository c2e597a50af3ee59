/*
 * The configuration: one table of all settings (schema.c) feeds the parser,
 * `check`, `config show`, onward.conf(5) and the completions; the result is an
 * immutable snapshot with a reference count, which a session keeps from its
 * first octet to its last (invariant I8).
 */
#ifndef ONWARD_CONF_H
#define ONWARD_CONF_H

#include "base.h"
#include "dkim.h"
#include "smtp.h"
#include "srs.h"
#include "table.h"

enum conf_role {
    CONF_INBOUND,
    CONF_OUTBOUND
};

struct conf_network {          /* of allow_from */
    unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;             /* of 128 */
};

struct conf_address {
    enum {
        CONF_TCP,
        CONF_UNIX
    } kind;
    struct slice text; /* as written, "localhost" made 127.0.0.1 */
    struct slice host; /* numeric; without brackets */
    unsigned port;
    struct slice path; /* unix */
};

struct conf_listener {
    struct slice name;
    struct conf_address address;
    enum conf_role role;
    struct conf_network *allow_from;
    size_t allow_from_count;
    bool reuse_port;
    struct slice group; /* unix sockets */
    unsigned mode;      /* unix sockets; 0: 0660 */
};

enum conf_long_sender {
    CONF_LONG_SEND,
    CONF_LONG_STORE,
    CONF_LONG_REJECT,
};
enum conf_log_target {
    CONF_LOG_AUTO,
    CONF_LOG_SYSLOG,
    CONF_LOG_JOURNAL,
    CONF_LOG_STDERR,
    CONF_LOG_FILE,
};
enum conf_log_addresses {
    CONF_ADDRESSES_FULL,
    CONF_ADDRESSES_DOMAIN,
    CONF_ADDRESSES_HASH,
};

struct conf {
    /* Sessions end on the loop while a reload reads `before` on another
     * thread, and takes references of it. */
    _Atomic unsigned refs;
    struct arena arena;     /* of what belongs to this snapshot alone */
    struct conf_core *core; /* what a refresh of tables shares with it */
    struct slice path;      /* of the file */
    int64_t loaded;

    struct slice hostname;
    struct conf_listener *listeners;
    size_t listener_count;

    struct {
        struct conf_address address;
        unsigned connect_timeout; /* milliseconds, as all deadlines here */
        unsigned reply_timeout;
        unsigned idle_timeout; /* 0: no reuse */
    } upstream;

    struct {
        struct domain_list local_domains;
        struct alias_list aliases;
        unsigned max_targets;
        struct domain_list alias_domains; /* what cannot be listed, by name */
        /* All domains that can be listed. See conf_is_alias_domain. */
        struct slice *every_domain;
        size_t every_domain_count;
        bool original_to; /* X-Original-To on what an alias forwards */
    } forward;

    struct {
        bool enabled; /* the group `srs` is there */
        struct slice domain;
        struct slice secret_file;
        struct srs_conf *srs;
        bool accept_any; /* accept_from = "any" */
        enum conf_long_sender long_sender;
        unsigned max_failures; /* a minute */
        unsigned max_age_days;
        struct domain_list domain_map;
        /* The SRS domains that are written here: domain and the `to` of
         * domain_map. */
        struct slice *domains;
        size_t domain_count;
        /* Those and what tables of domain_map name, sorted: see
         * conf_is_srs_domain. */
        struct slice *every;
        size_t every_count;
        bool submitted; /* outbound listeners: foreign senders are rewritten */
    } srs;

    struct {
        struct dkim_keyset *keys; /* NULL: no key_directory */
        struct slice key_directory;
        bool sign_forwarded;
        bool subdomains;
        bool sign_mismatch; /* from_mismatch = "sign" */
        bool skip_null;     /* null_sender = "skip" */
        bool send_on_error; /* on_error = "send" */
        struct dkim_names headers;
        struct dkim_names oversign;
        int64_t expire_seconds;
    } dkim;

    /* See conf_in_family. */
    struct {
        const struct smtp_suffixes *suffixes;
        struct slice *names; /* registrable domains, sorted */
        size_t count;
    } family;

    struct {
        unsigned sessions;
        unsigned recipients;
        unsigned hops;
        unsigned errors;
        uint64_t message_size; /* 0: upstream's SIZE */
        uint64_t header_size;
        uint64_t message_memory;
        uint64_t spool_total;
    } limits;

    struct {
        unsigned command; /* milliseconds */
        unsigned content;
        unsigned drain;
    } timeouts;

    struct slice state_directory;

    struct {
        enum conf_log_target target;
        struct slice file;
        enum log_level level;
        enum log_format format;
        enum conf_log_addresses addresses;
    } log;

    struct {
        bool enabled;
        struct conf_address listen;
    } http;
    struct {
        bool enabled;
        struct conf_address listen;
    } socketmap;

    struct {
        struct conf_address *servers;
        size_t server_count;
        unsigned timeout;
    } dns;

    struct slice postfix_directory; /* empty: off */

    struct conf_value *values; /* for config show: every setting in force */
    size_t value_count;
};

struct conf_value {
    struct slice name;   /* "limits.message_size" */
    struct slice value;  /* as written, or the default's text */
    struct slice source; /* "FILE:LINE", "postconf" or "default" */
};

/*
 * What Postfix knows, from one `postconf -h -x` call. lib/ runs no program:
 * the process calls it and gives the text here (one value a line, in the
 * order of conf_postfix_names). ptr NULL: Postfix was not asked or did not
 * answer.
 */
extern const char *const conf_postfix_names[];
enum {
    CONF_POSTFIX_NAMES = 6
};

struct conf_inputs {
    const char *path;     /* of the configuration file */
    struct slice postfix; /* output of postconf */
    struct slice fqdn;    /* default of hostname without postconf */
    int64_t now;
    /* In force; what did not change is taken from it. It is only read; the
     * caller holds a reference while it is loading. */
    struct conf *before;
    unsigned threads; /* for the keys; 0: one per processor */
};

/*
 * The text of one setting, without loading what it and others name: for who
 * only has to know whom to ask ("postfix.config_directory", "http.listen").
 * The default where it is not written. False: the file cannot be read or
 * parsed, and value holds the default.
 */
bool conf_peek(const char *path, const char *name, struct buf *value);

/*
 * Load and check everything: syntax, ranges, files, tables, keys, cycles. No
 * network, no sockets, no state outside of its arguments: a reload may run on
 * any thread. NULL if there is any error; errors has one line each
 * ("FILE:LINE: setting: sentence"; a line that begins with a blank belongs to
 * the one before and shows the place of a syntax error). warnings likewise,
 * without effect.
 */
struct conf *conf_load(const struct conf_inputs *inputs, struct buf *errors,
                       struct buf *warnings);

/*
 * Was the file of any table replaced? A stat call for each. And the same
 * configuration with tables opened anew where table_is_stale says so, which may
 * take a while; NULL when nothing changed or the new file is damaged (then
 * errors says so and the old table stays; it says so again with every call
 * until the file is replaced).
 */
bool conf_tables_are_stale(struct conf *conf);
struct conf *conf_refresh_tables(struct conf *conf, int64_t now,
                                 struct buf *errors);

/* Is it one of our SRS domains? A socketmap of domain_map is not asked. */
bool conf_is_srs_domain(const struct conf *conf, struct slice domain);

/* Is there an alias, a rule or an SRS address of ours in the domain (A-labels,
 * any case), as far as that can be listed? Tables of forward.alias_domains that
 * cannot be listed have to be asked as well (domain_find). */
bool conf_is_alias_domain(const struct conf *conf, struct slice domain);

/*
 * Does a domain (lower-case A-labels) share its registrable domain with one of
 * ours: a literal name of local_domains, an SRS domain, or one that has a key
 * in any state? Tables of local_domains are not asked.
 */
bool conf_in_family(const struct conf *conf, struct slice domain);

/* The registrable domain of a name, or the name where it has none; within the
 * name. Two names with one owner are aligned for DMARC. */
struct slice conf_owner(const struct conf *conf, struct slice domain);

struct conf *conf_ref(struct conf *conf);
void conf_unref(struct conf *conf);

/* "10m" to milliseconds, "50M" to octets. False: not of that form. */
bool conf_parse_duration(struct slice text, uint64_t *milliseconds);
bool conf_parse_size(struct slice text, uint64_t *octets);
bool conf_parse_address(struct slice text, struct arena *arena,
                        struct conf_address *address, const char **why);

/* ---- the table of settings --------------------------------------------- */

enum conf_type {
    CONF_BOOL,
    CONF_COUNT,
    CONF_DURATION,
    CONF_SIZE,
    CONF_STRING,
    CONF_CHOICE,
    CONF_ADDRESS,
    CONF_STRINGS,
    CONF_GROUP,
    CONF_LIST,
};

struct conf_setting {
    const char *name; /* "limits.sessions"; "listeners[].name" in lists */
    enum conf_type type;
    const char *fallback; /* default as text; NULL: none */
    const char *choices;  /* "send|store|reject" */
    /* Of counts, of durations in ms, of sizes in octets; of strings and
     * addresses the length (least 0: may be empty). */
    uint64_t least, most;
    const char *text; /* for onward.conf(5) and config defaults */
};
extern const struct conf_setting conf_settings[];
extern const size_t conf_setting_count;

/* "10m", "3G": as short as it is exact. */
void conf_print_duration(struct buf *out, uint64_t milliseconds);
void conf_print_size(struct buf *out, uint64_t octets);

/* The default as it would be written ("\"21d\"", "1000", "( )"). */
void conf_print_default(struct buf *out, const struct conf_setting *setting);

#endif
