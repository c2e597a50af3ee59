/* The configuration as a tree of what was written, without libconfig's types:
 * those stay in load.c. */
#ifndef ONWARD_CONF_TREE_H
#define ONWARD_CONF_TREE_H

#include "source.h"

enum conf_node_kind {
    NODE_GROUP,
    NODE_LIST,
    NODE_STRING,
    NODE_NUMBER,
    NODE_FLOAT,
    NODE_BOOL,
};

struct conf_node {
    enum conf_node_kind kind;
    struct slice name;    /* empty for elements of lists */
    struct slice string;  /* of a string, escapes undone */
    bool truth;           /* of a bool */
    struct slice literal; /* as written; groups and lists on one line */
    unsigned literals;    /* strings side by side that became this one */
    struct conf_place place;
    const struct conf_node *parent;
    size_t index;            /* among the parent's */
    struct conf_node *first; /* of groups and lists */
    struct conf_node *next;
    size_t count;
};

/*
 * Parse the text of a source into a tree in the arena. NULL: errors are in
 * problems. A tree may come with errors too: what could be put right was.
 */
struct conf_node *conf_tree_load(struct conf_source *source,
                                 struct arena *arena,
                                 struct problems *problems);

const struct conf_node *conf_node_member(const struct conf_node *group,
                                         struct slice name);

/* "listeners[0].address", in the arena. */
struct slice conf_node_path(const struct conf_node *node, struct arena *arena);

/* "a string", "a list ( )"... */
const char *conf_node_kind_text(enum conf_node_kind kind);

#endif
