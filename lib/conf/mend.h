/* Small changes to the text of a configuration, noted while its tokens are
 * walked and made all at once. The number of lines stays. */
#ifndef ONWARD_CONF_MEND_H
#define ONWARD_CONF_MEND_H

#include "source.h"

struct mend {
    struct conf_source *source;
    struct mend_edit *edits;
    size_t count;
    size_t room;
};

/* text lives as long as the source's arena, or is a literal. */
void mend_replace(struct mend *mend, size_t offset, size_t length,
                  struct slice text);

/* Blanks instead of the octets [from, to), but the ends of lines stay. Edits
 * inside of it are dropped. */
void mend_blank(struct mend *mend, size_t from, size_t to);

/* Changes the text and cuts its tokens anew. */
void mend_apply(struct mend *mend);
void mend_free(struct mend *mend);

#endif
