/*
 * The inside of a relay session; for the files of lib/relay alone.
 *
 *   session.c   the client's side: events in, requests, replies out
 *   envelope.c  MAIL and RCPT: resolve, offer upstream, settle
 *   recipients.c  recipients and their offers, found by address
 *   outbound.c  one upstream conversation: the envelope
 *   upstream.c  what upstream says
 *   content.c   DATA: spool and judge
 *   loops.c     mail that goes round
 *   ownname.c   who borrows our name
 *   prepare.c   what we prepend, and who signs
 *   sending.c   content and final dots go upstream, and the end
 *   journal.c   log lines and counters
 */
#ifndef ONWARD_RELAY_SESSION_H
#define ONWARD_RELAY_SESSION_H

#include "addresses.h"
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

/* A forward-path that the client named; a second RCPT of it adds none. In one
 * piece of memory, which ends with the RCPT if that is refused. */
struct recipient {
    struct slice address; /* of rcpt; first: see addresses.h */
    struct recipient *next;
    struct smtp_rcpt rcpt;
    struct offer *offers; /* of its targets, but those that others had named */
    struct offer *last_offer;
    enum relay_fate fate;
    bool accepted;
    bool discarded;
    bool not_null;  /* genuine SRS address, but no bounce */
    bool alias;     /* gets a loop mark */
    bool rewritten; /* what goes upstream is another address */
};

enum offer_state {
    OFFER_UNSENT,
    OFFER_SENT, /* its reply is to come */
    OFFER_ACCEPTED,
    OFFER_REFUSED,
};

/* One forward-path of an upstream envelope. */
struct offer {
    struct slice address;  /* first: see addresses.h */
    struct offer *next;    /* of the outbound, in the order of their RCPTs */
    struct offer **link;   /* what points to it there */
    struct offer *sibling; /* of the recipient */
    struct outbound *outbound;
    struct recipient *recipient; /* NULL: it is not wanted any more */
    enum offer_state state;
    bool wanted; /* false: its alias was refused, it must not get mail */
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
    bool own_name;          /* nothing of ours goes with it */
    struct slice token_key; /* the sender is still to be stored under it */
    struct offer *offers;
    struct offer **last_offer;
    /* RCPTs go out in the order of the list, and so do their replies come: one
     * in flight lies between `unanswered` and `unsent`. */
    struct offer *unsent;     /* the first of which nothing was said yet */
    struct offer *unanswered; /* the first that was sent; NULL: none is */
    size_t ignored; /* replies to come of RCPTs after a MAIL that was refused */
    size_t waiting; /* how many are unsent or sent */
    size_t good;    /* accepted and wanted */
    size_t stale;   /* accepted and not wanted: the envelope must be rebuilt */
    struct smtp_reply failure; /* of MAIL, DATA, or ours */
    struct buf failure_text;   /* when it was upstream's */
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
    PHASE_STORING, /* long senders, before content goes upstream */
    PHASE_SENDING, /* content and dots go upstream */
    PHASE_ENDED,
};

/* What upstream says to the RCPTs of one recipient: the worst of it. */
struct verdict {
    struct smtp_reply reply; /* code 0: nothing yet */
    struct buf text;
    enum outcome outcome;
    unsigned outbound; /* whose it is */
};

struct transaction {
    struct smtp_mail mail;
    enum expand_sender sender;
    struct recipient *recipients; /* those that were accepted */
    struct recipient **last_recipient;
    struct addresses recipient_set; /* the current one is in it, too */
    struct addresses offer_set;
    struct slice first; /* the forward-path of the first RCPT */
    size_t attempts;    /* RCPT commands */
    size_t accepted;
    size_t offers; /* wanted addresses upstream */
    struct recipient *current;
    struct expand expand;
    struct verdict verdict;
    struct smtp_reply worst; /* of the refused recipients, without its text */
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
    struct arena scratch;   /* of one RCPT: begun anew with each command */
    struct transaction *tx; /* NULL between transactions */
    struct outbound *outbounds[OUTBOUNDS_MAX];
    unsigned outbound_count;
    size_t effort;         /* addresses that this event's RCPTs have come to */
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
/* recipients.c */
/* One that was accepted, or is under way; NULL: there is none. */
struct recipient *recipient_find(const struct transaction *tx,
                                 const struct smtp_path *path);
/* The current recipient from now on, with copies of its own. NULL: no memory.
 */
struct recipient *recipient_begin(struct transaction *tx,
                                  const struct smtp_rcpt *rcpt);
/* It was accepted, or refused: then what was offered for it gets no mail. */
void recipient_keep(struct transaction *tx);
void recipient_drop(struct transaction *tx);
void recipients_free(struct transaction *tx);

/* An address upstream has or gets, wanted or not; NULL: there is none. */
struct offer *offer_find(const struct transaction *tx,
                         const struct smtp_path *path);
/* An offer for the current recipient. NULL: no memory. */
struct offer *offer_make(struct transaction *tx, struct outbound *o,
                         const struct smtp_path *path);
void offer_free(struct transaction *tx, struct offer *f);
/* The only place where its state changes, and the counts with it. */
void offer_enter(struct offer *f, enum offer_state state);
/* All that are still waiting are refused; replies that are to come to their
 * RCPTs mean nothing. */
void offers_refuse(struct outbound *o);
/* All wanted ones become another outbound's, which must be rebuilt then; those
 * that are not wanted are gone. Nothing is under way. */
void offers_move(struct transaction *tx, struct outbound *to,
                 struct outbound *from);
/* The connection is gone, and with it what it had been told. */
void offers_forget(struct transaction *tx, struct outbound *o);

/* Upstream said this to RCPTs of the current recipient. False: no memory. */
bool verdict_note(struct transaction *tx, const struct outbound *o,
                  const struct smtp_reply *reply, enum outcome outcome);
/* The same of a reply whose text is ours. */
void verdict_set(struct transaction *tx, const struct outbound *o,
                 struct smtp_reply reply, enum outcome outcome);

/* outbound.c */
struct outbound *outbound_find(struct relay_session *s,
                               const struct relay_target *target);
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
void outbound_disconnect(struct relay_session *s, struct outbound *o);
/* A failure in upstream's words. False: no memory. */
bool outbound_keep_failure(struct outbound *o, const struct smtp_reply *reply);
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
void content_on_stored(struct relay_session *s, enum table_status status);

/* prepare.c: what we prepend, and who signs */
bool content_prepare(struct relay_session *s, size_t *signatures);
void content_note_signatures(struct relay_session *s);
void content_take_fields(struct relay_session *s);
void content_free_job(struct relay_session *s);

/* loops.c: mail that goes round */
enum outcome loops_judge(struct relay_session *s);
/* X-Original-To and the marks; false: no mark, so it must not leave. */
bool loops_mark(struct relay_session *s);

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
