#include "packet.h"

#include "name.h"

#include <string.h>

enum {
    NO_ERROR = 0,
    FORMERR = 1,
    SERVFAIL = 2,
    NXDOMAIN = 3,
    NOTIMP = 4,
    REFUSED = 5,
};

enum {
    FIXED = 10,          /* octets of a record between its name and its data */
    SOA_NUMBERS = 5 * 4, /* serial, refresh, retry, expire, minimum */
};

struct record {
    size_t name; /* where it begins */
    unsigned type;
    unsigned class;
    uint32_t ttl;
    size_t data; /* where it begins */
    size_t len;  /* of the data */
};

/* What one walk over the whole message found out about it. */
struct message {
    struct slice octets;
    size_t answers; /* where the answer section begins */
    unsigned count; /* records in the answer section */
    unsigned flags;
    unsigned rcode; /* with the upper bits that an OPT record has */
    bool has_soa;   /* in the authority section */
    uint32_t negative_ttl;
};

static unsigned
number(struct slice octets, size_t at)
{
    return (unsigned)(unsigned char)octets.ptr[at] << 8 |
           (unsigned char)octets.ptr[at + 1];
}

static uint32_t
number32(struct slice octets, size_t at)
{
    return (uint32_t)number(octets, at) << 16 | number(octets, at + 2);
}

/* A TTL with its highest bit set is 0 (RFC 2181, 8). */
static uint32_t
ttl_at(struct slice octets, size_t at)
{
    const uint32_t ttl = number32(octets, at);

    return ttl <= INT32_MAX ? ttl : 0;
}

static bool
next_record(struct slice octets, size_t *at, struct record *record)
{
    record->name = *at;
    if (!dns_wire_skip(octets, at) || octets.len - *at < FIXED)
        return false;
    record->type = number(octets, *at);
    record->class = number(octets, *at + 2);
    record->ttl = ttl_at(octets, *at + 4);
    record->len = number(octets, *at + 8);
    record->data = *at + FIXED;
    if (octets.len - record->data < record->len)
        return false;
    *at = record->data + record->len;
    return true;
}

/* The question stands in the answer as it was asked, but for case. */
static bool
is_asked(struct slice packet, const struct dns_question *question, size_t *at)
{
    struct dns_wire asked, name;

    dns_wire_from(question->name, &asked);
    if (number(packet, 4) != 1 || !dns_wire_read(packet, at, &name) ||
        !dns_wire_equal(&asked, &name) || packet.len - *at < 4)
        return false;
    if (number(packet, *at) != (unsigned)question->type ||
        number(packet, *at + 2) != DNS_CLASS_IN)
        return false;
    *at += 4;
    return true;
}

/* A server that could not read the query may answer without its question. */
static bool
is_bare_error(struct slice packet, unsigned rcode)
{
    return number(packet, 4) == 0 && (rcode == FORMERR || rcode == SERVFAIL ||
                                      rcode == NOTIMP || rcode == REFUSED);
}

static bool
note_soa(struct message *m, const struct record *record)
{
    size_t at = record->data;
    const size_t end = record->data + record->len;

    if (m->has_soa)
        return true;
    if (!dns_wire_skip(m->octets, &at) || !dns_wire_skip(m->octets, &at) ||
        at > end || end - at != SOA_NUMBERS)
        return false;
    const uint32_t minimum = ttl_at(m->octets, end - 4);
    m->has_soa = true;
    m->negative_ttl = minimum < record->ttl ? minimum : record->ttl;
    return true;
}

/* Every record lies within the message. */
static bool
walk(struct message *m, size_t at)
{
    const unsigned authority = number(m->octets, 8);
    const unsigned additional = number(m->octets, 10);
    struct record record;

    m->answers = at;
    m->count = number(m->octets, 6);
    if (m->count > DNS_RECORDS_MAX)
        return false;
    for (unsigned i = 0; i < m->count; i++)
        if (!next_record(m->octets, &at, &record))
            return false;
    for (unsigned i = 0; i < authority; i++)
        if (!next_record(m->octets, &at, &record) ||
            (record.type == DNS_SOA && record.class == DNS_CLASS_IN &&
             !note_soa(m, &record)))
            return false;
    for (unsigned i = 0; i < additional; i++) {
        if (!next_record(m->octets, &at, &record))
            return false;
        /* The upper eight bits of its TTL extend the RCODE. */
        if (record.type == DNS_OPT)
            m->rcode |= (unsigned)(unsigned char)m->octets.ptr[record.data - 6]
                        << 4;
    }
    return true;
}

