#include "dmarcwalk.h"

#include <stdlib.h>
#include <string.h>

/* ---- names ------------------------------------------------------------- */

struct slice
dmarc_without_dot(struct slice s)
{
    if (s.len != 0 && s.ptr[s.len - 1] == '.')
        s.len--;
    return s;
}

static size_t
count_labels(struct slice name)
{
    size_t count = name.len != 0;

    for (size_t i = 0; i < name.len; i++)
        count += name.ptr[i] == '.';
    return count;
}

struct slice
dmarc_last_labels(struct slice name, size_t n)
{
    for (size_t labels = count_labels(name); labels > n; labels--)
        slice_cut(&name, '.');
    return name;
}

bool
dmarc_is_askable(struct slice name)
{
    if (name.len == 0 || name.len > DMARC_NAME_MAX - DMARC_LABEL)
        return false;
    while (name.len != 0) {
        bool is_last = slice_find(name, '.') == name.len;
        struct slice label = slice_cut(&name, '.');
        if (label.len == 0 || label.len > 63)
            return false;
        if (!is_last && name.len == 0)
            return false;
    }
    return true;
}

/* ---- what is known ----------------------------------------------------- */

void
dmarc_ask(struct dmarc *dmarc, enum dmarc_question asked, struct slice name)
{
    size_t len = 0;

    if (asked == DMARC_ASK_RECORD) {
        memcpy(dmarc->name, "_dmarc.", DMARC_LABEL);
        len = DMARC_LABEL;
    }
    for (size_t i = 0; i < name.len; i++)
        dmarc->name[len++] = ascii_lower(name.ptr[i]);
    dmarc->asked = asked;
    dmarc->asked_name = name;
    dmarc->question = (struct dns_question){
        .name = { dmarc->name, len },
        /* The CNAME of a name is the one question that is not led to another
         * name: a CNAME that leads nowhere exists all the same. */
        .type = asked == DMARC_ASK_RECORD ? DNS_TXT : DNS_CNAME,
    };
    dmarc->verdict.questions++;
}

/* The record among the texts; several are as none (4.10, steps 2 and 6). */
static enum dmarc_found
read_records(const struct dns_answer *answer, struct dmarc_record *record)
{
    size_t count = 0;

    for (size_t i = 0; i < answer->count; i++) {
        struct dmarc_record one;
        if (!dmarc_record_read(answer->records[i].text, &one))
            continue;
        *record = one;
        count++;
    }
    return count == 1 ? DMARC_FOUND_RECORD : DMARC_FOUND_NOTHING;
}

static struct dmarc_known *
add_known(struct dmarc *dmarc, struct slice name)
{
    if (dmarc->known_count == dmarc->known_room) {
        size_t room = dmarc->known_room + DMARC_WALK_MAX;
        struct dmarc_known *known =
            mem_try_realloc(dmarc->known, room * sizeof(struct dmarc_known));
        if (known == NULL)
            return NULL;
        dmarc->known = known;
        dmarc->known_room = room;
    }
    struct dmarc_known *added = &dmarc->known[dmarc->known_count++];
    *added = (struct dmarc_known){ .name = name, .found = DMARC_FOUND_NOTHING };
    return added;
}

static void
take_record(struct dmarc *dmarc, const struct dns_answer *answer)
{
    struct dmarc_known *known = add_known(dmarc, dmarc->asked_name);

    if (known == NULL) {
        dmarc->no_memory = true;
        return;
    }
    switch (answer->status) {
    case DNS_FOUND:
        known->found = read_records(answer, &known->record);
        break;
    case DNS_NO_DATA:
    case DNS_NO_NAME:
        break;
    case DNS_TROUBLE:
        known->found = DMARC_FOUND_TROUBLE;
        break;
    }
}

void
dmarc_take_answer(struct dmarc *dmarc, const struct dns_answer *answer)
{
    enum dmarc_question asked = dmarc->asked;

    dmarc->asked = DMARC_ASK_NOTHING;
    switch (asked) {
    case DMARC_ASK_NOTHING:
        break;
    case DMARC_ASK_RECORD:
        take_record(dmarc, answer);
        break;
    case DMARC_ASK_EXISTENCE:
        if (answer->status == DNS_TROUBLE)
            dmarc->existence = DMARC_EXISTENCE_TROUBLE;
        else
            dmarc->existence =
                answer->status == DNS_NO_NAME ? DMARC_EXISTS_NOT : DMARC_EXISTS;
        break;
    }
}

const struct dmarc_known *
dmarc_find_known(const struct dmarc *dmarc, struct slice name)
{
    for (size_t i = 0; i < dmarc->known_count; i++)
        if (slice_equal_nocase(dmarc->known[i].name, name))
            return &dmarc->known[i];
    return NULL;
}

/* ---- the walk (4.10) --------------------------------------------------- */

enum dmarc_walked
dmarc_walk_up(struct dmarc *dmarc, struct slice start, struct dmarc_walk *walk)
{
    size_t labels = count_labels(start);

    *walk = (struct dmarc_walk){ 0 };
    while (labels != 0) {
        struct slice name = dmarc_last_labels(start, labels);
        const struct dmarc_known *known = dmarc_find_known(dmarc, name);
        if (known == NULL && dmarc_is_askable(name)) {
            dmarc_ask(dmarc, DMARC_ASK_RECORD, name);
            return DMARC_WALK_ASKS;
        }
        if (known != NULL && known->found == DMARC_FOUND_TROUBLE)
            return DMARC_WALK_TROUBLE;
        if (known != NULL && known->found == DMARC_FOUND_RECORD) {
            walk->records[walk->count++] = known;
            if (known->record.psd != DMARC_PSD_UNKNOWN)
                break;
        }
        labels = labels < DMARC_WALK_MAX ? labels - 1 : DMARC_WALK_MAX - 1;
    }
    return DMARC_WALK_DONE;
}

struct slice
dmarc_organization_of(struct slice start, const struct dmarc_walk *walk)
{
    for (size_t i = 0; i < walk->count; i++) {
        const struct dmarc_known *known = walk->records[i];
        if (known->record.psd == DMARC_PSD_NO)
            return known->name;
        if (known->record.psd == DMARC_PSD_YES &&
            !slice_equal_nocase(known->name, start))
            return dmarc_last_labels(start, count_labels(known->name) + 1);
    }
    return walk->count != 0 ? walk->records[walk->count - 1]->name : start;
}
