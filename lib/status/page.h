/* The status page: one HTML document without script, image, font or request
 * of its own; for phones and dark mode too. */
#ifndef ONWARD_STATUS_PAGE_H
#define ONWARD_STATUS_PAGE_H

#include "view.h"

/* What the page may do, for the header of that name. */
extern const char status_page_policy[];

void status_page(const struct status_view *view, struct buf *out);

#endif
