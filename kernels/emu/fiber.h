/* fiber.h - the emulator's threads and its scheduler, between its sources. */
#ifndef TP_KERNELS_EMU_FIBER_H
#define TP_KERNELS_EMU_FIBER_H

#include <vector>

#include "kernels/emu/emu.h"

enum { EMU_MAX_THREADS = 1024, EMU_MAX_SMEM = 227 * 1024, EMU_PLAIN_SMEM = 48 * 1024 };

#if defined(__SANITIZE_ADDRESS__)
#define EMU_STACK_BYTES (256u << 10)
#else
#define EMU_STACK_BYTES (64u << 10)
#endif

enum fiber_state { RUNS, IN_COLLECTIVE, AT_BARRIER, DONE };

/* A cp.async under way. */
struct async_copy {
    void *dst;
    const void *src;
    bool there;
    int group;
};

struct fiber : emu_thread {
    void *sp;
    char *stack;
    enum fiber_state state;
    void (*collective)(void **, unsigned); /* in one: which, and of which lanes */
    unsigned mask;
    const char *file; /* where it waits */
    int line;
    int group; /* of cp.async: commits so far */
    std::vector<async_copy> copies;
    void *fake_stack; /* AddressSanitizer's */
};

struct warp {
    unsigned alive, runnable, arrived; /* lanes */
    void *args[32];
};

extern struct fiber emu_fibers[EMU_MAX_THREADS];
extern struct warp emu_warps[EMU_MAX_THREADS / 32];

static inline struct fiber *running(void)
{
    return (struct fiber *)emu_self;
}

/* Gives way: the running fiber has set its state; returns when it runs again. */
void fiber_wait(enum fiber_state state);
/* Lets the lanes of a warp run again. */
void fibers_wake(unsigned warp, unsigned lanes);
[[noreturn]] void emu_die(const char *what, const char *file, int line);
/* The host's stack pointer while a kernel runs. */
void *emu_host_stack(void);
/* The opt-in of cudaFuncSetAttribute: dynamic shared memory that a kernel may have. */
size_t emu_smem_limit(const void *kernel);

#endif
