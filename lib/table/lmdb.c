/*
 * The reader of LMDB files as Postfix writes them: one file, no lock file.
 * LMDB's own library maps the file and believes it: one that is damaged, or
 * cut while it is open, ends the process that reads it. So we read pages
 * ourselves, as the library writes them (data version 1), and believe nothing:
 *
 *     two pages with a meta each; the one of the later transaction counts
 *     branch pages: nodes (key, number of a page below)
 *     leaf pages: nodes (key, value), or the number of the overflow pages
 *     that hold a long value
 *
 * Numbers are the machine's, of its word size. Entries of one page are
 * ordered; a table of positions, at its start, grows towards them.
 *
 * postmap locks the whole file while it writes. We hold a shared lock for one
 * look-up and never wait for it.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef F_OFD_SETLK
/* A lock of this descriptor: closing another one of the same file, which a
 * reload does, would drop a lock of the process. */
#define SET_LOCK F_OFD_SETLK
#else
#define SET_LOCK F_SETLK
#endif

static const uint32_t magic = 0xBEEFC0DE;

enum {
    VERSION = 1,
    PAGE_LEAST = 256,
    PAGE_MOST = 65536,
    DEPTH_MAX = 32,  /* LMDB's own */
    DB_KINDS = 0x7E, /* other orders, several values of a key */
    NODE_HEAD = 8,   /* before the key */
};

enum page_flag {
    PAGE_BRANCH = 0x01,
    PAGE_LEAF = 0x02,
    PAGE_OVERFLOW = 0x04,
    PAGE_LEAF2 = 0x20, /* of values of one key */
    PAGE_SUB = 0x40
};

enum node_flag {
    NODE_BIG = 0x01, /* the value is on overflow pages */
    NODE_SUB = 0x02, /* a database in the database */
    NODE_DUP = 0x04,
};

struct page_head {
    size_t number;
    uint16_t pad, flags;
    uint16_t lower, upper; /* the room between positions and nodes; of an
                            * overflow page one number, how many there are */
};

struct db_head {
    uint32_t page_size; /* of the first database; else unused */
    uint16_t flags, depth;
    size_t branch_pages, leaf_pages, overflow_pages;
    size_t entries;
    size_t root; /* all ones: it is empty */
};

struct meta {
    uint32_t magic, version;
    size_t address, map_size;
    struct db_head free_pages, entries;
    size_t last_page;
    size_t transaction;
};

/* Does a NUL stand behind keys and values? Debian's postmap writes one, that
 * of others does not. What the first key shows holds for the file. */
enum ending {
    ENDING_UNKNOWN,
    ENDING_NUL,
    ENDING_BARE
};

struct lmdb {
    int fd;
    size_t page_size;
    enum ending ending;
};

struct node {
    struct slice key;
    struct slice value; /* of a leaf; BIG: the number of its first page */
    uint16_t flags;
    uint32_t value_len;
    size_t child; /* of a branch */
};

/* ---- the file ---------------------------------------------------------- */

static bool
lock(const struct lmdb *lmdb, short type)
{
    struct flock range = { .l_type = type, .l_whence = SEEK_SET };
    int rc;

    do
        rc = fcntl(lmdb->fd, SET_LOCK, &range);
    while (rc != 0 && errno == EINTR);
    return rc == 0;
}