/* ---- the answer section ------------------------------------------------- */

struct found {
    unsigned count; /* records of the type asked for */
    uint32_t ttl;   /* the least of them */
    bool has_alias;
    struct record alias; /* the first CNAME */
};

/* Records of the owner: of the type, and the first CNAME. */
static bool
find(const struct message *m, const struct dns_wire *owner, unsigned type,
     struct found *found)
{
    size_t at = m->answers;
    struct record record;
    struct dns_wire name;

    *found = (struct found){ .ttl = UINT32_MAX };
    for (unsigned i = 0; i < m->count; i++) {
        if (!next_record(m->octets, &at, &record))
            return false;
        if (record.class != DNS_CLASS_IN ||
            (record.type != type && record.type != DNS_CNAME))
            continue;
        size_t start = record.name;
        if (!dns_wire_read(m->octets, &start, &name))
            return false;
        if (!dns_wire_equal(&name, owner))
            continue;
        if (record.type == type) {
            found->count++;
            if (record.ttl < found->ttl)
                found->ttl = record.ttl;
        } else if (!found->has_alias) {
            found->has_alias = true;
            found->alias = record;
        }
    }
    return true;
}

/* The data is one name and nothing else. */
static bool
name_of(const struct message *m, const struct record *record, size_t skip,
        struct dns_wire *name)
{
    size_t at = record->data + skip;

    return record->len > skip && dns_wire_read(m->octets, &at, name) &&
           at == record->data + record->len;
}

/* False: malformed, or memory is gone. *fits is false for a name that text
 * cannot hold. */
static bool
set_name(const struct message *m, const struct record *record, size_t skip,
         struct arena *arena, struct dns_record *out, bool *fits)
{
    char text[DNS_WIRE_MAX];
    struct dns_wire name;
    size_t len;

    if (!name_of(m, record, skip, &name))
        return false;
    *fits = dns_wire_text(&name, text, &len);
    return !*fits ||
           arena_try_copy(arena, (struct slice){ text, len }, &out->name);
}

static bool
set_text(const struct message *m, const struct record *record,
         struct arena *arena, struct dns_record *out)
{
    const char *from = m->octets.ptr + record->data;
    char *text = arena_try(arena, record->len + 1);
    size_t len = 0;

    if (text == NULL)
        return false;
    for (size_t at = 0; at < record->len;) {
        const size_t string = (unsigned char)from[at++];

        if (record->len - at < string)
            return false;
        memcpy(text + len, from + at, string);
        len += string;
        at += string;
    }
    out->text = (struct slice){ text, len };
    return true;
}

static bool
set_address(const struct message *m, const struct record *record, size_t len,
            struct dns_record *out)
{
    if (record->len != len)
        return false;
    memcpy(out->address, m->octets.ptr + record->data, len);
    return true;
}

static bool
set_record(const struct message *m, const struct record *record,
           struct arena *arena, struct dns_record *out, bool *fits)
{
    *fits = true;
    switch ((enum dns_type)record->type) {
    case DNS_A:
        return set_address(m, record, 4, out);
    case DNS_AAAA:
        return set_address(m, record, 16, out);
    case DNS_MX:
        if (record->len < 3)
            return false;
        out->preference = number(m->octets, record->data);
        return set_name(m, record, 2, arena, out, fits);
    case DNS_PTR:
    case DNS_CNAME:
        return set_name(m, record, 0, arena, out, fits);
    case DNS_TXT:
        return set_text(m, record, arena, out);
    }
    return false;
}

