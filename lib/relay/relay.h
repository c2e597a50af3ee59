/*
 * The relay session: one client connection, its transactions, and the
 * upstream connections they need. A state machine without I/O: events come in
 * through the relay_on_ functions, effects go out through struct relay_ops.
 *
 * Invariants (README has their full text):
 *  I1  2xx at end of data is written only by relaying upstream's 2xx after
 *      our final dot. One code path.
 *  I2  A recipient that got 250 is in the upstream transaction that carries
 *      the content, whole.
 *  I3  Content is only prepended to.
 *  I5  What leaves us cannot be misread.
 *
 * No operation may call back into the session: the process delivers what
 * follows (bytes, "open", "signed") later, from its loop. Tests put a
 * recorder there.
 */
#ifndef ONWARD_RELAY_H
#define ONWARD_RELAY_H

#include "conf.h"
#include "mail.h"
#include "smtp.h"

struct relay_session;

/* ---- effects ---- */

enum relay_dial {
    RELAY_DIAL_ANY,   /* an idle connection may be reused */
    RELAY_DIAL_FRESH, /* one was stale: open a new one */
};

/*
 * What a worker thread does with a complete message: hash the body once and
 * make the fields of each outbound. It reads the session's spool and the
 * configuration, writes the results here, and touches nothing else.
 */
struct relay_sign_part {
    unsigned outbound;
    struct buf prepended; /* in: X-Onward-Loop, Date, Message-ID */
    const struct dkim_key *keys[DKIM_SIGNATURES_MAX];
    size_t key_count;
    struct buf signatures; /* out */
};
struct relay_sign_job {
    const struct mail_spool *spool;
    const struct mail_header *header;
    const struct conf *conf;
    int64_t now;
    struct relay_sign_part *parts;
    size_t part_count;
    bool ok;         /* out */
    bool read_error; /* out: the spool could not be read back */
};

/* Run a job to its end, on any thread. */
void relay_sign(struct relay_sign_job *job);

/* The store of long senders (srs.long_sender = "store"). */
enum relay_store {
    RELAY_STORE_FIND, /* the sender under key */
    RELAY_STORE_ROOM, /* FOUND: there is room for it; writes nothing, since a
                       * RCPT alone shall not fill the store */
    RELAY_STORE_PUT,  /* sender under key; MISS: no room */
};
struct relay_store_query {
    enum relay_store what;
    struct slice key;
    struct slice sender;
};

struct relay_ops {
    /* Octets for the client; the process queues them. */
    void (*to_client)(void *ctx, struct slice octets);

    /* Connect upstream: relay_on_upstream_open or _lost follows. */
    void (*dial)(void *ctx, unsigned outbound, enum relay_dial how);
    /* relay_on_writable follows when little of it is left unsent. */
    void (*to_upstream)(void *ctx, unsigned outbound, struct slice octets);
    /* The same with octets of a file, straight from there: how many upstream's
     * socket takes now. 0: none this way, and nothing follows. */
    size_t (*file_to_upstream)(void *ctx, unsigned outbound, int fd,
                               uint64_t offset, size_t length);
    /* Close at once, without QUIT; no event follows. */
    void (*drop)(void *ctx, unsigned outbound);
    /* Done with it; no event follows. ehlo: what it offers, and it may be kept
     * for other sessions for idle_timeout. NULL: an envelope is open on it, so
     * say QUIT and close. The same outbound may be dialled again at once. */
    void (*release)(void *ctx, unsigned outbound, const struct smtp_ehlo *ehlo);

    /* relay_on_looked_up follows. The query's slices live until then. */
    void (*look_up)(void *ctx, const struct table_query *query);
    /* relay_on_stored follows. Never called unless long_sender is store. */
    void (*store)(void *ctx, const struct relay_store_query *query);
    /* relay_on_signed follows, always, also after relay_on_client_lost: the
     * job's memory is in use until then. */
    void (*sign)(void *ctx, struct relay_sign_job *job);

