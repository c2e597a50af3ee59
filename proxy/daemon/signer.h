/* Signing on libuv's thread pool. */
#ifndef ONWARD_SIGNER_H
#define ONWARD_SIGNER_H

#include "link.h"

/* link_signed follows, always. */
void signer_start(uv_loop_t *loop, struct relay_sign_job *job,
                  struct link *link);

#endif
