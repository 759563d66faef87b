/* arena.h - one block of device memory that is cut up for many: first fit, freed spans join. */
#ifndef TP_KERNELS_CUDA_ARENA_H
#define TP_KERNELS_CUDA_ARENA_H

#include <stddef.h>

enum { ARENA_GRAIN = 256 }; /* as cudaMalloc aligns */

struct arena;

struct arena *arena_new(void *base, size_t bytes);
void *arena_base(const struct arena *a);
void arena_delete(struct arena *a); /* base is the caller's to free */
/* NULL if there is no span of so many bytes. */
void *arena_cut(struct arena *a, size_t bytes);
/* False if p was not cut from it. */
bool arena_return(struct arena *a, void *p);
size_t arena_free_bytes(const struct arena *a);

#endif
