#include "hash.h"

#include <stdlib.h>
#include <string.h>

enum {
    TTL_LEAST = 1, /* seconds */
    TTL_MOST = 3600,
    TTL_NEGATIVE_MOST = 300,
    TTL_TROUBLE = 5,
    BUCKETS_MAX = 1 << 20,
    OVERHEAD = 16,   /* of malloc, for each block */
    LARGEST_OF = 16, /* an answer has at most this part of the octets */
};

/*
 * Entries are one block each: the entry, its records, its octets. They stand
 * in a chain of their bucket and in one queue, the newest first.
 */
struct entry {
    struct entry *chain;
    struct entry *newer, *older;
    uint64_t hash;
    int64_t expires;
    size_t size; /* of the block, with OVERHEAD */
    bool used;   /* since the hand passed */
    struct dns_question question;
    struct dns_answer answer;
    struct dns_record records[];
};

struct dns_cache {
    struct entry **buckets;
    size_t mask;
    struct entry *newest, *oldest;
    struct entry *hand; /* looked at next, from the oldest on; NULL: there */
    struct dns_cache_size size, most;
    struct dns_hash_key key;
};

/* ---- table and queue ----------------------------------------------------- */

struct dns_cache *
dns_cache_new(size_t entries, size_t octets, const unsigned char key[16])
{
    struct dns_cache *cache = mem_alloc(sizeof(*cache));
    size_t buckets = 16;

    /* The table takes at most a quarter of the octets. */
    while (buckets < entries && buckets < BUCKETS_MAX &&
           buckets * 2 * sizeof(cache->buckets[0]) <= octets / 4)
        buckets *= 2;
    cache->buckets = mem_alloc(buckets * sizeof(cache->buckets[0]));
    cache->mask = buckets - 1;
    cache->most = (struct dns_cache_size){ entries, octets };
    cache->size.octets = sizeof(*cache) + buckets * sizeof(cache->buckets[0]);
    dns_hash_key_from(key, &cache->key);
    return cache;
}

void
dns_cache_free(struct dns_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->newest != NULL) {
        struct entry *entry = cache->newest;
        cache->newest = entry->older;
        free(entry);
    }
    free(cache->buckets);
    free(cache);
}

static struct entry **
place_of(struct dns_cache *cache, const struct dns_question *question,
         uint64_t hash)
{
    struct entry **place = &cache->buckets[hash & cache->mask];

    while (*place != NULL &&
           ((*place)->hash != hash ||
            !dns_question_equal(&(*place)->question, question)))
        place = &(*place)->chain;
    return place;
}

static void
drop(struct dns_cache *cache, struct entry **place)
{
    struct entry *entry = *place;

    if (cache->hand == entry)
        cache->hand = entry->newer;
    *place = entry->chain;
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        cache->newest = entry->older;
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        cache->oldest = entry->newer;
    cache->size.entries--;
    cache->size.octets -= entry->size;
    free(entry);
}

/* The hand goes from the oldest to the newest and begins again; what was used
 * since it last passed stays. */
static void
drop_one(struct dns_cache *cache, int64_t now)
{
    struct entry *entry = cache->hand != NULL ? cache->hand : cache->oldest;

    while (entry->used && entry->expires > now) {
        entry->used = false;
        entry = entry->newer != NULL ? entry->newer : cache->oldest;
    }
    cache->hand = entry;
    drop(cache, place_of(cache, &entry->question, entry->hash));
}

/* ---- answers ------------------------------------------------------------- */

static int64_t
kept_for(const struct dns_answer *answer)
{
    const uint32_t most =
        answer->status == DNS_FOUND ? TTL_MOST : TTL_NEGATIVE_MOST;

    if (answer->status == DNS_TROUBLE)
        return TTL_TROUBLE;
    if (answer->ttl < TTL_LEAST)
        return TTL_LEAST;
    return answer->ttl < most ? answer->ttl : most;
}

static struct slice
keep(char **at, struct slice octets)
{
    char *to = *at;

    if (octets.len != 0)
        memcpy(to, octets.ptr, octets.len);
    *at += octets.len;
    return (struct slice){ to, octets.len };
}

static size_t
block_size(const struct dns_question *question, const struct dns_answer *answer)
{
    size_t size = sizeof(struct entry) + question->name.len +
                  answer->count * sizeof(struct dns_record);

    for (size_t i = 0; i < answer->count; i++)
        size += answer->records[i].name.len + answer->records[i].text.len;
    return size;
}

static struct entry *
make(const struct dns_question *question, const struct dns_answer *answer,
     size_t size)
{
    struct entry *entry = mem_try(size);

    if (entry == NULL)
        return NULL;
    char *at = (char *)(entry->records + answer->count);
    entry->question = *question;
    entry->question.name = keep(&at, question->name);
    entry->answer = *answer;
    entry->answer.records = answer->count != 0 ? entry->records : NULL;
    for (size_t i = 0; i < answer->count; i++) {
        entry->records[i] = answer->records[i];
        entry->records[i].name = keep(&at, answer->records[i].name);
        entry->records[i].text = keep(&at, answer->records[i].text);
    }
    entry->size = size + OVERHEAD;
    return entry;
}

bool
dns_cache_get(struct dns_cache *cache, const struct dns_question *question,
              int64_t now, struct dns_answer *answer)
{
    struct entry **place =
        place_of(cache, question, dns_hash(&cache->key, question));

    if (*place == NULL)
        return false;
    if ((*place)->expires <= now) {
        drop(cache, place);
        return false;
    }
    (*place)->used = true;
    *answer = (*place)->answer;
    answer->ttl = (uint32_t)(((*place)->expires - now + 999) / 1000);
    return true;
}

void
dns_cache_put(struct dns_cache *cache, const struct dns_question *question,
              const struct dns_answer *answer, int64_t now)
{
    const size_t size = block_size(question, answer);
    const uint64_t hash = dns_hash(&cache->key, question);
    struct entry *entry = NULL;

    if (cache->most.entries != 0 &&
        size + OVERHEAD <= cache->most.octets / LARGEST_OF)
        entry = make(question, answer, size);
    struct entry **place = place_of(cache, question, hash);
    if (*place != NULL)
        drop(cache, place);
    if (entry == NULL)
        return;
    while (cache->newest != NULL &&
           (cache->size.entries >= cache->most.entries ||
            cache->size.octets + entry->size > cache->most.octets))
        drop_one(cache, now);
    if (cache->size.octets + entry->size > cache->most.octets) {
        free(entry);
        return;
    }
    entry->hash = hash;
    entry->expires = now + 1000 * kept_for(answer);
    entry->chain = cache->buckets[hash & cache->mask];
    cache->buckets[hash & cache->mask] = entry;
    entry->older = cache->newest;
    if (cache->newest != NULL)
        cache->newest->newer = entry;
    else
        cache->oldest = entry;
    cache->newest = entry;
    cache->size.entries++;
    cache->size.octets += entry->size;
}

struct dns_cache_size
dns_cache_size(const struct dns_cache *cache)
{
    return cache->size;
}
