/* offspring.h - the end of processes that were not started by us, but by those that we started.
 *
 * A process that calls offspring_adopt() becomes the parent of every process below it whose own
 * parent ends, also of one that left its group and its session.  So when it kills its children and
 * waits for them, what they leave behind are its children again, until there are none.
 *
 *     offspring_adopt();
 *     ... fork(), and the program runs others ...
 *     offspring_kill(NULL, 0);
 *
 * For processes with one thread.  Not found are processes that are set-user-id to somebody else, and
 * those of another pid namespace's process 1, which ends them itself.
 */
#ifndef TP_REWARD_OFFSPRING_H
#define TP_REWARD_OFFSPRING_H

#include <stddef.h>
#include <sys/types.h>

/* Once a process, before it forks. */
void offspring_adopt(void);
/* Kills and waits for all children, and what comes after them, but for those in keep[n], which keep
 * theirs. */
void offspring_kill(const pid_t *keep, size_t n);

#endif
