/* watch.h - who touches which byte: races, and the traffic of warps.
 *
 * In the plug-in that is built to watch, the kernels are compiled with -fsanitize=thread and watch.cpp stands in for that
 * sanitizer's library: every access to memory comes to watch_access().  Two accesses of different threads, one of them a
 * write, must have __syncthreads() between them, or __syncwarp() within a warp, whatever order the threads ran in; blocks
 * of one launch must not meet at all.  A kernel may touch device memory, shared memory and its own stack.
 *
 * With $EMU_TRAFFIC naming a file, it is written as the process ends (traffic.cpp).
 */
#ifndef TP_KERNELS_EMU_WATCH_H
#define TP_KERNELS_EMU_WATCH_H

#include "kernels/emu/fiber.h"

enum watch_kind { WATCH_READ, WATCH_WRITE };

#ifdef EMU_WATCH
/* One access of the running thread; place: what tells instructions apart, an address in the code if from_code. */
void watch_access(const void *p, size_t bytes, enum watch_kind kind, uintptr_t place, bool from_code);
/* The bytes of a cp.async arrive: a write that is not counted again. */
void watch_arrival(const void *p, size_t bytes);
void watch_launch(const char *name, const void *smem, size_t smem_bytes);
void watch_block_begins(void);
void watch_block_ends(void);
void watch_barrier(void);
void watch_syncwarp(unsigned warp);
void watch_allocated(void *p, size_t bytes);
void watch_freed(void *p);

/* traffic.cpp: what the access was to, and whether it was the launch's first to how many bytes. */
void traffic_launch(const char *name);
void traffic_access(const void *p, size_t bytes, enum watch_kind kind, uintptr_t place, bool shared, size_t first);
void traffic_block_ends(void);
#else
static inline void watch_access(const void *, size_t, enum watch_kind, uintptr_t, bool) {}
static inline void watch_arrival(const void *, size_t) {}
static inline void watch_launch(const char *, const void *, size_t) {}
static inline void watch_block_begins(void) {}
static inline void watch_block_ends(void) {}
static inline void watch_barrier(void) {}
static inline void watch_syncwarp(unsigned) {}
static inline void watch_allocated(void *, size_t) {}
static inline void watch_freed(void *) {}
#endif

#endif
