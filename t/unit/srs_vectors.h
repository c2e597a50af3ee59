/*
 * The vectors of data/srs/srs.jsonl for the tests of lib/srs: one object a
 * line; what the tests need of it, unescaped. The reader knows the JSON that
 * stands in that file and stops at anything else.
 */
#ifndef ONWARD_SRS_VECTORS_H
#define ONWARD_SRS_VECTORS_H

#include "srs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VECTORS_MAX = 256,
    VECTOR_SECRETS = 4
};

struct srs_vector {
    const char *id;
    struct slice op;
    struct slice secrets[VECTOR_SECRETS];
    size_t secret_count;
    int64_t time;
    struct slice domain;
    unsigned hash_length, hash_minimum, max_age;
    char separator;
    bool always;
    struct slice input;
    struct slice output; /* of recommend; ptr NULL: error */
    struct slice error;
    struct slice action;
    bool security; /* the classic MAC lets it through and should not */
};

struct srs_vectors {
    struct arena arena;
    struct srs_vector rows[VECTORS_MAX];
    size_t count;
};

static inline void
read_json_stop(struct slice at)
{
    fprintf(stderr, "unexpected JSON: %.*s\n", SLICE_ARG(slice_head(at, 40)));
    abort();
}

static inline struct slice
read_json_skip_blanks(struct slice s)
{
    while (s.len != 0 && strchr(" ,:", s.ptr[0]) != NULL)
        s = slice_tail(s, 1);
    return s;
}

/* Cut one value off the front of *s. */
static inline struct slice
read_json_value(struct slice *s)
{
    *s = read_json_skip_blanks(*s);
    struct slice start = *s;
    int depth = 0;
    bool quoted = false;
    size_t i = 0;

    for (; i < s->len; i++) {
        char c = s->ptr[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']') && --depth < 0)
            break;
        else if (!quoted && depth == 0 && (c == ',' || c == ' '))
            break;
        if (!quoted && depth == 0 && strchr("\"}]", c) != NULL) {
            i++;
            break;
        }
    }
    if (i == 0)
        read_json_stop(start);
    *s = slice_tail(*s, i);
    return slice_head(start, i);
}

/* The raw value of a member; empty if there is none. */
static inline struct slice
read_json_member(struct slice object, const char *name)
{
    if (object.len < 2 || object.ptr[0] != '{')
        read_json_stop(object);
    object = slice_head(slice_tail(object, 1), object.len - 2);
    while (read_json_skip_blanks(object).len != 0) {
        struct slice key = read_json_value(&object);
        struct slice value = read_json_value(&object);
        if (key.len == strlen(name) + 2 &&
            memcmp(key.ptr + 1, name, strlen(name)) == 0)
            return value;
    }
    return (struct slice){ 0 };
}

static inline unsigned
read_json_hex4(struct slice s)
{
    char digits[5] = { 0 };

    memcpy(digits, slice_head(s, 4).ptr, 4);
    return (unsigned)strtoul(digits, NULL, 16);
}

static inline struct slice
read_json_string(struct arena *arena, struct slice raw)
{
    if (raw.len == 0)
        return (struct slice){ 0 };
    if (raw.ptr[0] != '"')
        read_json_stop(raw);
    char *text = arena_alloc(arena, raw.len);
    size_t n = 0;
    for (size_t i = 1; i < raw.len - 1; i++) {
        char c = raw.ptr[i];
        if (c != '\\') {
            text[n++] = c;
            continue;
        }
        c = raw.ptr[++i];
        if (c != 'u') {
            if (c != '"' && c != '\\' && c != '/')
                read_json_stop(slice_tail(raw, i));
            text[n++] = c;
            continue;
        }
        unsigned code = read_json_hex4(slice_tail(raw, i + 1));
        i += 4;
        if (code < 0x80) {
            text[n++] = (char)code;
        } else if (code < 0x800) {
            text[n++] = (char)(0xC0 | code >> 6);
            text[n++] = (char)(0x80 | (code & 0x3F));
        } else {
            read_json_stop(slice_tail(raw, i));
        }
    }
    return (struct slice){ text, n };
}

static inline uint64_t
read_json_number(struct slice raw)
{
    uint64_t number = 0;

    if (!slice_to_u64(raw, &number))
        read_json_stop(raw);
    return number;
}

static inline void
srs_vector_read(struct arena *arena, struct slice line, struct srs_vector *v)
{
    struct slice recommend = read_json_member(line, "recommend");
    struct slice secrets = read_json_member(line, "secrets");
    struct slice tags = read_json_member(line, "tags");
    struct slice id = read_json_string(arena, read_json_member(line, "id"));

    v->id = arena_cstr(arena, id);
    v->op = read_json_string(arena, read_json_member(line, "op"));
    secrets = slice_head(slice_tail(secrets, 1), secrets.len - 2);
    while (read_json_skip_blanks(secrets).len != 0) {
        if (v->secret_count == VECTOR_SECRETS)
            read_json_stop(line);
        v->secrets[v->secret_count++] =
            read_json_string(arena, read_json_value(&secrets));
    }
    v->time = (int64_t)read_json_number(read_json_member(line, "time"));
    v->domain = read_json_string(arena, read_json_member(line, "domain"));
    v->hash_length =
        (unsigned)read_json_number(read_json_member(line, "hashlen"));
    v->hash_minimum =
        (unsigned)read_json_number(read_json_member(line, "hashmin"));
    v->max_age = (unsigned)read_json_number(read_json_member(line, "maxage"));
    v->separator =
        read_json_string(arena, read_json_member(line, "sep")).ptr[0];
    v->always = slice_equal(read_json_member(line, "always"), SLICE_OF("true"));
    v->input = read_json_string(arena, read_json_member(line, "input"));
    v->output = read_json_string(arena, read_json_member(recommend, "output"));
    v->error = read_json_string(arena, read_json_member(recommend, "error"));
    v->action = read_json_string(arena, read_json_member(recommend, "action"));
    v->security =
        tags.len != 0 && memmem(tags.ptr, tags.len, "\"security\"", 10) != NULL;
}

static inline void
srs_vectors_load(struct srs_vectors *vectors)
{
    FILE *file = fopen(TEST_DATA "/srs/srs.jsonl", "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t len;

    if (file == NULL) {
        perror(TEST_DATA "/srs/srs.jsonl");
        abort();
    }
    while ((len = getline(&line, &size, file)) > 1) {
        if (vectors->count == VECTORS_MAX)
            abort();
        /* All strings are copied; the id is the name of the test. */
        srs_vector_read(&vectors->arena,
                        (struct slice){ line, (size_t)len - 1 },
                        &vectors->rows[vectors->count++]);
    }
    free(line);
    fclose(file);
}

static inline struct srs_conf *
srs_vector_conf(const struct srs_vector *v, enum srs_mac mac)
{
    const char *why = NULL;
    struct srs_settings settings = {
        .secrets = v->secrets,
        .secret_count = v->secret_count,
        .mac = mac,
        .hash_length = v->hash_length,
        .hash_minimum = v->hash_minimum,
        .max_age_days = v->max_age,
        .separator = v->separator,
    };
    struct srs_conf *conf = srs_conf_new(&settings, &why);

    if (conf == NULL) {
        fprintf(stderr, "%s: %s\n", v->id, why);
        abort();
    }
    return conf;
}

#endif