    /* Is the client still there: no FIN, no reset? Asked right before the
     * final dot (invariant: the client gone, no dot). */
    bool (*client_present)(void *ctx);
    /* Has upstream said nothing that is not read yet, nor gone? Asked then,
     * too: what stands there before our dot is no reply to it. Where the
     * answer is no, the octets or the loss follow. */
    bool (*upstream_quiet)(void *ctx, unsigned outbound);

    /* One deadline at a time; a new one replaces it; 0 turns it off. */
    void (*deadline)(void *ctx, unsigned milliseconds);
    /* Write what is queued for the client, then close; the session gets no
     * more events but relay_on_signed, _looked_up and _stored. */
    void (*finish)(void *ctx);
};

/* ---- what sessions of a process share ---- */

enum relay_result {
    RELAY_ACCEPTED,
    RELAY_REJECTED,
    RELAY_DEFERRED,
    RELAY_ABORTED,
    RELAY_DISCARDED,
};
enum {
    RELAY_RESULTS = RELAY_DISCARDED + 1
};

/* Counters for /metrics and status; the reasons are those of outcome.c. */
struct relay_counters {
    uint64_t sessions;
    uint64_t transactions[RELAY_RESULTS];
    uint64_t recipients_forward, recipients_local, recipients_srs_reverse,
        recipients_pass, recipients_reject, recipients_defer,
        recipients_discard;
    uint64_t srs_srs0, srs_srs1, srs_stored, srs_skipped, srs_too_long;
    uint64_t srs_ok, srs_hash, srs_expired, srs_malformed, srs_not_null;
    uint64_t signatures_rsa, signatures_ed25519, sign_errors, unsigned_mail;
    uint64_t upstream_2xx, upstream_4xx, upstream_5xx, upstream_timeout,
        upstream_refused, upstream_lost, upstream_garbled;
    uint64_t long_lines, octets;
    uint64_t *reasons; /* one for each outcome; relay_outcome_count() */
};

/* A transaction at its end, for who watches: its slices live for the call. */
struct relay_summary {
    struct slice id; /* of the session */
    struct slice listener;
    struct slice from, to; /* to: the first recipient; full addresses */
    size_t recipients;
    enum relay_result result;
    const char *reason; /* as in the log; NULL: accepted */
    uint64_t octets;    /* 0: it did not come to its content */
    bool delivered;     /* upstream was given the content, and in */
    uint64_t upstream_ms;
    int64_t at; /* seconds since 1970 */
};

enum {
    RELAY_SECRET = 32
};

struct relay_shared {
    struct log_sink log;
    /* Called for each transaction that is counted; or NULL. */
    void (*on_transaction)(void *observer, const struct relay_summary *summary);
    void *observer;
    struct mail_spools spool;
    struct smtp_ehlo upstream; /* as last seen */
    bool upstream_seen;
    bool xforward_refused_logged;
    struct relay_counters *counters; /* one for each listener */
    struct srs_guesses srs_guesses;  /* of all listeners and the socketmap */
    uint64_t next_id;                /* of sessions; seeded by the process */
    uint64_t unique; /* for Message-ID and loop marks; random, seeded by the
                      * process */
    /* Keys loop marks and hashed addresses where there is no SRS secret: the
     * same at the next start, and nobody's but this host's. */
    char secret[RELAY_SECRET];
    bool draining;
};

/* ---- the session ---- */

/* The time of an event. Wall clock for stamps and logs, a monotonic clock for
 * intervals. */
struct relay_time {
    int64_t wall; /* seconds since 1970 */
    uint64_t ms;  /* monotonic, milliseconds */
};

enum relay_welcome {
    RELAY_WELCOME,    /* as usual */
    RELAY_OVERLOADED, /* greeted 220, 451 4.3.2 at MAIL */
    RELAY_STRESSED,   /* shorter command deadline, fewer errors */
    RELAY_DRAINING,   /* 421 and close */
};

/*
 * A new session on a listener; it takes a reference of conf. peer: address of
 * the connection for logs, when no XFORWARD says more (copied). Greets at once.
 */
