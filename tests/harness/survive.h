/* survive.h: runs that are killed and go on. */
#ifndef AT_SURVIVE_H
#define AT_SURVIVE_H

/* Train once to the end, then `kills` times with a SIGKILL at a step, the steps uniform in 5 to 95 % of the
 * run; each continued by --resume=auto must give the same bits, and repeat at most checkpoint.every steps. */
void at_expect_survives(const char *name, int kills);

/* The same with one signal that asks to save and stop, in the middle; no step is repeated. */
void at_expect_stops(const char *name, int signal_number);

#endif
