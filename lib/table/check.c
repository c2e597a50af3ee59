#include "backend.h"
#include "entries.h"
bool
alias_list_check(const struct alias_list *list, unsigned max_targets,
                 struct buf *errors)
{
    (void)list;
    (void)max_targets;
    (void)errors;
    return true;
}
