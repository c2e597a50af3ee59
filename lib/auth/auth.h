/*
 * Is mail what it says it is: SPF, DMARC, what is written about it, the
 * verdict.
 */
#ifndef ONWARD_AUTH_H
#define ONWARD_AUTH_H

#include "dmarc.h"
#include "evaluation.h"
#include "results.h"
#include "spf.h"
#include "verdict.h"

#endif
