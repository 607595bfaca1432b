/* main.c: the program. */
#include <attune.h>
#include <stdio.h>

int main(void)
{
    printf("attune %s\n", AT_VERSION);
    return 0;
}