struct relay_session *
relay_new(struct conf *conf, const struct conf_listener *listener,
          struct relay_shared *shared, struct relay_counters *counters,
          const struct relay_ops *ops, void *ctx, struct slice peer,
          enum relay_welcome welcome, struct relay_time now);

/* Only when no job, lookup or store request is out (the process counts). */
void relay_free(struct relay_session *session);

/* Would the session take octets from the client now? */
bool relay_wants_client(const struct relay_session *session);

/*
 * Octets from the client; returns how many were used. The rest comes again,
 * with what follows it, once relay_wants_client says so after another event,
 * or when more has arrived.
 */
size_t relay_on_client_octets(struct relay_session *session,
                              struct slice octets, struct relay_time now);
/* True after an event that left octets unused because it was long already:
 * RCPTs of large aliases. They are offered again when others had their turn. */
bool relay_gives_way(const struct relay_session *session);
void relay_on_client_lost(struct relay_session *session, struct relay_time now);

/* Connected. known: NULL for a new connection; else one that was released
 * before, with its handshake done. */
void relay_on_upstream_open(struct relay_session *session, unsigned outbound,
                            const struct smtp_ehlo *known,
                            struct relay_time now);
void relay_on_upstream_octets(struct relay_session *session, unsigned outbound,
                              struct slice octets, struct relay_time now);
/* Not connected, or not any more. */
enum relay_lost {
    RELAY_LOST_REFUSED,
    RELAY_LOST_TIMEOUT,
    RELAY_LOST_CLOSED
};
void relay_on_upstream_lost(struct relay_session *session, unsigned outbound,
                            enum relay_lost how, struct relay_time now);
void relay_on_writable(struct relay_session *session, unsigned outbound,
                       struct relay_time now);

void relay_on_looked_up(struct relay_session *session,
                        const struct table_answer *answer,
                        struct relay_time now);
void relay_on_stored(struct relay_session *session,
                     const struct table_answer *answer, struct relay_time now);
void relay_on_signed(struct relay_session *session, struct relay_time now);
void relay_on_deadline(struct relay_session *session, struct relay_time now);

/* The process stops: 421 to a session that is between transactions, at once or,
 * if the client has only just spoken, when it says no MAIL within 100 ms. */
void relay_on_drain(struct relay_session *session, struct relay_time now);

/* Is a transaction under way (status, drain)? */
bool relay_is_busy(const struct relay_session *session);

/* Has the client ended it with QUIT? Then it sends nothing more, and whoever
 * closes at once destroys no reply that it still has to read. */
bool relay_has_quit(const struct relay_session *session);

/* ---- the envelope without a session: explain, socketmap, check ---- */

enum relay_fate {
    RELAY_PASS,    /* unchanged */
    RELAY_FORWARD, /* by an alias */
    RELAY_REVERSE, /* an SRS address of ours that is genuine */
    RELAY_REFUSE,  /* reply says why */
    RELAY_DISCARD,
};

struct relay_target {
    struct smtp_path path;
    bool leaves;
    bool came_home;            /* it was an SRS address of ours */
    struct slice reverse_path; /* what MAIL says for it */
    struct slice srs_domain;   /* the signing domain of what leaves */
    bool own_name;             /* see relay_explain_lent */
    struct slice token_key;    /* reverse_path stands for a long sender, which
                                * must be stored under this before the dot */
};

struct relay_explained {
    enum relay_fate fate;
    const char *reason; /* "srs-hash", "alias-reject"...; NULL */
    struct smtp_reply reply;
    struct relay_target *targets;
    size_t target_count;
    /* The alias steps, in order. */
    struct relay_step {
        struct slice address;
        struct slice rule;
        struct slice origin;
        unsigned depth;
    } * steps;
    size_t step_count;
};

/*
 * Resolve one recipient. Blocks nowhere: where a table has to be asked,
 * `ask` (may block; NULL: error) is called, and where a long sender's token
 * has to be found, `stored` (NULL: it is not there). Nothing is stored. Memory:
 * the arena.
 */
