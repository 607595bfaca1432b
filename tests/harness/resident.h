/* resident.h: how much of a mapping is in memory. */
#ifndef AT_TEST_RESIDENT_H
#define AT_TEST_RESIDENT_H

/* Resident KiB of the mapping that holds p, as Linux counts them (the page of zeros does not count); the test
 * fails where there is none. */
long at_resident_kib(const void *p);

#endif