static bool
read_all(int fd, void *to, size_t len, uint64_t position)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n =
            pread(fd, (char *)to + done, len - done, (off_t)(position + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool
read_meta(int fd, uint64_t position, struct meta *meta)
{
    struct page_head head;
    char octets[sizeof(head) + sizeof(*meta)];

    if (!read_all(fd, octets, sizeof(octets), position))
        return false;
    memcpy(meta, octets + sizeof(head), sizeof(*meta));
    const size_t size = meta->free_pages.page_size;
    return meta->magic == magic && meta->version == VERSION &&
           size >= PAGE_LEAST && size <= PAGE_MOST && (size & (size - 1)) == 0;
}

/* The meta in force. */
static bool
read_metas(int fd, struct meta *meta)
{
    struct meta other;

    if (!read_meta(fd, 0, meta) ||
        !read_meta(fd, meta->free_pages.page_size, &other) ||
        other.free_pages.page_size != meta->free_pages.page_size)
        return false;
    if (other.transaction > meta->transaction)
        *meta = other;
    return (meta->entries.flags & DB_KINDS) == 0;
}

static bool
read_page(const struct lmdb *lmdb, size_t number, char *page,
          struct page_head *head)
{
    if (number > (uint64_t)INT64_MAX / lmdb->page_size ||
        !read_all(lmdb->fd, page, lmdb->page_size,
                  (uint64_t)number * lmdb->page_size))
        return false;
    memcpy(head, page, sizeof(*head));
    const unsigned kind = head->flags & (PAGE_BRANCH | PAGE_LEAF |
                                         PAGE_OVERFLOW | PAGE_LEAF2 | PAGE_SUB);
    return head->number == number &&
           (kind == PAGE_BRANCH || kind == PAGE_LEAF) &&
           head->lower > sizeof(*head) && head->lower % 2 == 0 &&
           head->lower <= head->upper && head->upper <= lmdb->page_size;
}

static unsigned
node_count(const struct page_head *head)
{
    return (unsigned)(head->lower - sizeof(*head)) / 2;
}

static bool
node_at(const struct lmdb *lmdb, const char *page, const struct page_head *head,
        unsigned index, struct node *node)
{
    uint16_t offset, key_len;
    uint32_t low;

    memcpy(&offset, page + sizeof(*head) + 2 * (size_t)index, 2);
    if (offset < head->upper || (size_t)offset + NODE_HEAD > lmdb->page_size)
        return false;
    const char *at = page + offset;
    size_t left = lmdb->page_size - offset - NODE_HEAD;
    memcpy(&low, at, 4);
    memcpy(&node->flags, at + 4, 2);
    memcpy(&key_len, at + 6, 2);
    if (key_len > left)
        return false;
    left -= key_len;
    node->key = (struct slice){ at + NODE_HEAD, key_len };
    if ((head->flags & PAGE_BRANCH) != 0) {
        uint64_t child = low;
        if (sizeof(size_t) > 4)
            child |= (uint64_t)node->flags << 32;
        node->child = (size_t)child;
        return true;
    }
    node->value_len = low;
    const size_t here = (node->flags & NODE_BIG) != 0 ? sizeof(size_t) : low;
    node->value = (struct slice){ at + NODE_HEAD + key_len, here };
    return here <= left && (node->flags & (NODE_SUB | NODE_DUP)) == 0;
}

/* A value that lies on pages of its own. */
static bool
read_big(const struct lmdb *lmdb, const struct node *node, struct buf *value)
{
    struct page_head head;
    struct stat st;
    size_t number;
    uint32_t pages;

    if (node->value_len > TABLE_VALUE_MAX + 1) /* with its NUL */
        return false;
    memcpy(&number, node->value.ptr, sizeof(number));
    if (fstat(lmdb->fd, &st) != 0 ||
        number > (uint64_t)st.st_size / lmdb->page_size)
        return false;
    const uint64_t position = (uint64_t)number * lmdb->page_size;
    if (!read_all(lmdb->fd, &head, sizeof(head), position))
        return false;
    memcpy(&pages, &head.lower, sizeof(pages));
    const uint64_t end = sizeof(head) + (uint64_t)node->value_len;
    buf_clear(value);
    if (head.number != number || (head.flags & PAGE_OVERFLOW) == 0 ||
        end > (uint64_t)pages * lmdb->page_size ||
        end > (uint64_t)st.st_size - position ||
        !buf_try_reserve(value, node->value_len) ||
        !read_all(lmdb->fd, value->ptr, node->value_len,
                  position + sizeof(head)))
        return false;
    value->len = node->value_len;
    return true;
}

/* ---- opening ----------------------------------------------------------- */

struct lmdb *
lmdb_open(const char *path, struct table_stat *stat, const char **why)
{
    struct meta meta;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) != 0) {
        *why = strerror(errno);
        goto out;
    }
    if (!S_ISREG(st.st_mode) || !read_metas(fd, &meta)) {
        *why = "is no lmdb file as postmap writes it, or is damaged";
        goto out;
    }
    table_stat_from(&st, stat);
    struct lmdb *lmdb = mem_alloc(sizeof(*lmdb));
    lmdb->fd = fd;
    lmdb->page_size = meta.free_pages.page_size;
    return lmdb;
out:
    if (fd >= 0)
        close(fd);
    return NULL;
}

