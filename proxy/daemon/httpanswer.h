/* What is answered to a request: from the paths to the pure functions that
 * make the documents. */
#ifndef ONWARD_HTTPANSWER_H
#define ONWARD_HTTPANSWER_H

#include "status.h"

struct stats;

/* The whole response, head and body. */
void http_answer(struct stats *stats, enum status_request request,
                 struct slice path, bool head, struct buf *out);

#endif
