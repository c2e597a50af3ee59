/*
 * Our name is lent to nobody: what a stranger sends as an author of our family
 * of domains leaves without a signature and a reverse-path of ours, or not at
 * all.
 */
#include "session.h"

#include <string.h>

enum relay_own_name
relay_judge_name(const struct relay_name_facts *facts)
{
    if (facts->role != CONF_INBOUND || facts->own_postfix ||
        !facts->author_ours)
        return RELAY_NAME_FREE;
    if (facts->authentic == RELAY_AUTHENTIC)
        return RELAY_NAME_FREE;
    if (!facts->sender_ours)
        return RELAY_NAME_UNLENT;
    return facts->authentic == RELAY_AUTHENTIC_UNKNOWN ? RELAY_NAME_TROUBLE
                                                       : RELAY_NAME_REFUSED;
}

bool
relay_name_aligns(const struct conf *conf, const struct mail_claims *claims,
                  struct slice srs_domain)
{
    if (srs_domain.len == 0)
        return false;
    struct slice owner = conf_owner(conf, srs_domain);
    for (size_t i = 0; i < claims->count; i++)
        if (slice_equal_nocase(owner, conf_owner(conf, claims->domains[i])))
            return true;
    return claims->more;
}

/* ---- what our own Postfix sends -------------------------------------------
 */

static bool
is_loopback(struct slice peer)
{
    static const struct slice mapped = SLICE("::ffff:127.");

    return slice_starts_nocase(peer, SLICE_OF("127.")) ||
           slice_starts_nocase(peer, mapped) ||
           slice_equal(peer, SLICE_OF("::1")) ||
           slice_equal(peer, SLICE_OF("local")); /* a unix socket */
}

/* The word behind `with` in a Received field says that the client was
 * authenticated (RFC 3848, RFC 6531). */
static bool
says_authenticated(struct slice received)
{
    static const struct slice words[] = { SLICE("ESMTPA"), SLICE("ESMTPSA"),
                                          SLICE("UTF8SMTPA"),
                                          SLICE("UTF8SMTPSA") };
    bool with = false;

    while (received.len != 0) {
        size_t n = 0;
        while (n < received.len && received.ptr[n] > ' ')
            n++;
        struct slice word = slice_head(received, n);
        received = slice_tail(received, n + 1);
        if (word.len == 0)
            continue;
        for (size_t i = 0; with && i < sizeof(words) / sizeof(words[0]); i++)
            if (slice_equal_nocase(word, words[i]))
                return true;
        if (slice_find(word, ';') != word.len)
            return false;
        with = slice_equal_nocase(word, SLICE_OF("with"));
    }
    return false;
}

/* The body without white space and folds at its start. */
static struct slice
unfolded(const struct mail_field *field)
{
    struct slice body = field->body;

    while (body.len != 0 && (unsigned char)body.ptr[0] <= ' ')
        body = slice_tail(body, 1);
    return body;
}

/*
 * smtp(8) without smtp_send_xforward_command does not say whose mail it has:
 * bounces of this Postfix and mail of its users, and with transport_maps for
 * alias domains strangers' mail as well. Each service of Postfix puts its
 * Received field on top: that of smtpd begins with `from` and says whether the
 * client was authenticated, those of bounce(8) and pickup(8) begin with `by`.
 */
static bool
was_made_here(const struct transaction *tx)
{
    bool null = smtp_path_is_null(&tx->mail.reverse_path);
    struct mail_field received, from;

    if (mail_header_find(&tx->header, SLICE_OF("Received"), 0, &received))
        return !slice_starts_nocase(unfolded(&received), SLICE_OF("from")) ||
               says_authenticated(received.body);
    /* Only a program on this host can have given us such a message. Of our own
     * names it may use the one that bounces come from. */
    return null &&
           (!tx->kin.author_ours ||
            (mail_header_find(&tx->header, SLICE_OF("From"), 0, &from) &&
             slice_starts_nocase(unfolded(&from), SLICE_OF("MAILER-DAEMON"))));
}

static bool
is_own_postfix(const struct relay_session *s)
{
    const struct xforward *xforward = &s->server.xforward;
    struct buf source = { 0 };

    if (!is_loopback(s->peer))
        return false;
    if (xforward_is_empty(xforward))
        return was_made_here(s->tx);
    xforward_value(xforward, XFORWARD_SOURCE, &source);
    bool local = slice_equal_nocase(buf_slice(&source), SLICE_OF("LOCAL"));
    buf_free(&source);
    return local;
}

/* ---- authentication --------------------------------------------------------
 */

/*
 * Was the message authenticated for this author domain: did SPF or a DKIM
 * signature that aligns with it pass? Nothing authenticates messages yet.
 */
