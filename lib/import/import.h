/*
 * Importers: the text of an existing set-up in, an onward.conf and notes out.
 * Nothing is read or copied here; the command reads the files and the notes
 * say what is to be copied.
 */
#ifndef ONWARD_IMPORT_H
#define ONWARD_IMPORT_H

#include "base.h"

struct import_result {
    struct buf conf;  /* the configuration */
    struct buf notes; /* one a line: what was narrowed, what does not fit,
                       * which commands copy keys and secrets */
    bool failed;      /* the input could not be understood: notes say why */
};

void import_result_free(struct import_result *result);

/* ---- Haraka with haraka-alias-forward ---- */

enum import_meaning {
    IMPORT_MEANT,   /* what people meant: anchored, "." is a dot */
    IMPORT_LITERAL, /* what the plugin did: unanchored, any case */
};

struct import_dkim_key {
    struct slice domain;
    struct slice selector;
    struct slice path; /* of the private key */
};

struct import_haraka {
    struct slice aliases_name; /* for notes: name of the file */
    struct slice aliases;      /* rcpt_to.alias_forward; ptr NULL: absent */
    struct slice srs;          /* srs.ini; ptr NULL: absent */
    struct slice host_list;    /* host_list; ptr NULL: absent */
    const struct import_dkim_key *keys;
    size_t key_count;
    enum import_meaning meaning;
};

void import_haraka(const struct import_haraka *input,
                   struct import_result *result);

/* ---- PostSRSd ---- */

struct import_postsrsd {
    struct slice text;         /* defaults of 1.x, or postsrsd.conf of 2.x */
    struct slice domains_file; /* content; ptr NULL: none or not readable */
};

/* The value of domains-file, so that the command can read it; empty: none. */
void import_postsrsd_domains_file(struct slice text, struct buf *path);
void import_postsrsd(const struct import_postsrsd *input,
                     struct import_result *result);

/* ---- OpenDKIM ---- */

struct import_opendkim {
    struct slice conf;          /* opendkim.conf; ptr NULL: absent */
    struct slice key_table;     /* ptr NULL: absent */
    struct slice signing_table; /* ptr NULL: absent */
};

/* The file that a setting of opendkim.conf names, without its type prefix
 * ("refile:"); empty: not set. */
void import_opendkim_file(struct slice conf, const char *setting,
                          struct buf *path);
void import_opendkim(const struct import_opendkim *input,
                     struct import_result *result);

/* ---- shared by the importers ---- */

void import_note(struct import_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A libconfig string, quoted and escaped. */
void import_string(struct buf *out, struct slice text);
/* listeners and upstream, which every configuration needs. */
void import_frame(struct buf *out, const char *from);
/* The commands that put a key where it belongs. */
void import_key(struct import_result *result,
                const struct import_dkim_key *key);

#endif
