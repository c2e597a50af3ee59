#include "session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- recipients ---- */

struct recipient *
recipient_find(const struct transaction *tx, const struct smtp_path *path)
{
    return addresses_find(&tx->recipient_set, path->text);
}

static struct slice
put(char **to, struct slice s)
{
    struct slice copy = { *to, s.len };

    if (s.ptr == NULL)
        return (struct slice){ 0 };
    if (s.len != 0)
        memcpy(*to, s.ptr, s.len);
    *to += s.len;
    return copy;
}

/* A part of a text, in a copy of the text. */
static struct slice
moved(struct slice part, struct slice from, struct slice to)
{
    if (part.ptr == NULL)
        return part;
    return (struct slice){ to.ptr + (part.ptr - from.ptr), part.len };
}

/* The local part is a part of the text, unless that is quoted. */
static bool
is_quoted(const struct smtp_path *path)
{
    return path->local.ptr != path->text.ptr;
}

static void
copy_rcpt(const struct smtp_rcpt *from, char *room, struct smtp_rcpt *to)
{
    const struct smtp_path *path = &from->forward_path;
    struct slice text = put(&room, path->text);
    struct slice domain = slice_tail(text, text.len - path->domain.len);

    to->forward_path = (struct smtp_path){
        .local = is_quoted(path) ? put(&room, path->local)
                                 : slice_head(text, path->local.len),
        .domain = path->domain.len != 0 ? domain : SLICE_OF(""),
        .text = text,
    };
    to->params = put(&room, from->params);
    to->notify = moved(from->notify, from->params, to->params);
    to->orcpt = moved(from->orcpt, from->params, to->params);
}

struct recipient *
recipient_begin(struct transaction *tx, const struct smtp_rcpt *rcpt)
{
    const struct smtp_path *path = &rcpt->forward_path;
    size_t length = path->text.len + rcpt->params.len +
                    (is_quoted(path) ? path->local.len : 0);
    struct recipient *r = mem_try(sizeof(*r) + length);

    if (r == NULL)
        return NULL;
    copy_rcpt(rcpt, (char *)(r + 1), &r->rcpt);
    r->address = r->rcpt.forward_path.text;
    if (!addresses_add(&tx->recipient_set, &r->address)) {
        free(r);
        return NULL;
    }
    tx->verdict.reply.code = 0;
    tx->current = r;
    return r;
}

void
recipient_keep(struct transaction *tx)
{
    struct recipient *r = tx->current;

    r->accepted = true;
    tx->accepted++;
    *tx->last_recipient = r;
    tx->last_recipient = &r->next;
    tx->current = NULL;
}

/* Upstream has it in its envelope: there it stays until that is rebuilt, or
 * another recipient wants it. */
static void
withdraw(struct offer *f)
{
    offer_enter(f, OFFER_REFUSED);
    f->wanted = false;
    f->recipient = NULL;
    f->sibling = NULL;
    offer_enter(f, OFFER_ACCEPTED);
}

void
recipient_drop(struct transaction *tx)
{
    struct recipient *r = tx->current;
    struct offer *f;

    while ((f = r->offers) != NULL) {
        r->offers = f->sibling;
        if (f->state == OFFER_ACCEPTED)
            withdraw(f);
        else
            offer_free(tx, f);
    }
    addresses_remove(&tx->recipient_set, &r->address);
    free(r);
    tx->current = NULL;
}

void
recipients_free(struct transaction *tx)
{
    struct recipient *r;

    addresses_free(&tx->recipient_set);
    addresses_free(&tx->offer_set);
    free(tx->current);
    while ((r = tx->recipients) != NULL) {
        tx->recipients = r->next;
        free(r);
    }
    buf_free(&tx->verdict.text);
}

/* ---- offers ---- */

struct offer *
offer_find(const struct transaction *tx, const struct smtp_path *path)
{
    return addresses_find(&tx->offer_set, path->text);
}

static void
count(struct offer *f, bool enters)
{
    struct outbound *o = f->outbound;
    size_t one = enters ? 1 : (size_t)-1;

    switch (f->state) {
    case OFFER_UNSENT:
    case OFFER_SENT:
        o->waiting += one;
        break;
    case OFFER_ACCEPTED:
        if (f->wanted)
            o->good += one;
        else
            o->stale += one;
        break;
    case OFFER_REFUSED:
        break;
    }
}

void
offer_enter(struct offer *f, enum offer_state state)
{
    count(f, false);
    f->state = state;
    count(f, true);
}

static void
add_sibling(struct recipient *r, struct offer *f)
{
    f->recipient = r;
    f->sibling = NULL;
    if (r->last_offer != NULL)
        r->last_offer->sibling = f;
    else
        r->offers = f;
    r->last_offer = f;
}

