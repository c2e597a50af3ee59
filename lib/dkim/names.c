#include "names.h"

#include "dkim.h"

static const struct slice headers[] = {
    SLICE("From"),
    SLICE("Sender"),
    SLICE("Reply-To"),
    SLICE("To"),
    SLICE("Cc"),
    SLICE("Subject"),
    SLICE("Date"),
    SLICE("Message-ID"),
    SLICE("In-Reply-To"),
    SLICE("References"),
    SLICE("MIME-Version"),
    SLICE("Content-Type"),
    SLICE("Content-Transfer-Encoding"),
    SLICE("Content-ID"),
    SLICE("Content-Description"),
    SLICE("Content-Disposition"),
    SLICE("Resent-Date"),
    SLICE("Resent-From"),
    SLICE("Resent-Sender"),
    SLICE("Resent-To"),
    SLICE("Resent-Cc"),
    SLICE("Resent-Message-ID"),
    SLICE("List-Id"),
    SLICE("List-Help"),
    SLICE("List-Unsubscribe"),
    SLICE("List-Unsubscribe-Post"),
    SLICE("List-Subscribe"),
    SLICE("List-Post"),
    SLICE("List-Owner"),
    SLICE("List-Archive"),
    SLICE("CFBL-Address"),
    SLICE("CFBL-Feedback-ID"),
    SLICE("Feedback-ID"),
    SLICE("BIMI-Selector"),
    SLICE("Autocrypt"),
};

/* Of a message that is complete no other of these may be added. Names that a
 * list adds on its way (Sender, the fields of MIME) are signed as often as they
 * occur: else the list would break the author's signature. */
static const struct slice oversign[] = {
    SLICE("From"), SLICE("To"),         SLICE("Subject"),
    SLICE("Date"), SLICE("Message-ID"),
};

/* Fields that are added, changed or removed on the way, or that say something
 * about the way. */
static const struct slice unsigned_names[] = {
    SLICE("Return-Path"),     SLICE("Received"),
    SLICE("Delivered-To"),    SLICE("Bcc"),
    SLICE("Resent-Bcc"),      SLICE("Content-Length"),
    SLICE("DKIM-Signature"),  SLICE("Authentication-Results"),
    SLICE("DKIM2-Signature"), SLICE("Message-Instance"),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct dkim_names dkim_default_headers = { headers, COUNT(headers) };
const struct dkim_names dkim_default_oversign = { oversign, COUNT(oversign) };

bool
dkim_name_may_be_signed(struct slice name)
{
    if (name.len == 0)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        /* ";" would end the tag, and with it say what the next one is. */
        if (c <= ' ' || c >= 127 || c == ':' || c == ';')
            return false;
    }
    if (slice_starts_nocase(name, SLICE_OF("X-")) ||
        slice_starts_nocase(name, SLICE_OF("ARC-")))
        return false;
    return !dkim_names_hold(
        (struct dkim_names){ unsigned_names, COUNT(unsigned_names) }, name);
}

bool
dkim_names_hold(struct dkim_names list, struct slice name)
{
    for (size_t i = 0; i < list.count; i++)
        if (slice_equal_nocase(list.names[i], name))
            return true;
    return false;
}