void
lmdb_close(struct lmdb *lmdb)
{
    close(lmdb->fd);
    free(lmdb);
}

uint64_t
lmdb_count(const struct lmdb *lmdb)
{
    struct meta meta;

    return read_metas(lmdb->fd, &meta) ? meta.entries.entries : 0;
}

/* ---- looking up -------------------------------------------------------- */

static enum table_status
begin(const struct lmdb *lmdb, struct meta *meta)
{
    if (!lock(lmdb, F_RDLCK))
        return errno == EAGAIN || errno == EACCES ? TABLE_BUSY : TABLE_ERROR;
    if (read_metas(lmdb->fd, meta) &&
        meta->free_pages.page_size == lmdb->page_size)
        return TABLE_FOUND;
    lock(lmdb, F_UNLCK);
    return TABLE_ERROR;
}

static void
end(const struct lmdb *lmdb)
{
    lock(lmdb, F_UNLCK);
}

static bool
ends_with_nul(struct slice s)
{
    return s.len != 0 && s.ptr[s.len - 1] == '\0';
}

static struct slice
without_ending(const struct lmdb *lmdb, struct slice s)
{
    return lmdb->ending == ENDING_NUL && ends_with_nul(s)
               ? slice_head(s, s.len - 1)
               : s;
}

static int
compare(struct slice a, struct slice b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The first node whose key is not below the wanted one, its number. Of a
 * branch the first key stands for all that is less, whatever it holds. */
static bool
search_page(const struct lmdb *lmdb, const char *page,
            const struct page_head *head, struct slice wanted, unsigned *index,
            bool *equal)
{
    unsigned low = (head->flags & PAGE_BRANCH) != 0 ? 1 : 0;
    unsigned high = node_count(head);
    struct node node;

    *equal = false;
    while (low < high) {
        const unsigned middle = low + (high - low) / 2;
        if (!node_at(lmdb, page, head, middle, &node))
            return false;
        const int order = compare(node.key, wanted);
        if (order == 0) {
            *index = middle;
            *equal = true;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *index = low;
    return true;
}

/* To the node of the key; of a key that is NULL, to the very first. The node
 * points into page. */
static enum table_status
find(const struct lmdb *lmdb, const struct meta *meta, struct slice wanted,
     char *page, struct node *node)
{
    struct page_head head;
    size_t number = meta->entries.root;
    unsigned index = 0;
    bool equal = wanted.ptr == NULL;

    if (number == SIZE_MAX)
        return TABLE_MISS;
    for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
        if (!read_page(lmdb, number, page, &head) ||
            (wanted.ptr != NULL &&
             !search_page(lmdb, page, &head, wanted, &index, &equal)))
            return TABLE_ERROR;
        const bool is_leaf = (head.flags & PAGE_LEAF) != 0;
        if (is_leaf && !equal)
            return TABLE_MISS;
        if (!is_leaf && index != 0 && !equal)
            index--;
        if (!node_at(lmdb, page, &head, index, node))
            return TABLE_ERROR;
        if (is_leaf)
            return TABLE_FOUND;
        number = node->child;
    }
    return TABLE_ERROR;
}

static enum table_status
learn_ending(struct lmdb *lmdb, const struct meta *meta, char *page)
{
    struct node first;
    const enum table_status status =
        find(lmdb, meta, (struct slice){ 0 }, page, &first);

    if (status == TABLE_FOUND)
        lmdb->ending = ends_with_nul(first.key) ? ENDING_NUL : ENDING_BARE;
    return status;
}

static enum table_status
get(struct lmdb *lmdb, const struct meta *meta, struct slice key, char *page,
    struct buf *value)
{
    char text[SMTP_PATH_MAX + 1];
    struct node node;
    enum table_status status = TABLE_FOUND;

    if (lmdb->ending == ENDING_UNKNOWN)
        status = learn_ending(lmdb, meta, page);
    if (status != TABLE_FOUND)
        return status;
    /* No longer key is ever asked for or stored: LMDB's limit is 511. */
    if (key.len == 0 || key.len >= sizeof(text))
        return TABLE_MISS;
    memcpy(text, key.ptr, key.len);
    text[key.len] = '\0';
    struct slice wanted = { text, key.len + (lmdb->ending == ENDING_NUL) };
    status = find(lmdb, meta, wanted, page, &node);
    if (status != TABLE_FOUND)
        return status;
    if ((node.flags & NODE_BIG) != 0) {
        if (!read_big(lmdb, &node, value))
            return TABLE_ERROR;
        value->len = without_ending(lmdb, buf_slice(value)).len;
        return value->len <= TABLE_VALUE_MAX ? TABLE_FOUND : TABLE_ERROR;
    }
    buf_clear(value);
    return buf_try_append(value, without_ending(lmdb, node.value))
               ? TABLE_FOUND
               : TABLE_ERROR;
}

enum table_status
lmdb_get(struct lmdb *lmdb, struct slice key, struct buf *value)
{
    struct meta meta;
    enum table_status status = begin(lmdb, &meta);

    if (status != TABLE_FOUND)
        return status;
    char *page = mem_alloc(lmdb->page_size);
    status = get(lmdb, &meta, key, page, value);
    free(page);
    end(lmdb);
    return status;
}

/* ---- all of it --------------------------------------------------------- */

struct walk {
    const struct lmdb *lmdb;
    table_visit *visit;
    void *ctx;
    struct buf big;
    uint64_t pages; /* there can still be: one that leads back to itself
                     * would never end */
    bool stopped;
};

static bool
visit_node(struct walk *walk, const struct node *node)
{
    struct slice value = node->value;

    if ((node->flags & NODE_BIG) != 0) {
        if (!read_big(walk->lmdb, node, &walk->big))
            return false;
        value = buf_slice(&walk->big);
        if (without_ending(walk->lmdb, value).len > TABLE_VALUE_MAX)
            return false;
    }
    walk->stopped =
        !walk->visit(walk->ctx, without_ending(walk->lmdb, node->key),
                     without_ending(walk->lmdb, value), 0);
    return true;
}

static bool
walk_page(struct walk *walk, size_t number, unsigned depth)
{
    struct page_head head;
    struct node node;

    if (depth == DEPTH_MAX || walk->pages-- == 0)
        return false;
    char *page = mem_alloc(walk->lmdb->page_size);
    bool ok = read_page(walk->lmdb, number, page, &head);
    const unsigned count = ok ? node_count(&head) : 0;
    for (unsigned i = 0; ok && !walk->stopped && i < count; i++) {
        ok = node_at(walk->lmdb, page, &head, i, &node);
        if (ok)
            ok = (head.flags & PAGE_LEAF) != 0
                     ? visit_node(walk, &node)
                     : walk_page(walk, node.child, depth + 1);
    }
    free(page);
    return ok;
}

enum table_status
lmdb_each(struct lmdb *lmdb, table_visit *visit, void *ctx)
{
    struct walk walk = { .lmdb = lmdb, .visit = visit, .ctx = ctx };
    struct meta meta;
    struct stat st;
    enum table_status status = begin(lmdb, &meta);

    if (status != TABLE_FOUND)
        return status;
    char *page = mem_alloc(lmdb->page_size);
    status = learn_ending(lmdb, &meta, page);
    free(page);
    if (status == TABLE_MISS) {
        status = TABLE_FOUND; /* it is empty */
    } else if (status == TABLE_FOUND) {
        if (fstat(lmdb->fd, &st) == 0)
            walk.pages = (uint64_t)st.st_size / lmdb->page_size;
        if (!walk_page(&walk, meta.entries.root, 0))
            status = TABLE_ERROR;
    }
    buf_free(&walk.big);
    end(lmdb);
    return status;
}
