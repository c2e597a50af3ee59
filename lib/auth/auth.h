/* Is mail what it says it is: DMARC. */
#ifndef ONWARD_AUTH_H
#define ONWARD_AUTH_H

#include "dmarc.h"

#endif
