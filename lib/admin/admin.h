/* What commands and the HTTP answers work out: pure text in, text out. */
#ifndef ONWARD_ADMIN_H
#define ONWARD_ADMIN_H

#include "import.h"

#endif