static void
link_offer(struct offer *f)
{
    struct outbound *o = f->outbound;

    f->next = NULL;
    f->link = o->last_offer;
    *f->link = f;
    o->last_offer = &f->next;
}

static void
unlink_offer(struct offer *f)
{
    if (f->next != NULL)
        f->next->link = f->link;
    else
        f->outbound->last_offer = f->link;
    *f->link = f->next;
}

struct offer *
offer_make(struct transaction *tx, struct outbound *o,
           const struct smtp_path *path)
{
    struct offer *f = offer_find(tx, path);

    /* It was accepted for an alias that was refused, in the same envelope. */
    if (f != NULL && f->outbound == o && f->state == OFFER_ACCEPTED) {
        offer_enter(f, OFFER_REFUSED);
        f->wanted = true;
        offer_enter(f, OFFER_ACCEPTED);
        add_sibling(tx->current, f);
        return f;
    }
    /* In another one, which will be rebuilt without it. */
    if (f != NULL)
        addresses_remove(&tx->offer_set, &f->address);
    f = mem_try(sizeof(*f) + path->text.len);
    if (f == NULL)
        return NULL;
    memcpy(f + 1, path->text.ptr, path->text.len);
    f->address = (struct slice){ (char *)(f + 1), path->text.len };
    if (!addresses_add(&tx->offer_set, &f->address)) {
        free(f);
        return NULL;
    }
    f->outbound = o;
    f->wanted = true;
    f->state = OFFER_UNSENT;
    count(f, true);
    link_offer(f);
    if (o->unsent == NULL)
        o->unsent = f;
    add_sibling(tx->current, f);
    return f;
}

void
offer_free(struct transaction *tx, struct offer *f)
{
    struct outbound *o = f->outbound;

    assert(f->state != OFFER_SENT);
    offer_enter(f, OFFER_REFUSED);
    if (o->unsent == f)
        o->unsent = f->next;
    unlink_offer(f);
    addresses_remove(&tx->offer_set, &f->address);
    free(f);
}

void
offers_refuse(struct outbound *o)
{
    struct offer *f = o->unanswered != NULL ? o->unanswered : o->unsent;

    for (; f != NULL; f = f->next) {
        if (f->state == OFFER_SENT)
            o->ignored++;
        offer_enter(f, OFFER_REFUSED);
    }
    o->unanswered = NULL;
    o->unsent = NULL;
}

void
offers_forget(struct transaction *tx, struct outbound *o)
{
    struct offer *f, *next;

    if (o->unanswered != NULL) {
        for (f = o->unanswered; f != o->unsent; f = f->next)
            offer_enter(f, OFFER_UNSENT);
        o->unsent = o->unanswered;
        o->unanswered = NULL;
    }
    o->ignored = 0;
    for (f = o->stale != 0 ? o->offers : NULL; f != NULL; f = next) {
        next = f->next;
        if (!f->wanted)
            offer_free(tx, f);
    }
}

void
offers_move(struct transaction *tx, struct outbound *to, struct outbound *from)
{
    struct offer *f;

    assert(from->waiting == 0 && to->waiting == 0);
    while ((f = from->offers) != NULL) {
        if (!f->wanted) {
            offer_free(tx, f);
            continue;
        }
        unlink_offer(f);
        count(f, false);
        f->outbound = to;
        count(f, true);
        link_offer(f);
    }
}

/* ---- the verdict on a recipient ---- */

static unsigned
badness(unsigned code)
{
    return code >= 500 ? 2 : code >= 400 ? 1 : 0;
}

/* An alias is as good as the worst of its targets: 5xx, then 4xx. Among equals
 * the first outbound speaks, whoever of them is quicker. */
static bool
is_worse(const struct verdict *v, const struct outbound *o, unsigned code)
{
    unsigned was = badness(v->reply.code), is = badness(code);

    return v->reply.code == 0 || is > was ||
           (is == was && o->index < v->outbound);
}

void
verdict_set(struct transaction *tx, const struct outbound *o,
            struct smtp_reply reply, enum outcome outcome)
{
    if (is_worse(&tx->verdict, o, reply.code)) {
        tx->verdict.reply = reply;
        tx->verdict.outcome = outcome;
        tx->verdict.outbound = o->index;
    }
}

bool
verdict_note(struct transaction *tx, const struct outbound *o,
             const struct smtp_reply *reply, enum outcome outcome)
{
    struct verdict *v = &tx->verdict;

    if (!is_worse(v, o, reply->code))
        return true;
    buf_clear(&v->text);
    if (!buf_try_append(&v->text, reply->text))
        return false;
    verdict_set(tx, o, (struct smtp_reply){ reply->code, buf_slice(&v->text) },
                outcome);
    return true;
}
