/* What srs_conf holds, for the files of this directory. */
#ifndef ONWARD_SRS_SRS_CONF_H
#define ONWARD_SRS_SRS_CONF_H

#include "mac.h"

struct srs_conf {
    struct srs_keys *keys;
    enum srs_mac mac;
    bool accept_classic;
    unsigned hash_length;
    unsigned hash_minimum;
    unsigned max_age_days;
    char separator;
};

/* Days since the stamp was made, 0 also for one of tomorrow. False: too old,
 * or too far ahead. */
bool srs_stamp_age(int64_t now, int slot, unsigned max_age, unsigned *age);

#endif