static bool
collect(const struct message *m, const struct dns_wire *owner, unsigned type,
        unsigned count, struct arena *arena, struct dns_answer *answer)
{
    struct dns_record *records = arena_try(arena, count * sizeof(*records));
    size_t at = m->answers;
    struct record record;
    struct dns_wire name;
    bool fits;

    if (records == NULL)
        return false;
    answer->count = 0;
    for (unsigned i = 0; i < m->count; i++) {
        if (!next_record(m->octets, &at, &record))
            return false;
        size_t start = record.name;
        if (record.class != DNS_CLASS_IN || record.type != type ||
            !dns_wire_read(m->octets, &start, &name) ||
            !dns_wire_equal(&name, owner))
            continue;
        if (!set_record(m, &record, arena, &records[answer->count], &fits))
            return false;
        answer->count += fits;
    }
    answer->records = records;
    return true;
}

static uint32_t
lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static enum dns_reading
no_records(const struct message *m, uint32_t ttl, struct dns_answer *answer)
{
    /* A server that is asked for what it does not serve, and does not
     * recurse, says nothing about the name. */
    if ((m->flags & (DNS_AA | DNS_RA)) == 0)
        return DNS_READ_TROUBLE;
    answer->status = m->rcode == NXDOMAIN ? DNS_NO_NAME : DNS_NO_DATA;
    answer->ttl = m->has_soa ? lesser(ttl, m->negative_ttl) : 0;
    return DNS_READ_ANSWER;
}

static enum dns_reading
answer_of(const struct message *m, const struct dns_question *question,
          struct arena *arena, struct dns_answer *answer)
{
    const unsigned type = (unsigned)question->type;
    uint32_t ttl = UINT32_MAX;
    struct dns_wire owner;
    struct found found;

    dns_wire_from(question->name, &owner);
    for (unsigned hops = 0;; hops++) {
        if (!find(m, &owner, type, &found))
            return DNS_READ_TROUBLE;
        if (found.count != 0 || !found.has_alias)
            break;
        if (hops == DNS_CHAIN_MAX || !name_of(m, &found.alias, 0, &owner))
            return DNS_READ_TROUBLE;
        ttl = lesser(ttl, found.alias.ttl);
        answer->alias = true;
    }
    if (found.count == 0)
        return no_records(m, ttl, answer);
    if (m->rcode != NO_ERROR ||
        !collect(m, &owner, type, found.count, arena, answer))
        return DNS_READ_TROUBLE;
    answer->status = answer->count != 0 ? DNS_FOUND : DNS_NO_DATA;
    answer->ttl = lesser(ttl, found.ttl);
    return DNS_READ_ANSWER;
}

enum dns_reading
dns_packet_read(struct slice packet, uint16_t id,
                const struct dns_question *question, struct arena *arena,
                struct dns_answer *answer)
{
    struct message m = { .octets = packet };
    size_t at = DNS_HEADER;

    *answer = (struct dns_answer){ .status = DNS_TROUBLE };
    if (packet.len < DNS_HEADER || number(packet, 0) != id)
        return DNS_READ_FOREIGN;
    m.flags = number(packet, 2);
    m.rcode = m.flags & DNS_RCODE;
    if ((m.flags & DNS_QR) == 0 || (m.flags & DNS_OPCODE) != 0)
        return DNS_READ_FOREIGN;
    if (!is_asked(packet, question, &at) && !is_bare_error(packet, m.rcode))
        return DNS_READ_FOREIGN;
    if (m.rcode == FORMERR || m.rcode == NOTIMP)
        return DNS_READ_NO_EDNS;
    if (m.rcode != NO_ERROR && m.rcode != NXDOMAIN)
        return DNS_READ_TROUBLE;
    if ((m.flags & DNS_TC) != 0)
        return DNS_READ_TRUNCATED;
    if (!walk(&m, at) || (m.rcode != NO_ERROR && m.rcode != NXDOMAIN))
        return DNS_READ_TROUBLE;

    enum dns_reading reading = answer_of(&m, question, arena, answer);
    if (reading != DNS_READ_ANSWER)
        *answer = (struct dns_answer){ .status = DNS_TROUBLE };
    return reading;
}
