/* freelist.h - working memory that threads take and give back.
 *
 * A function that the pool calls on several threads takes a block, or makes one when
 * there is none to take, and gives it back; at the end the owner takes all and frees them.
 */
#ifndef TP_BASE_FREELIST_H
#define TP_BASE_FREELIST_H

#include <pthread.h>

struct freelist {
    pthread_mutex_t lock;
    void **items;
    int n, cap;
};

#define FREELIST_INIT {.lock = PTHREAD_MUTEX_INITIALIZER}
void *freelist_take(struct freelist *f); /* NULL: none */
void freelist_give(struct freelist *f, void *item);
void freelist_release(struct freelist *f); /* the list alone, which must be empty */

#endif
