#include "backend.h"

#include "entries.h"

#include <stdlib.h>
#include <string.h>

/*
 * Open addressing over an array of entries, all text in one piece: a million
 * aliases cost what their text costs and 32 octets each.
 */
struct entry {
    uint32_t offset; /* of the key in text; the value stands behind it */
    uint32_t key_len;
    uint32_t value_len;
    uint32_t line;
};

struct slot {
    uint32_t hash;
    uint32_t entry; /* index + 1; 0: free */
};

struct texthash {
    struct buf text;
    struct entry *entries;
    size_t count, room;
    struct slot *slots;
    size_t mask; /* number of slots - 1 */
    uint64_t seed;
};

enum {
    FIRST_SLOTS = 64,
    CULPRIT_SHOWN = 100
};

/*
 * Keyed, so that nobody who may write aliases can aim at one chain. The key is
 * where the table lies in memory: lib/ has no other source of chance, and it
 * need not resist more than guessing.
 */
static uint32_t
hash_of(const struct texthash *hash, struct slice key)
{
    uint64_t h = hash->seed ^ key.len;

    for (size_t i = 0; i < key.len; i++) {
        h = (h ^ (unsigned char)key.ptr[i]) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    return (uint32_t)(h >> 32);
}

static struct slice
key_of(const struct texthash *hash, const struct entry *entry)
{
    return (struct slice){ hash->text.ptr + entry->offset, entry->key_len };
}

static struct slice
value_of(const struct texthash *hash, const struct entry *entry)
{
    return (struct slice){ hash->text.ptr + entry->offset + entry->key_len,
                           entry->value_len };
}

static struct slot *
slot_of(const struct texthash *hash, struct slice key, uint32_t h)
{
    for (size_t i = h & hash->mask;; i = (i + 1) & hash->mask) {
        struct slot *slot = &hash->slots[i];
        if (slot->entry == 0 ||
            (slot->hash == h &&
             slice_equal(key_of(hash, &hash->entries[slot->entry - 1]), key)))
            return slot;
    }
}

/* At most half full: a search that fails, the usual one, ends soon. */
static bool
grow_slots(struct texthash *hash)
{
    size_t size = hash->slots == NULL ? FIRST_SLOTS : 2 * (hash->mask + 1);
    struct slot *slots = mem_try(size * sizeof(*slots));

    if (slots == NULL)
        return false;
    for (size_t i = 0; hash->slots != NULL && i <= hash->mask; i++) {
        if (hash->slots[i].entry == 0)
            continue;
        size_t to = hash->slots[i].hash & (size - 1);
        while (slots[to].entry != 0)
            to = (to + 1) & (size - 1);
        slots[to] = hash->slots[i];
    }
    free(hash->slots);
    hash->slots = slots;
    hash->mask = size - 1;
    return true;
}

/* False: no memory. */
static bool
append(struct texthash *hash, struct slice key, struct slice value,
       unsigned line)
{
    if (hash->count == hash->room) {
        size_t room = hash->room == 0 ? FIRST_SLOTS : 2 * hash->room;
        struct entry *entries =
            mem_try_realloc(hash->entries, room * sizeof(*entries));
        if (entries == NULL)
            return false;
        hash->entries = entries;
        hash->room = room;
    }
    hash->entries[hash->count++] =
        (struct entry){ .offset = (uint32_t)hash->text.len,
                        .key_len = (uint32_t)key.len,
                        .value_len = (uint32_t)value.len,
                        .line = line };
    buf_append(&hash->text, key);
    buf_append(&hash->text, value);
    return true;
}

struct load {
    struct texthash *hash;
    enum table_use use;
    struct text_errors errors;
    struct arena arena; /* of one line */
};

static bool
on_line(void *ctx, struct slice key, struct slice value, unsigned line)
{
    struct load *load = ctx;
    struct texthash *hash = load->hash;
    struct slice culprit;

    if (load->use == TABLE_ALIASES) {
        const char *problem =
            alias_entry_problem(key, value, &load->arena, &culprit);
        if (problem != NULL)
            text_error(&load->errors, line, "\"%.*s\" %s",
                       SLICE_ARG(slice_head(culprit, CULPRIT_SHOWN)), problem);
        arena_reset(&load->arena);
    }
    if ((hash->slots == NULL || 2 * hash->count >= hash->mask) &&
        !grow_slots(hash)) {
        text_error(&load->errors, line, "there is no memory for so many");
        return false;
    }
    uint32_t h = hash_of(hash, key);
    struct slot *slot = slot_of(hash, key, h);
    if (slot->entry != 0) {
        text_error(&load->errors, line, "\"%.*s\" is there already, in line %u",
                   SLICE_ARG(slice_head(key, CULPRIT_SHOWN)),
                   (unsigned)hash->entries[slot->entry - 1].line);
        return true;
    }
    if (!append(hash, key, value, line)) {
        text_error(&load->errors, line, "there is no memory for so many");
        return false;
    }
    *slot = (struct slot){ .hash = h, .entry = (uint32_t)hash->count };
    return true;
}

struct texthash *
texthash_load(struct slice text, struct slice name, enum table_use use,
              struct buf *errors)
{
    struct texthash *hash = mem_alloc(sizeof(*hash));
    struct load load = { .hash = hash,
                         .use = use,
                         .errors = { .out = errors, .name = name } };

    hash->seed = (uint64_t)(uintptr_t)hash * 0xD6E8FEB86659FD93u;
    if (text.len >= UINT32_MAX) {
        text_error(&load.errors, 0, "the text is over 4 GiB");
    } else if (!buf_try_reserve(&hash->text, text.len)) {
        text_error(&load.errors, 0, "there is no memory for it");
    } else {
        text_walk(text, on_line, &load, &load.errors);
    }
    text_errors_end(&load.errors);
    arena_free(&load.arena);
    if (load.errors.count != 0) {
        texthash_free(hash);
        return NULL;
    }
    return hash;
}

void
texthash_free(struct texthash *hash)
{
    buf_free(&hash->text);
    free(hash->entries);
    free(hash->slots);
    free(hash);
}

uint64_t
texthash_count(const struct texthash *hash)
{
    return hash->count;
}

enum table_status
texthash_get(const struct texthash *hash, struct slice key, struct buf *value,
             unsigned *line)
{
    if (hash->count == 0)
        return TABLE_MISS;
    const struct slot *slot = slot_of(hash, key, hash_of(hash, key));
    if (slot->entry == 0)
        return TABLE_MISS;
    const struct entry *entry = &hash->entries[slot->entry - 1];
    buf_clear(value);
    if (!buf_try_append(value, value_of(hash, entry)))
        return TABLE_ERROR;
    *line = entry->line;
    return TABLE_FOUND;
}

enum table_status
texthash_each(const struct texthash *hash, table_visit *visit, void *ctx)
{
    for (size_t i = 0; i < hash->count; i++) {
        const struct entry *entry = &hash->entries[i];
        if (!visit(ctx, key_of(hash, entry), value_of(hash, entry),
                   entry->line))
            break;
    }
    return TABLE_FOUND;
}
