#include "descriptors.h"

#include <dirent.h>
#include <sys/resource.h>

enum {
    DESCRIPTORS_MAX = 1 << 20, /* more than that is never needed */
    RESERVE = 12, /* reload, tables, log, a waiting connection each */
    EACH = 3,     /* of a session: client, upstream and spool */
};

size_t
descriptors_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    if (dir == NULL)
        return 0;
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count > 3 ? count - 3 : 0; /* ".", "..", and dir itself */
}

void
descriptors_measure(struct descriptors *descriptors)
{
    struct rlimit limit;

    descriptors->base = descriptors_open() + RESERVE;
    descriptors->limit = DESCRIPTORS_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur < DESCRIPTORS_MAX)
        descriptors->limit = limit.rlim_cur;
}

static bool
suffice(const struct descriptors *descriptors)
{
    size_t unused = pool_unused(descriptors->pool) + descriptors->files->count;

    return descriptors->base + EACH * (*descriptors->sessions + 1) + unused <=
           descriptors->limit;
}

bool
descriptors_suffice(struct descriptors *descriptors)
{
    if (suffice(descriptors))
        return true;
    pool_shed(descriptors->pool);
    spool_files_drop(descriptors->files);
    return suffice(descriptors);
}