static enum relay_authentic
is_authentic(const struct relay_session *s, struct slice author)
{
    (void)s;
    (void)author;
    return RELAY_NOT_AUTHENTIC;
}

/* ---- of a session ----------------------------------------------------------
 */

static bool
leaves(const struct outbound *o)
{
    return o->leaves && outbound_has_wanted(o);
}

static void
run(struct relay_session *s, const struct table_answer *answer)
{
    s->phase = PHASE_JUDGING;
    s->retry_lookup = false;
    switch (kin_step(&s->tx->kin, answer)) {
    case EXPAND_DONE:
        ownname_judge(s);
        return;
    case EXPAND_ASK:
        s->lookup_pending = true;
        s->ops->look_up(s->ctx, &s->tx->kin.query);
        return;
    case EXPAND_BUSY:
        s->retry_lookup = true;
        session_set_deadline(s);
        return;
    case EXPAND_STORE:
        break;
    }
}

void
ownname_start(struct relay_session *s)
{
    struct transaction *tx = s->tx;
    bool wanted = s->listener->role == CONF_OUTBOUND;

    for (unsigned i = 0; !wanted && i < s->outbound_count; i++)
        wanted = leaves(s->outbounds[i]);
    if (!wanted) {
        content_go_on(s);
        return;
    }
    tx->kin = (struct kin){
        .conf = s->conf,
        .role = s->listener->role,
        .arena = &s->arena,
        .header = &tx->header,
        .text = tx->header_octets,
        .reverse_path = &tx->mail.reverse_path,
        .outcome = OUTCOME_NONE,
    };
    run(s, NULL);
}

void
ownname_on_answer(struct relay_session *s, const struct table_answer *answer)
{
    if (s->phase == PHASE_JUDGING)
        run(s, answer);
}

/* Two groups that have become one share an upstream transaction. */
static void
merge(struct relay_session *s, struct outbound *to, struct outbound *from)
{
    offers_move(s->tx, to, from);
    outbound_release(s, from);
    to->rebuild = true;
}

/* Nothing of ours goes with what leaves here: the sender's own reverse-path and
 * no signature. */
static void
lend_nothing(struct relay_session *s, struct outbound *o)
{
    struct slice own = s->tx->mail.reverse_path.text;

    o->rebuild = o->rebuild || !slice_equal(o->reverse_path, own);
    o->reverse_path = own;
    o->srs_domain = (struct slice){ 0 };
    o->token_key = (struct slice){ 0 };
    o->own_name = true;
    for (unsigned i = 0; i < o->index; i++) {
        struct outbound *other = s->outbounds[i];
        if (other->own_name && leaves(other) &&
            other->came_home == o->came_home) {
            merge(s, other, o);
            return;
        }
    }
}

static void
refuse(struct relay_session *s, enum outcome outcome)
{
    struct slice named = s->tx->kin.author;

    if (named.len == 0)
        named = s->conf->srs.enabled ? s->conf->srs.domain : s->conf->hostname;
    struct smtp_reply reply = outcome_reply_naming(outcome, named, &s->arena);
    content_conclude(s, reply, outcome,
                     reply.code >= 500 ? RELAY_REJECTED : RELAY_DEFERRED);
}

void
ownname_judge(struct relay_session *s)
{
    struct transaction *tx = s->tx;
    const struct kin *kin = &tx->kin;

    if (kin->outcome != OUTCOME_NONE) {
        content_fail(s, kin->outcome);
        return;
    }
    tx->own_postfix = is_own_postfix(s);
    const struct relay_name_facts facts = {
        .role = s->listener->role,
        .own_postfix = tx->own_postfix,
        .author_ours = kin->author_ours,
        .sender_ours = kin->sender_ours,
        .authentic = kin->author_ours ? is_authentic(s, kin->author)
                                      : RELAY_NOT_AUTHENTIC,
    };
    enum relay_own_name verdict = relay_judge_name(&facts);
    switch (verdict) {
    case RELAY_NAME_REFUSED:
        refuse(s, OUTCOME_OWN_NAME);
        return;
    case RELAY_NAME_TROUBLE:
        refuse(s, OUTCOME_AUTH_TROUBLE);
        return;
    case RELAY_NAME_FREE:
    case RELAY_NAME_UNLENT:
        break;
    }
    for (unsigned i = 0; i < s->outbound_count; i++) {
        struct outbound *o = s->outbounds[i];
        /* Among our own users, too, none gets the SRS domain to speak for the
         * author of another. */
        if (leaves(o) &&
            (verdict == RELAY_NAME_UNLENT ||
             (s->listener->role == CONF_OUTBOUND &&
              relay_name_aligns(s->conf, &kin->claims, o->srs_domain))))
            lend_nothing(s, o);
    }
    envelope_readdress(s);
}
