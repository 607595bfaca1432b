/* mistake.h: command lines that must be refused, as a table: what is wrong, the line, the whole message. */
#ifndef AT_MISTAKE_H
#define AT_MISTAKE_H

#include "base/base.h"

typedef struct at_mistake {
    const char *name;                 /* of the scratch folder */
    void (*make)(const char *folder); /* spoil the scene: model/, photos/{cat,dog,emu}; NULL = nothing */
    const char *line;                 /* after "attune" */
    int code;
    const char *message; /* what standard error holds, whole, without "attune: " before and the line's end */
} at_mistake;

/* Each line must end with its code and message, print nothing else on standard error, and leave every file
 * that there was as it was. late: they are found after work began, when the folder run/ may have come; else
 * nothing may. */
void at_expect_mistakes(const char *group, const at_mistake *list, int n, bool late);

#endif
