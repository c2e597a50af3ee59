/* The status page: one HTML document without script, image, font or request
 * of its own; for phones and dark mode too. */
#ifndef ONWARD_ADMIN_PAGE_H
#define ONWARD_ADMIN_PAGE_H

#include "statusview.h"

/* What the page may do, for the header of that name. */
extern const char admin_page_policy[];

void admin_page(const struct admin_view *view, struct buf *out);

#endif
