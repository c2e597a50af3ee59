/*
 * The inside of a relay session; for the files of lib/relay alone.
 *
 *   session.c   the client's side: events in, requests, replies out
 *   envelope.c  MAIL and RCPT: resolve, offer upstream, settle
 *   outbound.c  one upstream conversation: the envelope
 *   upstream.c  what upstream says
 *   content.c   DATA: spool and judge
 *   ownname.c   who borrows our name
 *   prepare.c   what we prepend, and who signs
 *   sending.c   content and final dots go upstream, and the end
 *   journal.c   log lines and counters
 */
#ifndef ONWARD_RELAY_SESSION_H
#define ONWARD_RELAY_SESSION_H

#include "expand.h"
#include "kin.h"
#include "outcome.h"
#include "relay.h"

enum {
    OUTBOUNDS_MAX = 16, /* distinct reverse-paths in one message */
    SESSION_ID = 6,
    PEER_MAX = 64, /* an address in text */
};

/* ---- recipients ---- */

struct recipient { /* one RCPT of the client */
    struct recipient *next;
    struct smtp_rcpt rcpt;
    bool accepted;
    bool discarded;
    bool not_null;  /* genuine SRS address, but no bounce */
    bool alias;     /* gets a loop mark */
    bool rewritten; /* what goes upstream is another address */
};

enum offer_state {
    OFFER_WAITING, /* for its reply, or to be sent */
    OFFER_ACCEPTED,
    OFFER_REFUSED,
};

/* One forward-path of an upstream envelope. */
struct offer {
    struct offer *next;
    struct smtp_path path;
    struct recipient *recipient;
    enum offer_state state;
    bool in_flight; /* its RCPT was sent, the reply is to come */
    bool wanted;    /* false: its alias was refused, it must not get mail */
    struct smtp_reply reply;
};

/* ---- outbounds ---- */

enum outbound_state {
    OUTBOUND_CLOSED, /* no connection */
    OUTBOUND_DIALLING,
    OUTBOUND_GREETING, /* connected, the handshake is under way */
    OUTBOUND_OPEN,     /* commands may be sent */
    OUTBOUND_DATA,     /* DATA was sent, 354 is to come */
    OUTBOUND_CONTENT,  /* content is being written */
    OUTBOUND_SENT,     /* all of it but the final dot */
    OUTBOUND_DOT,      /* the dot was written, the reply is to come */
    OUTBOUND_FINAL,    /* the reply is here */
};

/* MAIL_DUE: XFORWARD has been printed for this envelope, MAIL is next. */
enum outbound_mail {
    MAIL_UNSENT,
    MAIL_DUE,
    MAIL_SENT,
    MAIL_ACCEPTED
};

struct outbound {
    unsigned index;
    enum outbound_state state;
    enum outbound_mail mail;
    struct smtp_client client;
    struct buf xforward; /* XFORWARD commands that are still to be sent */
    bool reused;         /* an idle connection: if it is stale, dial again */
    bool redialled;
    bool rebuild;   /* the envelope upstream is not the one we want */
    bool replaying; /* it is being built a second time, before DATA */
    /* The group (lib/README, section 4). */
    struct slice reverse_path;
    bool leaves;
    bool came_home;
    struct slice srs_domain;
    bool own_name; /* nothing of ours goes with it */
    struct offer *offers;
    struct offer **last_offer;
    struct smtp_reply failure; /* of MAIL, DATA, or ours */
    enum outcome failure_outcome;
    /* Content. */
    struct buf fields; /* what we prepend */
    struct dot_encoder encoder;
    uint64_t sent; /* octets of the spool */
    bool writable; /* no window is under way */
    struct smtp_reply final;
};

/* ---- the session ---- */

enum phase {
    PHASE_COMMANDS,     /* the client's turn */
    PHASE_RESOLVING,    /* RCPT: a lookup is under way */
    PHASE_OFFERING,     /* RCPT: upstream is being asked */
    PHASE_REBUILDING,   /* DATA: envelopes are built again */
    PHASE_CONTENT,      /* the client sends content */
    PHASE_JUDGING,      /* of content: a lookup is under way */
    PHASE_READDRESSING, /* envelopes are built with other reverse-paths */
    PHASE_SIGNING,
    PHASE_SENDING, /* content and dots go upstream */
    PHASE_ENDED,
};

struct transaction {
    struct smtp_mail mail;
    enum expand_sender sender;
    struct recipient *recipients;
    struct recipient **last_recipient;
    size_t attempts; /* RCPT commands */
    size_t accepted;
    size_t offers; /* wanted addresses upstream */
    struct recipient *current;
    struct expand expand;
    struct smtp_reply worst; /* of the refused recipients */
    enum outcome worst_outcome;
    bool told; /* DATA was refused: that is counted and in the log, and how the
                * client goes then is not */
    uint64_t started, content_started, content_ended, signed_at; /* ms */
    /* Content. */
    struct mail_spool spool;
    struct buf scratch;   /* decoded octets on their way to the spool */
    uint64_t received;    /* octets, kept or not */
    enum outcome trouble; /* sticky; OUTCOME_NONE: none */
    bool blank_line;      /* the header is complete */
    size_t line_length;   /* of the line at the end, while in the header */
    uint64_t header_length;
    struct buf header_text; /* when the spool does not hold it in memory */
    struct mail_header header;
    struct slice header_octets;
    struct kin kin;
    bool own_postfix; /* this host's Postfix made the message */
    struct relay_sign_job job;
    struct buf dkim; /* for the log: "d/s,d/s" or "none(why)" */
    const char *unsigned_because;
    unsigned dots;    /* outbounds that were accepted */
    bool dot_written; /* upstream may have the message */
};