void relay_explain(const struct conf *conf, enum conf_role role,
                   const struct smtp_path *recipient,
                   const struct smtp_path *reverse_path,
                   struct table_answer (*ask)(void *ctx,
                                              const struct table_query *query,
                                              struct arena *arena),
                   struct table_answer (*stored)(void *ctx, struct slice key,
                                                 struct arena *arena),
                   void *ctx, int64_t now, struct arena *arena,
                   struct relay_explained *explained);

/* ---- whose keys sign ---- */

struct relay_signing {
    const struct dkim_key *keys[DKIM_SIGNATURES_MAX];
    size_t key_count;
    struct slice domain; /* d= */
    bool no_memory; /* that is why: a reason to defer, not to go unsigned */
};

struct relay_signing_input {
    enum conf_role role;
    const struct mail_header *header;
    struct slice reverse_path; /* as the client gave it */
    bool related; /* take From and reverse-path as related (`dkim sign`
                   * without an envelope) */
    bool leaves;
    struct slice srs_domain; /* of what leaves */
    bool came_home;          /* by an SRS address of ours */
    bool own_postfix;        /* this host's Postfix made the message */
    bool own_name;           /* see RELAY_NAME_UNLENT: no forwarder signs */
    bool sender_lives_below; /* a table knows mailboxes between the author's
                              * domain and the reverse-path's below it */
};

/*
 * NULL: the keys that sign. Else the word for `dkim=none(WORD)`: no-keys,
 * inbound, no-key, from-mismatch, null-sender, own-name, came-home, off, or one
 * of dkim_examine. The listener's role is the only evidence of whose mail it is
 * (invariant I7).
 */
const char *relay_choose_keys(const struct conf *conf,
                              const struct relay_signing_input *input,
                              struct arena *arena,
                              struct relay_signing *signing);

/* ---- our own name ---- */

enum relay_authentic {
    RELAY_NOT_AUTHENTIC,
    RELAY_AUTHENTIC,
    RELAY_AUTHENTIC_UNKNOWN, /* DNS trouble */
};

/* Of a message of which something leaves. */
struct relay_name_facts {
    enum conf_role role;
    bool own_postfix; /* this host's Postfix made the message */
    bool author_ours; /* an author is of our family of domains */
    bool sender_ours; /* so is the reverse-path, or it is null */
    enum relay_authentic authentic;
};

enum relay_own_name {
    RELAY_NAME_FREE,    /* as usual */
    RELAY_NAME_UNLENT,  /* what leaves has the sender's own reverse-path and no
                         * signature */
    RELAY_NAME_REFUSED, /* that would align, too: 550 */
    RELAY_NAME_TROUBLE, /* it may have been authentic: 451 */
};
enum relay_own_name relay_judge_name(const struct relay_name_facts *facts);

/* Does a signature or a reverse-path of the SRS domain align with one of the
 * domains that From may be taken to name? */
bool relay_name_aligns(const struct conf *conf,
                       const struct mail_claims *claims,
                       struct slice srs_domain);

/* The same without a session: for a stranger who is not authenticated. `ask` as
 * for relay_explain; memory: the arena. */
struct relay_named {
    enum relay_own_name name;
    const char *reason; /* with REFUSED and TROUBLE; or no memory, no table */
    struct smtp_reply reply;
    struct mail_claims claims;
    bool sender_lives_below;
};
void relay_explain_name(
    const struct conf *conf, enum conf_role role,
    const struct mail_header *header, struct slice text,
    const struct smtp_path *reverse_path,
    struct table_answer (*ask)(void *ctx, const struct table_query *query,
                               struct arena *arena),
    void *ctx, struct arena *arena, struct relay_named *named);

/* What that changes in an answer of relay_explain: the reverse-path of targets
 * that get nothing of ours, or a refusal. */
void relay_explain_lent(const struct conf *conf, enum conf_role role,
                        const struct relay_named *named,
                        const struct smtp_path *reverse_path,
                        struct relay_explained *explained);

/* ---- every reply we can give ---- */

size_t relay_outcome_count(void);
const char *relay_outcome_reason(size_t index); /* "srs-expired" */
struct smtp_reply relay_outcome_reply(size_t index);

#endif
