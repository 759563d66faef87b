/* freelist.c - working memory that threads take and give back. */
#include "base/freelist.h"

#include <stdlib.h>

#include "base/mem.h"

void *freelist_take(struct freelist *f)
{
    pthread_mutex_lock(&f->lock);
    void *item = f->n > 0 ? f->items[--f->n] : NULL;
    pthread_mutex_unlock(&f->lock);
    return item;
}

void freelist_give(struct freelist *f, void *item)
{
    pthread_mutex_lock(&f->lock);
    GROW(f->items, f->n, f->cap);
    f->items[f->n++] = item;
    pthread_mutex_unlock(&f->lock);
}

void freelist_release(struct freelist *f)
{
    if (f->n)
        BUG("%d blocks of working memory are left", f->n);
    free(f->items);
    f->items = NULL;
    f->cap = 0;
}