struct relay_session {
    struct conf *conf;
    const struct conf_listener *listener;
    struct relay_shared *shared;
    struct relay_counters *counters;
    const struct relay_ops *ops;
    void *ctx;
    enum relay_welcome welcome;
    enum phase phase;
    char id[SESSION_ID];
    bool client_lost;
    bool draining;
    bool sign_pending, lookup_pending, store_pending;
    uint64_t reply_due; /* ms: when the reply we owe must be out; 0: none */
    uint64_t heard;     /* ms: when the client last said something */
    uint64_t drain_due; /* ms: no new transaction from then on; 0: never */
    bool retry_lookup;  /* a locked table: the deadline is for asking again */
    char peer_text[PEER_MAX];
    struct slice peer; /* points into it */
    struct buf out;    /* for the client, flushed once per event */
    struct smtp_server server;
    struct arena arena;     /* of the transaction */
    struct transaction *tx; /* NULL between transactions */
    struct outbound *outbounds[OUTBOUNDS_MAX];
    unsigned outbound_count;
    struct relay_time now; /* of the event being handled */
};

/* session.c */
void session_reply(struct relay_session *s, struct smtp_reply reply,
                   enum smtp_reply_origin origin);
void session_flush(struct relay_session *s);
void session_owe(struct relay_session *s); /* a reply, within reply_timeout */
void session_set_deadline(struct relay_session *s);
void session_end_transaction(struct relay_session *s);
void session_finish(struct relay_session *s);

/* envelope.c */
void envelope_on_mail(struct relay_session *s, const struct smtp_mail *mail);
void envelope_on_rcpt(struct relay_session *s, const struct smtp_rcpt *rcpt);
void envelope_on_answer(struct relay_session *s,
                        const struct table_answer *answer);
void envelope_on_data(struct relay_session *s);
void envelope_abandon(struct relay_session *s, enum outcome outcome);
/* Something changed upstream: is the current recipient settled, are the
 * envelopes rebuilt? */
void envelope_progress(struct relay_session *s);

/* The outbounds whose reverse-path was changed when the content was here: build
 * their envelopes again, then content_go_on. */
void envelope_readdress(struct relay_session *s);

/* ownname.c: then content_go_on, or another end of the transaction */
void ownname_start(struct relay_session *s);
void ownname_on_answer(struct relay_session *s,
                       const struct table_answer *answer);
void ownname_judge(struct relay_session *s);

/* outbound.c */
struct outbound *outbound_find(struct relay_session *s,
                               const struct relay_target *target);
struct offer *outbound_offer(struct relay_session *s, struct outbound *o,
                             const struct smtp_path *path,
                             struct recipient *recipient);
/* Send what can be sent now: dial, XFORWARD, MAIL, RCPTs. */
void outbound_push(struct relay_session *s, struct outbound *o);
bool outbound_is_settled(const struct outbound *o);
bool outbound_has_wanted(const struct outbound *o);
bool outbound_needs_rebuild(const struct outbound *o);
void outbound_rebuild(struct relay_session *s, struct outbound *o);
void outbound_data(struct relay_session *s, struct outbound *o);
void outbound_write(struct relay_session *s, struct outbound *o,
                    struct slice octets);
/* After the connection is gone, by whatever way. */
void outbound_disconnect(struct outbound *o);
void outbound_drop(struct relay_session *s, struct outbound *o);
/* Give the connection back, if it is fit for that; else QUIT or drop. */
void outbound_release(struct relay_session *s, struct outbound *o);
void outbound_fail(struct relay_session *s, struct outbound *o,
                   enum outcome outcome);
void outbound_free(struct outbound *o);

/* content.c */
void content_begin(struct relay_session *s);
void content_fail(struct relay_session *s, enum outcome outcome);
/* What loop marks and hashed addresses are keyed from. */
struct slice content_secret(const struct relay_session *s);
void content_take(struct relay_session *s); /* tx->scratch to the spool */
void content_end(struct relay_session *s);
void content_go_on(struct relay_session *s); /* judged: prepare, sign, send */
void content_on_signed(struct relay_session *s);

/* prepare.c: what we prepend, and who signs */
bool content_prepare(struct relay_session *s, size_t *signatures);
void content_note_signatures(struct relay_session *s);
void content_take_fields(struct relay_session *s);
void content_free_job(struct relay_session *s);

/* sending.c: content and dots go upstream, and how it ends */
void content_start_sending(struct relay_session *s);
void content_progress(struct relay_session *s); /* upstream replied, drained */
void content_conclude(struct relay_session *s, struct smtp_reply reply,
                      enum outcome outcome, enum relay_result result);
void content_abandon(struct relay_session *s, enum outcome outcome);

/* signers.c: whose keys sign? See relay_choose_keys. */

/* journal.c */
void journal_recipient(struct relay_session *s, const struct recipient *r,
                       struct smtp_reply reply, enum outcome outcome);
void journal_transaction(struct relay_session *s, enum relay_result result,
                         enum outcome outcome, struct smtp_reply reply);
void journal_srs(struct relay_session *s, const struct expand *e);

#endif
