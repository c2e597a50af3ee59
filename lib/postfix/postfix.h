/* Everything of lib/postfix: what Postfix says of itself, and what we want of
 * it. */
#ifndef ONWARD_POSTFIX_H
#define ONWARD_POSTFIX_H

#include "findings.h"
#include "plan.h"
#include "postconf.h"
#include "questions.h"

#endif
