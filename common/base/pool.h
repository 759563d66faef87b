/* pool.h - the process's threads.
 *
 * One persistent pool.  Work is cut into chunks that threads take by ticket;
 * what a chunk computes must not depend on who runs it, so results are the same
 * for any number of threads.
 */
#ifndef TP_BASE_POOL_H
#define TP_BASE_POOL_H

#include <stdint.h>

void pool_init(int n_threads); /* 0 = one per available core; called by tool_begin() */
int pool_threads(void);
/* Calls fn(arg, i, thread) for every i in [0, n), thread in [0, pool_threads()).  Returns when all
 * are done.  Not reentrant: a call from inside fn runs serially. */
void pool_for(int64_t n, void (*fn)(void *arg, int64_t i, int thread), void *arg);
void pool_release(void);

#endif
