/* DMARC policy records as text (RFC 9989, 4.7, 4.8). */
#ifndef ONWARD_AUTH_DMARCRECORD_H
#define ONWARD_AUTH_DMARCRECORD_H

#include "dmarc.h"

enum dmarc_psd {
    DMARC_PSD_UNKNOWN, /* u, or nothing */
    DMARC_PSD_YES,
    DMARC_PSD_NO,
};

struct dmarc_record {
    bool applies; /* false: no policy that is valid, and nobody who would get
                   * reports: no DMARC (4.10.1) */
    bool has_sp, has_np;
    enum dmarc_policy p, sp, np; /* as published, without t= */
    bool is_test;                /* t=y */
    bool strict_dkim, strict_spf;
    enum dmarc_psd psd;
};

/* False: the text is no DMARC record, or holds a tag twice. */
bool dmarc_record_read(struct slice text, struct dmarc_record *record);

#endif
