/*
 * Tables and alias rules: virtual(5) as Postfix reads it, and more.
 *
 * A table is texthash (in memory), cdb or lmdb (files that postmap makes) or
 * socketmap (asynchronous; lib only speaks its protocol). Tables are shared
 * by configurations and counted by reference, on the loop thread only.
 */
#ifndef ONWARD_TABLE_H
#define ONWARD_TABLE_H

#include "base.h"
#include "smtp.h"

enum {
    TABLE_VALUE_MAX = 100000,  /* octets of a value, as Postfix' socketmap has
                                * it; a longer one is an error */
    TABLE_TEXT_MAX = 256 << 20 /* octets of a texthash file */
};

/* ---- one table --------------------------------------------------------- */

enum table_kind {
    TABLE_TEXTHASH,
    TABLE_CDB,
    TABLE_LMDB,
    TABLE_SOCKETMAP
};

enum table_status {
    TABLE_FOUND,
    TABLE_MISS,
    TABLE_ASK,   /* a socketmap: the answer has to be fetched */
    TABLE_BUSY,  /* lmdb: postmap holds its lock; ask again in a few ms */
    TABLE_ERROR, /* 451, never "not found" */
};

struct table_stat {
    uint64_t device, inode;
    int64_t size, mtime_ns;
};

struct table {
    unsigned refs;
    enum table_kind kind;
    struct slice spec;      /* "cdb:/var/lib/onward/aliases", as configured */
    struct slice path;      /* of the file; socketmap: "inet:host:port" or
                             * "unix:/path" */
    struct slice name;      /* socketmap: name of the map */
    struct table_stat stat; /* of the file when it was read */
    int64_t loaded;         /* seconds: when we opened it */
    uint64_t entries;       /* texthash; cdb: read from the file; else 0 */
    void *impl;
};

/* "TYPE:..." at all? (Else an alias or domain entry is a literal.) */
bool table_spec_is(struct slice spec);

/*
 * Open. `before`: the table of that spec in the configuration in force, or
 * NULL; where its file did not change it is returned again (with one more
 * reference). NULL: `errors` has a line "FILE[:LINE]: sentence" for each
 * error. texthash text is checked as an alias table when aliases is set
 * (values are targets, reject: or discard:), else keys with any value.
 */
enum table_use {
    TABLE_ALIASES,
    TABLE_DOMAINS,
    TABLE_PAIRS
};
struct table *table_open(struct slice spec, enum table_use use,
                         struct table *before, int64_t now, struct buf *errors);

/* A texthash of text that is in memory; errors name it `name`. */
struct table *table_from_text(struct slice text, struct slice name,
                              enum table_use use, struct buf *errors);

struct table *table_ref(struct table *table);
void table_unref(struct table *table);

/* Has the file been replaced since? (cdb and lmdb; one stat call.) */
bool table_is_stale(const struct table *table);

/* How many entries there are now; of a socketmap 0. */
uint64_t table_count(const struct table *table);

/* One exact key (already lower-cased). FOUND: value replaced; *line is the
 * line in a texthash, else 0. */
enum table_status table_get(const struct table *table, struct slice key,
                            struct buf *value, unsigned *line);

/* Each entry; stops when visit returns false. TABLE_ERROR: damaged. Not for
 * socketmaps. */
enum table_status table_each(const struct table *table,
                             bool (*visit)(void *ctx, struct slice key,
                                           struct slice value, unsigned line),
                             void *ctx);

/*
 * Who counts the look-ups of a list in tables of this host, and how long they
 * took. (A socketmap's are not seen here: whoever fetches the answer counts.)
 */
struct table_meter {
    uint64_t (*clock)(void); /* nanoseconds */
    void (*looked_up)(void *ctx, const struct table *table,
                      enum table_status status, uint64_t nanoseconds);
    void *ctx;
};

/* ---- alias entries ----------------------------------------------------- */

enum alias_action {
    ALIAS_FORWARD,
    ALIAS_REJECT,
    ALIAS_DEFER,
    ALIAS_DISCARD,
};

/* A target of a rule: its local part may hold $1..$9, its domain is literal. */
struct alias_target {
    struct slice local;
    struct slice domain;
};

struct alias_rule; /* a compiled glob, exact address or regex */

/*
 * A glob is compared with the unquoted local part without regard to case; of
 * several `*` the first takes the most, and $n is what the sender wrote, in
 * its case. A regex sees the unquoted address in lower case, its domain as
 * A-labels.
 */
struct alias_rule_spec {
    struct slice match; /* glob over the whole address, or ptr NULL */
    struct slice regex; /* PCRE2, or ptr NULL */
    enum alias_action action;
    struct slice reply; /* "550 5.1.6 text", or empty: the default */
    const struct slice *to;
    size_t to_count;
};

/* Compile; everything is copied. NULL: *why (static or in errors' style) is a
 * sentence about the field named in *field ("match", "regex", "to",
 * "reply"). */
struct alias_rule *alias_rule_new(const struct alias_rule_spec *spec,
                                  struct arena *arena, const char **field,
                                  struct buf *why);
/* The domain of the addresses that it matches, in lower case; false: it is a
 * regex that does not end in a literal domain. */
bool alias_rule_domain(const struct alias_rule *rule, struct arena *arena,
                       struct slice *domain);
void alias_rule_free(struct alias_rule *rule); /* the compiled regex */

