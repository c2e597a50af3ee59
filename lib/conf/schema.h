/* The table of settings, for the parts of lib/conf. */
#ifndef ONWARD_CONF_SCHEMA_H
#define ONWARD_CONF_SCHEMA_H

#include "conf.h"

/* By full name, "listeners[].name" in lists. */
const struct conf_setting *conf_setting_find(struct slice name);

/* "name" and "listeners[]" of it. */
struct slice conf_setting_leaf(const struct conf_setting *setting);
struct slice conf_setting_group(const struct conf_setting *setting);

/* The one whose name is most like it, in that group or (the very name) in
 * another; NULL: none is near. */
const struct conf_setting *conf_setting_nearest(struct slice group,
                                                struct slice name);

/* Index of text among the choices. */
bool conf_choice_parse(const struct conf_setting *setting, struct slice text,
                       unsigned *index);

#endif
