#include "mend.h"

#include <stdlib.h>

struct mend_edit {
    size_t offset;
    size_t length;
    struct slice text;
    size_t order; /* of their making */
};

void
mend_replace(struct mend *mend, size_t offset, size_t length, struct slice text)
{
    if (mend->count == mend->room) {
        mend->room = mend->room == 0 ? 16 : 2 * mend->room;
        mend->edits =
            mem_realloc(mend->edits, mend->room * sizeof(mend->edits[0]));
    }
    mend->edits[mend->count] =
        (struct mend_edit){ offset, length, text, mend->count };
    mend->count++;
}

void
mend_blank(struct mend *mend, size_t from, size_t to)
{
    struct slice text = slice_tail(buf_slice(&mend->source->text), from);
    char *octets = arena_cstr(mend->source->arena, slice_head(text, to - from));

    for (size_t i = 0; i < to - from; i++)
        if (octets[i] != '\n')
            octets[i] = ' ';
    mend_replace(mend, from, to - from, (struct slice){ octets, to - from });
}

/* By place, and at one place as they came: a comma before a word, then the
 * quotes around it. */
static int
compare(const void *left, const void *right)
{
    const struct mend_edit *a = left;
    const struct mend_edit *b = right;

    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

void
mend_apply(struct mend *mend)
{
    struct slice old = buf_slice(&mend->source->text);
    struct buf text = { 0 };
    size_t from = 0;

    if (mend->count == 0)
        return;
    qsort(mend->edits, mend->count, sizeof(mend->edits[0]), compare);
    for (size_t i = 0; i < mend->count; i++) {
        const struct mend_edit *e = &mend->edits[i];
        if (e->offset < from)
            continue;
        buf_append(&text, slice_head(slice_tail(old, from), e->offset - from));
        buf_append(&text, e->text);
        from = e->offset + e->length;
    }
    buf_append(&text, slice_tail(old, from));
    buf_free(&mend->source->text);
    mend->source->text = text;
    conf_source_tokens(mend->source);
}

void
mend_free(struct mend *mend)
{
    free(mend->edits);
    mend->edits = NULL;
    mend->count = mend->room = 0;
}