/* The list of `forward.aliases`: rules and tables in order. */
struct alias_entry {
    struct alias_rule *rule; /* or */
    struct table *table;
    struct slice origin; /* "FILE:LINE" of the entry in the configuration */
};
struct alias_list {
    struct alias_entry *entries;
    size_t count;
    struct slice delimiters;         /* recipient_delimiter, for tables */
    const struct table_meter *meter; /* or NULL */
};

/* Where a search stands that had to stop for an answer. Zero is the start. */
struct alias_cursor {
    unsigned entry;
    unsigned key; /* of a table: user+ext@domain, user@domain, @domain */
};

struct table_answer {         /* what a socketmap said */
    enum table_status status; /* FOUND, MISS or ERROR */
    struct slice value;
};

struct alias_hit {
    enum alias_action action;
    struct slice reply;        /* empty: the default */
    struct smtp_path *targets; /* in the arena */
    size_t target_count;
    struct slice rule;   /* text of the rule or key that matched */
    struct slice origin; /* "FILE:LINE" */
};

enum alias_status {
    ALIAS_HIT,
    ALIAS_NONE,
    ALIAS_ASK,         /* *query: give the answer with the next call */
    ALIAS_BUSY,        /* call again in a few ms */
    ALIAS_ERROR,       /* table trouble, match limit, memory: 451 */
    ALIAS_BAD_CAPTURE, /* $1 holds % ! @ or a control character, or the
                        * target is no address: 550 5.1.3 */
};

struct table_query {
    const struct table *table;
    struct slice key;
};

/*
 * Keys of a table are those of virtual(5): user+ext@domain, user@domain,
 * @domain; local parts quoted where needed, all in lower case, domains as
 * A-labels and, if they were written otherwise, as they were written. An
 * extension that the key did not hold goes on to the targets, but not from
 * @domain. "@other" is the same local part at another domain.
 */

/*
 * The first entry that answers for an address. The cursor starts at zero and
 * is kept between calls for the same address. answer: NULL, or the answer to
 * the last query. Everything in the hit lives in the arena or the list.
 */
enum alias_status alias_find(const struct alias_list *list,
                             const struct smtp_path *address,
                             struct alias_cursor *cursor,
                             const struct table_answer *answer,
                             struct arena *arena, struct alias_hit *hit,
                             struct table_query *query);

/*
 * Cycles that can be seen without a lookup outside: among rules and texthash
 * tables. An address whose expansion holds itself directly keeps a local copy
 * and is no cycle. Appends "ORIGIN: a -> b -> a" lines; true if there is none.
 * Also finds expansions with more than max_targets or deeper than 10.
 */
bool alias_list_check(const struct alias_list *list, unsigned max_targets,
                      struct buf *errors);

/* ---- domains ----------------------------------------------------------- */

/* An ordered list of literal names and tables: forward.local_domains (to is
 * empty) and srs.domain_map (to is the SRS domain). */
struct domain_entry {
    struct slice name; /* lower-case A-labels; or */
    struct table *table;
    struct slice to;
};
struct domain_list {
    struct domain_entry *entries;
    size_t count;
    const struct table_meter *meter; /* or NULL */
};

/* Is (what is) the domain in the list? value: the table's value or `to`.
 * Cursor, answer and query as in alias_find; only cursor.entry is used. */
enum table_status domain_find(const struct domain_list *list,
                              struct slice domain, struct alias_cursor *cursor,
                              const struct table_answer *answer,
                              struct arena *arena, struct slice *value,
                              struct table_query *query);

/* ---- virtual(5) text --------------------------------------------------- */

/*
 * Walk virtual(5) text: comments, continuation lines, key, value. visit gets
 * each logical line; key lower-cased. Errors of syntax go to errors as
 * "name:LINE: sentence".
 */
bool table_text_each(struct slice text, struct slice name,
                     bool (*visit)(void *ctx, struct slice key,
                                   struct slice value, unsigned line),
                     void *ctx, struct buf *errors);

/* Is this key and value a proper alias entry? NULL: yes; else the end of a
 * sentence about the part that is wrong: "is not an address". */
const char *table_alias_problem(struct slice key, struct slice value);

/* ---- cdb writer -------------------------------------------------------- */

struct cdb_writer;
struct cdb_writer *cdb_writer_new(int fd);
bool cdb_writer_add(struct cdb_writer *writer, struct slice key,
                    struct slice value);
bool cdb_writer_finish(struct cdb_writer *writer); /* not closed, no fsync */
void cdb_writer_free(struct cdb_writer *writer);

/* ---- lmdb writer -------------------------------------------------------- */

/*
 * All entries of a texthash into a new LMDB file at path, as postmap makes them
 * (a NUL behind keys and values); no fsync. The file may exist if it is empty.
 * False: *why is the reason.
 */
bool lmdb_write(const char *path, const struct table *from, const char **why);

/* ---- socketmap protocol ------------------------------------------------ */

enum {
    SOCKETMAP_REPLY_MAX = TABLE_VALUE_MAX
};

/* The netstring of one request: "NAME KEY". */
void socketmap_request(struct slice name, struct slice key, struct buf *out);

/* Take one netstring off the front of *in: MORE leaves it. */
enum netstring_status {
    NETSTRING_MORE,
    NETSTRING_DONE,
    NETSTRING_BAD
};
enum netstring_status netstring_take(struct slice *in, size_t max,
                                     struct slice *payload);
void netstring_print(struct slice payload, struct buf *out);

/* "OK data", "NOTFOUND ", "TEMP x", ... as an answer; value points into it. */
struct table_answer socketmap_answer(struct slice payload);

#endif
