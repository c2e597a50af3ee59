/* Signing: what is quick on the loop (signpace.h), all else on libuv's thread
 * pool, and there what takes long in a lane of its own (lane.h). */
#ifndef ONWARD_SIGNER_H
#define ONWARD_SIGNER_H

#include "link.h"

/* True: the job is done. False: link_signed follows, always. */
bool signer_start(struct daemon *daemon, struct relay_sign_job *job,
                  struct link *link);

#endif
